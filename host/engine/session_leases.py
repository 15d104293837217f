"""The leases of one instance's activities, written by the right of the session that leads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from host.core.instance_state import InstanceState
from host.core.ledger import BEFORE_ALL
from host.core.records import ActivityKey, Lease
from host.engine.holds import HoldOverError
from host.engine.parts import EngineParts
from host.errors import Conflict


class SessionLeases:
    """Makes and writes them. Each write needs the hold, and raises `HoldOverError` without it."""

    def __init__(self, parts: EngineParts, instance_id: str, is_held: Callable[[], bool]) -> None:
        self._parts = parts
        self._instance_id = instance_id
        self._is_held = is_held

    def key(self, state: InstanceState, task_id: int) -> ActivityKey:
        """Which activity of the current execution that is."""
        return ActivityKey(self._instance_id, state.execution_id, task_id)

    def of(self, state: InstanceState, task_id: int, owner: str, lease_s: float) -> Lease:
        """A lease of it, from now on for so many seconds."""
        return Lease(
            instance_id=self._instance_id,
            execution_id=state.execution_id,
            task_id=task_id,
            owner=owner,
            expires_at=self._parts.clock.now() + timedelta(seconds=lease_s),
        )

    def check_hold(self) -> None:
        """Raise `HoldOverError` if the session leads the instance no more."""
        if not self._is_held():
            raise HoldOverError

    def keep(self, state: InstanceState, task_ids: Iterable[int]) -> None:
        """Take these for this host's for a while, in memory."""
        owner, lease_s = self._parts.host_id, self._parts.options.lease_s
        leases = [self.of(state, task_id, owner, lease_s) for task_id in task_ids]
        state.leases.add(leases, state.ledger)

    async def put(self, state: InstanceState, leases: Sequence[Lease]) -> None:
        """Store them as the turn's own. Raises `StorageError`."""
        self.check_hold()
        effects = state.lease(self._parts.clock.now(), leases)
        await self._parts.store.apply(effects)
        self._parts.notice_alarm_of(effects)

    async def claim(self, state: InstanceState, lease: Lease, *, was_offered: bool) -> bool:
        """Take what nobody has begun; False if somebody has, or others know more."""
        if was_offered:
            return await self._parts.store.take_lease(lease, BEFORE_ALL)
        return await self._parts.store.claim_lease(lease, state.ledger.next_number - 1)

    async def take_over(self, lease: Lease, over_by: datetime) -> None:
        """Put it in place of one that is over by then, or anybody's.

        Raises `Conflict` if another host did so first, `StorageError`.
        """
        self.check_hold()
        if not await self._parts.store.take_lease(lease, over_by):
            raise Conflict(f"Somebody else has an activity of '{self._instance_id}'.")
