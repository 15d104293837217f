"""Two hubs at one endpoint: nobody sees, wakes or removes what is the other's.

A peer's bug, the extra one of the list in docs/reliability.md: a query that was not bound to its
run gave out the data of others.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    InstanceNotFoundError,
    OrchestrationContext,
    OrchestrationQuery,
    RuntimeStatus,
)
from host.clock import SystemClock
from tests.kit.aws_engine import AwsHost, aws_host, aws_hub

pytestmark = pytest.mark.aws

PATIENCE = timedelta(seconds=15)
SHARED_ID = "order-7"


def _app(tenant: str) -> FunctionApp:
    app = FunctionApp()

    @app.activity_trigger()
    async def signs(text: str) -> str:
        return f"{text} of {tenant}"

    @app.orchestration_trigger()
    async def orders(context: OrchestrationContext, secret: str) -> list[Any]:
        signed = await context.call_activity(signs, secret)
        return [signed, await context.wait_for_external_event("go")]

    return app


async def _ids(host: AwsHost) -> set[str]:
    return {state.instance_id async for state in host.client.get_all_instances()}


async def test_the_extra_bug_hubs_at_one_endpoint_share_nothing(aws_url: str) -> None:
    clock = SystemClock()
    async with (
        aws_hub(aws_url) as red_hub,
        aws_hub(aws_url) as blue_hub,
        aws_host(red_hub, _app("red"), clock) as red,
        aws_host(blue_hub, _app("blue"), clock) as blue,
    ):
        for host, secret in ((red, "rose"), (blue, "sky")):
            await host.client.schedule_new_orchestration(
                "orders", input=secret, instance_id=SHARED_ID
            )
        await red.client.schedule_new_orchestration("orders", input="x", instance_id="only-red")
        assert await _ids(red) == {SHARED_ID, "only-red"}
        assert await _ids(blue) == {SHARED_ID}
        with pytest.raises(InstanceNotFoundError):
            await blue.client.raise_event("only-red", "go", 1)
        with pytest.raises(InstanceNotFoundError):
            await blue.client.get_instance_history("only-red")

        await red.client.raise_event(SHARED_ID, "go", "for red")
        state = await red.client.wait_for_instance_completion(SHARED_ID, timeout=PATIENCE)
        assert state.output == ["rose of red", "for red"]
        assert await red.client.purge_instances(OrchestrationQuery()) == 1

        await blue.client.wait_for_instance_start(SHARED_ID, timeout=PATIENCE)
        unharmed = await blue.client.get_instance(SHARED_ID)
        assert unharmed is not None
        assert unharmed.runtime_status is RuntimeStatus.RUNNING
        await blue.client.raise_event(SHARED_ID, "go", "for blue")
        state = await blue.client.wait_for_instance_completion(SHARED_ID, timeout=PATIENCE)
        assert state.output == ["sky of blue", "for blue"]
        assert "rose" not in str(await blue.client.get_instance_history(SHARED_ID))
