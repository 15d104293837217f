"""Bugs that peers had with values that look like nothing, or like something else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext, TaskFailedError
from host.clock import SystemClock
from host.engine.client import HubClient
from tests.kit.aws_engine import aws_host, aws_hub
from tests.kit.hub import Hub

PATIENCE = timedelta(seconds=15)

FALSY: tuple[Any, ...] = (0, 0.0, "", [], {}, False, None, [None], {"": ""}, "0")
LIKE_JSON = ('"quoted"', '{"a": 1}', "null", "[]", "1", "\\", '\\"')


class Passing:
    """Orchestrators that pass a value on by every way there is."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.activity_trigger()
        async def gives(values: Any) -> Any:
            return values["it"]

        @self.app.orchestration_trigger()
        async def echoes(context: OrchestrationContext) -> Any:
            context.set_custom_status([context.get_input()])
            return context.get_input()

        @self.app.orchestration_trigger()
        async def passes_on(context: OrchestrationContext, state: dict[str, Any]) -> list[Any]:
            value = state["it"]
            if state["is_first"]:
                worked = await context.call_activity(gives, {"it": value})
                child = await context.call_sub_orchestrator(echoes, value)
                raised = await context.wait_for_external_event("it")
                context.continue_as_new({"it": value, "is_first": False, "so_far": [worked, child]})
                return [raised]
            carried = await context.wait_for_external_event("it")
            return [value, *state["so_far"], carried]

        self.gives, self.echoes, self.passes_on = gives, echoes, passes_on

    async def problems(self, client: HubClient, value: Any) -> list[str]:
        """What became of the value where it is not what it was, in Python's words."""
        instance_id = await client.schedule_new_orchestration(self.echoes, input=value)
        alone = await client.wait_for_instance_completion(instance_id, timeout=PATIENCE)
        first = {"it": value, "is_first": True}
        instance_id = await client.schedule_new_orchestration(self.passes_on, input=first)
        for _ in range(2):
            await client.raise_event(instance_id, "it", value)
        passed = await client.wait_for_instance_completion(instance_id, timeout=PATIENCE)
        found = {
            "alone": repr((alone.output, alone.custom_status, alone.input)),
            "passed": repr(passed.output),
        }
        expected = {"alone": repr((value, [value], value)), "passed": repr([value] * 4)}
        return [f"{way}: {found[way]}" for way in expected if found[way] != expected[way]]


class Failing:
    """A failure that goes through two levels."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.activity_trigger()
        async def fails() -> None:
            raise LookupError('"odd" {text}')

        @self.app.orchestration_trigger()
        async def child(context: OrchestrationContext) -> None:
            await context.call_activity(fails)

        @self.app.orchestration_trigger()
        async def parent(context: OrchestrationContext) -> list[Any]:
            try:
                await context.call_sub_orchestrator(child)
            except TaskFailedError as error:
                details = error.details
                return [details.is_caused_by(LookupError), '"odd" {text}' in str(details)]
            return ["no failure"]

        self.parent = parent


async def test_bug_38_values_that_look_like_nothing_go_through_everything(each_hub: Hub) -> None:
    passing = Passing()
    host = await each_hub.start(passing.app)
    for value in FALSY:
        assert await passing.problems(host.client, value) == []


async def test_bug_39_a_text_that_looks_like_json_is_encoded_once(each_hub: Hub) -> None:
    passing = Passing()
    host = await each_hub.start(passing.app)
    for value in LIKE_JSON:
        assert await passing.problems(host.client, value) == []


async def test_bug_39_a_failure_of_a_child_raises_in_its_parent_with_its_cause(
    each_hub: Hub,
) -> None:
    failing = Failing()
    host = await each_hub.start(failing.app)
    assert (await host.run(failing.parent)).output == [True, True]


@asynccontextmanager
async def aws_client(url: str, app: FunctionApp) -> AsyncIterator[HubClient]:
    """The client of a host on the AWS drivers that runs meanwhile."""
    async with aws_hub(url) as hub, aws_host(hub, app, SystemClock()) as host:
        yield host.client


async def test_bug_38_and_39_odd_values_go_through_dynamodb_and_sqs_too(aws_url: str) -> None:
    passing = Passing()
    async with aws_client(aws_url, passing.app) as client:
        found = await asyncio.gather(
            *(passing.problems(client, value) for value in (*FALSY, *LIKE_JSON))
        )
        assert [each for problems in found for each in problems] == []
