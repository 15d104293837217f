"""A host that hung comes back and writes what it had in mind; it is refused, and nothing is lost.

One host, A, hangs right before a certain write. Its wake-up runs out meanwhile, so another one, B,
leads the instance on. A takes one instance at a time, so it has no poll out that could get its own
wake-up again. Each host says in its results who it is: so history tells whose turn was written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, OrchestrationState
from host.clock import Clock, SystemClock
from host.core.history import TaskCompleted, TaskScheduled
from host.storage.aws.wire.transport import Request, Transport
from tests.kit.aws_engine import AwsHost, AwsHub, aws_host, aws_hub
from tests.kit.hub import until
from tests.kit.manual_clock import PATIENCE_S, ManualClock
from tests.kit.meddling_transports import Hanging, Meddler

VISIBILITY_S = 4
"""After this the server hands the wake-up of a host that hangs to another one."""
SOON = timedelta(seconds=VISIBILITY_S * 5)


class Work:
    """The functions of one host, and what ran there."""

    def __init__(self, host: str) -> None:
        self.app = FunctionApp()
        self.runs: list[str] = []

        @self.app.activity_trigger()
        async def step(label: str) -> str:
            self.runs.append(label)
            return f"{label} on {host}"

        @self.app.orchestration_trigger()
        async def three_steps(context: OrchestrationContext) -> list[str]:
            first = await context.call_activity(step, "first")
            second = await context.call_activity(step, "second")
            context.set_custom_status("waits")
            await context.wait_for_external_event("go")
            return [first, second, await context.call_activity(step, "third")]

        @self.app.orchestration_trigger()
        async def three_executions(context: OrchestrationContext, number: int) -> Any:
            """The first one waits for the time, the second for nothing, the third for an event."""
            if number == 3:
                return await context.wait_for_external_event("answer", int)
            if number == 1:
                await context.create_timer(SOON)
            context.continue_as_new(number + 1)
            return None

        self.three_steps, self.three_executions = three_steps, three_executions


@pytest.fixture
async def hub(aws_url: str) -> AsyncIterator[AwsHub]:
    async with aws_hub(aws_url) as hub:
        yield hub


async def test_a_turn_that_another_host_took_meanwhile_is_refused_and_forgotten(
    hub: AwsHub,
) -> None:
    work_a, work_b = Work("A"), Work("B")
    hanging = Hanging(hub.pool, is_batch(1))
    async with running(hub, work_a, hanging) as a:
        await a.client.schedule_new_orchestration(work_a.three_steps, instance_id="it")
        key = batch_key_of(await hung(hanging))
        assert await read(hub, key) is None

        async with running(hub, work_b) as b:
            await until(lambda: shows(b, "waits"))
            await b.sessions_ended()
        won = await read(hub, key)
        assert won is not None

        hanging.go_on()
        await until(lambda: a.engine.counters()["conflicts"] == 1)
        await a.sessions_ended()
        assert await read(hub, key) == won
        await a.client.raise_event("it", "go")
        state = await a.client.wait_for_instance_completion("it")
        events = await a.engine.instances.history("it")

    assert state.output == ["first on B", "second on B", "third on A"]
    assert (work_a.runs, work_b.runs) == (["first", "third"], ["first", "second"])
    assert sum(isinstance(event, TaskScheduled) for event in events) == 3
    assert sum(isinstance(event, TaskCompleted) for event in events) == 3
    assert a.engine.counters()["conflicts"] == 1


async def test_a_turn_of_an_execution_that_is_over_and_gone_takes_no_event_along(
    hub: AwsHub,
) -> None:
    """The key of A's batch is free again when A writes it; the event is not B's yet."""
    work_a, work_b, clock = Work("A"), Work("B"), ManualClock()
    hanging, meddler = Hanging(hub.pool, is_batch(1)), Meddler(hub.pool)
    async with running(hub, work_a, hanging, clock) as a:
        await a.client.schedule_new_orchestration(
            work_a.three_executions, input=1, instance_id="it"
        )
        await a.client.wait_for_instance_start("it")
        await a.sessions_ended()  # or the event would be taken in before A has hinted at it
        await a.client.raise_event("it", "answer", 42)
        await hung(hanging)
        await clock.advance(SOON)

        async def a_goes_on() -> None:
            hanging.go_on()
            await a.sessions_ended()

        meddler.after["BatchWriteItem"] = a_goes_on  # right after the first execution was deleted
        async with running(hub, work_b, meddler, clock) as b:
            await until(lambda: is_finished(b))
            state = await b.client.get_instance("it")
    assert "BatchWriteItem" not in meddler.after
    assert state is not None
    assert state.output == 42
    assert a.engine.counters()["conflicts"] == 1


@asynccontextmanager
async def running(
    hub: AwsHub, work: Work, transport: Transport | None = None, clock: Clock | None = None
) -> AsyncIterator[AwsHost]:
    """A host that has one session at a time."""
    async with aws_host(
        hub,
        work.app,
        clock or SystemClock(),
        transport=transport,
        visibility_s=VISIBILITY_S,
        hold_s=VISIBILITY_S / 3,
        max_concurrent_orchestrators=1,
    ) as host:
        try:
            yield host
        finally:
            if isinstance(transport, Hanging):  # else it could not even stop
                transport.go_on()


def is_batch(number: int) -> Callable[[Request], bool]:
    """Whether a request is the write of a batch with this number."""

    def check(request: Request) -> bool:
        if not request.headers["x-amz-target"].endswith(".PutItem"):
            return False
        sort_key: str = json.loads(request.body)["Item"]["sk"]["S"]
        return sort_key.startswith("t#") and int(sort_key.rpartition("#")[2]) == number

    return check


async def hung(hanging: Hanging) -> Request:
    """The write at which the host hangs."""
    async with asyncio.timeout(PATIENCE_S):
        return await hanging.held


def batch_key_of(request: Request) -> dict[str, Any]:
    item = json.loads(request.body)["Item"]
    return {"pk": item["pk"], "sk": item["sk"]}


async def read(hub: AwsHub, key: dict[str, Any]) -> dict[str, Any] | None:
    """What is stored under a key."""
    body = {"TableName": hub.layout.table_name, "Key": key, "ConsistentRead": True}
    item: dict[str, Any] | None = (await hub.client("dynamodb").call("GetItem", body)).get("Item")
    return item


async def shows(host: AwsHost, custom_status: str) -> bool:
    state: OrchestrationState | None = await host.client.get_instance("it")
    return state is not None and state.custom_status == custom_status


async def is_finished(host: AwsHost) -> bool:
    state = await host.client.get_instance("it")
    return state is not None and state.runtime_status.is_finished
