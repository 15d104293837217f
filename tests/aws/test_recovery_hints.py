"""A host that died between a batch and its effects, and whose hint is lost as well (law 1)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.clock import SystemClock
from host.storage.aws.wire.transport import Request
from tests.kit.aws_engine import AwsHub, aws_host, aws_hub
from tests.kit.meddling_transports import Hanging

pytestmark = pytest.mark.aws

PATIENCE = timedelta(seconds=15)


def _app() -> FunctionApp:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def listens(context: OrchestrationContext) -> str:
        heard: str = await context.wait_for_external_event("said")
        return heard

    @app.orchestration_trigger()
    async def sends(context: OrchestrationContext) -> None:
        context.send_event("listener", "said", "hello")
        await context.wait_for_external_event("never")

    return app


def _is_delivery(request: Request) -> bool:
    """Whether the request puts a message into the listener's inbox."""
    if not request.headers["x-amz-target"].endswith(".PutItem"):
        return False
    key = json.loads(request.body)["Item"]
    return bool(key["pk"]["S"] == "i#listener" and key["sk"]["S"].startswith("m#"))


async def _empty(hub: AwsHub) -> None:
    sqs = hub.client("sqs")
    for name in hub.layout.wakeup_queue_names:
        url = (await sqs.call("GetQueueUrl", {"QueueName": name}))["QueueUrl"]
        await sqs.call("PurgeQueue", {"QueueUrl": url})


async def test_what_was_not_sent_is_sent_by_whoever_recovers(aws_url: str) -> None:
    clock, app = SystemClock(), _app()
    async with aws_hub(aws_url) as hub:
        hanging = Hanging(hub.pool, _is_delivery)
        # One instance at a time: so it has no poll out that could get the new hint.
        async with aws_host(
            hub, app, clock, transport=hanging, max_concurrent_orchestrators=1
        ) as dead:
            await dead.client.schedule_new_orchestration("listens", instance_id="listener")
            await dead.client.wait_for_instance_start("listener", timeout=PATIENCE)
            await dead.client.schedule_new_orchestration("sends", instance_id="sender")
            await hanging.held
            await _empty(hub)
            try:
                async with aws_host(hub, app, clock) as other:
                    state = await other.client.wait_for_instance_completion(
                        "listener", timeout=PATIENCE
                    )
                    assert state.output == "hello"
            finally:
                hanging.go_on()
