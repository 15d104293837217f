"""Runs timer functions: each due time once, whichever of the hub's hosts does it.

Rules of this file: nothing is run without a claim in the hub (`timer_records`), and between due
times nothing is asked of it. The host that ran the timer last claims the next due time when it has
come. The others read the record shortly before, to see whether there is such a host, and a while
after, whether it did. So a host that dies makes a due time late by that while, and one that stops
in order makes none late: it says that nobody goes first, and all try.

A run that goes on is told of again and again. Where that stops, its host is gone, and the run is
repeated, or left out without a monitor. Whether it stops is measured by the clock of who looks: no
two clocks are compared.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

from bindings.kinds.records import TriggeredFunction
from bindings.kinds.services import ListenerServices
from bindings.kinds.timer import timer_of
from bindings.timers import TimerRequest
from host.core.failures import caught, in_words
from host.errors import StorageError
from host.logs import HostLog
from host.triggers import timer_records
from host.triggers.timer_hub import LEAVE_S, HostStopsError, Seen, TimerHub, Unreadable
from host.triggers.timer_records import Run, TimerRecord

EARLY: Final = timedelta(seconds=1)
LATE: Final = timedelta(seconds=2)
"""When hosts look that do not go first: so long before a due time, and so long after it."""
TELL_S: Final = 20.0
"""How often a run that goes on is told of. It is a write each time."""
GONE_S: Final = 60.0
"""A run that was not told of for so long is nobody's any more."""
LOOK_S: Final = 20.0
"""How often a run of another host is looked at, and whether a timer is paused still."""
OTHER_SCHEDULE_S: Final = 60.0
"""How often is looked whether hosts with another schedule of the timer have gone."""
CHECK_S: Final = 10.0
"""How soon is noticed that the wall clock was set, or that the machine has slept."""
SHOWN_TIMES: Final = 5

_log = HostLog(__name__)


class TimerListener:
    """Runs one timer function. The `TriggerListener` of `timerTrigger`."""

    def __init__(
        self, function: TriggeredFunction, services: ListenerServices, *, check_s: float = CHECK_S
    ) -> None:
        """`check_s`: so soon it is noticed that the wall clock has jumped."""
        self._function = function
        self._clock = services.clock
        self._me = services.host_id
        self._is_alone = services.is_alone
        self._show_facts = services.show
        self._timer = timer_of(function.trigger)
        self._schedule = self._timer.schedule
        self._hub = TimerHub(services, function.name.lower(), self._show, check_s)
        self._trouble: str | None = None
        self._has_stood_back = False
        self._is_paused = False
        self._leading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; the hub is asked in the background."""
        self._leading = asyncio.create_task(self._lead())

    async def stop(self) -> None:
        """Begin no run, and wait for the one that goes on. If cancelled, others may repeat it."""
        self._hub.stop()
        if self._leading is None:
            return
        try:
            await asyncio.wait([self._leading])
        except asyncio.CancelledError:
            self._leading.cancel()
            await asyncio.wait([self._leading], timeout=3 * LEAVE_S)
            raise

    def look_anew(self) -> None:
        """The record was changed from this host: see now what it says."""
        self._hub.nudge()

    def problems(self) -> list[str]:
        """Why due times may pass."""
        return [each for each in (self._trouble, self._hub.trouble) if each is not None]

    # ---- from one due time to the next ---------------------------------------------------------

    async def _lead(self) -> None:
        try:
            seen = await self._begin()
            if self._timer.runs_on_startup and timer_records.may_run_at_start(
                seen.record, self._clock.now()
            ):
                seen = await self._run_at_start(seen)
            while not self._hub.is_stopping:
                seen = await self._step(seen)
            await self._leave(seen)
        except HostStopsError:
            pass
        except Exception as error:  # noqa: BLE001 - a defect: it is shown, and other timers go on
            self._trouble = f"it has stopped: {in_words(error)}"
            _log.exception("The timer '%s' runs no more", self._function.name)

    async def _begin(self) -> Seen:
        """Have a record that says this schedule."""
        while True:
            seen = await self._made_fit(await self._hub.read())
            if seen is not None:
                self._tell_start(seen)
                return seen

    async def _made_fit(self, found: Seen | Unreadable | None) -> Seen | None:
        """The record for this schedule; None if another host has changed it meanwhile."""
        now = self._clock.now()
        if not isinstance(found, Seen):
            new = timer_records.new_record(self._schedule, now, self._me)
            return await self._hub.change(new, None if found is None else found.stamp)
        wanted = timer_records.begun_anew(
            found.record, self._schedule, now, self._me, is_monitored=self._timer.is_monitored
        )
        return found if wanted == found.record else await self._hub.change(wanted, found.stamp)

    async def _step(self, seen: Seen) -> Seen:
        """Wait for what is to be done next, or do it."""
        if self._hub.take_nudge():
            seen = await self._look(seen)
        record = seen.record
        if record.schedule != self._schedule.identity:
            return await self._stand_back()
        if record.run is not None:
            return await self._see_to_run(seen, record.run)
        if record.asked is not None:
            return await self._run_by_hand(seen, record.asked)
        return await self._wait(seen)

    async def _wait(self, seen: Seen) -> Seen:
        """Wait for what is due next, or run it."""
        record = seen.record
        if self._tell_pause(record):
            await self._hub.rest_until(self._clock.now() + timedelta(seconds=LOOK_S))
            return await self._look(seen)
        mended = timer_records.mended(record, self._schedule, self._clock.now())
        if mended != record:
            return await self._hub.change(mended, seen.stamp) or await self._look(seen)
        if self._is_alone or record.owner in {None, self._me}:
            return await self._go_first(seen)
        return await self._go_after(seen)

    async def _go_first(self, seen: Seen) -> Seen:
        """Run what is due as soon as it is: this host goes first."""
        if self._clock.now() >= seen.record.next:
            return await self._claim(seen)
        await self._hub.rest_until(seen.record.next)
        return seen

    async def _go_after(self, seen: Seen) -> Seen:
        """Run what is due if another host should have and has not."""
        due, now = seen.record.next, self._clock.now()
        looked_at = min(seen.wall, now)
        if looked_at >= due + LATE:
            return await self._claim(seen)
        moment = due + LATE if looked_at >= due - EARLY else due - EARLY
        if now >= moment:
            return await self._look(seen)
        await self._hub.rest_until(moment)
        return seen

    async def _see_to_run(self, seen: Seen, run: Run) -> Seen:
        """There is a run, and not by this listener: wait for its end, or for its host's."""
        is_gone = self._clock.monotonic() - seen.since >= GONE_S
        if self._is_alone or run.host == self._me or is_gone:
            return await self._take_over(seen, run)
        await self._hub.pause(LOOK_S)
        return await self._look(seen)

    async def _stand_back(self) -> Seen:
        """Hosts with another schedule have started since: theirs is the newer one."""
        if not self._has_stood_back:
            self._has_stood_back = True
            _log.warning(
                "The timer '%s' waits: a host that started later runs it by another schedule",
                self._function.name,
            )
        await self._hub.pause(OTHER_SCHEDULE_S)
        found = await self._hub.read()
        return found if isinstance(found, Seen) else await self._begin()

    async def _look(self, seen: Seen) -> Seen:
        """The record as it is now."""
        found = await self._hub.read()
        return self._hub.compared(found, seen) if isinstance(found, Seen) else await self._begin()

    # ---- runs ----------------------------------------------------------------------------------

    async def _claim(self, seen: Seen) -> Seen:
        """Run what is due, if this host is the one."""
        now, due = self._clock.now(), seen.record.next
        wanted = timer_records.claimed(seen.record, self._schedule, due, now, self._me)
        return await self._run_if(wanted, seen, past_due=now - due >= timer_records.PAST_DUE)

    async def _run_at_start(self, seen: Seen) -> Seen:
        """Run without a due time, unless there is a run already."""
        if seen.record.run is not None:
            return seen
        now = self._clock.now()
        wanted = timer_records.claimed(seen.record, self._schedule, now, now, self._me)
        return await self._run_if(wanted, seen, past_due=False)

    async def _run_by_hand(self, seen: Seen, asked: datetime) -> Seen:
        """Run what somebody asked for, if this host is the one."""
        wanted = timer_records.begun_by_hand(seen.record, asked, self._clock.now(), self._me)
        return await self._run_if(wanted, seen, past_due=False)

    async def _take_over(self, seen: Seen, run: Run) -> Seen:
        """Repeat the run of a host that is gone, or leave it out."""
        if not self._timer.is_monitored:
            _log.warning("A run of '%s' broke off with its host", self._function.name)
            wanted = timer_records.ended(seen.record, owner=self._me)
            return await self._hub.change(wanted, seen.stamp) or await self._look(seen)
        _log.warning("A run of '%s' broke off with its host: it is repeated", self._function.name)
        now = self._clock.now()
        wanted = timer_records.repeated(seen.record, run, self._schedule, now, self._me)
        return await self._run_if(wanted, seen, past_due=True)

    async def _run_if(self, wanted: TimerRecord, seen: Seen, *, past_due: bool) -> Seen:
        """Run the function if the hub lets this host have the claim."""
        asked_at = self._clock.monotonic()
        mine = await self._hub.change(wanted, seen.stamp)
        run = wanted.run
        if mine is None or run is None:
            return await self._look(seen)
        if self._clock.monotonic() - asked_at >= GONE_S / 2:  # others may take the run for gone
            return await self._look(mine)
        if past_due:
            _log.info("'%s' is past due: it was due at %s", self._function.name, run.due)
        status = timer_records.status_before(run) if self._timer.is_monitored else None
        request = TimerRequest(due_at=run.due, past_due=past_due, schedule_status=status)
        return await self._attend(asyncio.create_task(self._invoke(request)), mine, run)

    async def _invoke(self, request: TimerRequest) -> None:
        try:
            await self._function.invoke(request)
        except Exception as error:  # noqa: BLE001 - an author's function may raise anything
            failed = caught(error)
            _log.error(
                "The timer function '%s', due at %s, failed: %s",
                self._function.name,
                request.due_at,
                failed,
                exc_info=failed.exc_info,
            )

    async def _attend(self, work: asyncio.Task[None], mine: Seen, run: Run) -> Seen:
        """Tell of the run until it has ended."""
        try:
            while not await self._ends_within(work, TELL_S):
                told = mine if self._is_alone else await self._tell_of(mine, run)
                if told is None:
                    _log.warning(
                        "Another host has begun the run of '%s' anew: this one is cancelled",
                        self._function.name,
                    )
                    await _cancelled(work)
                    return await self._look(mine)
                mine = told
        except asyncio.CancelledError:
            await _cancelled(work)
            await self._give_back(mine, run)
            raise
        if work.cancelled():  # a stop let it not wait for its next try
            await self._give_back(mine, run)
            raise HostStopsError
        return await self._end(mine, run)

    async def _ends_within(self, work: asyncio.Task[None], seconds: float) -> bool:
        nap = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({work, nap}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
        return work.done()

    async def _tell_of(self, mine: Seen, run: Run) -> Seen | None:
        """Say that the run goes on; None if it is another host's by now.

        While the hub is away nobody can take the run, so it goes on.
        """
        try:
            found = await self._hub.change_once(mine.record, mine.stamp)
            found_now = found or await self._hub.read_once()
        except StorageError as error:
            _log.debug("The run of '%s' cannot be told of: %s", self._function.name, error)
            return mine
        is_mine = isinstance(found_now, Seen) and found_now.record.run == run
        return found_now if isinstance(found_now, Seen) and is_mine else None

    async def _end(self, mine: Seen, run: Run) -> Seen:
        """Write down that the run has ended, unless another host has begun it anew."""
        while True:
            owner = None if self._hub.is_stopping else self._me
            seen = await self._hub.change(timer_records.ended(mine.record, owner=owner), mine.stamp)
            if seen is not None:
                return seen
            found = await self._look(mine)
            if found.record.run != run:
                return found
            mine = found  # what was told of the run was stored late

    # ---- the end -------------------------------------------------------------------------------

    async def _leave(self, seen: Seen) -> None:
        """Say that nobody goes first from now on."""
        if not self._is_alone and seen.record.owner == self._me and seen.record.run is None:
            wanted = timer_records.ended(seen.record, owner=None)
            await self._hub.change_in_passing(wanted, seen.stamp)

    async def _give_back(self, mine: Seen, run: Run) -> None:
        """Let another host repeat a run that was cancelled, at once."""
        if self._is_alone:
            return  # the next start finds the run, and that nobody does it
        wanted = (
            timer_records.given_back(mine.record, run)
            if self._timer.is_monitored
            else timer_records.ended(mine.record, owner=None)
        )
        await self._hub.change_in_passing(wanted, mine.stamp)

    # ---- what is said --------------------------------------------------------------------------

    def _tell_start(self, seen: Seen) -> None:
        if self._tell_pause(seen.record):
            return
        times = [seen.record.next]
        while len(times) < SHOWN_TIMES:
            times.append(self._schedule.due_after(times[-1]))
        _log.info(
            "The timer '%s' (%s) is due next at %s",
            self._function.name,
            self._schedule.identity,
            ", ".join(f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in times),
        )

    def _tell_pause(self, record: TimerRecord) -> bool:
        """Whether the timer is paused; that it is, and is no more, the log says once."""
        is_paused = record.paused is not None
        if is_paused is not self._is_paused:
            self._is_paused = is_paused
            text = "is paused" if is_paused else "runs again"
            _log.info("The timer '%s' %s", self._function.name, text)
        return is_paused

    def _show(self, record: TimerRecord) -> None:
        last = {} if record.last is None else {"lastDue": f"{record.last:%Y-%m-%dT%H:%M:%SZ}"}
        if record.paused is not None:
            last["pausedSince"] = f"{record.paused:%Y-%m-%dT%H:%M:%SZ}"
        next_due = f"{record.next:%Y-%m-%dT%H:%M:%SZ}"
        self._show_facts({"schedule": self._schedule.identity, "nextDue": next_due, **last})


async def _cancelled(work: asyncio.Task[None]) -> None:
    """Cancel it and wait for its end, for a while."""
    work.cancel()
    await asyncio.wait([work], timeout=LEAVE_S)
