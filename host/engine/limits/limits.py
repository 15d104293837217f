"""The limits of a hub as one host keeps to them: what its parts ask, and what it does by itself."""

from __future__ import annotations

from contextlib import suppress

from host.core.executors import ActivityExecutor
from host.core.records import ActivityKey, Instance
from host.engine.limits.activities import LOOK_S, LimitedActivities
from host.engine.limits.desks import FOLLOW_S, Desks
from host.engine.limits.instances import LimitedInstances
from host.errors import StorageError


class HubLimits:
    """All of it. `follow` and `renew` are each one round of a loop that runs for ever."""

    def __init__(
        self,
        desks: Desks,
        activities: LimitedActivities,
        instances: LimitedInstances,
        executor: ActivityExecutor,
    ) -> None:
        """`executor` has the functions of activities."""
        self._executor = executor
        self.are_set = bool(desks.configured)
        """Whether there are any limits."""
        self.desks = desks
        self.activities = activities
        self.instances = instances

    @property
    def is_at_work(self) -> bool:
        """Whether anything is about to get a slot, or to begin with one."""
        return self.activities.is_at_work or self.desks.is_at_work

    async def rest(self) -> None:
        """Wait until that is over."""
        await self.activities.rest()
        await self.desks.rest()

    def of_activity(self, key: ActivityKey, name: str, *, is_offered: bool) -> str | None:
        """The limit that an activity waits for: here, or on another host if anybody may take it."""
        limit, function = self.activities.limit_of(key), self._executor.activity(name)
        if limit is None and is_offered and function is not None and function.limit is not None:
            return function.limit.name
        return limit

    def of_start(self, row: Instance) -> str | None:
        """The limit that an instance waits for which has not begun."""
        use = self.instances.use_of(row)
        return None if use is None else use.name

    async def follow(self) -> float:
        """Learn what others have changed; the pause after it in seconds. Raises `StorageError`."""
        if self.are_set:
            await self.desks.follow()
        return FOLLOW_S

    async def renew(self) -> float:
        """See to what waits; the pause after it in seconds. Raises `StorageError`."""
        await self.activities.renew()
        return LOOK_S

    async def hand_over(self) -> list[str]:
        """The host was told to stop: what waits here waits elsewhere. Gives who is to be woken."""
        return [*await self.activities.hand_over(), *self.instances.take_waiting()]

    async def leave(self) -> None:
        """The host ends, and nothing runs here any more: its slots are for others."""
        with suppress(StorageError):  # then their time is over soon
            await self.desks.leave()
