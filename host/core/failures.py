"""Exceptions as data: what of an error is written into the history."""

from __future__ import annotations

import traceback
from dataclasses import replace

from bindings.errors import FailureDetails, SerializationError, TaskFailedError

MAX_CAUSES = 10
MAX_STACK_CHARS = 20_000
MAX_MESSAGE_CHARS = 20_000


def failure_of(error: BaseException, *, is_non_retriable: bool = False) -> FailureDetails:
    """Type, message, formatted stack and causes of an exception, bounded in size.

    The cause of a `TaskFailedError` is the failure it carries, so that an error keeps its origin
    through any number of sub-orchestrations.
    """
    return _failure(error, is_non_retriable=is_non_retriable, depth=0)


def _failure(error: BaseException, *, is_non_retriable: bool, depth: int) -> FailureDetails:
    return FailureDetails(
        error_type=type(error).__name__,
        message=_clean(_message_of(error), MAX_MESSAGE_CHARS),
        stack_trace=_clean(_stack_of(error), MAX_STACK_CHARS),
        cause=_cause_of(error, depth),
        is_non_retriable=is_non_retriable or isinstance(error, SerializationError),
    )


def _cause_of(error: BaseException, depth: int) -> FailureDetails | None:
    if isinstance(error, TaskFailedError):
        return _shortened(error.details)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is None or depth >= MAX_CAUSES:
        return None
    return _failure(cause, is_non_retriable=False, depth=depth + 1)


def _shortened(details: FailureDetails) -> FailureDetails:
    """The failure with its outermost and innermost causes, without those in the middle.

    Every sub-orchestration that lets a failure through adds one.
    """
    chain: list[FailureDetails] = [details]
    while (cause := chain[-1].cause) is not None:
        chain.append(cause)
    if len(chain) <= MAX_CAUSES:
        return details
    half = MAX_CAUSES // 2
    shortened = chain[-half]
    for failure in reversed(chain[:half]):
        shortened = replace(failure, cause=shortened)
    return shortened


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - an author's __str__ may raise anything
        return f"(its message cannot be shown: {type(broken).__name__})"


def _stack_of(error: BaseException) -> str:
    try:
        return "".join(traceback.format_tb(error.__traceback__))
    except Exception:  # noqa: BLE001 - reading source lines may fail in any way
        return ""


def _clean(text: str, limit: int) -> str:
    """Text that can be stored: bounded, and without lone surrogates."""
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]}\n… {len(text) - limit:,} characters left out …\n{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode()
