"""The limits of a hub as one host keeps to them: what its parts ask, and what it does by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from host.core.executors import ActivityExecutor
from host.core.records import ActivityKey, Instance
from host.engine.limits.activities import LimitedActivities
from host.engine.limits.cleaner import CLEAN_S, LimitCleaner
from host.engine.limits.desks import FOLLOW_S, Desks
from host.engine.limits.entities import CALL_S, LimitedEntities
from host.engine.limits.instances import LimitedInstances
from host.errors import StorageError


class HubLimits:
    """All of it, for the event loop's thread."""

    def __init__(
        self,
        desks: Desks,
        activities: LimitedActivities,
        instances: LimitedInstances,
        entities: LimitedEntities,
        executor: ActivityExecutor,
    ) -> None:
        """`executor` has the functions of activities."""
        self._executor = executor
        self.are_set = bool(desks.configured)
        """Whether there are any limits."""
        self.desks = desks
        self._cleaner = LimitCleaner(desks)
        self.activities = activities
        self.instances = instances
        self.entities = entities

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

    @property
    def rounds(self) -> Mapping[str, Callable[[], Awaitable[float]]]:
        """What is done again and again, by name; each gives the pause after it in seconds."""
        if not self.are_set:
            return {}
        return {
            "limit follower": self._follow,
            "limit keeper": self._renew,
            "limit caller": self._call,
            "limit cleaner": self._clean,
        }

    async def _follow(self) -> float:
        await self.desks.follow()
        return FOLLOW_S

    async def _renew(self) -> float:
        await self.activities.renew()
        return self.activities.look_s

    async def _call(self) -> float:
        self.entities.call_away()
        return CALL_S

    async def _clean(self) -> float:
        await self._cleaner.clean()
        return CLEAN_S

    async def hand_over(self) -> list[str]:
        """The host was told to stop: what waits here waits elsewhere. Gives who is to be woken."""
        return [*await self.activities.hand_over(), *self.instances.take_waiting()]

    async def leave(self) -> None:
        """The host ends, and nothing runs here any more: its slots are for others."""
        with suppress(StorageError):  # then their time is over soon
            await self.desks.leave()
