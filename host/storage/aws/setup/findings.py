"""What is there of a hub, as `funchost hub status` shows it, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_STACK = "aws:cloudformation:stack-name"
"""CloudFormation's own tag on what it made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is there of one table or queue. `problem` is None if it is as it should be."""

    name: str
    figures: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    problem: str | None = None


def missing(region: str) -> str:
    """What is said of a table or queue that is not there, where it was looked for."""
    return f"it is missing in {region}; `funchost hub create` makes it"


def existing(what: str, tags: Mapping[str, str], *, changes: Sequence[str] = ()) -> str:
    """What is said of a table or queue that was there: who made it, and what was changed."""
    of_stack = f", made by the stack {tags[_STACK]}" if _STACK in tags else ""
    changed = f"; set {', '.join(changes)}" if changes else ""
    return f"{what} exists{of_stack}{changed}."


def key_note(key: str) -> str:
    """What is said of a KMS key that the settings do not name."""
    return f"encrypted with the KMS key {key}, which kmsKeyArn does not name: it stays"
