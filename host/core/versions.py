"""Versions of orchestrations: how two are compared, and which of them a host takes.

The meanings are those of Durable Functions' host.json. One is kept to that its documentation says
and its code does not: plain numbers are compared as numbers, so that 10 comes after 9.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from host.core.projection import reason_without_function
from host.settings.versions import VersionFailure, VersionMatch

_NUMBERS = re.compile(r"[0-9]{1,10}(\.[0-9]{1,10}){0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioning:
    """What a host takes for its own."""

    default: str | None = None
    """The version of what is started here without one, and the one that others are matched with."""
    match: VersionMatch = VersionMatch.NONE
    failure: VersionFailure = VersionFailure.REJECT
    """What becomes of an instance that does not match."""

    @property
    def takes_all(self) -> bool:
        """Whether it takes instances of any version."""
        return self.match is VersionMatch.NONE

    def takes(self, version: str | None) -> bool:
        """Whether it runs instances of this version."""
        match self.match:
            case VersionMatch.NONE:
                return True
            case VersionMatch.STRICT:
                return compare(version, self.default) == 0
            case VersionMatch.CURRENT_OR_OLDER:
                return compare(version, self.default) <= 0

    def mismatch(self, version: str | None) -> str:
        """What does not match, in words."""
        of = "has no version" if version is None else f"is of version '{version}'"
        own = "without a version" if self.default is None else f"of version '{self.default}'"
        older = " or older" if self.match is VersionMatch.CURRENT_OR_OLDER else ""
        return (
            f"The instance {of}, and this host takes those {own}{older} "
            f"(versionMatchStrategy {self.match} in host.json)"
        )

    def reason_to_wait(self, name: str, version: str | None) -> str:
        """Why an instance waits that is not run here, or whose function is not here."""
        if self.takes(version):
            return reason_without_function(name, version)
        return f"{self.mismatch(version)}; it goes on when there is a host that takes it."


TAKES_ALL = Versioning()


def compare(version: str | None, other: str | None) -> int:
    """Below 0 if `version` is the older one, 0 if both are the same, else above 0.

    None is older than all. Up to four numbers with points are compared number by number, where a
    missing one comes first; all else is compared as texts, without regard to case.
    """
    mine, its = (version or "").strip(), (other or "").strip()
    if _NUMBERS.fullmatch(mine) and _NUMBERS.fullmatch(its):
        numbers, others = _numbers_of(mine), _numbers_of(its)
        return (numbers > others) - (numbers < others)
    mine, its = mine.upper(), its.upper()
    return (mine > its) - (mine < its)


def _numbers_of(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
