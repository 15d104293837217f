"""What a type found wrong with data from outside, in words for whoever sent it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import ErrorDetails

_MAX_TOLD = 20
"""So many of a type's complaints are told."""


def in_words(details: Sequence[ErrorDetails]) -> str:
    """Each place, and what is wrong there."""
    told = [f"{_place(each)}: {each['msg']}" for each in details[:_MAX_TOLD]]
    return "The request is not what the function asks for. " + "; ".join(told)


def _place(detail: ErrorDetails) -> str:
    return ".".join(str(part) for part in detail["loc"]) or "the whole"
