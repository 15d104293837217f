"""New instances: the row that one begins with, and storing it so that it is begun."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_hex

import msgspec

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import (
    FunctionNotFoundError,
    InstanceAlreadyExistsError,
    InvalidArgumentError,
)
from host.core import arguments, ids
from host.core.functions import FunctionCatalog, LimitUse
from host.core.history import Payload
from host.core.records import Debounce, Instance
from host.core.trace import TraceContext, root_of
from host.engine.callers import ASKED_IN
from host.engine.entity_locks import EntityLocks
from host.engine.parts import EngineParts
from host.storage.protocol import Alarm, Created


class NewInstance(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance is to be, as its starter says it. `input` is a JSON text.

    Without `instance_id` it gets one; without `start_at` it begins at once; without `version` it
    is of the host's own, if that has one. What is started with the id and the `idempotency_key` of
    one before is that one.
    """

    name: str
    input: Payload = None
    instance_id: str | None = None
    start_at: datetime | timedelta | None = None
    version: str | None = None
    tags: Mapping[str, str] | None = None
    reuse: ReusePolicy = ReusePolicy.WHEN_FINISHED
    idempotency_key: str | None = None
    debounce: timedelta | None = None


class Existing(StrEnum):
    """What a start does to an instance that is there, if it starts no new one."""

    KEPT = "kept"
    """It stays as it is: the caller wanted that."""
    MOVED = "moved"
    """It waits still, now for longer, and has the new input."""


class Begun(msgspec.Struct, frozen=True):
    """What became of a start. `is_repeated`: its idempotency key says that it was made before.

    `existing` is what it did to an instance that was there; None if it started one.
    """

    instance_id: str
    is_repeated: bool = False
    existing: Existing | None = None


def first_row(parts: EngineParts, new: NewInstance) -> Instance:
    """The row of a new instance.

    Raises `FunctionNotFoundError`, `InvalidArgumentError` and `ExecutorError`.
    """
    now = parts.clock.now()
    name = arguments.text(new.name, "A function's name")
    version = parts.options.versioning.default
    if new.version is not None:
        version = arguments.short_text(new.version, "A version")
    function = parts.catalog.orchestrator(name, version)
    if function is not None:
        name = function.name
        if function.limit is not None:
            _check_key(name, function.limit, new.input)
    elif not parts.orchestrators.knows(name, version):
        raise FunctionNotFoundError(_unknown(name, version, parts.catalog))
    instance_id, execution_id = _ids_of(new, name)
    start_at = new.start_at if new.debounce is None else _wait_of(new)
    return Instance(
        instance_id=instance_id,
        execution_id=execution_id,
        name=name,
        status=RuntimeStatus.PENDING,
        created_at=now,
        updated_at=now,
        input=new.input,
        version=version,
        tags=arguments.tags(new.tags),
        scheduled_start_at=_start_time(start_at, now),
        debounce=None if new.debounce is None else Debounce(starts=(execution_id,)),
        trace=_trace_of(execution_id) if parts.options.traces else None,
    )


def _trace_of(execution_id: str) -> TraceContext:
    """The trace of whoever asks for it, else one of its own."""
    asked = ASKED_IN.get()
    return root_of(execution_id) if asked is None else asked.take()


def _check_key(name: str, use: LimitUse, input_: Payload) -> None:
    """Refuse an input that does not say which key of the limit it counts for."""
    try:
        use.key_of(input_)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(
            f"'{name}' counts for a key of the limit '{use.name}', '{use.key_text}' of its input, "
            f"and this input has none: {error}"
        ) from error


def _ids_of(new: NewInstance, name: str) -> tuple[str, str]:
    """The ids of the instance and of its first execution."""
    given = None if new.instance_id is None else ids.checked_instance_id(new.instance_id)
    if new.idempotency_key is not None:
        key = arguments.short_text(new.idempotency_key, "An idempotency key")
        given = given or ids.keyed_instance_id(name, key)
        return given, ids.keyed_execution_id(given, name, key)
    random = token_hex(32)  # both ids from one call of the system's generator
    return given or random[:32], random[32:]


async def create(
    parts: EngineParts, row: Instance, reuse: ReusePolicy, *, replaces: str | None = None
) -> Created:
    """Store a new instance, unless one is kept, and see to it that it is begun.

    `replaces` names the only run that it may take the place of. Raises
    `InstanceAlreadyExistsError`.
    """
    instance_id = row.instance_id
    # A run that is replaced while it is active has no end, which would unlock what it has locked.
    left = await parts.store.load(instance_id) if reuse is ReusePolicy.REPLACE else None
    storing = parts.store.create(row, reuse, replaces=replaces)
    try:
        if row.scheduled_start_at is None:
            created = await parts.hints.send_after(storing, instance_id)
        else:  # noticed before, since nobody may hear that it is stored
            parts.alarms.notice(Alarm(instance_id=instance_id, due=row.scheduled_start_at))
            created = await storing
            if row.scheduled_start_at <= parts.clock.now():  # it may have rung before that
                parts.hints.owe([instance_id])
    except InstanceAlreadyExistsError as refusal:
        _hint_again(parts, instance_id, refusal.status)
        raise
    if created is Created.KEPT:
        kept = await parts.store.get(instance_id)
        _hint_again(parts, instance_id, kept.status if kept else None)
    elif left is not None and created is Created.NEW:
        await EntityLocks(parts).leave(left)
    return created


async def begun(parts: EngineParts, row: Instance, created: Created, *, is_keyed: bool) -> Begun:
    """What a start has come to; `is_keyed`: it has an idempotency key.

    A store that did not hear that it had stored the row says that it was there: it is of this
    start then, by when it was created.
    """
    if created is Created.KEPT:
        return Begun(row.instance_id, existing=Existing.KEPT)
    is_repeated = False
    if created is Created.BEFORE and is_keyed:
        stored = await parts.store.get(row.instance_id)
        is_repeated = stored is None or stored.created_at != row.created_at
    return Begun(row.instance_id, is_repeated=is_repeated)


def _hint_again(parts: EngineParts, instance_id: str, status: str | None) -> None:
    """Hint at an instance that is Pending still: its first hint may have died with its host."""
    if status == RuntimeStatus.PENDING:
        parts.hints.owe([instance_id])


def _unknown(name: str, version: str | None, catalog: FunctionCatalog) -> str:
    versions = catalog.versions_of(name)
    if versions:
        of = "without a version" if version is None else f"of version '{version}'"
        has = ", ".join(f"'{each}'" for each in versions)
        return f"There is no orchestrator function '{name}' {of}, only of {has}."
    known = ", ".join(f"'{each}'" for each in catalog.orchestrator_names())
    return (
        f"The function '{name}' doesn't exist, is disabled, is broken, or is not an "
        f"orchestrator function. Known orchestrator functions: {known or 'none'}."
    )


def _wait_of(new: NewInstance) -> timedelta:
    """How long a debounced start waits for others."""
    if new.start_at is not None:
        raise InvalidArgumentError("A start has a start time or a debounce, and not both.")
    debounce: timedelta = arguments.instance_of(new.debounce, timedelta, "The debounce")
    if debounce <= timedelta(0):
        raise InvalidArgumentError("The debounce is longer than nothing.")
    if debounce > arguments.FOREVER:
        raise InvalidArgumentError(f"The debounce is at most {arguments.FOREVER.days} days long.")
    return debounce


def _start_time(start_at: datetime | timedelta | None, now: datetime) -> datetime | None:
    """When to start: aware, in UTC; None for at once."""
    if start_at is None:
        return None
    at = arguments.moment_or_delay(start_at, now, "The start time")
    return at if at > now else None
