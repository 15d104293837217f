"""Hosts on AWS lead all instances but the damaged ones, which say what is wrong with them."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from bindings import FunctionApp, OrchestrationContext, ReusePolicy, RuntimeStatus
from host.clock import SystemClock
from host.core.history import EventRaised
from host.core.records import Instance, Message
from host.errors import DamagedDataError
from host.storage.aws.table.keys import BATCHES, MESSAGES, META, Value
from host.storage.aws.table.store import DynamoStore
from tests.kit.aws_engine import AwsHost, AwsHub, aws_host, aws_hub
from tests.kit.hand_written import HandWritten
from tests.kit.hub import until

pytestmark = pytest.mark.aws

PATIENCE = timedelta(seconds=15)
GARBAGE: dict[str, Value | None] = {
    "d": {"B": base64.b64encode(b"\x02garbage, written by hand").decode()}
}
DAMAGES: dict[str, Callable[[HandWritten], Awaitable[None]]] = {
    "row": lambda table: table.change("row", META, GARBAGE),
    "batch": lambda table: table.change("batch", BATCHES, GARBAGE),
    "gap": lambda table: table.delete("gap", BATCHES),
    "message": lambda table: table.change("message", MESSAGES, GARBAGE),
}
"""What is damaged of the instance with this name."""

app = FunctionApp()


@app.orchestration_trigger()
async def listens_twice(context: OrchestrationContext) -> str:
    await context.wait_for_external_event("first")
    context.set_custom_status("half way")
    heard: str = await context.wait_for_external_event("second")
    return heard


async def test_others_run_on_beside_instances_that_cannot_be_read(aws_url: str) -> None:
    clock = SystemClock()
    async with aws_hub(aws_url) as hub:
        async with aws_host(hub, app, clock) as host:
            for name in (*DAMAGES, "whole"):
                await begin(host, name)
        await damage(hub, clock)
        async with aws_host(hub, app, clock, sweep_s=3600.0) as host:
            await host.client.wait_for_instance_start("unheard", timeout=PATIENCE)
            for name in ("batch", "gap"):
                await host.client.raise_event(name, "second")
            for name in ("batch", "gap", "message"):
                await until(lambda name=name: is_quarantined(host, name))  # type: ignore[misc]
            await host.client.raise_event("whole", "second", "word")
            state = await host.client.wait_for_instance_completion("whole", timeout=PATIENCE)
            assert state.output == "word"
            await assert_told(host)
            await assert_ended(host, "batch")
            await assert_ended(host, "gap")


async def begin(host: AwsHost, name: str) -> None:
    """Start an instance and lead it half the way."""

    async def is_half_way() -> bool:
        state = await host.client.get_instance(name)
        return state is not None and state.custom_status == "half way"

    await host.client.schedule_new_orchestration("listens_twice", instance_id=name)
    await host.client.wait_for_instance_start(name, timeout=PATIENCE)
    await host.client.raise_event(name, "first")
    await until(is_half_way)
    await host.sessions_ended()


async def damage(hub: AwsHub, clock: SystemClock) -> None:
    """Damage what no host leads, and leave something to be found by recovery alone."""
    store = DynamoStore(hub.client("dynamodb"), hub.layout.table_name, clock.now)
    event = EventRaised(timestamp=clock.now(), name="second")
    await store.send("message", Message(message_id="m", event=event))
    await store.create(unheard(clock), ReusePolicy.NEVER)
    table = HandWritten(hub.client("dynamodb"), hub.layout)
    for write in DAMAGES.values():
        await write(table)


def unheard(clock: SystemClock) -> Instance:
    """An instance whose hint is lost."""
    return Instance(
        instance_id="unheard",
        execution_id="e",
        name="listens_twice",
        status=RuntimeStatus.PENDING,
        created_at=clock.now(),
        updated_at=clock.now(),
    )


async def is_quarantined(host: AwsHost, name: str) -> bool:
    state = await host.client.get_instance(name)
    reason = (state and state.blocked_reason) or ""
    return reason.startswith(f"Quarantined: What is stored of '{name}' is damaged")


async def assert_told(host: AwsHost) -> None:
    """The listing has all instances; the status of what has no row says so."""
    page = await host.client.query_instances()
    assert {each.instance_id for each in page.items} == {*DAMAGES, "whole", "unheard"}
    told = {each.instance_id for each in page.items if "is damaged" in (each.blocked_reason or "")}
    assert told == DAMAGES.keys()
    with pytest.raises(DamagedDataError, match=r"'row' is damaged \(its row"):
        await host.client.get_instance("row")


async def assert_ended(host: AwsHost, name: str) -> None:
    """It can be terminated although its history is lost, and is gone after a purge."""
    await host.client.terminate_instance(name, "it is beyond help")
    state = await host.client.wait_for_instance_completion(name, timeout=PATIENCE)
    assert (state.runtime_status, state.output) == (RuntimeStatus.TERMINATED, "it is beyond help")
    assert await host.client.purge_instance(name) == 1
    assert await host.client.get_instance(name) is None
