"""Jobs: one action on all that a filter finds, counted exactly whatever happens to its host."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.engine.job_records import MAX_SHOWN, Job, JobAction, JobState
from host.engine.jobs import HOLD_S, JOB
from host.engine.options import EngineOptions
from host.errors import JobEndedError, JobNotFoundError, StorageError
from host.storage.protocol import InstanceFilter, NamedRecord
from tests.kit.hub import Host, Hub, open_hub, until

APP = FunctionApp()
PAGE = EngineOptions().job_page
AWAY = StorageError("the table is away")
LOOK_S = 60.0
RUNNING, SUSPENDED, TERMINATED, COMPLETED = (
    RuntimeStatus.RUNNING,
    RuntimeStatus.SUSPENDED,
    RuntimeStatus.TERMINATED,
    RuntimeStatus.COMPLETED,
)


@APP.orchestration_trigger()
async def listens(context: OrchestrationContext) -> Any:
    return await context.wait_for_external_event("go")


@APP.orchestration_trigger()
async def ends(context: OrchestrationContext, result: str) -> str:
    return result


HAS_LUCK = [False]


@APP.orchestration_trigger()
async def hopes(context: OrchestrationContext) -> str:
    return await context.call_activity(toss)


@APP.activity_trigger()
async def toss() -> str:
    if not HAS_LUCK[0]:
        raise ValueError("no luck")
    return "luck"


@APP.orchestration_trigger()
async def parent(context: OrchestrationContext) -> Any:
    return await context.call_sub_orchestrator(listens, instance_id=f"{context.instance_id}-child")


async def start(hub: Hub, **options: Any) -> Host:
    return await hub.start(APP, **({"look_for_jobs_s": LOOK_S} | options))


async def many(host: Host, count: int, orchestrator: Any = listens, prefix: str = "i") -> list[str]:
    names = [f"{prefix}{number:04}" for number in range(count)]
    for name in names:
        given = "done" if orchestrator is ends else None
        await host.begin(orchestrator, given, instance_id=name)
    await host.rest()
    return names


async def statuses(host: Host) -> dict[str, RuntimeStatus]:
    page = await host.engine.parts.store.query(InstanceFilter(), limit=1000)
    return {row.instance_id: row.status for row in page.instances}


async def ended(host: Host, job: Job) -> Job:
    """The job when it is over."""

    async def is_over() -> bool:
        return not (await host.engine.jobs.find(job.job_id)).is_running

    await until(is_over)
    return await host.engine.jobs.find(job.job_id)


async def run(host: Host, action: JobAction, filter_: InstanceFilter, **more: Any) -> Job:
    return await ended(host, await host.engine.jobs.start(action, filter_, **more))


def counts(job: Job) -> tuple[int, int, int]:
    return (job.matched, job.done, job.failed)


PREFIX = InstanceFilter(id_prefix="i")


async def test_all_that_the_filter_finds_are_terminated_over_many_pages(each_hub: Hub) -> None:
    host = await start(each_hub)
    names = await many(host, 2 * PAGE + 7)
    await many(host, 3, prefix="other")
    job = await run(host, JobAction.TERMINATE, PREFIX, reason='{"why": 1}')
    assert (job.state, counts(job)) == (JobState.COMPLETED, (len(names), len(names), 0))
    await host.rest()
    found = await statuses(host)
    assert {found[name] for name in names} == {TERMINATED}
    assert {status for name, status in found.items() if name not in names} == {RUNNING}
    state = await host.client.get_instance(names[0])
    assert state is not None
    assert state.output == {"why": 1}


async def test_instances_are_suspended_and_resumed(hub: Hub) -> None:
    host = await start(hub)
    await many(host, 5)
    await many(host, 2, ends, prefix="done")
    assert counts(await run(host, JobAction.SUSPEND, InstanceFilter())) == (5, 5, 0)
    await host.rest()
    assert sorted((await statuses(host)).values()) == [COMPLETED] * 2 + [SUSPENDED] * 5
    assert counts(await run(host, JobAction.SUSPEND, InstanceFilter())) == (0, 0, 0)
    assert counts(await run(host, JobAction.RESUME, PREFIX)) == (5, 5, 0)
    await host.rest()
    assert sorted((await statuses(host)).values()) == [COMPLETED] * 2 + [RUNNING] * 5


async def test_finished_instances_are_purged_and_no_others(each_hub: Hub) -> None:
    host = await start(each_hub)
    await many(host, 3)
    await many(host, PAGE + 1, ends, prefix="done")
    job = await run(host, JobAction.PURGE, InstanceFilter())
    assert counts(job) == (PAGE + 1, PAGE + 1, 0)
    assert sorted(await statuses(host)) == ["i0000", "i0001", "i0002"]


async def test_a_job_is_about_what_was_there_as_it_began(hub: Hub) -> None:
    host = await start(hub)
    await many(host, 3)
    hub.clock.jump(timedelta(seconds=1))
    job = await host.engine.jobs.start(JobAction.TERMINATE, PREFIX)
    hub.clock.jump(timedelta(seconds=1))
    await host.begin(listens, instance_id="i-later")
    assert counts(await ended(host, job)) == (3, 3, 0)
    await host.rest()
    assert (await statuses(host))["i-later"] is RUNNING


async def test_sub_orchestrations_go_too_if_that_is_asked(hub: Hub) -> None:
    host = await start(hub)
    await many(host, 1, parent)
    filter_ = InstanceFilter(names=frozenset({"parent"}))
    await run(host, JobAction.TERMINATE, filter_, recursive=True)
    await host.rest()
    assert await host.status("i0000-child") is TERMINATED


async def test_failed_instances_are_rewound(hub: Hub) -> None:
    HAS_LUCK[0] = False
    host = await start(hub)
    await many(host, 3, hopes)
    HAS_LUCK[0] = True
    assert counts(await run(host, JobAction.REWIND, PREFIX, reason="again")) == (3, 3, 0)
    await host.rest()
    assert sorted((await statuses(host)).values()) == [COMPLETED] * 3


@pytest.mark.parametrize(
    ("action", "status"),
    [
        (JobAction.TERMINATE, COMPLETED),
        (JobAction.SUSPEND, SUSPENDED),
        (JobAction.RESUME, RUNNING),
        (JobAction.PURGE, RUNNING),
        (JobAction.REWIND, COMPLETED),
    ],
)
async def test_states_in_which_nothing_can_be_done_are_refused(
    hub: Hub, action: JobAction, status: RuntimeStatus
) -> None:
    host = await start(hub)
    filter_ = InstanceFilter(statuses=frozenset({status}))
    for asked in (host.engine.jobs.start, host.engine.jobs.count):
        with pytest.raises(InvalidArgumentError, match=f"'{action.value}'.*{status.value}"):
            await asked(action, filter_)


async def test_what_a_job_would_be_about_is_counted_and_left_alone(hub: Hub) -> None:
    host = await start(hub)
    await many(host, 4)
    await many(host, 2, ends, prefix="done")
    assert await host.engine.jobs.count(JobAction.TERMINATE, InstanceFilter()) == 4
    assert await host.engine.jobs.count(JobAction.PURGE, InstanceFilter()) == 2
    await host.rest()
    assert len(await statuses(host)) == 6
    assert (await host.engine.jobs.page(None, 9)).jobs == ()


async def test_who_refuses_counts_as_failed_and_the_first_say_why(hub: Hub) -> None:
    host = await start(hub)
    names = await many(host, 20)
    late = names[5:17]

    async def finish_those_on_the_page(method: str, _: tuple[Any, ...]) -> None:
        if method == "change_record":
            host.store.before = None
            for each in late:
                await host.client.raise_event(each, "go", 1)
                await host.finished(each)

    job = await host.engine.jobs.start(JobAction.TERMINATE, PREFIX)
    host.store.before = finish_those_on_the_page
    job = await ended(host, job)
    assert counts(job) == (20, 8, 12)
    assert len(job.failures) == MAX_SHOWN
    assert {each.instance_id for each in job.failures} <= set(late)
    assert all("Completed" in each.reason for each in job.failures)


async def test_a_run_that_began_meanwhile_is_not_meant(hub: Hub) -> None:
    host = await start(hub)
    await many(host, 3)

    async def start_anew(method: str, _: tuple[Any, ...]) -> None:
        if method == "change_record":
            host.store.before = None
            await host.client.raise_event("i0001", "go", 1)
            await host.finished("i0001")
            await host.begin(listens, instance_id="i0001")
            await host.started("i0001")

    job = await host.engine.jobs.start(JobAction.TERMINATE, PREFIX)
    host.store.before = start_anew
    job = await ended(host, job)
    assert counts(job) == (3, 2, 1)
    await host.rest()
    assert await host.status("i0001") is RUNNING


async def test_what_was_started_anew_meanwhile_is_not_purged(hub: Hub) -> None:
    host = await start(hub)
    await many(host, 3, ends)

    async def start_anew(method: str, _: tuple[Any, ...]) -> None:
        if method == "change_record":
            host.store.before = None
            await host.begin(listens, instance_id="i0001")

    job = await host.engine.jobs.start(JobAction.PURGE, PREFIX)
    host.store.before = start_anew
    assert counts(await ended(host, job)) == (3, 3, 0)
    assert list(await statuses(host)) == ["i0001"]


# ---- crashes -------------------------------------------------------------------------------------


class Kill:
    """Severs a host at one of the calls that it makes for a job."""

    METHODS = frozenset(
        {"hold_lock", "query", "change_record", "change_row", "send", "purge", "commit"}
    )

    def __init__(self, host: Host, at: int) -> None:
        self._host = host
        self._left = at
        host.store.before = self

    async def __call__(self, method: str, _: tuple[Any, ...]) -> None:
        if method in self.METHODS:
            self._left -= 1
            if self._left < 0:
                self._host.store.sever()
                raise AWAY

    @property
    def has_killed(self) -> bool:
        return self._left < 0


@pytest.mark.parametrize(
    "action", [JobAction.TERMINATE, JobAction.PURGE, JobAction.SUSPEND, JobAction.REWIND]
)
async def test_a_job_whose_host_dies_at_any_call_is_taken_over_and_counts_each_once(
    tmp_path: Path, action: JobAction
) -> None:
    kinds = {JobAction.PURGE: ends, JobAction.REWIND: hopes}
    left = {
        JobAction.TERMINATE: [TERMINATED] * 5,
        JobAction.SUSPEND: [SUSPENDED] * 5,
        JobAction.REWIND: [COMPLETED] * 5,
    }
    for at in itertools.count():
        async with open_hub("memory", tmp_path) as hub:
            HAS_LUCK[0] = False
            one = await start(hub, job_page=2)
            await many(one, 5, kinds.get(action, listens))
            HAS_LUCK[0] = True
            job = await one.engine.jobs.start(action, PREFIX)
            kill = Kill(one, at)
            await until(lambda: kill.has_killed or not one.engine.jobs.is_at_work)  # noqa: B023
            await one.crash()
            other = await start(hub, job_page=2)
            await hub.clock.advance(timedelta(seconds=LOOK_S), steps=3)
            assert counts(await ended(other, job)) == (5, 5, 0), at
            await other.rest()
            assert list((await statuses(other)).values()) == left.get(action, []), at
            if not kill.has_killed:
                break
    assert at > 10


async def quarantine(host: Host, *names: str) -> None:
    parts = host.engine.parts
    for name in names:
        row = await parts.store.get(name)
        assert row is not None
        await parts.quarantine.put(row, "It ends hosts.", parts.clock.now())


async def quarantined(host: Host) -> list[str]:
    page = await host.engine.parts.store.query(InstanceFilter(is_quarantined=True), limit=100)
    return [row.instance_id for row in page.instances]


async def test_only_those_that_are_quarantined_are_redriven(each_hub: Hub) -> None:
    host = await start(each_hub, job_page=2)
    names = await many(host, 6)
    await quarantine(host, *names[:5])
    assert await host.engine.jobs.count(JobAction.REDRIVE, InstanceFilter()) == 5
    job = await run(host, JobAction.REDRIVE, InstanceFilter(id_prefix="i"))
    assert (counts(job), await quarantined(host)) == ((5, 5, 0), [])
    for name in names:
        await host.client.raise_event(name, "go", 1)
        await host.finished(name)
    assert counts(await run(host, JobAction.REDRIVE, InstanceFilter())) == (0, 0, 0)


async def test_one_that_was_redriven_by_hand_meanwhile_counts_as_failed(hub: Hub) -> None:
    host = await start(hub)
    await quarantine(host, *await many(host, 3))

    async def redrive_one(method: str, _: tuple[Any, ...]) -> None:
        if method == "change_record":
            host.store.before = None
            await host.client.redrive_instance("i0001")

    job = await host.engine.jobs.start(JobAction.REDRIVE, InstanceFilter())
    host.store.before = redrive_one
    job = await ended(host, job)
    assert counts(job) == (3, 2, 1)
    assert "not quarantined" in job.failures[0].reason


async def test_a_redrive_whose_host_dies_at_any_call_is_taken_over_and_counts_each_once(
    tmp_path: Path,
) -> None:
    for at in itertools.count():
        async with open_hub("memory", tmp_path) as hub:
            one = await start(hub, job_page=2)
            await quarantine(one, *await many(one, 5))
            job = await one.engine.jobs.start(JobAction.REDRIVE, PREFIX)
            kill = Kill(one, at)
            await until(lambda: kill.has_killed or not one.engine.jobs.is_at_work)  # noqa: B023
            await one.crash()
            other = await start(hub, job_page=2)
            await hub.clock.advance(timedelta(seconds=LOOK_S), steps=3)
            assert counts(await ended(other, job)) == (5, 5, 0), at
            assert await quarantined(other) == [], at
            if not kill.has_killed:
                break
    assert at > 5


async def test_a_host_that_stops_in_order_leaves_its_job_to_others_at_once(hub: Hub) -> None:
    one, other = await start(hub, job_page=2), await start(hub, job_page=2)
    await many(one, 9)
    job = await one.engine.jobs.start(JobAction.TERMINATE, PREFIX)
    await until(lambda: one.store.calls["send"] > 3)
    await one.stop()
    assert (await other.engine.jobs.find(job.job_id)).is_running
    await hub.clock.advance(timedelta(seconds=LOOK_S), steps=1)
    assert counts(await ended(other, job)) == (9, 9, 0)


async def test_a_host_that_starts_just_after_another_vanished_takes_its_job_within_a_minute(
    hub: Hub,
) -> None:
    one = await start(hub, job_page=2)
    await many(one, 9)
    job = await one.engine.jobs.start(JobAction.TERMINATE, PREFIX)
    await until(lambda: one.store.calls["send"] > 3)
    await one.crash()
    other = await start(hub, job_page=2, look_for_jobs_s=3600.0)
    await hub.clock.until_quiet()
    assert (await other.engine.jobs.find(job.job_id)).is_running
    await hub.clock.advance(timedelta(seconds=HOLD_S), steps=2)
    assert counts(await ended(other, job)) == (9, 9, 0)


async def test_a_job_of_which_nobody_heard_that_it_was_stored_is_done(hub: Hub) -> None:
    host = await start(hub, look_for_jobs_s=None)
    await many(host, 3)

    async def do_it_and_fail(name: str, args: tuple[Any, ...]) -> None:
        if name == "change_record":
            host.store.before = None
            await hub.store.change_record(*args, after=None)
            raise AWAY

    host.store.before = do_it_and_fail
    with pytest.raises(StorageError):
        await host.engine.jobs.start(JobAction.TERMINATE, PREFIX)
    await until(lambda: host.engine.jobs.is_at_work)
    await until(lambda: not host.engine.jobs.is_at_work)
    await host.rest()
    assert list((await statuses(host)).values()) == [TERMINATED] * 3


async def test_a_store_that_is_away_for_a_while_stops_no_job(hub: Hub) -> None:
    host = await start(hub, job_page=2)
    await many(host, 5)
    job = await host.engine.jobs.start(JobAction.TERMINATE, PREFIX)
    for method in ("hold_lock", "query", "change_record", "send", "record", "records"):
        host.store.fail(method, AWAY, times=2)
    await hub.clock.advance(timedelta(seconds=5), steps=30)
    assert counts(await ended(host, job)) == (5, 5, 0)


async def test_two_hosts_that_lead_one_job_count_each_instance_once(hub: Hub) -> None:
    """The lock only saves work: a clock that is off breaks it."""
    one, other = await start(hub, job_page=2), await start(hub, job_page=2)
    await many(one, 9)

    async def lose_the_lock(method: str, args: tuple[Any, ...]) -> None:
        if method == "send":
            await hub.store.release_lock(f"job#{job.job_id}", one.engine.parts.host_id)

    one.store.before = lose_the_lock
    job = await one.engine.jobs.start(JobAction.TERMINATE, PREFIX)
    await until(lambda: one.store.calls["send"] > 1)
    other.engine.jobs.look_soon()
    assert counts(await ended(other, job)) == (9, 9, 0)


# ---- looking and cancelling ----------------------------------------------------------------------


async def test_a_job_that_is_cancelled_finishes_its_page_and_no_other(hub: Hub) -> None:
    host = await start(hub, job_page=3)
    await many(host, 10)

    async def cancel(method: str, _: tuple[Any, ...]) -> None:
        if method == "send":
            host.store.before = None
            assert (await host.engine.jobs.cancel(job.job_id)).is_running

    host.store.before = cancel
    job = await host.engine.jobs.start(JobAction.TERMINATE, PREFIX)
    job = await ended(host, job)
    assert (job.state, counts(job)) == (JobState.CANCELLED, (3, 3, 0))
    await host.rest()
    assert list((await statuses(host)).values()).count(TERMINATED) == 3
    assert await host.engine.jobs.cancel(job.job_id) == job


async def test_a_job_that_nobody_has_begun_is_cancelled_at_once(hub: Hub) -> None:
    host = await start(hub)
    await many(host, 2)
    job = await host.engine.jobs.start(JobAction.TERMINATE, PREFIX)
    cancelled = await host.engine.jobs.cancel(job.job_id)
    assert cancelled.state is JobState.CANCELLED
    await host.rest()
    assert counts(await host.engine.jobs.find(job.job_id)) == (0, 0, 0)
    assert set((await statuses(host)).values()) == {RUNNING}


async def test_what_is_done_cannot_be_cancelled_and_what_never_was_not_found(hub: Hub) -> None:
    host = await start(hub)
    job = await run(host, JobAction.TERMINATE, PREFIX)
    with pytest.raises(JobEndedError):
        await host.engine.jobs.cancel(job.job_id)
    for ask in (host.engine.jobs.find, host.engine.jobs.cancel):
        with pytest.raises(JobNotFoundError):
            await ask("nothing")


async def test_jobs_are_listed_the_newest_first_page_by_page(hub: Hub) -> None:
    host = await start(hub)
    ids = []
    for _ in range(5):
        hub.clock.jump(timedelta(seconds=1))
        ids.append((await run(host, JobAction.TERMINATE, PREFIX)).job_id)
    first = await host.engine.jobs.page(None, 3)
    second = await host.engine.jobs.page(first.token, 3)
    assert [job.job_id for job in (*first.jobs, *second.jobs)] == ids[::-1]
    assert second.token is None


async def test_a_job_is_kept_for_seven_days(hub: Hub) -> None:
    host = await start(hub)
    job = await run(host, JobAction.TERMINATE, PREFIX)
    hub.clock.jump(timedelta(days=7))
    assert await host.engine.jobs.find(job.job_id) == job
    hub.clock.jump(timedelta(seconds=1))
    with pytest.raises(JobNotFoundError):
        await host.engine.jobs.find(job.job_id)
    assert (await host.engine.jobs.page(None, 9)).jobs == ()
    await hub.clock.advance(timedelta(seconds=LOOK_S), steps=1)
    assert (await hub.store.records(JOB)).records == ()


async def test_what_is_no_job_is_left_alone(hub: Hub) -> None:
    host = await start(hub)
    for number, data in enumerate((b"", b"{}", b"\xff", b'{"action": "dance"}')):
        record = NamedRecord(kind=JOB, key=f"{number}", stamp="x", data=data)
        await hub.store.put_record(record)
    await many(host, 2)
    assert counts(await run(host, JobAction.TERMINATE, PREFIX)) == (2, 2, 0)
    assert len((await host.engine.jobs.page(None, 9)).jobs) == 1


async def test_of_many_jobs_all_are_done(hub: Hub) -> None:
    host = await start(hub)
    names = await many(host, 12)
    jobs = [
        await host.engine.jobs.start(JobAction.TERMINATE, InstanceFilter(id_prefix=name))
        for name in names
    ]
    for job in jobs:
        assert counts(await ended(host, job)) == (1, 1, 0)


async def test_a_host_that_does_not_look_for_jobs_leads_its_own(hub: Hub) -> None:
    host = await hub.start(APP)
    await many(host, 2)
    assert counts(await run(host, JobAction.TERMINATE, PREFIX)) == (2, 2, 0)
