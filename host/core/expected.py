"""As what the parts of a value will be read, going by the annotation of the whole.

Only what is certain is told: where an annotation leaves it open, nothing is expected.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, MutableSequence, Sequence, Set
from dataclasses import is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, NewType, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import TypeAliasType, get_type_hints, is_typeddict

Kinds: TypeAlias = tuple[Any, ...]
"""The annotations that are tried; none if anything may be read."""

ANYTHING: Kinds = ()

_LISTS = frozenset(
    {list, set, frozenset, deque, Sequence, MutableSequence, Set, Collection, Iterable}
)
_MAPPINGS = frozenset({dict, Mapping})


def kinds_of(annotation: Any) -> Kinds:
    """The annotations that a union, or a name for one, stands for."""
    if annotation is None or annotation is Any:
        return ANYTHING
    try:
        return _kinds_of(annotation)
    except TypeError:  # an annotation that cannot be hashed
        return ANYTHING


@lru_cache(maxsize=4096)
def _kinds_of(annotation: Any) -> Kinds:
    found: list[Any] = []
    waiting = [annotation]
    while waiting:
        each = waiting.pop()
        origin = get_origin(each)
        if origin in {Union, UnionType}:
            waiting.extend(get_args(each))
        elif origin is Annotated:
            waiting.append(get_args(each)[0])
        elif isinstance(each, NewType):
            waiting.append(each.__supertype__)
        elif isinstance(each, TypeAliasType):
            waiting.append(each.__value__)
        elif each is not NoneType:
            found.append(each)
    return ANYTHING if Any in found or object in found else tuple(found)


def kinds_of_members(kinds: Kinds) -> Kinds:
    """What is expected of the items of a list or set, or of the values of a mapping."""
    found = [_member_of(each) for each in kinds]
    if not all(found):
        return ANYTHING
    return tuple(each for members in found for each in members)


def _member_of(kind: Any) -> Kinds:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in _LISTS and len(arguments) == 1:
        return kinds_of(arguments[0])
    if origin in _MAPPINGS and len(arguments) == 2:
        return kinds_of(arguments[1])
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return kinds_of(arguments[0])
    return ANYTHING


def kinds_of_fields(kinds: Kinds) -> dict[str, Kinds]:
    """What is expected of the fields of a mapping, by name, where one `TypedDict` says it."""
    (only, *others) = kinds or (None,)
    return {} if others or not is_typeddict(only) else fields_of(only)


def fields_of(kind: Any) -> dict[str, Kinds]:
    """What is expected of the fields of a model, dataclass or `TypedDict`, by name.

    Fields that an author's serializer writes are left out: it decides what is written.
    """
    try:
        return _fields_of(kind)
    except Exception:  # noqa: BLE001 - annotations that do not resolve, or odd classes
        return {}


@lru_cache(maxsize=4096)
def _fields_of(kind: Any) -> dict[str, Kinds]:
    if not issubclass_of(kind, BaseModel):
        return {name: kinds_of(hint) for name, hint in get_type_hints(kind).items()}
    decorators = kind.__pydantic_decorators__
    if decorators.model_serializers:
        return {}
    own = {name for each in decorators.field_serializers.values() for name in each.info.fields}
    fields = kind.model_fields
    return {name: kinds_of(each.annotation) for name, each in fields.items() if name not in own}


def forget_annotations() -> None:
    """Let go of all that is kept by type."""
    _kinds_of.cache_clear()
    _fields_of.cache_clear()


def lost_fields(value: Any, kinds: Kinds) -> tuple[Any, tuple[str, ...]] | None:
    """As which base class of its own a value will be read, and the fields that this loses.

    None if it is read as what it is, or nobody knows.
    """
    kind = type(value)
    if not kinds or kind in kinds:
        return None
    names = field_names(kind)
    found = None
    for each in kinds:
        if not issubclass_of(kind, each):
            continue
        known = field_names(each)
        lost = tuple(name for name in names if name not in known)
        if not known or not lost or _takes_any(each):
            return None
        found = each, lost
    return found


def field_names(kind: Any) -> tuple[str, ...]:
    """The names of what a model or a dataclass consists of."""
    if issubclass_of(kind, BaseModel):
        return tuple(kind.model_fields)
    return tuple(kind.__dataclass_fields__) if is_dataclass(kind) else ()


def _takes_any(kind: Any) -> bool:
    return issubclass_of(kind, BaseModel) and kind.model_config.get("extra") == "allow"


def issubclass_of(kind: Any, other: Any) -> bool:
    """As `issubclass`, of anything: what is no class, or cannot be asked, is a base of nothing."""
    try:
        return isinstance(other, type) and isinstance(kind, type) and issubclass(kind, other)
    except TypeError:  # a TypedDict, a Protocol
        return False
