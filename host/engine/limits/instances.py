"""Orchestrations that wait for a slot of a limit before their first turn, and keep it to their end.

Nothing is stored of one that waits: it stays Pending, so whoever looks for lost hints finds it if
its host ends. Its slot bears its name and the name of its run, so that any host knows that it has
one, and so that one that nobody gave back is found by looking whether its run is over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bindings.errors import InvalidArgumentError
from host.clock import Clock
from host.core.functions import FunctionCatalog, LimitUse
from host.core.limits import Holder
from host.core.records import Instance
from host.engine.limits.desk import Desk
from host.engine.limits.desks import Desks
from host.engine.limits.waiting import Waiter
from host.engine.repeated import RepeatedLines

MAX_GRANTED = 10_000
"""Of so many it is remembered that they have slots; of others the record says so."""
KEYLESS = "'%s' has no key for its limit, and waits among those without one: %s"


class LimitedInstances:
    """The orchestrations of this host that wait, or got their slots here."""

    def __init__(
        self,
        desks: Desks,
        catalog: FunctionCatalog,
        clock: Clock,
        lines: RepeatedLines,
        owe: Callable[[Sequence[str]], None],
    ) -> None:
        """`owe` hints that instances have something to do."""
        self._desks = desks
        self._catalog = catalog
        self._clock = clock
        self._lines = lines
        self._owe = owe
        self._waiting: dict[str, Waiter] = {}
        self._asking: set[str] = set()
        """Those whose sessions wait for the answer."""
        self._granted: dict[str, tuple[str, Desk]] = {}
        """Which run got a slot here, and where."""

    def use_of(self, row: Instance) -> LimitUse | None:
        """The limit that an instance keeps to."""
        function = self._catalog.orchestrator(row.name, row.version)
        return None if function is None else function.limit

    async def may_begin(self, row: Instance, use: LimitUse) -> bool:
        """Whether it has a slot. If not it waits for one, and is woken when it has it."""
        if self._has_slot(row):
            return True
        waiting = self._waiting.get(row.instance_id)
        if waiting is not None and _is_of(waiting, row):
            return False
        key = self._key_of(row, use)
        desk = self._desks.desk(use.name, key)
        waiter = Waiter(
            key=key,
            priority=use.priority,
            since=row.created_at.timestamp(),
            grant=lambda _: self._grant(waiter, desk),
            instance_id=row.instance_id,
            holder=Holder(row.run_id, self._clock.now().timestamp()),
        )
        self.forget(row.instance_id)  # another run of it
        self._waiting[row.instance_id] = waiter
        self._asking.add(row.instance_id)
        try:
            await desk.ask(waiter)
        finally:
            self._asking.discard(row.instance_id)
        return self._has_slot(row)

    def ended(self, row: Instance) -> None:
        """The instance is finished: whatever slot it has is for others."""
        self.forget(row.instance_id)
        run_id, desk = self._granted.pop(row.instance_id, ("", None))
        if desk is None:
            use = self.use_of(row)
            desk = None if use is None else self._desks.desk(use.name, self._key_of(row, use))
        if desk is not None:
            self._desks.desk(desk.name, desk.key).end(row.instance_id, run_id or row.run_id)

    def take_waiting(self) -> list[str]:
        """The host ends: those that wait do it elsewhere."""
        waiting = list(self._waiting)
        for instance_id in waiting:
            self.forget(instance_id)
        return waiting

    def forget(self, instance_id: str) -> None:
        """It waits no more."""
        waiter = self._waiting.pop(instance_id, None)
        if waiter is not None:
            waiter.is_over = True

    def _has_slot(self, row: Instance) -> bool:
        run_id, _ = self._granted.get(row.instance_id, ("", None))
        return bool(run_id) and run_id == row.run_id

    def _grant(self, waiter: Waiter, desk: Desk) -> None:
        instance_id = waiter.instance_id
        if self._waiting.get(instance_id) is waiter:
            del self._waiting[instance_id]
        if waiter.holder is not None:
            while len(self._granted) >= MAX_GRANTED:  # they may have ended on other hosts
                del self._granted[next(iter(self._granted))]
            self._granted[instance_id] = (waiter.holder.run_id, desk)
        if instance_id not in self._asking:
            self._owe([instance_id])

    def _key_of(self, row: Instance, use: LimitUse) -> str:
        try:
            return use.key_of(row.input)
        except InvalidArgumentError as error:
            self._lines.warn(KEYLESS, row.instance_id, error)
            return ""


def _is_of(waiter: Waiter, row: Instance) -> bool:
    return waiter.holder is not None and waiter.holder.run_id == row.run_id
