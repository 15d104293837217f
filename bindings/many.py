"""Starting many orchestrations of one function: what each is to be, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bindings.errors import FunchostError


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrchestration:
    """One of many orchestrations to start. Without an `instance_id` it gets one."""

    input: Any = None
    instance_id: str | None = None
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOutcome:
    """The id of what was started, or else why it was not."""

    instance_id: str | None = None
    error: FunchostError | None = None
