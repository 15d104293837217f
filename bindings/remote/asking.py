"""What a host is asked: values as JSON, filters and options as a query.

What cannot be sent is refused here, with an error of the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pydantic_core

from bindings.client import ListOrder, OrchestrationQuery, ReusePolicy
from bindings.entities import EntityQuery
from bindings.entity_calls import entity_id_of
from bindings.entity_ids import EMPTY_KEY_IN_URLS, EntityId
from bindings.errors import InvalidArgumentError, NotAwaitedError, SerializationError
from bindings.many import NewOrchestration
from bindings.shown_values import shown_value

MAX_PAGE_SIZE = 1000

_REUSE = {
    ReusePolicy.WHEN_FINISHED: "whenFinished",
    ReusePolicy.NEVER: "never",
    ReusePolicy.KEEP: "keep",
    ReusePolicy.KEEP_ACTIVE: "keepActive",
    ReusePolicy.REPLACE: "replace",
}
_MAX_SPAN_S = 999_999_999.0


def text(value: object, what: str) -> str:
    """A text that can stand in a path. Raises `InvalidArgumentError`."""
    if hasattr(value, "__await__"):
        raise NotAwaitedError(f"{what} was not awaited: write await before the call.")
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError(f"{what} is a text that is not empty, not {shown_value(value)}.")
    if value in {".", ".."}:
        raise InvalidArgumentError(f"{what} cannot be '{value}': no path of a URL holds that.")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidArgumentError(f"{what} is not valid Unicode: {shown_value(value)}.")
    return value


def name_of(orchestrator: Callable[..., Any] | str) -> str:
    """The name to start it by: a function's own. Raises `InvalidArgumentError`."""
    name = orchestrator if isinstance(orchestrator, str) else getattr(orchestrator, "__name__", "")
    return text(name, "An orchestrator's name")


def body_of(value: Any, what: str) -> bytes | None:
    """The value as JSON; None for None. Raises `SerializationError`."""
    if value is None:
        return None
    try:
        data = pydantic_core.to_json(value, inf_nan_mode="constants")
        pydantic_core.from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise SerializationError(
            f"{what} cannot be written as JSON: {error}. Use plain values, dataclasses or "
            "pydantic models."
        ) from error
    return data


def line_of(item: NewOrchestration) -> bytes:
    """One of many to start. Raises `InvalidArgumentError` and `SerializationError`."""
    if not isinstance(item, NewOrchestration):
        raise InvalidArgumentError(f"An item is a NewOrchestration, not {shown_value(item)}.")
    said: dict[str, Any] = {}
    if item.instance_id is not None:
        said["instanceId"] = item.instance_id
    if item.tags:
        said["tags"] = dict(item.tags)
    line, body = body_of(said, "An item") or b"", body_of(item.input, "An item's input")
    if body is not None:
        line = line[:-1] + (b"," if said else b"") + b'"input":' + body + b"}"
    return line + b"\n"


def seconds(timeout: timedelta | None) -> float | None:
    """How long to wait; None is for ever. Raises `InvalidArgumentError`."""
    if timeout is None:
        return None
    if not isinstance(timeout, timedelta):
        raise InvalidArgumentError(f"The timeout is a timedelta, not {shown_value(timeout)}.")
    return max(timeout.total_seconds(), 0.0)


def idle_seconds(idle_for: timedelta) -> float:
    """How long an entity must be idle. Raises `InvalidArgumentError`."""
    if not isinstance(idle_for, timedelta):
        raise InvalidArgumentError(
            f"How long an entity must be idle is a timedelta, not {shown_value(idle_for)}."
        )
    return idle_for.total_seconds()


def start_time(start_at: datetime | timedelta | None) -> str | None:
    """A time, or so many seconds from now. Raises `InvalidArgumentError`."""
    if isinstance(start_at, timedelta):
        return f"{max(start_at.total_seconds(), 0.0):f}s"
    return None if start_at is None else moment(start_at, "The start time")


def new_of(
    start_at: datetime | timedelta | None,
    version: str | None,
    tags: Mapping[str, str] | None,
    reuse: ReusePolicy,
    debounce: timedelta | None = None,
) -> list[tuple[str, str]]:
    """What a start says in its query. Raises `InvalidArgumentError`."""
    query = [("reuse", _REUSE[_reuse_policy(reuse)])]
    if (at := start_time(start_at)) is not None:
        query.append(("startAt", at))
    if debounce is not None:
        query.append(("debounce", _debounce(debounce)))
    if version is not None:
        query.append(("version", version))
    query.extend(_tags(tags))
    return query


def checked_key(key: str | None) -> str:
    """The caller's idempotency key, or one of our own, so that the start can be sent again."""
    if key is None:
        return uuid4().hex
    if not (isinstance(key, str) and 0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise InvalidArgumentError("An idempotency key is 1 to 255 printable ASCII characters.")
    return key


def _debounce(value: object) -> str:
    if not isinstance(value, timedelta):
        raise InvalidArgumentError(f"The debounce is a timedelta, not {shown_value(value)}.")
    if value <= timedelta(0):
        raise InvalidArgumentError("The debounce is longer than nothing.")
    return f"{min(value.total_seconds(), _MAX_SPAN_S):f}s"


def _reuse_policy(value: object) -> ReusePolicy:
    try:
        return ReusePolicy(str(value).lower())
    except ValueError as error:
        expected = ", ".join(ReusePolicy)
        raise InvalidArgumentError(f"The reuse policy is one of {expected}.") from error


def moment(value: object, what: str) -> str:
    """A time as ISO text; one without a zone is UTC. Raises `InvalidArgumentError`."""
    if not isinstance(value, datetime):
        raise InvalidArgumentError(f"{what} is a datetime, not {shown_value(value)}.")
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def filters(query: OrchestrationQuery) -> Iterator[tuple[str, str]]:
    """The fields of a query string. Raises `InvalidArgumentError`."""
    if not isinstance(query, OrchestrationQuery):
        raise InvalidArgumentError(f"The query is an OrchestrationQuery, not {shown_value(query)}.")
    statuses = query.runtime_status
    for status in (statuses,) if isinstance(statuses, str) else statuses or ():
        yield "runtimeStatus", str(getattr(status, "value", status))
    yield from (("name", each) for each in _names(query.name))
    yield from _tags(query.tags)
    times = {
        "createdTimeFrom": query.created_time_from,
        "createdTimeTo": query.created_time_to,
        "lastUpdatedTimeFrom": query.last_updated_time_from,
        "lastUpdatedTimeTo": query.last_updated_time_to,
    }
    for name, time in times.items():
        if time is not None:
            yield name, moment(time, "A time")
    for name, each in (("instanceIdPrefix", query.instance_id_prefix), ("text", query.text)):
        if each is not None and (each or name != "text"):
            yield name, text(each, f"The {name}")
    if query.is_quarantined:
        yield "onlyQuarantined", "true"
    if query.order != ListOrder.CREATED:
        yield "order", text(query.order, "The order")


def _names(value: object) -> Iterator[str]:
    if value is None:
        return
    several = (value,) if isinstance(value, str) else value
    if not isinstance(several, Sequence) or not several:
        raise InvalidArgumentError(
            f"The name is a text or a list of some, or None for all, not {shown_value(value)}."
        )
    for each in several:
        name = text(each, "A name")
        if "," in name:
            raise InvalidArgumentError(
                f"No function has a comma in its name, as {shown_value(name)} has."
            )
        yield name


def _tags(tags: object) -> Iterator[tuple[str, str]]:
    if tags is None:
        return
    if not isinstance(tags, Mapping):
        raise InvalidArgumentError(f"Tags are a mapping of texts, not {shown_value(tags)}.")
    for name, value in tags.items():
        yield "tag", tag(name, value)


def tag(name: object, value: object) -> str:
    """A tag as a query has it. Raises `InvalidArgumentError`."""
    key = text(name, "A tag's name")
    if ":" in key:
        raise InvalidArgumentError(f"A tag's name has no colon, as {shown_value(key)} has.")
    if not isinstance(value, str):
        raise InvalidArgumentError(f"The tag '{key:.200}' is a text, not {shown_value(value)}.")
    return f"{key}:{value}"


def page_size(query: OrchestrationQuery) -> str:
    """How many instances are wanted at once. Raises `InvalidArgumentError`."""
    return _size(query.page_size)


def _size(size: object) -> str:
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_PAGE_SIZE:
        raise InvalidArgumentError(
            f"The page size is 1 to {MAX_PAGE_SIZE}, not {shown_value(size)}."
        )
    return str(size)


def entity_path(entity_id: EntityId) -> tuple[str, str, str]:
    """Where an entity is. Raises `InvalidArgumentError`."""
    entity_id = entity_id_of(entity_id)
    name, key = entity_id.name, entity_id.key or EMPTY_KEY_IN_URLS
    return "entities", text(name, "An entity's name"), text(key, "An entity's key")


def entity_filters(query: EntityQuery) -> Iterator[tuple[str, str]]:
    """The fields of a query string. Raises `InvalidArgumentError`."""
    if not isinstance(query, EntityQuery):
        raise InvalidArgumentError(f"The query is an EntityQuery, not {shown_value(query)}.")
    if query.key is not None:
        yield "key", query.key
    if query.key_prefix:
        yield "keyPrefix", text(query.key_prefix, "The prefix")
    times = {
        "lastOperationTimeFrom": query.last_operation_from,
        "lastOperationTimeTo": query.last_operation_to,
    }
    for name, time in times.items():
        if time is not None:
            yield name, moment(time, "A time")
    yield "fetchState", str(bool(query.include_state)).lower()
    yield "includeWithoutState", str(bool(query.include_without_state)).lower()
    if query.only_locked:
        yield "onlyLocked", "true"
    yield from _tags(query.tags)
    yield "top", _size(query.page_size)
