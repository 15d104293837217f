"""What an annotation says: which types it allows, and whether None."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, NewType, Union

from typing_extensions import TypeAliasType


def alternatives(hint: Any) -> Iterator[Any]:
    """The types that an annotation allows, None left out; nothing where it allows any."""
    waiting = [] if hint is None else [hint]
    while waiting:
        each = waiting.pop()
        origin = typing.get_origin(each)
        if origin in {Union, UnionType}:
            waiting.extend(typing.get_args(each))
        elif origin is Annotated:
            waiting.append(typing.get_args(each)[0])
        elif isinstance(each, NewType):
            waiting.append(each.__supertype__)
        elif isinstance(each, TypeAliasType):
            waiting.append(each.__value__)
        elif each is not NoneType:
            yield each


def is_optional(hint: Any) -> bool:
    """Whether an annotation allows None."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return is_optional(typing.get_args(hint)[0])
    return origin in {Union, UnionType} and NoneType in typing.get_args(hint)
