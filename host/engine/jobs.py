"""Jobs of operators: started by any host, led by one at a time, taken over if that one vanishes.

A job is a record of the hub (`job_records.py`). Who leads it has the lock of its name; that is to
save work only: two that lead one job do the same things to the same instances, which are then
done once, and of their two counts one is stored.

Each host looks once in a while for jobs that nobody leads. Orders go out under an id that is
derived from the job and the run, so an order that is sent again is the same order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import msgspec

from bindings.errors import FunchostError, InstanceStateError, InvalidArgumentError
from host.core import arguments, history, ids
from host.core.history import InboxEvent, Payload
from host.engine.duties import Duty
from host.engine.job_records import (
    Chosen,
    Counted,
    Job,
    JobAction,
    JobFailure,
    JobState,
    is_job_id,
    new_job,
    seen_by,
)
from host.engine.management import InstanceManager
from host.engine.parts import EngineParts
from host.engine.purging import purge_tree
from host.engine.together import together
from host.errors import DamagedDataError, JobEndedError, JobNotFoundError, StorageError
from host.logs import HostLog
from host.storage.protocol import InstanceFilter, NamedRecord

JOB = "job"
JOBS_AT_ONCE = 4
"""So many jobs a host leads; others wait, or are led by other hosts."""
LOOK_S = 300.0
"""How often a host looks for jobs that nobody leads."""
HOLD_S = 30.0
"""When the host of a job has not been heard of for so long, another may lead it."""
_KEEP_S = 10.0
RETRY_S = 5.0
_JOBS_A_PAGE = 100

_logger = HostLog("funchost.engine")
_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(Job)


@dataclass(frozen=True, slots=True)
class _Stored:
    job: Job
    stamp: str


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs, the newest first; `token` is for the next page, None on the last one."""

    jobs: tuple[Job, ...]
    token: str | None


class Jobs:
    """The jobs of a hub, and this host's part in them."""

    def __init__(
        self, parts: EngineParts, instances: InstanceManager, *, lead: Callable[[], None]
    ) -> None:
        """`lead` has `work` done from then on, again and again."""
        self._parts = parts
        self._instances = instances
        self._lead_from_now_on: Callable[[], None] | None = lead
        self._led: dict[str, asyncio.Task[None]] = {}
        self._duties: dict[str, Duty] = {}
        self._news = asyncio.Event()
        """Set when there may be a job that nobody leads."""
        self._second_look: asyncio.Task[None] | None = None
        """After a job was seen whose host may have vanished just now."""

    # ---- for operators ------------------------------------------------------------------------

    async def start(
        self,
        action: JobAction,
        filter_: InstanceFilter,
        *,
        reason: Payload = None,
        recursive: bool = False,
    ) -> Job:
        """Have this done to all instances that the filter finds now. Durable when it returns.

        Raises `InvalidArgumentError` for states in which nothing can be done.
        """
        now = self._parts.clock.now()
        job = new_job(action, filter_, now, reason=reason, recursive=recursive)
        try:
            await self._parts.store.change_record(_record_of(job, uuid4().hex), after=None)
        finally:
            self.look_soon()  # also if nobody knows what became of it: it may be there
        return job

    async def count(self, action: JobAction, filter_: InstanceFilter) -> int:
        """How many instances a job would be about. Raises as `start` does."""
        seen = seen_by(action, filter_, self._parts.clock.now())
        return sum((await self._parts.store.count(seen)).values())

    async def find(self, job_id: str) -> Job:
        """The job as it is now. Raises `JobNotFoundError`."""
        return (await self._find(job_id)).job

    async def page(self, token: str | None, limit: int) -> JobPage:
        """Jobs that run, and those of the last seven days. Raises `InvalidArgumentError`."""
        if token is not None and not is_job_id(token):
            raise InvalidArgumentError("That is no continuation token of a list of jobs.")
        page = await self._parts.store.records(JOB, after=token or "", limit=limit)
        now = self._parts.clock.now()
        jobs = (_job_of(record) for record in page.records)
        shown = tuple(job for job in jobs if job is not None and not job.is_old(now))
        return JobPage(jobs=shown, token=page.rest)

    async def cancel(self, job_id: str) -> Job:
        """Let no more be done: what is begun, at most a page, is finished.

        Raises `JobNotFoundError`, or `JobEndedError` if all was done.
        """
        while True:
            seen = await self._find(job_id)
            if seen.job.state is JobState.COMPLETED:
                raise JobEndedError(job_id)
            if seen.job.is_cancelling:
                return seen.job
            cancelled = seen.job.cancelled(self._parts.clock.now())
            if await self._change(cancelled, seen.stamp, uuid4().hex):
                return cancelled

    # ---- for the engine -----------------------------------------------------------------------

    def look_soon(self) -> None:
        """There may be jobs that nobody leads."""
        self._news.set()
        lead, self._lead_from_now_on = self._lead_from_now_on, None
        if lead is not None:
            lead()

    async def work(self) -> None:
        """Wait until there may be jobs that nobody leads, and lead them. Raises `StorageError`."""
        await self._wait_for_news()
        self._news.clear()
        try:
            await self._look()
        except StorageError:
            self._news.set()
            raise

    async def _wait_for_news(self) -> None:
        look_s = self._parts.options.look_for_jobs_s
        if look_s is None or self._news.is_set():
            await self._news.wait()
            return
        waits = [
            asyncio.ensure_future(each)
            for each in (self._news.wait(), self._parts.clock.sleep(look_s))
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    @property
    def is_at_work(self) -> bool:
        """Whether a job is led here, or may be soon."""
        return bool(self._led) or self._news.is_set()

    async def rest(self) -> None:
        """Wait for those that are led here to end."""
        await asyncio.sleep(0)
        await asyncio.gather(*self._led.values(), return_exceptions=True)

    async def stop(self) -> None:
        """Do no more: what is under way, others do again."""
        self._news.clear()
        if self._second_look is not None:
            self._second_look.cancel()
        if self._led:
            for task in self._led.values():
                task.cancel()
            await self.rest()

    async def leave(self) -> None:
        """The host ends in order: others need not wait."""
        if self._duties:
            await asyncio.gather(*(duty.let_go() for duty in self._duties.values()))

    async def _look(self) -> None:
        now = self._parts.clock.now()
        async for job in self._all():
            if job.is_running and job.job_id not in self._led and len(self._led) < JOBS_AT_ONCE:
                self._led[job.job_id] = asyncio.create_task(self._lead(job.job_id))
            elif job.is_old(now):
                await self._parts.store.remove_record(JOB, job.job_id)

    async def _all(self) -> AsyncIterator[Job]:
        after: str | None = ""
        while after is not None:
            page = await self._parts.store.records(JOB, after=after, limit=_JOBS_A_PAGE)
            for record in page.records:
                job = _job_of(record)
                if job is not None:
                    yield job
            after = page.rest

    # ---- leading ------------------------------------------------------------------------------

    async def _lead(self, job_id: str) -> None:
        """Lead a job to its end, if nobody else does."""
        parts = self._parts
        duty = Duty(
            parts.store, parts.clock, name=f"job#{job_id}", owner=parts.host_id, hold_s=HOLD_S
        )
        self._duties[job_id] = duty
        try:
            if await duty.take():
                with suppress(JobNotFoundError):
                    await self._go_on(await self._find(job_id), _Kept(duty, parts))
                self._news.set()  # there is room for another
            elif self._second_look is None or self._second_look.done():
                self._second_look = asyncio.create_task(self._look_later(HOLD_S))
        except StorageError as error:
            parts.store_watch.failed("The job %s goes on later: %s", job_id, error)
            await self._look_later(RETRY_S)
        except Exception:
            _logger.exception("The job %s failed; it is tried again.", job_id)
            await self._look_later(RETRY_S)
        finally:
            del self._led[job_id]
        await duty.let_go()
        self._duties.pop(job_id, None)

    async def _look_later(self, seconds: float) -> None:
        await self._parts.clock.sleep(seconds)
        self._news.set()

    async def _go_on(self, seen: _Stored, kept: _Kept) -> None:
        is_again = True  # whoever led it before may have seen to some of the page
        while seen.job.is_running and await kept.is_held():
            counted = await self._see_to(seen.job, is_again=is_again)
            new = await self._next(seen.job.counting(counted))
            stamp = uuid4().hex
            is_again = not await self._change(new, seen.stamp, stamp)
            seen = await self._find(new.job_id) if is_again else _Stored(new, stamp)
            if not is_again and not new.is_running:
                _tell_end(new)

    async def _next(self, job: Job) -> Job:
        """The job with the next page of instances, or at its end."""
        while not (job.is_last or job.is_cancelling):
            page = await self._parts.store.query(
                job.filter,
                limit=self._parts.options.job_page,
                token=job.token,
                max_bytes=self._parts.options.max_page_bytes,
            )
            job = job.going_on(page.instances, page.token)
            if job.page:
                return job
        return job.ended(self._parts.clock.now())

    async def _see_to(self, job: Job, *, is_again: bool) -> Counted:
        """Do what the job does to all on its page."""
        problems = await together(
            [self._problem_of(job, each, is_again=is_again) for each in job.page]
        )
        failures = tuple(
            JobFailure(each.instance_id, problem)
            for each, problem in zip(job.page, problems, strict=True)
            if problem is not None
        )
        return Counted(done=len(job.page) - len(failures), failures=failures)

    async def _problem_of(self, job: Job, chosen: Chosen, *, is_again: bool) -> str | None:
        """Do what the job does to one instance; why not, if it cannot be done."""
        try:
            match job.action:
                case JobAction.PURGE:
                    await self._purge(job, chosen)
                case JobAction.REWIND:
                    await self._rewind(job, chosen)
                case JobAction.REDRIVE:
                    await self._redrive(chosen, is_again=is_again)
                case _:
                    await self._order(job, chosen, is_again=is_again)
        except DamagedDataError as error:
            return str(error)
        except StorageError:
            raise
        except FunchostError as error:
            return str(error)
        return None

    async def _purge(self, job: Job, chosen: Chosen) -> None:
        """Remove what was finished. If it is gone, or another run is there, that is done."""
        if not chosen.execution_id:
            raise InvalidArgumentError("It is damaged: purge it by its id.")
        store, instance_id = self._parts.store, chosen.instance_id
        if job.recursive:
            await purge_tree(store, instance_id, chosen.execution_id)
        else:
            await store.purge(instance_id, chosen.execution_id)

    async def _rewind(self, job: Job, chosen: Chosen) -> None:
        cause = ids.job_message_id(job.job_id, chosen.instance_id)
        await self._instances.rewind_for(
            chosen.instance_id, job.reason or "", cause=cause, run_id=chosen.run_id or None
        )

    async def _redrive(self, chosen: Chosen, *, is_again: bool) -> None:
        try:
            await self._instances.redrive(chosen.instance_id)
        except InstanceStateError:
            if not is_again:  # else it may have been this job that redrove it
                raise

    async def _order(self, job: Job, chosen: Chosen, *, is_again: bool) -> None:
        message_id = ids.job_message_id(job.job_id, chosen.instance_id)
        try:
            await self._instances.order(
                chosen.instance_id,
                _event_of(job, self._parts.clock.now()),
                message_id=message_id,
                run_id=chosen.run_id or None,
            )
        except InstanceStateError:
            if not (is_again and await self._was_taken_in(chosen.instance_id, message_id)):
                raise

    async def _was_taken_in(self, instance_id: str, message_id: str) -> bool:
        """Whether the order came in before the instance was finished, perhaps by it."""
        snapshot = await self._parts.store.load(instance_id)
        batches = () if snapshot is None else snapshot.batches
        return any(message_id in stored.batch.consumed for stored in batches)

    # ---- records ------------------------------------------------------------------------------

    async def _find(self, job_id: str) -> _Stored:
        record = await self._parts.store.record(JOB, arguments.text(job_id, "A job's id"))
        job = None if record is None else _job_of(record)
        if record is None or job is None or job.is_old(self._parts.clock.now()):
            raise JobNotFoundError(job_id)
        return _Stored(job, record.stamp)

    async def _change(self, job: Job, after: str, stamp: str) -> bool:
        return await self._parts.store.change_record(_record_of(job, stamp), after=after)


class _Kept:
    """The lock of a job, while it is led: taken anew before others may have it."""

    def __init__(self, duty: Duty, parts: EngineParts) -> None:
        self._duty = duty
        self._clock = parts.clock
        self._taken_at = parts.clock.monotonic()

    async def is_held(self) -> bool:
        """Whether nobody else has it, as far as is known."""
        now = self._clock.monotonic()
        if now - self._taken_at < _KEEP_S:
            return True
        self._taken_at = now
        return await self._duty.take()


def _event_of(job: Job, now: datetime) -> InboxEvent:
    match job.action:
        case JobAction.SUSPEND:
            return history.ExecutionSuspended(
                timestamp=now, reason=job.reason or "", recursive=job.recursive
            )
        case JobAction.RESUME:
            return history.ExecutionResumed(
                timestamp=now, reason=job.reason or "", recursive=job.recursive
            )
        case _:
            return history.ExecutionTerminated(
                timestamp=now, reason=job.reason, recursive=job.recursive
            )


def _record_of(job: Job, stamp: str) -> NamedRecord:
    return NamedRecord(kind=JOB, key=job.job_id, stamp=stamp, data=_encode(job))


def _job_of(record: NamedRecord) -> Job | None:
    """The job; None for what is none, or of a newer version."""
    with suppress(msgspec.DecodeError, ValueError):
        return _decoder.decode(record.data)
    return None


def _tell_end(job: Job) -> None:
    _logger.info(
        "The job %s to %s instances is %s: %d matched, %d done, %d failed.",
        job.job_id,
        job.action.value,
        job.state.value,
        job.matched,
        job.done,
        job.failed,
    )
