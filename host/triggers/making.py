"""Makes the listener of a function, with the host's services.

The listeners of this package's own kinds are named here: their records are in `bindings`, which
knows nothing of the host. Another package's kind brings its listener in its record.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from bindings.functions import Binding
from bindings.kinds import blob, queue, timer, warmup
from bindings.kinds.records import Listen, TriggeredFunction, TriggerListener
from bindings.kinds.registry import trigger_of
from bindings.kinds.resources import Resources
from bindings.kinds.services import HubRecord, HubRecords, ListenerServices
from host.clock import Clock
from host.storage.protocol import HubStore, NamedRecord
from host.triggers.blobs import blob_listener
from host.triggers.queues import QueueListener
from host.triggers.timers import TimerListener
from host.triggers.warmup import WarmupListener

_OWN: Final[Mapping[str, Listen]] = {
    blob.TRIGGER_TYPE: blob_listener,
    queue.TYPE: QueueListener,
    timer.TYPE: TimerListener,
    warmup.TYPE: WarmupListener,
}
"""Who listens for functions of this package's kinds, by the type of their trigger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostServices:
    """What the host has for all of its listeners."""

    store: HubStore
    clock: Clock
    host_id: str
    is_alone: bool
    resources: Resources
    place_of: Callable[[str | None], object] = lambda _: None
    """Where a connection of this name leads just now, for comparison."""


class _Records:
    """The records of one type of trigger, among all that hosts keep in the hub."""

    def __init__(self, store: HubStore, trigger_type: str) -> None:
        self._store = store
        self._kind = f"trigger.{trigger_type}"

    async def read(self, key: str) -> HubRecord | None:
        record = await self._store.record(self._kind, key)
        return None if record is None else HubRecord(stamp=record.stamp, data=record.data)

    async def change(self, key: str, record: HubRecord, *, after: str | None) -> bool:
        return await self._store.change_record(self._named(key, record), after=after)

    async def put(self, key: str, record: HubRecord) -> None:
        await self._store.put_record(self._named(key, record))

    async def remove(self, key: str) -> None:
        await self._store.remove_record(self._kind, key)

    async def page(self, after: str, limit: int) -> tuple[Mapping[str, HubRecord], str | None]:
        page = await self._store.records(self._kind, after=after, limit=limit)
        found = {each.key: HubRecord(stamp=each.stamp, data=each.data) for each in page.records}
        return found, page.rest

    def _named(self, key: str, record: HubRecord) -> NamedRecord:
        return NamedRecord(kind=self._kind, key=key, stamp=record.stamp, data=record.data)


def records_of(store: HubStore, trigger_type: str) -> HubRecords:
    """What the listeners of this type of trigger keep in the hub."""
    return _Records(store, trigger_type)


def has_listener(trigger: Binding) -> bool:
    """Whether somebody waits for what triggers such functions."""
    return _listen_of(trigger) is not None


def made_listener(
    function: TriggeredFunction, host: HostServices, show: Callable[[Mapping[str, str]], None]
) -> TriggerListener:
    """The listener of a function that has one. `show` takes what is to be said of it.

    Raises whatever the code of the kind raises.
    """
    listen = cast("Callable[..., TriggerListener]", _listen_of(function.trigger))
    if not _takes_services(listen):
        return listen(function)
    return listen(function, services_for(function, host, show))


def services_for(
    function: TriggeredFunction, host: HostServices, show: Callable[[Mapping[str, str]], None]
) -> ListenerServices:
    """What the listener of this function may use."""
    return ListenerServices(
        clock=host.clock,
        records=records_of(host.store, function.trigger.type),
        host_id=host.host_id,
        is_alone=host.is_alone,
        resources=host.resources,
        show=show,
    )


def _listen_of(trigger: Binding) -> Listen | None:
    return trigger_of(trigger).listen or _OWN.get(trigger.type)


def _takes_services(listen: Callable[..., Any]) -> bool:
    """Whether it can be called with two arguments. Kinds made before services were take one."""
    try:
        inspect.signature(listen).bind(None, None)
    except TypeError:
        return False
    return True
