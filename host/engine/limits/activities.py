"""Activities that wait for a slot of a limit before they begin.

While the session of its instance waits, too, an activity begins here as soon as it has its slot,
without any record. One that waits for longer is *offered*: it has a lease that is nobody's, so that
a host that ends while it waits has begun nothing and vanished with nothing. Whoever gets the slot
takes that lease first, and learns so whether the activity is still wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from bindings.errors import FailureDetails, InvalidArgumentError
from host.clock import Clock
from host.core import history
from host.core.functions import ActivityFunction, LimitUse
from host.core.history import TaskScheduled
from host.core.incoming import ActivityResult
from host.core.ledger import BEFORE_ALL
from host.core.records import ANYBODY, ActivityKey, Lease
from host.engine.activities import ActivityPool, ActivityRun
from host.engine.claims import Claims
from host.engine.limits.desk import Desk
from host.engine.limits.desks import Desks
from host.engine.limits.slots import Slot
from host.engine.limits.waiting import Waiter
from host.engine.options import EngineOptions
from host.engine.parked import ParkedActivities
from host.engine.store_watch import StoreWatch
from host.engine.together import together
from host.errors import StorageError
from host.storage.protocol import HubStore

RETRY_S = 1.0
RENEWED_AT, LOOKS = 3, 6
"""A lease of an offered one is renewed when a third of its time is left, and looked at each sixth
of it: looked at less often it could end in between, and another host would begin the same."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """`offered` is the lease by which anybody may take it; None while its session has it."""

    run: ActivityRun
    function: ActivityFunction
    desk: Desk
    waiter: Waiter
    offered: Lease | None = None


class LimitedActivities:
    """The activities of this host that wait. Everything of it is for the event loop's thread."""

    def __init__(
        self,
        desks: Desks,
        *,
        host_id: str,
        claims: Claims,
        store: HubStore,
        clock: Clock,
        pool: ActivityPool,
        parked: ParkedActivities,
        options: EngineOptions,
        store_watch: StoreWatch,
    ) -> None:
        self._desks = desks
        self._host_id = host_id
        self._claims = claims
        self._store = store
        self._clock = clock
        self._pool = pool
        self._parked = parked
        self._options = options
        self._store_watch = store_watch
        self._waiting: dict[ActivityKey, _Waiting] = {}
        self._taking: dict[asyncio.Task[None], ActivityKey] = {}

    def has(self, key: ActivityKey) -> bool:
        """Whether the activity waits here, or is about to begin."""
        waiting = self._waiting.get(key)
        is_waiting = waiting is not None and not waiting.run.is_cancelled
        return is_waiting or key in self._taking.values()

    def limit_of(self, key: ActivityKey) -> str | None:
        """The limit that the activity waits for, if it waits here."""
        return self._waiting[key].desk.name if self.has(key) and key in self._waiting else None

    @property
    def is_at_work(self) -> bool:
        """Whether any is about to begin."""
        return bool(self._taking)

    async def rest(self) -> None:
        """Wait until none is about to begin."""
        while self._taking:
            await asyncio.wait(self._taking)

    # ---- waiting --------------------------------------------------------------------------------

    def begin(self, run: ActivityRun, function: ActivityFunction) -> None:
        """Run it as soon as it has a slot. What its key lacks is a failure of the activity."""
        use = function.limit
        assert use is not None  # noqa: S101 - such activities come here
        try:
            key = use.key_of(run.scheduled.input)
        except InvalidArgumentError as error:
            run.deliver(run, _keyless(run.scheduled, use, error, self._clock))
            return
        self._wait(run, function, self._desks.desk(use.name, key), self._waiter(use, key))

    def begin_offered(
        self, key: ActivityKey, scheduled: TaskScheduled, function: ActivityFunction, lease: Lease
    ) -> None:
        """The same of an activity that anybody may take by this lease."""
        if self.has(key):
            self._waiting[key].offered = lease
            return
        failures: list[ActivityResult] = []
        run = ActivityRun(key, scheduled, lambda _, result: failures.append(result))
        self.begin(run, function)
        if key in self._waiting:
            self._waiting[key].offered = lease
        for failure in failures:
            self._spawn(key, self._fail(run, lease, failure))

    def leave_session(self, keys: Iterable[ActivityKey]) -> list[ActivityRun]:
        """Those of them that wait: they get no slot until they are `offered` or go on."""
        found = [self._waiting[key] for key in keys if key in self._waiting]
        for waiting in found:
            waiting.waiter.is_over = True
        return [waiting.run for waiting in found]

    def go_on(self, runs: Iterable[ActivityRun]) -> None:
        """They could not leave their session: they wait on as before."""
        for run in runs:
            self._come_back(run.key, None)

    def offered(self, lease: Lease) -> None:
        """The session of an activity that waits has left it to anybody, by this lease."""
        self._come_back(_key_of(lease), lease)

    def _come_back(self, key: ActivityKey, lease: Lease | None) -> None:
        waiting = self._waiting.pop(key, None)
        if waiting is None:
            return
        old = waiting.waiter
        waiter = Waiter(
            key=old.key, priority=old.priority, since=old.since, grant=old.grant, place=old.place
        )
        if not waiting.run.is_cancelled:
            self._wait(waiting.run, waiting.function, waiting.desk, waiter, lease)

    def forget(self, instance_id: str) -> None:
        """The instance was terminated: what waits of it waits no more."""
        for key in [key for key in self._waiting if key.instance_id == instance_id]:
            self._drop(key)

    def drop(self, run: ActivityRun) -> None:
        """The run was cancelled: if it waits, it does so no more."""
        waiting = self._waiting.get(run.key)
        if waiting is not None and waiting.run is run:
            self._drop(run.key)

    def _drop(self, key: ActivityKey) -> None:
        waiting = self._waiting.pop(key)
        waiting.run.is_cancelled = waiting.waiter.is_over = True
        waiting.desk.nudge()

    def _waiter(self, use: LimitUse, key: str) -> Waiter:
        since = self._clock.now().timestamp()
        return Waiter(key=key, priority=use.priority, since=since, grant=_nothing)

    def _wait(
        self,
        run: ActivityRun,
        function: ActivityFunction,
        desk: Desk,
        waiter: Waiter,
        offered: Lease | None = None,
    ) -> None:
        waiting = _Waiting(run, function, desk, waiter, offered)
        waiter.grant = lambda slot: self._granted(waiting, slot)
        self._waiting[run.key] = waiting
        # A desk may have closed since: then there is another one for the same.
        waiting.desk = self._desks.desk(desk.name, desk.key)
        waiting.desk.wait(waiter)

    # ---- the slot is there ----------------------------------------------------------------------

    def _granted(self, waiting: _Waiting, slot: Slot | None) -> None:
        run, key = waiting.run, waiting.run.key
        if slot is not None and waiting.waiter.is_over:
            slot.give_back()
            return
        if slot is None or run.is_cancelled or self._waiting.get(key) is not waiting:
            self._refuse(waiting, slot)
            return
        del self._waiting[key]
        if waiting.offered is None:
            run.slot = slot
            self._pool.start(run, waiting.function)
            return
        self._spawn(key, self._take(waiting, waiting.offered, slot))

    def _spawn(self, key: ActivityKey, taking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(taking)
        self._taking[task] = key
        task.add_done_callback(self._taking.pop)

    def _refuse(self, waiting: _Waiting, slot: Slot | None) -> None:
        if self._waiting.get(waiting.run.key) is waiting:
            del self._waiting[waiting.run.key]
        if slot is not None:
            slot.give_back()

    async def _take(self, waiting: _Waiting, offered: Lease, slot: Slot) -> None:
        """Take the lease, and begin; if it is gone, or another's, the slot is for others."""
        run, is_once = waiting.run, waiting.function.at_most_once
        is_begun = False
        try:
            own = await self._own(offered, is_once=is_once)
            if own is not None and self._clock.now() < own.expires_at and not run.is_cancelled:
                run.deliver, run.slot = self._parked.deliver, slot
                self._parked.add(run, own, is_claim=is_once)
                self._pool.start(run, waiting.function)
                is_begun = True
            elif own is not None and is_once:
                self._parked.give_back(own)
        finally:
            if not is_begun:
                slot.give_back()

    async def _fail(self, run: ActivityRun, offered: Lease, failure: ActivityResult) -> None:
        """What can have no slot fails, if it is still wanted."""
        own = await self._own(offered, is_once=False)
        if own is not None:
            run.deliver = self._parked.deliver
            self._parked.add(run, own)
            run.deliver(run, failure)

    async def _own(self, offered: Lease, *, is_once: bool) -> Lease | None:
        """The lease as this host has it now; None if it is not to be had."""
        while True:
            own = replace(
                offered,
                owner=self._claims.owner() if is_once else self._host_id,
                expires_at=self._clock.now() + timedelta(seconds=self._options.lease_s),
            )
            try:
                return own if await self._store.take_lease(own, BEFORE_ALL) else None
            except (StorageError, asyncio.CancelledError) as error:
                if is_once:
                    self._parked.give_back(own)  # whatever became of it, nothing was begun
                if not isinstance(error, StorageError):
                    raise
                if is_once:
                    return None
                text = "An activity of '%s' that has its slot begins later: %s"
                self._store_watch.failed(text, offered.instance_id, error)
                await self._clock.sleep(RETRY_S)

    # ---- while they wait ------------------------------------------------------------------------

    @property
    def look_s(self) -> float:
        """How often to `renew`, in seconds."""
        return self._options.work_lease_s / LOOKS

    async def renew(self) -> None:
        """Renew what is offered and still waits. Raises `StorageError`."""
        soon = self._clock.now() + timedelta(seconds=self._options.work_lease_s / RENEWED_AT)
        due = [x for x in self._waiting.values() if x.offered and x.offered.expires_at <= soon]
        await together([self._renew(each) for each in due])

    async def _renew(self, waiting: _Waiting) -> None:
        if waiting.offered is None:
            return
        until = self._clock.now() + timedelta(seconds=self._options.work_lease_s)
        lease = replace(waiting.offered, owner=ANYBODY, expires_at=until)
        is_there = await self._store.renew_lease(lease)
        if self._waiting.get(waiting.run.key) is not waiting:
            return
        if is_there:
            waiting.offered = lease
        else:  # it was ended, or another host has it
            self._drop(waiting.run.key)

    async def hand_over(self) -> list[str]:
        """The host was told to stop: what is offered, somebody else takes at once.

        Gives the instances that are to be woken for it.
        """
        offered = [x.offered for x in self._waiting.values() if x.offered is not None]
        for key in list(self._waiting):
            self._drop(key)
        for taking in self._taking:
            taking.cancel()
        await asyncio.gather(*self._taking, return_exceptions=True)
        now = self._clock.now()
        over = [self._store.renew_lease(replace(lease, expires_at=now)) for lease in offered]
        try:
            await together(over)
        except StorageError as error:
            text = "Work that waits for limits was not handed over (%d activities): %s"
            self._store_watch.failed(text, len(offered), error)
        return sorted({lease.instance_id for lease in offered})


def _nothing(_: Slot | None) -> None:
    """What a waiter does before it has a run."""


def _key_of(lease: Lease) -> ActivityKey:
    return ActivityKey(lease.instance_id, lease.execution_id, lease.task_id)


def _keyless(
    scheduled: TaskScheduled, use: LimitUse, error: InvalidArgumentError, clock: Clock
) -> history.TaskFailed:
    return history.TaskFailed(
        timestamp=clock.now(),
        task_id=scheduled.task_id,
        failure=FailureDetails(
            error_type="InvalidArgumentError",
            message=(
                f"The activity '{scheduled.name}' has no key for the limit '{use.name}': {error} "
                f"Its limit_key is '{use.key_text}', of the fields of its input."
            ),
            is_non_retriable=True,
        ),
    )
