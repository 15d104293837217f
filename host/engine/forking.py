"""Forking an instance: what the store has of it is read once, and the fork is stored whole."""

from __future__ import annotations

from secrets import token_hex

import msgspec

from bindings.errors import InstanceNotFoundError
from host.core import arguments, ids
from host.core.forking import Fork, fork
from host.core.history import Payload
from host.core.records import UNCHANGED, Unchanged
from host.engine.parts import EngineParts
from host.engine.planting import plant

_MAX_EVENT = 1_000_000_000


class WantedFork(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller says of a fork; without `instance_id` it gets one. `input` is a JSON text."""

    after_event: int | None = None
    instance_id: str | None = None
    input: Payload | Unchanged = UNCHANGED


async def fork_instance(parts: EngineParts, instance_id: str, wanted: WantedFork) -> str:
    """Store the fork, and give its id.

    Raises `InstanceNotFoundError`, `InstanceAlreadyExistsError` and `InvalidArgumentError`.
    """
    origin_id = arguments.text(instance_id, "An instance id")
    after = wanted.after_event
    given = None if wanted.instance_id is None else ids.checked_instance_id(wanted.instance_id)
    if after is not None:
        after = arguments.whole(after, "The event to fork after", 0, _MAX_EVENT)
    origin = await parts.store.load(origin_id)
    if origin is None:
        raise InstanceNotFoundError(origin_id)
    planned = Fork(
        instance_id=given or token_hex(16),
        execution_id=token_hex(16),
        now=parts.clock.now(),
        after_event=after,
        input=wanted.input,
    )
    await plant(parts, fork(origin, planned))
    return planned.instance_id
