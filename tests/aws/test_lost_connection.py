"""A host whose way to AWS breaks says so, and goes on by itself when it is whole again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.clock import SystemClock
from host.errors import StorageError
from host.storage.aws.wire.transport import Failure, Request, Response, Transport, TransportError
from tests.kit.aws_engine import aws_host, aws_hub
from tests.kit.hub import until

pytestmark = pytest.mark.aws

PATIENCE = timedelta(seconds=30)


class Breakable:
    """A way to the server that can be cut."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.is_cut = False

    async def __call__(self, request: Request) -> Response:
        if self.is_cut:
            raise TransportError(Failure.NOT_CONNECTED, "the cable is out")
        return await self._transport(request)


async def test_a_host_that_loses_its_connection_says_so_and_resumes(aws_url: str) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    async def answers(what: str) -> str:
        return what.upper()

    @app.orchestration_trigger()
    async def asks(context: OrchestrationContext) -> str:
        heard = await context.wait_for_external_event("said", str)
        answer: str = await context.call_activity(answers, heard)
        return answer

    async with aws_hub(aws_url) as hub:
        way = Breakable(hub.pool)
        async with aws_host(
            hub, app, SystemClock(), transport=way, visibility_s=3, hold_s=1
        ) as host:
            await host.client.schedule_new_orchestration("asks", instance_id="it")
            await host.client.wait_for_instance_start("it", timeout=PATIENCE)
            assert host.engine.store_problems() == []

            way.is_cut = True
            await until(lambda: bool(host.engine.store_problems()))
            assert "the cable is out" in " ".join(host.engine.store_problems())
            with pytest.raises(StorageError, match="the cable is out"):
                await host.client.raise_event("it", "said", "too early")

            way.is_cut = False
            await host.client.raise_event("it", "said", "hello")
            state = await host.client.wait_for_instance_completion("it", timeout=PATIENCE)
            assert state.output == "HELLO"
            await until(lambda: host.engine.store_problems() == [])
