"""What authors and callers pass, checked before anything is stored.

Annotations hold nobody at run time, and what is stored in another type than it is read by damages
its instance. So nothing is encoded that cannot be decoded: each value is taken as it is meant, or
refused with `InvalidArgumentError` by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from bindings.errors import InvalidArgumentError, NotAwaitedError
from bindings.shown_values import shown_value

E = TypeVar("E", bound=StrEnum)

MAX_TEXT = 1024
MAX_PAGE_SIZE = 1000
MAX_TAGS = 100
MAX_NAMES = 100
FIRST_MOMENT = datetime(1, 1, 2, tzinfo=UTC)
LAST_MOMENT = datetime(9999, 12, 30, tzinfo=UTC)
"""A day from the ends of what a `datetime` can say: so what is a step beside one is a time, too."""

FOREVER = timedelta(days=3660)
"""No wait and no start is farther away than this."""


def text(value: object, what: str, *, may_be_empty: bool = False) -> str:
    """A text that the history can hold."""
    if type(value) is str and value and value.isascii():
        return value  # as nearly all are
    if not isinstance(value, str) or not (value or may_be_empty):
        raise _other(f"{what} is a text that is not empty", value)
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidArgumentError(f"{what} is not valid Unicode: {_shown(value)}.")
    return exact_text(value)


def exact_text(value: str) -> str:
    """The same text as a plain `str`: bytes are made of nothing that is derived from it."""
    return str.__str__(value)


def short_text(value: object, what: str) -> str:
    """A text of 1 to `MAX_TEXT` characters."""
    if len(given := text(value, what)) > MAX_TEXT:
        raise InvalidArgumentError(f"{what} has at most {MAX_TEXT} characters, not {len(given)}.")
    return given


def optional_text(value: object, what: str) -> str | None:
    """The same, or None."""
    return None if value is None else short_text(value, what)


def names(value: object, what: str) -> frozenset[str]:
    """Names: one, several, or none for None.

    A list without any was computed, perhaps, and found nothing: it does not mean all.
    """
    if value is None:
        return frozenset()
    if isinstance(value, str):
        return frozenset({short_text(value, what)})
    if not isinstance(value, Sequence) or not 1 <= len(value) <= MAX_NAMES:
        raise _other(f"{what} is a text or a list of 1 to {MAX_NAMES}, or None for all", value)
    return frozenset(short_text(each, what) for each in value)


def reason(value: object) -> str:
    """A reason for a suspension or the end of one; None is none."""
    return "" if value is None else text(value, "A reason", may_be_empty=True)


def tags(value: object) -> dict[str, str]:
    """Texts by name; None is none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_TAGS:
        raise _other(f"Tags are a mapping of at most {MAX_TAGS} texts", value)
    return {_tag_name(name): _tag_value(name, each) for name, each in value.items()}


def _tag_name(value: object) -> str:
    """Tags are asked for as name:value, so a name with a colon would be another's."""
    name = short_text(value, "A tag's name")
    if ":" in name:
        raise InvalidArgumentError(f"A tag's name has no colon, as {_shown(name)} has.")
    return name


def _tag_value(name: object, value: object) -> str:
    what = f"The tag {_shown(name)}"
    given = text(value, what, may_be_empty=True)
    return given and short_text(given, what)


def member(value: object, kind: type[E], what: str) -> E:
    """A member of an enum, or its value or name in any case."""
    if type(value) is kind:
        return value
    if isinstance(value, str):
        wanted = value.casefold()
        for each in kind:
            if wanted in {each.value.casefold(), each.name.casefold()}:
                return each
    raise InvalidArgumentError(f"{what} is one of {', '.join(kind)}, not {_shown(value)}.")


def members(value: object, kind: type[E], what: str) -> frozenset[E]:
    """Several of them; one alone stands for a list of one, None for none."""
    if value is None:
        return frozenset()
    if isinstance(value, str) or not isinstance(value, Iterable):
        value = (value,)
    return frozenset(member(each, kind, what) for each in value)


def moment(value: object, what: str) -> datetime:
    """A time, aware and in UTC; one without a zone is UTC."""
    if not isinstance(value, datetime):
        raise _other(f"{what} is a datetime", value)
    value = exact_moment(value, what)
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise InvalidArgumentError(f"{what} is no time in UTC: {_shown(value)}.") from error


def exact_moment(value: datetime, what: str) -> datetime:
    """The same time as a plain `datetime`; what libraries derive from it is stored nowhere."""
    if type(value) is datetime:
        return value
    try:
        return datetime(
            value.year,
            value.month,
            value.day,
            value.hour,
            value.minute,
            value.second,
            value.microsecond,
            value.tzinfo,
            fold=value.fold,
        )
    except (TypeError, ValueError) as error:  # such as one that stands for "no time"
        raise _other(f"{what} is a datetime", value) from error


def exact_duration(value: timedelta) -> timedelta:
    """The same duration as a plain `timedelta`: a derived one makes derived times of plain ones."""
    if type(value) is timedelta:
        return value
    return timedelta(value.days, value.seconds, value.microseconds)


def end_of_range(value: object, what: str) -> datetime | None:
    """A time from which on, or up to which, something is looked for; None is any."""
    return None if value is None else within_time(moment(value, what))


def within_time(at: datetime) -> datetime:
    """The time, or the nearest that is not at the ends of time: nothing happens there."""
    return min(max(at, FIRST_MOMENT), LAST_MOMENT)


def moment_or_delay(value: object, now: datetime, what: str) -> datetime:
    """A time, or how long from now; not farther away than `FOREVER`."""
    if isinstance(value, timedelta):
        value = exact_duration(value)
        value = now + min(value, FOREVER + timedelta(seconds=1)) if value > timedelta(0) else now
    at = moment(value, what)
    if at - now > FOREVER:
        raise InvalidArgumentError(f"{what} is at most {FOREVER.days} days away.")
    return at


def seconds(value: object, what: str) -> float | None:
    """How long to wait, in seconds; None is for ever."""
    if value is None:
        return None
    if not isinstance(value, timedelta):
        raise _other(f"{what} is a timedelta", value)
    return min(exact_duration(value), FOREVER).total_seconds()


def whole(value: object, what: str, least: int, most: int) -> int:
    """A whole number within bounds."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidArgumentError(f"{what} is {least} to {most}, not {_shown(value)}.")
    return int(value)


def instance_of(value: Any, kind: type[Any], what: str, *, named: str | None = None) -> Any:
    """A value of this class, which authors know by another name if it is `named`."""
    if not isinstance(value, kind):
        name = named or kind.__name__
        article = "an" if name[0] in "AEIOU" else "a"
        raise _other(f"{what} is {article} {name}", value)
    return value


def _other(wanted: str, value: object) -> InvalidArgumentError:
    """The error for a value that is not what is wanted."""
    kind = NotAwaitedError if isinstance(value, Awaitable) else InvalidArgumentError
    return kind(f"{wanted}, not {_shown(value)}.")


def _shown(value: object) -> str:
    """The value in a message; of one that is still to come, what its caller forgot."""
    if isinstance(value, Awaitable):
        return f"a {type(value).__name__} that was not awaited: write await before the call"
    return shown_value(value)
