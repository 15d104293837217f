"""What host.json may say of versions, by the names of Durable Functions."""

from __future__ import annotations

from enum import StrEnum


class VersionMatch(StrEnum):
    """`versionMatchStrategy`: instances of which versions a host takes."""

    NONE = "None"
    """Of any."""
    STRICT = "Strict"
    """Of the host's own."""
    CURRENT_OR_OLDER = "CurrentOrOlder"
    """Of the host's own, and older ones."""


class VersionFailure(StrEnum):
    """`versionFailureStrategy`: what becomes of an instance that a host does not take."""

    REJECT = "Reject"
    """It waits for a host that takes it."""
    FAIL = "Fail"
    """It fails."""
