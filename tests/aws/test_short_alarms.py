"""Short alarms are rung by who set them, also if he never heard that they are stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from host.errors import StorageUnavailableError
from tests.kit.shared_hub import shared_hub


async def test_a_start_time_is_kept_though_the_answer_to_the_start_was_lost() -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def ends(context: OrchestrationContext) -> None:
        return None

    async with shared_hub() as hub:
        host = await hub.start(app)
        await hub.pass_time(100)  # from here on alarms are read each 40 s

        async def lose_answer(method: str, args: tuple[Any, ...]) -> None:
            if method == "create":
                host.store.before = None
                await host.store.inner.create(*args)
                raise StorageUnavailableError("the table is away")

        for number in range(4):  # whenever that is
            host.store.before = lose_answer
            with pytest.raises(StorageUnavailableError):
                await host.begin(ends, instance_id=f"i{number}", start_at=timedelta(seconds=5))
            await hub.pass_time(8)
            assert await host.status(f"i{number}") is RuntimeStatus.COMPLETED
