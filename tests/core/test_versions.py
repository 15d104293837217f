"""Which versions of orchestrations a host takes, and what it does with the others."""

from __future__ import annotations

from typing import Any

import pytest

from host.core.versions import Versioning, compare
from host.settings.versions import VersionMatch

OLDEST_FIRST = [
    (None, "1"),
    ("", "0.0"),
    ("1", "2"),
    ("9", "10"),
    ("1.0", "1.0.0"),
    ("1.9", "1.10"),
    ("1.2.3.4", "1.2.3.5"),
    ("2025-01-01", "2025-02-01"),
    ("v1.0-release", "V1.1-RELEASE"),
    ("10", "9-beta"),
]


@pytest.mark.parametrize(("older", "newer"), OLDEST_FIRST)
def test_versions_are_compared_by_number_else_as_texts(older: Any, newer: Any) -> None:
    assert compare(older, newer) < 0 < compare(newer, older)


@pytest.mark.parametrize(
    ("one", "other"), [(None, ""), (" 1.0", "1.0 "), ("01", "1"), ("Alpha", "alpha")]
)
def test_versions_that_are_the_same(one: Any, other: Any) -> None:
    assert compare(one, other) == compare(other, one) == 0


@pytest.mark.parametrize(
    ("match", "default", "taken", "refused"),
    [
        (VersionMatch.NONE, "2", [None, "1", "2", "3"], []),
        (VersionMatch.STRICT, "2", ["2", "02"], [None, "1", "2.0", "3"]),
        (VersionMatch.STRICT, None, [None, ""], ["1"]),
        (VersionMatch.CURRENT_OR_OLDER, "2", [None, "1", "2"], ["2.1", "3"]),
        (VersionMatch.CURRENT_OR_OLDER, None, [None], ["1"]),
    ],
)
def test_what_a_host_takes(match: VersionMatch, default: Any, taken: Any, refused: Any) -> None:
    versioning = Versioning(default=default, match=match)
    assert [each for each in (*taken, *refused) if versioning.takes(each)] == taken


def test_a_mismatch_says_what_the_instance_is_and_what_the_host_takes() -> None:
    strict = Versioning(default="2", match=VersionMatch.STRICT)
    older = Versioning(default="2", match=VersionMatch.CURRENT_OR_OLDER)
    assert strict.mismatch(None) == (
        "The instance has no version, and this host takes those of version '2' "
        "(versionMatchStrategy Strict in host.json)"
    )
    assert "is of version '3', and this host takes those of version '2' or older" in (
        older.mismatch("3")
    )
