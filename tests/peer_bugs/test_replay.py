"""Bugs that peers had with replay, payloads, odd ids and functions that are gone, end to end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    OrchestrationContext,
    PayloadTooLargeError,
    RetryPolicy,
    RuntimeStatus,
    TaskFailedError,
)
from tests.kit.hub import Hub, until

ODD_IDS = (
    "with space and %20",
    "Ünïcödé-日本語-🎉",
    "dots...and:colons;&=+@",
    "x" * 256,
    ".…",
    "quote'\"`; drop table",
    "100%_like",
)


class Payloads:
    """Orchestrators that look closely at the values they get."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.activity_trigger()
        async def gives_tuple(label: str) -> tuple[int, ...]:
            return (1, 2, 3)

        @self.app.activity_trigger()
        async def gives_untyped() -> Any:
            return {"items": (1, 2), 3: "three"}

        @self.app.orchestration_trigger()
        async def looks(context: OrchestrationContext) -> list[str]:
            typed = await context.call_activity(gives_tuple, "x")
            untyped = await context.call_activity(gives_untyped)
            seen = [repr(typed), repr(untyped)]
            context.set_custom_status(seen)
            await context.wait_for_external_event("go")
            return seen

        @self.app.orchestration_trigger()
        async def echoes(context: OrchestrationContext) -> Any:
            return context.get_input()

        self.looks, self.echoes = looks, echoes


class Limits:
    """Orchestrators that go too far."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.attempts = 0

        @self.app.activity_trigger()
        async def large(size: int) -> str:
            return "x" * size

        @self.app.activity_trigger()
        async def always_fails() -> None:
            self.attempts += 1
            raise ValueError("no")

        @self.app.orchestration_trigger()
        async def too_large(context: OrchestrationContext) -> str:
            try:
                return await context.call_activity(large, 17 * 1024 * 1024)
            except TaskFailedError as error:
                return error.details.error_type

        @self.app.orchestration_trigger()
        async def backs_off(context: OrchestrationContext) -> str:
            policy = RetryPolicy(
                timedelta(seconds=1),
                1100,
                backoff_coefficient=10.0,
                max_retry_interval=timedelta(seconds=1),
            )
            try:
                await context.call_activity(always_fails, retry_policy=policy)
            except TaskFailedError as error:
                return error.details.message
            return "worked"

        self.too_large, self.backs_off = too_large, backs_off


async def test_bug_51_the_first_run_and_a_replay_see_the_same_values(each_hub: Hub) -> None:
    payloads = Payloads()
    first = await each_hub.start(payloads.app)
    instance_id = await first.begin(payloads.looks)
    expected = ["(1, 2, 3)", "{'items': [1, 2], '3': 'three'}"]
    await first.shows(instance_id, expected)
    await first.crash()
    second = await each_hub.start(payloads.app)
    await second.client.raise_event(instance_id, "go")
    assert (await second.finished(instance_id)).output == expected


async def test_bug_52_odd_ids_are_opaque_and_case_matters(each_hub: Hub) -> None:
    payloads = Payloads()
    host = await each_hub.start(payloads.app)
    for instance_id in (*ODD_IDS, "Case", "case", "CASE"):
        assert (await host.run(payloads.echoes, instance_id, instance_id=instance_id)).output == (
            instance_id
        )
    found = {state.instance_id async for state in host.client.get_all_instances()}
    assert found == {*ODD_IDS, "Case", "case", "CASE"}


async def test_bug_52_a_large_input_goes_through_and_one_above_the_limit_is_refused(
    each_hub: Hub,
) -> None:
    payloads = Payloads()
    host = await each_hub.start(payloads.app)
    large = "x" * 3_000_000
    assert (await host.run(payloads.echoes, large)).output == large
    with pytest.raises(PayloadTooLargeError):
        await host.begin(payloads.echoes, "x" * 17_000_000)


async def test_bug_52_a_result_above_the_limit_fails_its_activity_and_nothing_else(
    each_hub: Hub,
) -> None:
    limits = Limits()
    host = await each_hub.start(limits.app)
    assert (await host.run(limits.too_large)).output == "PayloadTooLargeError"


async def test_bug_52_a_back_off_that_overflows_is_clamped(hub: Hub) -> None:
    limits = Limits()
    host = await hub.start(limits.app)
    instance_id = await host.begin(limits.backs_off)
    for attempt in range(1, 1100):
        await until(lambda attempt=attempt: limits.attempts == attempt)  # type: ignore[misc]
        await host.rest()
        hub.clock.jump(timedelta(seconds=1))
        await host.engine.wake([instance_id])
    assert (await host.finished(instance_id)).output == "no"
    assert limits.attempts == 1100


async def test_bug_54_after_a_rolled_back_deploy_an_instance_waits_and_says_for_what(
    each_hub: Hub,
) -> None:
    payloads = Payloads()
    first = await each_hub.start(payloads.app)
    instance_id = await first.begin(payloads.looks)
    await until(lambda: first.store.calls["commit"] >= 3)
    await first.stop()

    rolled_back = await each_hub.start(FunctionApp())
    await rolled_back.client.raise_event(instance_id, "go")
    await rolled_back.rest()
    state = await rolled_back.client.get_instance(instance_id)
    assert state is not None
    assert state.blocked_reason is not None
    assert "'looks'" in state.blocked_reason
    turns = rolled_back.store.calls["commit"]
    await each_hub.clock.advance(timedelta(hours=1), steps=3)
    await rolled_back.rest()
    assert rolled_back.store.calls["commit"] == turns == 0
    await rolled_back.stop()

    third = await each_hub.start(payloads.app)
    assert (await third.finished(instance_id)).runtime_status is RuntimeStatus.COMPLETED
