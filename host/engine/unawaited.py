"""Runs activities that nobody waits for: their execution ended, and their leases say what to run.

Such an activity is taken over before it begins, so that of several hosts that find it one runs it,
and one that may begin once begins once. It runs parked: its lease is renewed, a stop waits for it
or gives it back, and its end removes the lease. One that is marked at most once leaves its lease
until that is over, since a late copy of the last turn's effects could offer it once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from host.core.alarm import LOOK_AGAIN
from host.core.functions import ActivityFunction
from host.core.incoming import ActivityResult
from host.core.leases import Undispatched, result_message, tries_with
from host.core.ledger import BEFORE_ALL
from host.core.records import ANYBODY, ActivityKey, Lease, Unawaited
from host.core.unawaited import UnawaitedLeases
from host.engine.activities import ActivityRun
from host.engine.parts import EngineParts
from host.engine.placement import lost_failure, place
from host.engine.together import together
from host.engine.unknown import hand_out, has_others, offer_again
from host.engine.work import HAND_OUT_AGAIN_S, work_item
from host.errors import StorageError
from host.logs import HostLog

_logger = HostLog("funchost.engine")


class Begun(NamedTuple):
    """An activity that runs here without a lease, or has run and whose result nobody took."""

    run: ActivityRun
    result: ActivityResult | None = None


class UnawaitedActivities:
    """Sees to the unawaited activities of one instance, and keeps what is known of them."""

    def __init__(self, parts: EngineParts, leases: UnawaitedLeases) -> None:
        self._parts = parts
        self._leases = leases

    def are_over(self) -> bool:
        """Whether nobody has some of them, as far as is known."""
        return any(not self._is_here(x) for x in self._leases.over(self._parts.clock.now()))

    async def see_to(self) -> None:
        """Begin what nobody has. Raises `StorageError`."""
        over = self._leases.over(self._parts.clock.now())
        for lease in over:
            if self._is_here(lease):
                self._look_again(lease)  # it is renewed as soon as that works
        await self._begin([lease for lease in over if not self._is_here(lease)])

    async def end(self) -> None:
        """End all of it: a termination does, and whoever stored that one may have died before.

        Raises `StorageError`.
        """
        await together([self._end(lease) for lease in list(self._leases.values())])

    async def keep(self, left: Sequence[Unawaited], begun: Mapping[ActivityKey, Begun]) -> None:
        """Let go on under a lease what runs here. Raises `StorageError`."""
        leases = [each.lease for each in left if not each.was_leased]
        here = [(lease, begun[key]) for lease in leases if (key := _key_of(lease)) in begun]
        await together([self._keep(*each) for each in here])

    async def begin(self, left: Sequence[Unawaited]) -> None:
        """Begin what nobody has begun. Raises `StorageError`."""
        await self._begin([x.lease for x in left if not (x.was_leased or self._is_here(x.lease))])

    async def offer(self, left: Sequence[Unawaited]) -> bool:
        """Let the next host begin them at once, since this one stops; whether there are any.

        Raises `StorageError`.
        """
        now = self._parts.clock.now()
        over = [
            msgspec.structs.replace(each.lease, expires_at=now)
            for each in left
            if not (each.was_leased or self._is_here(each.lease))
        ]
        await together([self._parts.store.renew_lease(lease) for lease in over])
        return bool(over)

    # ---- inside ---------------------------------------------------------------------------------

    async def _begin(self, leases: Sequence[Lease]) -> None:
        parts, by_task = self._parts, {id(lease.scheduled): lease for lease in leases}
        tasks = [
            Undispatched(lease.scheduled, lease) for lease in leases if lease.scheduled is not None
        ]
        placed = place(tasks, parts.activities, parts.pool, parts.options.max_backlog_s)
        steps: list[Coroutine[Any, Any, None]] = [
            self._hand_out([by_task[id(each.scheduled)] for each in placed.elsewhere])
        ]
        here = [each.scheduled for each in (*placed.here, *placed.once)]
        steps += [self._run(by_task[id(each)], placed.functions[each.name]) for each in here]
        limited = [
            (by_task[id(x.scheduled)], placed.functions[x.scheduled.name]) for x in placed.limited
        ]
        steps += [self._wait(*each) for each in limited]
        lost = [by_task[id(each.scheduled)] for each in placed.lost]
        for lease in lost:
            if parts.claims.were_given_back(lease.owner):
                parts.parked.give_back(lease)  # the claim was stored after that
                self._look_again(lease)
            else:
                steps.append(self._let_go(lease))
        steps += [self._leave_to_others(by_task[id(x.scheduled)]) for x in placed.unknown]
        await together(steps)

    async def _run(self, lease: Lease, function: ActivityFunction) -> None:
        if tries_with(lease, self._parts.host_id) > self._parts.options.max_deliveries:
            name, instance_id = lease.scheduled and lease.scheduled.name, lease.instance_id
            _logger.error(
                "Activity '%s' of '%s' is not run again: its host ended each of %d times.",
                name,
                instance_id,
                lease.tries + 1,
            )
            await self._let_go(lease)
            return
        is_once = function.at_most_once
        taken = await (self._claim(lease) if is_once else self._take(lease))
        if taken is not None:
            self._parts.pool.start(self._parked(taken, is_claim=is_once), function)

    async def _wait(self, lease: Lease, function: ActivityFunction) -> None:
        """Let it begin as soon as it has a slot of its limit; until then anybody may take it."""
        parts, key = self._parts, _key_of(lease)
        until = parts.clock.now() + timedelta(seconds=parts.options.work_lease_s)
        tries = tries_with(lease, parts.host_id)
        offered = msgspec.structs.replace(lease, owner=ANYBODY, expires_at=until, tries=tries)
        if parts.limits.activities.has(key):
            self._leases.add([offered])  # who waits sees to the lease
        elif await self._put(offered, lease, parts.clock.now()) and lease.scheduled is not None:
            parts.limits.activities.begin_offered(key, lease.scheduled, function, offered)

    async def _claim(self, lease: Lease) -> Lease | None:
        """Take what may begin once, from nobody else: None if somebody has begun it, or may have.

        Another host may have begun it since it was seen, and by this one's clock be over all the
        same.
        """
        claim = self._own(lease, self._parts.claims.owner())
        try:
            return await self._put(claim, lease, BEFORE_ALL)
        except (Exception, asyncio.CancelledError):
            self._parts.parked.give_back(claim)  # whatever became of the claim, it was not begun
            raise

    async def _keep(self, lease: Lease, begun: Begun) -> None:
        run, results = begun.run, [] if begun.result is None else [begun.result]
        run.deliver = lambda _, result: results.append(result)
        taken = None
        try:
            taken = await self._take(lease)
        finally:
            if taken is None:
                self._parts.pool.cancel_run(run)
        if taken is not None:
            self._parts.parked.add(run, taken)
            run.deliver = self._parts.parked.deliver
        if taken is not None and results:
            run.deliver(run, results[0])

    async def _end(self, lease: Lease) -> None:
        assert lease.scheduled is not None  # noqa: S101 - only such leases come here
        result = lost_failure(lease.scheduled, self._parts.clock.now())
        await self._parts.store.finish_lease(lease, result_message(lease, result))
        self._leases.drop(lease)

    async def _let_go(self, lease: Lease) -> None:
        """Run it no more: as one that may begin once, has begun, and may have ended."""
        taken = await self._take(lease)
        if taken is None or taken.scheduled is None:
            return
        run = self._parked(taken, is_claim=False)
        run.deliver(run, lost_failure(taken.scheduled, self._parts.clock.now()))

    async def _take(self, lease: Lease) -> Lease | None:
        """The lease as this host has it now; None if somebody else does, or the work is done.

        Others' leases that are over by now count as nobody's.
        """
        own = self._own(lease, self._parts.host_id)
        return await self._put(own, lease, self._parts.clock.now())

    def _own(self, lease: Lease, owner: str) -> Lease:
        parts = self._parts
        return msgspec.structs.replace(
            lease,
            owner=owner,
            expires_at=parts.clock.now() + timedelta(seconds=parts.options.lease_s),
            tries=tries_with(lease, parts.host_id),
        )

    async def _put(self, own: Lease, seen: Lease, over_by: datetime) -> Lease | None:
        if not await self._parts.store.take_lease(own, over_by):
            self._look_again(seen)
            return None
        self._leases.add([own])
        return own

    def _parked(self, lease: Lease, *, is_claim: bool) -> ActivityRun:
        parts, scheduled = self._parts, lease.scheduled
        assert scheduled is not None  # noqa: S101 - only such leases come here
        run = ActivityRun(_key_of(lease), scheduled, parts.parked.deliver)
        parts.parked.add(run, lease, is_claim=is_claim)
        return run

    async def _hand_out(self, leases: Sequence[Lease]) -> None:
        """Let any host run these."""
        parts, now = self._parts, self._parts.clock.now()
        until = now + timedelta(seconds=parts.options.work_lease_s)
        offered = [
            msgspec.structs.replace(
                x, owner=ANYBODY, expires_at=until, tries=tries_with(x, ANYBODY)
            )
            for x in leases
        ]
        are_taken = await together([parts.store.take_lease(lease, now) for lease in offered])
        self._leases.add(offered)
        taken = [lease for lease, is_taken in zip(offered, are_taken, strict=True) if is_taken]
        try:
            await parts.queues.send_work(
                [
                    work_item(x.instance_id, x.execution_id, x.scheduled)
                    for x in taken
                    if x.scheduled
                ]
            )
        except StorageError as error:
            text = "Unawaited work (%d activities) is handed out later: %s"
            parts.store_watch.failed(text, len(taken), error)
            soon = now + timedelta(seconds=HAND_OUT_AGAIN_S)
            again = [msgspec.structs.replace(lease, expires_at=soon) for lease in taken]
            self._leases.add(again)
            await together([parts.store.renew_lease(lease) for lease in again])

    async def _leave_to_others(self, lease: Lease) -> None:
        """Let others run what this host does not know, if there are any."""
        parts = self._parts
        offered = await offer_again(parts, lease) if has_others(parts) else lease
        if offered is None or offered.scheduled is None:
            self._look_again(lease)
            return
        if has_others(parts):
            tasks = [offered.scheduled]
            wait = timedelta(
                seconds=await hand_out(parts, lease.instance_id, lease.execution_id, tasks)
            )
        else:
            wait = LOOK_AGAIN
            _logger.warning(
                "An activity that '%s' left waits for its function '%s', which is missing here.",
                lease.instance_id,
                offered.scheduled.name,
            )
        self._leases.add([msgspec.structs.replace(offered, expires_at=parts.clock.now() + wait)])

    def _look_again(self, lease: Lease) -> None:
        later = self._parts.clock.now() + timedelta(seconds=self._parts.options.lease_s)
        self._leases.add([msgspec.structs.replace(lease, expires_at=later)])

    def _is_here(self, lease: Lease) -> bool:
        return self._parts.parked.has(_key_of(lease))


def _key_of(lease: Lease) -> ActivityKey:
    return ActivityKey(lease.instance_id, lease.execution_id, lease.task_id)
