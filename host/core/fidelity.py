"""What would not be read back as it was written, found where it is written.

JSON holds less than Python does, and pydantic's models may write more, less or other than they
read: a secret becomes asterisks, an excluded field is gone, a field is written by one name and read
by another. Whoever wrote that would hear of it in another function, much later, or never. Plain
values cost one look at their type; others are gone through, as far as `MAX_PARTS`.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import AliasChoices, AliasPath, BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import from_json, to_json

from bindings.tasks import DurableTask
from host.core.expected import (
    ANYTHING,
    Kinds,
    fields_of,
    forget_annotations,
    kinds_of,
    kinds_of_fields,
    kinds_of_members,
    lost_fields,
)

MAX_PARTS = 10_000
"""So many parts of a value that are not plain are looked at; those beyond are mostly alike."""

MAX_PLACE = 200
"""So many characters of a place are told: an author decides how deep values nest."""

_PLAIN = frozenset({str, int, float, bool, type(None)})
_SECRETS = (SecretStr, SecretBytes)
Path: TypeAlias = "tuple[Any, ...] | None"
"""The place of the container, how a part is found in it, and the name it has there."""
Part: TypeAlias = "tuple[Path, Any, Kinds]"


def is_plain(value: Any) -> bool:
    """Whether JSON holds the value as it is, without a look at any part of it."""
    return type(value) in _PLAIN or type(value) is bytes


def what_is_lost(value: Any, read_as: Any = None) -> str | None:
    """The first part that would be read back as another value, and why; None if there is none."""
    if type(value) is list and _PLAIN.issuperset(map(type, value)):
        return None  # as most lists are
    for path, part, kinds in _parts(value, kinds_of(read_as)):
        reason = _reason(part, kinds)
        if reason is not None:
            return f"{_place(path) or 'it'} {reason}"
    return None


def place_of_failure(value: Any, write: Callable[[Any], object]) -> str | None:
    """The innermost part that `write` refuses; None if it refuses only the whole."""
    found: Path = None
    culprit = None
    for path, part, _ in _parts(value):
        if path is not None:
            try:
                write(part)
            except Exception:  # noqa: BLE001 - whatever it is, it is this part's doing
                found, culprit = path, part
    # The place is put together once: for each part of a deeply nested value that would take long.
    if found is None:
        return None
    return f"{_place(found)[:MAX_PLACE]} (a {type(culprit).__name__})"


def what_to_write(value: Any) -> str | None:
    """What to write instead of a value that cannot be JSON, where that is known."""
    return next(filter(None, (_instead_of(part) for _, part, _ in _parts(value))), None)


def _instead_of(part: Any) -> str | None:
    if isinstance(part, DurableTask):
        return (
            "it is a task that was not awaited: write await (in a generator, yield) before it. "
            "What when_any gives is a task, too."
        )
    if isinstance(part, Awaitable):
        return f"it is a {type(part).__name__} that was not awaited: write await before it."
    if isinstance(part, bytes | bytearray) and not _is_text(part):
        return (
            "it holds bytes that are no text. Write them as one, with "
            "base64.b64encode(...).decode()."
        )
    return None


def _is_text(data: bytes | bytearray) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parts(value: Any, kinds: Kinds = ANYTHING) -> Iterator[Part]:
    """The value, then what is in it and is not plain, from the outside in."""
    waiting: list[Part] = [(None, value, kinds)]
    seen: set[int] = set()
    for _ in range(MAX_PARTS):
        if not waiting:
            return
        path, part, kinds = waiting.pop()
        yield path, part, kinds
        if id(part) not in seen:
            seen.add(id(part))
            waiting.extend(_members(path, part, kinds))


def _place(path: Path) -> str:
    steps = []
    while path is not None:
        path, form, name = path
        steps.append(form % (name,))
    return "".join(reversed(steps)).lstrip(".")


def _members(path: Path, part: Any, kinds: Kinds) -> Iterable[Part]:
    """The members that are not plain. Each of them is looked at once, so the loops are short."""
    if isinstance(part, Mapping):
        of = kinds and kinds_of_members(kinds)
        by_name = kinds and kinds_of_fields(kinds)
        return [
            ((path, "[%r]", key), each, by_name.get(key, ANYTHING) if by_name else of)
            for key, each in part.items()
            if type(each) not in _PLAIN
        ]
    if isinstance(part, list | tuple | set | frozenset | deque):
        of = kinds and kinds_of_members(kinds)
        return [
            ((path, "[%d]", index), each, of)
            for index, each in enumerate(part)
            if type(each) not in _PLAIN
        ]
    return _fields(path, part)


def _fields(path: Path, part: Any) -> Iterable[Part]:
    if isinstance(part, BaseModel):
        values = {**part.__dict__, **(part.__pydantic_extra__ or {})}
    elif is_dataclass(part) and not isinstance(part, type):
        names = (each.name for each in fields(part))
        values = {name: getattr(part, name) for name in names if hasattr(part, name)}
    else:
        return ()
    of = fields_of(type(part))
    return [
        ((path, ".%s", name), each, of.get(name, ANYTHING))
        for name, each in values.items()
        if type(each) not in _PLAIN
    ]


def _reason(part: Any, kinds: Kinds) -> str | None:
    reason = next((look(part) for kind, look in _LOOKS if isinstance(part, kind)), None)
    if reason is not None or not kinds:
        return reason
    lost = lost_fields(part, kinds)
    if lost is not None:
        kind, names = lost
        return (
            f"is a {type(part).__name__} and is read as a {kind.__name__}, which has no field "
            f"{', '.join(map(repr, names))}: name the derived class there"
        )
    if type(part) in kinds and is_dataclass(part):
        return _reason_of_dataclass(part)
    return None


def _of_secret(_: Any) -> str:
    return (
        "is a secret, of which only asterisks are written: pass a reference to it, or a plain "
        "text, which the history will show"
    )


def _of_dict(part: dict[Any, Any]) -> str | None:
    """Keys such as dates are written as their texts, and read again by annotation."""
    if not any(type(key) is not str for key in part):
        return None
    for key in part:
        if key is None:
            return "has the key None, which would be read as 'None'"
        if isinstance(key, tuple) or (isinstance(key, enum.Enum) and _of_enum(key)):
            return f"has the key {key!r:.{MAX_PLACE}}, which cannot be read: use a text"
    if len(from_json(to_json(dict.fromkeys(part)))) < len(part):
        return "has keys that differ and are written alike, such as 1 and '1'"
    return None


def _of_decimal(part: Decimal) -> str | None:
    return None if part.is_finite() else f"is {part}, which cannot be read as a number"


def _of_time(part: datetime | time) -> str | None:
    offset = part.utcoffset()
    if offset is None or not (offset.seconds % 60 or offset.microseconds):
        return None
    return f"has the UTC offset {offset}, which is written without its seconds"


def _of_pattern(part: re.Pattern[Any]) -> str | None:
    if re.compile(part.pattern).flags == part.flags:
        return None
    return "is a pattern with flags, which are not written: write them in it, such as (?i)"


def _of_enum(part: enum.Enum) -> str | None:
    return _reason_of_member(type(part), part.value) if type(part.value) not in _PLAIN else None


def _reason_of_member(kind: type[enum.Enum], value: Any) -> str | None:
    try:
        is_found = kind(from_json(to_json(value))).value == value
    except Exception:  # noqa: BLE001 - an author's values and `_missing_` may raise anything
        is_found = False
    if is_found:
        return None
    return f"is a member of {kind.__name__} whose value cannot be read again: give it a text"


def _of_model(part: BaseModel) -> str | None:
    return _reason_of_model(type(part))


_LOOKS: tuple[tuple[Any, Callable[[Any], str | None]], ...] = (
    (dict, _of_dict),
    (BaseModel, _of_model),
    (_SECRETS, _of_secret),
    (enum.Enum, _of_enum),
    (Decimal, _of_decimal),
    ((datetime, time), _of_time),
    (re.Pattern, _of_pattern),
)


def _reason_of_dataclass(part: Any) -> str | None:
    """A field that is not given to `__init__` is read as what that makes of it."""
    if hasattr(part, "__post_init__"):
        return None  # it may make the same again
    for each in fields(part):
        if not each.init and not _is_default(each, getattr(part, each.name, MISSING)):
            return (
                f"has a changed field '{each.name}', which is declared with init=False and so "
                "is not read"
            )
    return None


def _is_default(field: Field[Any], value: Any) -> bool:
    if field.default is not MISSING:
        return bool(value == field.default)
    return field.default_factory is MISSING or bool(value == field.default_factory())


def forget_models() -> None:
    """Let go of all that is kept by type."""
    _reason_of_model.cache_clear()
    forget_annotations()


@lru_cache(maxsize=4096)
def _reason_of_model(kind: type[BaseModel]) -> str | None:
    if kind.__pydantic_decorators__.model_serializers:
        return None  # its author decides how it is written
    for name, field in kind.model_fields.items():
        if field.exclude:
            return f"is a {kind.__name__}, whose field '{name}' is excluded when it is written"
        written = field.serialization_alias or name
        if written not in _read_names(name, field, kind):
            return (
                f"is a {kind.__name__}, whose field '{name}' is written as '{written}' and not "
                "read by that name: give it one alias for both"
            )
    computed = next(iter(kind.model_computed_fields), None)
    if computed is not None and kind.model_config.get("extra") == "forbid":
        return (
            f"is a {kind.__name__}, whose computed field '{computed}' is written, and which allows "
            "no other fields when it is read"
        )
    return None


def _read_names(name: str, field: FieldInfo, kind: type[BaseModel]) -> set[str]:
    config = kind.model_config
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias or name]
    names = {each.path[0] if isinstance(each, AliasPath) else each for each in choices}
    if config.get("populate_by_name") or config.get("validate_by_name"):
        names.add(name)
    return {each for each in names if isinstance(each, str)}
