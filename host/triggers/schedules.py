"""The schedules of an app's timers, as people see and steer them: for all hosts of a hub.

What is ordered is written into the timer's record by a conditional write, as whoever runs it writes
there. So a run cannot begin beside a pause: whoever would begin it meets another record, and looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from bindings.kinds.services import HubRecord, HubRecords
from bindings.kinds.timer import TYPE, Timer, timer_of
from host.clock import Clock
from host.engine.together import together
from host.errors import ScheduleNotFoundError, ScheduleStateError, StoreAwayError
from host.functions.model import HostFunction
from host.functions.registry import FunctionRegistry
from host.triggers import timer_records
from host.triggers.timer_records import TimerRecord

_TRIES: Final = 20
"""So often an order is tried that meets other changes: a timer may be due each second."""
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """One timer: its schedule as it is written, when it is due, and whether it runs.

    `next` is None while nothing is due: it is paused, or disabled on this host.
    """

    name: str
    schedule: str
    time_zone: str
    next: datetime | None
    last: datetime | None
    paused_at: datetime | None
    is_disabled: bool
    is_running: bool


class Schedules:
    """The timers of the app of this host."""

    def __init__(
        self,
        registry: FunctionRegistry[Any],
        records: HubRecords,
        clock: Clock,
        look_anew: Callable[[str], None],
    ) -> None:
        """`look_anew` lets the listener of a function see at once what was ordered."""
        self._registry = registry
        self._records = records
        self._clock = clock
        self._look_anew = look_anew

    async def all(self) -> list[ScheduleView]:
        """All timers, in order of their names. Raises `StorageError`."""
        timers = sorted(self._timers(), key=lambda each: each.name.lower())
        return await together([self._view(each) for each in timers], at_once=_AT_ONCE)

    async def run(self, name: str) -> None:
        """Let a timer run once as soon as may be, whether it is paused or not.

        Raises `ScheduleNotFoundError`, `ScheduleStateError` if it is disabled here or runs just
        now, and `StorageError`.
        """
        function = self._timer(name)
        if function.is_disabled:
            raise ScheduleStateError(f"The timer '{function.name}' is disabled: nothing runs it.")

        def asked(record: TimerRecord) -> TimerRecord:
            if record.run is not None:
                raise ScheduleStateError(
                    f"The timer '{function.name}' runs just now, since {record.run.due:%H:%M:%S}."
                )
            return timer_records.asked_for(record, self._clock.now())

        await self._change(function, asked)

    async def pause(self, name: str) -> ScheduleView:
        """Let nothing begin that is due from now on, on any host.

        Raises `ScheduleNotFoundError` and `StorageError`.
        """
        function = self._timer(name)
        await self._change(function, lambda record: timer_records.paused(record, self._clock.now()))
        return await self._view(function)

    async def resume(self, name: str) -> ScheduleView:
        """Let a timer run again, from its next due time on: what was due meanwhile is left out.

        Raises `ScheduleNotFoundError`, `ScheduleStateError` and `StorageError`.
        """
        function = self._timer(name)
        schedule = timer_of(function.declaration.trigger).schedule

        def resumed(record: TimerRecord) -> TimerRecord:
            if record.paused is not None and record.schedule != schedule.identity:
                raise ScheduleStateError(
                    f"The timer '{function.name}' has another schedule on hosts that started "
                    "later: resume it there, or once this host has the same code."
                )
            return timer_records.resumed(record, schedule, self._clock.now())

        await self._change(function, resumed)
        return await self._view(function)

    # ---- inside --------------------------------------------------------------------------------

    def _timers(self) -> list[HostFunction]:
        functions = self._registry.version.app.functions
        return [each for each in functions if each.declaration.trigger.type == TYPE]

    def _timer(self, name: str) -> HostFunction:
        """Raises `ScheduleNotFoundError`."""
        for each in self._timers():
            if each.name.lower() == name.lower():
                return each
        raise ScheduleNotFoundError(name)

    async def _view(self, function: HostFunction) -> ScheduleView:
        timer = timer_of(function.declaration.trigger)
        record = self._record(timer, await self._records.read(_key(function)))
        stands = record.paused is not None or function.is_disabled
        return ScheduleView(
            name=function.name,
            schedule=_written(function),
            time_zone=timer.zone,
            next=None if stands else record.asked or record.next,
            last=record.last,
            paused_at=record.paused,
            is_disabled=function.is_disabled,
            is_running=record.run is not None,
        )

    async def _change(
        self, function: HostFunction, wanted: Callable[[TimerRecord], TimerRecord]
    ) -> None:
        """Change the record, whatever others change meanwhile. Raises what `wanted` does."""
        timer, key = timer_of(function.declaration.trigger), _key(function)
        for _ in range(_TRIES):
            found = await self._records.read(key)
            record = self._record(timer, found)
            new = wanted(record)
            if new == record:
                return
            data = HubRecord(stamp=uuid4().hex, data=timer_records.encode(new))
            if await self._records.change(key, data, after=None if found is None else found.stamp):
                self._look_anew(function.name)
                return
        raise StoreAwayError(f"The timer '{function.name}' is changed by others all the time.")

    def _record(self, timer: Timer, found: HubRecord | None) -> TimerRecord:
        record = None if found is None else timer_records.decode(found.data)
        return record or timer_records.new_record(timer.schedule, self._clock.now(), None)


def _key(function: HostFunction) -> str:
    return function.name.lower()


def _written(function: HostFunction) -> str:
    return str(function.declaration.trigger.properties["schedule"])
