"""What authors pass to the client and the context: taken as it is meant, or refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest

from bindings import (
    FailureDetails,
    FunctionApp,
    InvalidArgumentError,
    OrchestrationContext,
    OrchestrationQuery,
    RetryPolicy,
    ReusePolicy,
    RuntimeStatus,
    TaskFailedError,
)
from tests.kit.hub import Hub

HALF = "\ud800"
FAR_EAST = timezone(timedelta(hours=14))


def an_app() -> FunctionApp:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def waits(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("go")

    @app.orchestration_trigger()
    async def ends(context: OrchestrationContext) -> Any:
        return context.get_input()

    return app


@pytest.mark.parametrize(
    "options",
    [
        {"tags": {"retries": 5}},
        {"tags": {5: "retries"}},
        {"tags": {"a": None}},
        {"tags": {"": "a"}},
        {"tags": ["a"]},
        {"tags": "a=b"},
        {"tags": {"a": HALF}},
        {"tags": {"a": "x" * 1025}},
        {"tags": {str(n): "" for n in range(101)}},
        {"version": 5},
        {"version": 1.5},
        {"version": b"1"},
        {"version": HALF},
        {"instance_id": 5},
        {"instance_id": uuid4()},
        {"instance_id": b"one"},
        {"start_at": timedelta.max},
        {"start_at": datetime.max},
        {"start_at": 5},
        {"start_at": datetime.min.replace(tzinfo=FAR_EAST)},
        {"start_at": "2026-01-01"},
        {"start_at": timedelta(days=3661)},
        {"reuse": "sometimes"},
        {"reuse": None},
    ],
)
async def test_found_c1_a_start_with_what_cannot_be_stored_is_refused(
    options: dict[str, Any], hub: Hub
) -> None:
    host = await hub.start(an_app())
    with pytest.raises(InvalidArgumentError):
        await host.client.schedule_new_orchestration("ends", **options)
    assert (await host.client.query_instances()).items == []


@pytest.mark.parametrize(
    "options",
    [
        {"tags": {}},
        {"tags": None},
        {"tags": {"a": "", "é": "ü"}},
        {"version": "1.0"},
        {"start_at": timedelta(0)},
        {"start_at": timedelta.min},
        {"start_at": datetime.min},
        {"start_at": datetime(2020, 1, 1)},
        {"reuse": "never"},
        {"reuse": "NEVER"},
        {"reuse": ReusePolicy.KEEP},
    ],
)
async def test_found_c2_what_is_meant_is_taken_and_read_back(
    options: dict[str, Any], hub: Hub
) -> None:
    host = await hub.start(an_app())
    instance_id = await host.client.schedule_new_orchestration("ends", **options)
    state = await host.client.wait_for_instance_completion(instance_id)
    assert state.runtime_status is RuntimeStatus.COMPLETED
    assert state.version == options.get("version")
    assert state.tags == (options.get("tags") or {})


async def test_found_c1_no_reason_is_a_reason(hub: Hub) -> None:
    host = await hub.start(an_app())
    instance_id = await host.client.schedule_new_orchestration("waits")
    await host.client.suspend_instance(instance_id, None)
    await host.client.resume_instance(instance_id, None)
    await host.client.raise_event(instance_id, "go", 7)
    state = await host.client.wait_for_instance_completion(instance_id)
    assert state.output == 7


def query(**fields: Any) -> OrchestrationQuery:
    """A query with fields of any type."""
    return OrchestrationQuery(**fields)


@pytest.mark.parametrize(
    "act",
    [
        lambda client, i: client.suspend_instance(i, 5),
        lambda client, i: client.resume_instance(i, b"x"),
        lambda client, i: client.suspend_instance(i, HALF),
        lambda client, i: client.raise_event(i, 5),
        lambda client, i: client.raise_event(i, ""),
        lambda client, i: client.raise_event(i, "x" * 1025),
        lambda client, i: client.raise_event(i, HALF),
        lambda client, i: client.raise_event(uuid4(), "go"),
        lambda client, i: client.terminate_instance(5),
        lambda client, i: client.get_instance(5),
        lambda client, i: client.get_instance_history(None),
        lambda client, i: client.purge_instance(uuid4()),
        lambda client, i: client.wait_for_instance_start(i, timeout=5),
        lambda client, i: client.query_instances("all"),
        lambda client, i: client.query_instances(query(page_size="5")),
        lambda client, i: client.query_instances(query(page_size=True)),
        lambda client, i: client.query_instances(query(runtime_status="Gone")),
        lambda client, i: client.query_instances(query(runtime_status=[5])),
        lambda client, i: client.query_instances(query(name=5)),
        lambda client, i: client.query_instances(query(created_time_to="today")),
        lambda client, i: client.query_instances(query(tags={"a": 5})),
        lambda client, i: client.query_instances(query(instance_id_prefix=5)),
        lambda client, i: client.purge_instances(query(runtime_status=["Gone"])),
    ],
)
async def test_found_c2_every_other_argument_is_refused_by_name_and_harms_nobody(
    act: Any, hub: Hub
) -> None:
    host = await hub.start(an_app())
    instance_id = await host.client.schedule_new_orchestration("waits")
    with pytest.raises(InvalidArgumentError):
        await act(host.client, instance_id)
    await host.client.raise_event(instance_id, "go", 1)
    assert (await host.client.wait_for_instance_completion(instance_id)).output == 1


@pytest.mark.parametrize(
    "status",
    [
        RuntimeStatus.COMPLETED,
        "Completed",
        "COMPLETED",
        [RuntimeStatus.COMPLETED],
        ("completed", RuntimeStatus.FAILED),
        {RuntimeStatus.COMPLETED},
        None,
        (),
    ],
)
async def test_found_h13_one_status_stands_for_a_list_of_one(status: Any, hub: Hub) -> None:
    host = await hub.start(an_app())
    instance_id = await host.client.schedule_new_orchestration("ends")
    await host.client.wait_for_instance_completion(instance_id)
    wanted = query(runtime_status=status)
    assert [each.instance_id for each in (await host.client.query_instances(wanted)).items] == [
        instance_id
    ]
    assert await host.client.purge_instances(wanted) == 1


async def test_found_c2_times_without_a_zone_are_utc(hub: Hub) -> None:
    host = await hub.start(an_app())
    await host.client.schedule_new_orchestration("ends")
    now = hub.clock.now()
    naive = now.replace(tzinfo=None)
    second = timedelta(seconds=1)
    for earliest, latest, count in (
        (naive, naive, 1),
        (naive + second, None, 0),
        (None, naive - second, 0),
        (now.astimezone(FAR_EAST), now.astimezone(FAR_EAST), 1),
        (datetime.min, datetime.max, 1),
    ):
        wanted = query(created_time_from=earliest, created_time_to=latest)
        assert len((await host.client.query_instances(wanted)).items) == count


async def test_found_c2_a_naive_start_time_is_utc(hub: Hub) -> None:
    host = await hub.start(an_app())
    later = hub.clock.now() + timedelta(hours=1)
    instance_id = await host.client.schedule_new_orchestration(
        "ends", start_at=later.replace(tzinfo=None)
    )
    state = await host.client.get_instance(instance_id)
    assert state is not None
    assert state.runtime_status is RuntimeStatus.PENDING
    assert later.tzinfo is UTC


@pytest.mark.parametrize(
    "deed",
    [
        lambda context: context.call_sub_orchestrator("ends", instance_id=uuid4()),
        lambda context: context.call_sub_orchestrator("ends", version=5),
        lambda context: context.call_sub_orchestrator(5),
        lambda context: context.call_activity(5),
        lambda context: context.call_activity("x", retry_policy=5),
        lambda context: context.call_sub_orchestrator("ends", retry_policy="often"),
        lambda context: context.create_timer(timedelta.max),
        lambda context: context.create_timer(5),
        lambda context: context.create_timer(datetime.max),
        lambda context: context.wait_for_external_event(5),
        lambda context: context.wait_for_external_event("go", timeout=5),
        lambda context: context.wait_for_external_event("go", timeout=timedelta.max),
        lambda context: context.send_event(5, "go"),
        lambda context: context.send_event("one", 5),
    ],
)
async def test_found_c1_a_context_refuses_what_the_history_cannot_hold(deed: Any, hub: Hub) -> None:
    app = an_app()

    @app.orchestration_trigger()
    async def tries(context: OrchestrationContext) -> str:
        try:
            deed(context)
        except InvalidArgumentError:
            return "refused"
        return "taken"

    host = await hub.start(app)
    instance_id = await host.client.schedule_new_orchestration("tries")
    assert (await host.client.wait_for_instance_completion(instance_id)).output == "refused"


class Text(str):
    """As libraries' markup and paths are."""

    __slots__ = ()

    def __str__(self) -> str:
        return self


class Moment(datetime):
    """As libraries' times are."""


class Span(timedelta):
    """As libraries' durations are: with a plain time it makes a time of its own."""

    def __radd__(self, other: Any) -> Any:
        return Moment.fromisoformat((other + timedelta(seconds=self.total_seconds())).isoformat())


class Whole(int):
    """As libraries' numbers are."""


SPAN = Span(milliseconds=1)


@pytest.mark.parametrize(
    "deed",
    [
        lambda c: c.create_timer(Moment(2020, 1, 1)),
        lambda c: c.create_timer(Moment(2020, 1, 1, tzinfo=FAR_EAST)),
        lambda c: c.create_timer(SPAN),
        lambda c: c.call_activity(Text("work")),
        lambda c: c.call_activity("work", Text("input")),
        lambda c: c.call_activity("work", retry_policy=RetryPolicy(SPAN, Whole(3))),
        lambda c: c.call_sub_orchestrator(Text("ends")),
        lambda c: c.call_sub_orchestrator("ends", instance_id=Text("child")),
        lambda c: c.call_sub_orchestrator("ends", version=Text("1")),
        lambda c: c.wait_for_external_event(Text("go"), timeout=SPAN),
        lambda c: c.send_event(Text("nobody"), "go"),
        lambda c: c.send_event("nobody", Text("go")),
        lambda c: c.set_custom_status(Text("here")),
    ],
)
async def test_found_c1_what_is_derived_from_a_plain_class_is_stored_as_the_plain_value(
    deed: Any, each_hub: Hub
) -> None:
    app = an_app()

    @app.activity_trigger()
    def work(value: Any = None) -> Any:
        return value

    @app.orchestration_trigger()
    async def tries(context: OrchestrationContext) -> str:
        deed(context)
        return Text("taken")

    host = await each_hub.start(app)
    instance_id = await host.client.schedule_new_orchestration("tries")
    assert (await host.finished(instance_id)).output == "taken"


async def test_found_c1_the_client_stores_what_is_derived_as_the_plain_value(each_hub: Hub) -> None:
    host = await each_hub.start(an_app())
    client, instance_id = host.client, Text("one")
    assert (
        type(
            await client.schedule_new_orchestration(
                Text("waits"),
                instance_id=instance_id,
                version=Text("1"),
                tags={Text("a"): Text("b")},
                start_at=Moment(2020, 1, 1),
            )
        )
        is str
    )
    await client.wait_for_instance_start(instance_id)
    await client.suspend_instance(instance_id, Text("why"))
    await client.resume_instance(instance_id, Text("why"))
    await client.raise_event(instance_id, Text("go"), Text("data"))
    state = await client.wait_for_instance_completion(instance_id)
    assert (state.output, state.tags, state.version) == ("data", {"a": "b"}, "1")
    later = hub_time_later(each_hub)
    other = await client.schedule_new_orchestration("waits", instance_id=Text("b"), start_at=later)
    await client.terminate_instance(Text(other), Text("enough"))
    assert (await host.finished(other)).runtime_status is RuntimeStatus.TERMINATED
    assert await client.restart_instance(instance_id, restart_with_new_instance_id=False) == "one"
    await client.terminate_instance(instance_id)
    await host.finished("one")
    assert await client.purge_instance(instance_id) == 1


def hub_time_later(hub: Hub) -> Moment:
    return Moment.fromisoformat((hub.clock.now() + timedelta(hours=1)).isoformat())


def test_found_c1_more_attempts_than_can_be_stored_are_refused() -> None:
    with pytest.raises(ValueError, match="max_number_of_attempts"):
        RetryPolicy(timedelta(seconds=1), 2**63)


class NoTime(datetime):
    """As a time that stands for none: its parts are no numbers."""

    @property
    def year(self) -> Any:
        return float("nan")


async def test_found_c1_a_time_that_is_none_is_refused(hub: Hub) -> None:
    host = await hub.start(an_app())
    with pytest.raises(InvalidArgumentError):
        await host.client.schedule_new_orchestration("ends", start_at=NoTime(2020, 1, 1))


@pytest.mark.parametrize(
    "odd",
    [
        {"error_type": Text("Odd")},
        {"error_type": 5},
        {"message": Text("odd")},
        {"message": HALF},
        {"message": None},
        {"stack_trace": None},
        {"notes": [Text("odd")]},
        {"notes": 5},
        {"base_types": (Text("odd"), HALF)},
        {"base_types": 7},
        {"is_non_retriable": Whole(1)},
        {"cause": 5},
        {"sub_failures": [5]},
    ],
)
async def test_found_c1_an_error_made_of_odd_details_is_stored(odd: Any, each_hub: Hub) -> None:
    app = an_app()
    usual: Any = {"error_type": "Usual", "message": "usual"}

    @app.orchestration_trigger()
    async def fails(context: OrchestrationContext) -> None:
        raise TaskFailedError("outer", FailureDetails(**{**usual, **odd}))

    host = await each_hub.start(app)
    instance_id = await host.client.schedule_new_orchestration("fails")
    state = await host.finished(instance_id)
    assert state.runtime_status is RuntimeStatus.FAILED
