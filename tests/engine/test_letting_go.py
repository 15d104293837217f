"""Orchestrators that will not be let go of: they must not keep the host's event loop."""

from __future__ import annotations

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from tests.kit.hub import Hub

ROUNDS = 1000
"""After these the code gives up: a broken host would lead it round for ever."""


@pytest.mark.filterwarnings("ignore:.*stubborn:pytest.PytestUnraisableExceptionWarning")
async def test_code_that_catches_everything_gets_no_further_once_it_is_terminated(hub: Hub) -> None:
    app, rounds = FunctionApp(), 0

    @app.orchestration_trigger()
    async def stubborn(context: OrchestrationContext) -> None:
        nonlocal rounds
        while rounds < ROUNDS:
            try:
                await context.wait_for_external_event("never")
            except BaseException:  # noqa: BLE001 - that is what is wrong with it
                rounds += 1

    host = await hub.start(app)
    instance_id = await host.begin(stubborn)
    await host.started(instance_id)
    await host.client.terminate_instance(instance_id)
    state = await host.finished(instance_id)
    assert state.runtime_status is RuntimeStatus.TERMINATED
    assert rounds < ROUNDS
