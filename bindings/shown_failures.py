"""Failures as a host shows them in JSON, read back into `FailureDetails`."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from bindings.errors import FailureDetails


def failure_of(shown: Mapping[str, Any]) -> FailureDetails:
    """The failure that `failureDetails`, or an event of a history, shows."""
    cause = shown.get("InnerFailure")
    return FailureDetails(
        error_type=shown["ErrorType"],
        message=shown["ErrorMessage"],
        stack_trace=shown.get("StackTrace") or "",
        cause=None if cause is None else failure_of(cause),
        is_non_retriable=bool(shown.get("IsNonRetriable")),
        notes=tuple(shown.get("Notes") or ()),
        sub_failures=tuple(failure_of(each) for each in shown.get("SubFailures") or ()),
        base_types=_bases_of(shown["ErrorType"]),
    )


def _bases_of(name: str) -> tuple[str, ...]:
    """The base classes of one of Python's own errors; those of others are not told."""
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return ()
    return tuple(each.__name__ for each in kind.__mro__[1:-1])
