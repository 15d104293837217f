"""The words of the code: a glossary that is complete, and words that have one meaning each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
CODE = [*ROOT.glob("host/**/*.py"), *ROOT.glob("bindings/**/*.py")]
DEFINED_WORDS_OF = ("core/records.py", "core/executors.py", "core/turns.py", "storage/protocol.py")

ONE_MEANING = (
    (
        r"\bsequence\b",
        ("cli/check_deploy.py", "http/management/history_view", "http/management/forks"),
        "the place of a batch is its number; that of an event has this name in answers",
    ),
    (r"\bsettle\w*\b", ("core/", "engine/session"), "only a session settles; a task is resolved"),
    (
        r"class (Alarm|Leases)\b",
        ("storage/protocol.py", "storage/aws/table/leases.py"),
        "two classes had this name",
    ),
    (r"\.turn\b(?!\()", ("engine/slices.py",), "a row says `last_number`; a turn is an act"),
    (r"\bTurn\(", (), "what names a batch is its `BatchKey`"),
    (r"\b(orchestration|workflow)_instance\b", (), "it is an instance"),
)
"""Words that had several meanings: what is not to be found, but for these places, and why."""


def _rows() -> list[list[str]]:
    section = PAGE.read_text("utf-8").split("\n## Words\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def _named() -> set[str]:
    return {name for _, _, code in _rows() for name in re.findall(r"`([\w.]+)`", code)}


def _source() -> str:
    return "\n".join(path.read_text("utf-8") for path in CODE)


def test_no_word_is_explained_twice() -> None:
    words = [word for word, *_ in _rows()]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("file", DEFINED_WORDS_OF)
def test_every_record_of_the_core_and_of_the_storage_contract_has_its_word(file: str) -> None:
    classes = re.findall(r"^class ([A-Z]\w+)", (ROOT / "host" / file).read_text("utf-8"), re.M)
    assert classes
    assert set(classes) - _named() == set()


def test_every_name_in_the_glossary_is_in_the_code() -> None:
    words = set(re.findall(r"\w+", _source()))
    parts = {part for name in _named() for part in name.split(".")}
    assert sorted(parts - words) == []


@pytest.mark.parametrize(("pattern", "places", "reason"), ONE_MEANING)
def test_a_word_with_one_meaning_stays_so(
    pattern: str, places: tuple[str, ...], reason: str
) -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in CODE
        if re.search(pattern, path.read_text("utf-8"))
        and not str(path.relative_to(ROOT / path.relative_to(ROOT).parts[0])).startswith(places)
    ]
    assert found == [], reason
