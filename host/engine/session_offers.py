"""What one session leaves to other hosts: activities that anybody may take by their leases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from host.core.instance_state import InstanceState
from host.core.leases import Undispatched
from host.core.records import ANYBODY, Lease
from host.engine.parts import EngineParts
from host.engine.session_leases import SessionLeases
from host.engine.together import together
from host.engine.unknown import hand_out, has_others, offer_again
from host.engine.work import HAND_OUT_AGAIN_S, work_item
from host.errors import Conflict, StorageError


class SessionOffers:
    """Hands activities out. Raises `HoldOverError`, `Conflict`, `StorageError`."""

    def __init__(self, parts: EngineParts, instance_id: str, leases: SessionLeases) -> None:
        self._parts = parts
        self._instance_id = instance_id
        self._leases = leases

    async def hand_out(self, state: InstanceState, tasks: Sequence[Undispatched]) -> None:
        """Let any host run these."""
        await self._offer(state, tasks, self._parts.options.work_lease_s)
        items = [work_item(self._instance_id, state.execution_id, x.scheduled) for x in tasks]
        try:
            await self._parts.queues.send_work(items)
        except StorageError as error:
            text = "Work of '%s' is handed out later: %s"
            self._parts.store_watch.failed(text, self._instance_id, error)
            for lease in await self._offer(state, tasks, HAND_OUT_AGAIN_S):
                await self._parts.store.renew_lease(lease)  # a turn only ever makes them longer

    async def _offer(
        self, state: InstanceState, tasks: Sequence[Undispatched], lease_s: float
    ) -> list[Lease]:
        leases = [
            replace(
                self._leases.of(state, each.scheduled.task_id, ANYBODY, lease_s),
                tries=each.tries_with(self._parts.host_id),
            )
            for each in tasks
        ]
        again = [x for x, task in zip(leases, tasks, strict=True) if task.lease is not None]
        now = self._parts.clock.now()
        await together([self._leases.take_over(lease, now) for lease in again])
        await self._leases.put(state, leases)
        return leases

    async def leave_to_others(self, state: InstanceState, tasks: Sequence[Undispatched]) -> None:
        """Let others run what this host does not know, if there are any."""
        parts = self._parts
        if not has_others(parts):
            state.leave_waiting(task.scheduled for task in tasks)
            return
        self._leases.check_hold()
        lease_s = parts.options.lease_s
        offered = await together([self.offer_once(state, task, lease_s) for task in tasks])
        scheduled = [task.scheduled for task in tasks]
        wait_s = await hand_out(parts, self._instance_id, state.execution_id, scheduled)
        # What was out before, and still nobody has, is shown to wait.
        state.leave_waiting(task.scheduled for task in tasks if task.lease is not None)
        now = parts.clock.now()
        first_s = min(wait_s, parts.options.lease_s)
        for task, lease in zip(tasks, offered, strict=True):
            until = now + timedelta(seconds=first_s if task.lease is None else wait_s)
            state.leases.add([replace(lease, expires_at=until)], state.ledger)

    async def offer_once(self, state: InstanceState, task: Undispatched, lease_s: float) -> Lease:
        """The lease by which anybody may take it, and begin it if nobody has."""
        if task.lease is not None:
            offered = await offer_again(self._parts, task.lease)
        else:
            offered = self._leases.of(state, task.scheduled.task_id, ANYBODY, lease_s)
            if not await self._leases.claim(state, offered, was_offered=False):
                offered = None
        if offered is None:
            raise Conflict(f"Somebody else has an activity of '{self._instance_id}'.")
        return offered
