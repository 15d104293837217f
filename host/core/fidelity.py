"""What would not be read back as it was written, found where it is written.

JSON holds less than Python does, and pydantic's models may write more, less or other than they
read: a secret becomes asterisks, an excluded field is gone, a field is written by one name and read
by another. Whoever wrote that would hear of it in another function, much later, or never. Plain
values cost one look at their type; others are gone through, as far as `MAX_PARTS`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import AliasChoices, AliasPath, BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from bindings.tasks import DurableTask

MAX_PARTS = 10_000
"""So many parts of a value are looked at; what a value of more of them holds is mostly alike."""

MAX_PLACE = 200
"""So many characters of a place are told: an author decides how deep values nest."""

_PLAIN = frozenset({str, int, float, bool, type(None), bytes})
_KEYS = (str, int, float, bool)
_SECRETS = (SecretStr, SecretBytes)

Path: TypeAlias = str
Part: TypeAlias = "tuple[Path, Any]"


def is_plain(value: Any) -> bool:
    """Whether JSON holds the value as it is, without a look at any part of it."""
    return type(value) in _PLAIN


def what_is_lost(value: Any) -> str | None:
    """The first part that would be read back as another value, and why; None if there is none."""
    for place, part in _parts(value):
        reason = _reason(part)
        if reason is not None:
            return f"{place or 'it'} {reason}"
    return None


def lost_fields(value: Any, expected: Any) -> tuple[str, ...]:
    """The fields of a model that a reader who expects one of its base classes would lose."""
    kind = type(value)
    is_derived = isinstance(expected, type) and kind is not expected and issubclass(kind, expected)
    if not (is_derived and isinstance(value, BaseModel) and issubclass(expected, BaseModel)):
        return ()
    if expected.model_config.get("extra") == "allow":
        return ()
    return tuple(name for name in kind.model_fields if name not in expected.model_fields)


def place_of_failure(value: Any, write: Callable[[Any], object]) -> str | None:
    """The innermost part that `write` refuses; None if it refuses only the whole."""
    found = None
    for place, part in _parts(value):
        if place and not is_plain(part):
            try:
                write(part)
            except Exception:  # noqa: BLE001 - whatever it is, it is this part's doing
                found = f"{place[:MAX_PLACE]} (a {type(part).__name__})"
    return found


def forgotten_await(value: Any) -> str | None:
    """What to write if the value, or a part of it, stands for a result that is still to come."""
    for _, part in _parts(value):
        if isinstance(part, DurableTask):
            return (
                "it is a task that was not awaited: write await (in a generator, yield) before "
                "it. What when_any gives is a task, too."
            )
        if isinstance(part, Awaitable):
            return f"it is a {type(part).__name__} that was not awaited: write await before it."
    return None


def _parts(value: Any) -> Iterator[Part]:
    """The value, then what is in it, from the outside in."""
    waiting: list[Part] = [("", value)]
    seen: set[int] = set()
    for _ in range(MAX_PARTS):
        if not waiting:
            return
        place, part = waiting.pop()
        yield place, part
        if not is_plain(part) and id(part) not in seen:
            seen.add(id(part))
            waiting.extend(_members(place, part))


def _members(place: Path, part: Any) -> Iterable[Part]:
    if isinstance(part, Mapping):
        return [(f"{place}[{key!r}]", each) for key, each in part.items()]
    if isinstance(part, list | tuple | set | frozenset):
        return [(f"{place}[{index}]", each) for index, each in enumerate(part)]
    if isinstance(part, BaseModel) or is_dataclass(part):
        fields = getattr(part, "__dict__", {})
        return [(f"{place}.{name}".lstrip("."), each) for name, each in fields.items()]
    return ()


def _reason(part: Any) -> str | None:
    if isinstance(part, _SECRETS):
        return (
            "is a secret, of which only asterisks are written: pass a reference to it, or a plain "
            "text, which the history will show"
        )
    if isinstance(part, dict):
        odd = next((key for key in part if not isinstance(key, _KEYS)), "")
        return None if isinstance(odd, _KEYS) else _of_key(odd)
    if isinstance(part, BaseModel):
        return _reason_of_model(type(part))
    return None


def _of_key(key: Any) -> str | None:
    """Keys such as dates and enums are written as their texts, and read again by annotation."""
    return "has the key None, which would be read as 'None'" if key is None else None


def forget_models() -> None:
    """Let go of all that is kept by type."""
    _reason_of_model.cache_clear()


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
