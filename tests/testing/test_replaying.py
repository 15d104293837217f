"""Histories that are replayed against code."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    FunctionNotFoundError,
    InvalidArgumentError,
    NonDeterminismError,
    OrchestrationContext,
    when_all,
)
from funchost.testing import TestEnvironment, replay
from host.core.history_json import event_to_json, history_to_json
from host.core.history_reading import history_from_json
from tests.golden.recording import FOLDER
from tests.testing.sample_app import app, approve, buy, by_generator, race


async def recorded(folder: Path, orchestrator: Any, input_: Any, wait: timedelta) -> Path:
    async with TestEnvironment(app) as env:
        id_ = await env.client.schedule_new_orchestration(orchestrator, input=input_)
        await env.skip(wait)
        events = await env.history(id_)
    file = folder / "history.json"
    file.write_text(json.dumps(events))
    return file


@pytest.mark.parametrize("days", [0, 2, 40], ids=["begun", "in its midst", "finished"])
@pytest.mark.parametrize(
    ("orchestrator", "input_"),
    [(approve, 30), (buy, {"item": "boat", "price": 1}), (by_generator, None), (race, None)],
    ids=["event", "retries", "child", "race"],
)
async def test_what_the_code_did_it_does_again(
    tmp_path: Path, orchestrator: Any, input_: Any, days: int
) -> None:
    replay(await recorded(tmp_path, orchestrator, input_, timedelta(days=days)), app)


def other_app(code: Any, name: str) -> FunctionApp:
    other = FunctionApp()
    other.function_name(name)(other.orchestration_trigger()(code))
    return other


async def pays_first(context: OrchestrationContext) -> str:
    await context.create_timer(timedelta(hours=2))
    return await context.call_activity("charge", None, return_type=str)


async def returns(_: OrchestrationContext) -> str:
    return "at once"


async def fails(context: OrchestrationContext) -> None:
    context.call_activity("charge")
    await context.create_timer(timedelta(hours=2))
    raise KeyError("x")


async def does_more(context: OrchestrationContext) -> str:
    paid: str = await context.call_activity("charge")
    context.call_activity("thank")
    return paid


async def waits_more(context: OrchestrationContext) -> str:
    paid = context.call_activity("charge")
    context.create_timer(timedelta(hours=2))
    await paid
    return str(await context.wait_for_external_event("More"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (pays_first, "records #1 a call of activity 'charge' here, but .* is #1 a timer"),
        (returns, "records #1 a call of activity 'charge' here, but .* is to return"),
        (does_more, "records #2 a timer here, but .* is nothing"),
        (waits_more, "records to return here, but .* is to wait"),
    ],
)
async def test_code_that_goes_another_way_is_named(tmp_path: Path, code: Any, said: str) -> None:
    file = await recorded(tmp_path, race, None, timedelta(days=1))
    with pytest.raises(NonDeterminismError, match=said):
        replay(file, other_app(code, "race"))


async def test_code_that_ends_otherwise_is_named(tmp_path: Path) -> None:
    async def thanks(context: OrchestrationContext, _: int) -> str:
        await context.wait_for_external_event("Answer", timeout=timedelta(days=30))
        return "thanks"

    async def thanks_twice(context: OrchestrationContext, days: int) -> str:
        try:
            return await thanks(context, days)
        except TimeoutError:
            context.call_activity("thank")
            return "nobody"

    file = await recorded(tmp_path, approve, 30, timedelta(days=31))
    for code, said in ((thanks, "is to fail with TimeoutError"), (thanks_twice, "#2 a call of")):
        with pytest.raises(NonDeterminismError, match=f"records to return here, but .*{said}"):
            replay(file, other_app(code, "approve"))


@pytest.mark.parametrize("is_finished", [True, False])
async def test_what_was_rewound_is_led_as_it_went(tmp_path: Path, is_finished: bool) -> None:
    async def steps(context: OrchestrationContext) -> list[str]:
        await context.create_timer(timedelta(hours=1))
        done = await when_all([context.call_activity("step", n) for n in (1, 2)])
        await context.wait_for_external_event("Go")
        return done

    steps_app = other_app(steps, "steps")
    broken = {2}

    @steps_app.activity_trigger()
    def step(number: int) -> int:
        if number in broken:
            raise OSError("down")
        return number

    async with TestEnvironment(steps_app) as env:
        id_ = await env.client.schedule_new_orchestration("steps")
        await env.skip(timedelta(hours=2))
        broken.clear()
        await env.client.rewind_instance(id_, "mended")
        await env.idle()
        if is_finished:
            await env.client.raise_event(id_, "Go")
            await env.idle()
        file = tmp_path / "history.json"
        file.write_text(json.dumps(await env.history(id_)))
    assert "ExecutionRewound" in file.read_text()
    replay(file, steps_app)
    with pytest.raises(NonDeterminismError):
        replay(file, other_app(pays_first, "steps"))


async def test_what_is_no_history_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for text, said in (
        ("{", "is not JSON"),
        ("{}", "not a list of events"),
        ("[]", "no ExecutionStarted"),
        ("[5]", "Event 0 of the history is of no kind"),
        ('[{"EventType": "TimerFired"}]', "Event 0 of the history, TimerFired, cannot be read"),
        ('[{"EventType": "OrchestratorStarted", "Timestamp": "2026-01-01"}]', "has no time zone"),
    ):
        file.write_text(text)
        with pytest.raises(InvalidArgumentError, match=said):
            replay(file, app)


async def test_an_orchestrator_that_the_app_lacks_is_named(tmp_path: Path) -> None:
    file = await recorded(tmp_path, race, None, timedelta(days=1))
    with pytest.raises(FunctionNotFoundError, match="no orchestrator 'race'; it has: other"):
        replay(file, other_app(returns, "other"))


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_every_event_is_read_as_it_is_written(file: Path) -> None:
    for turn in json.loads(file.read_text())["turns"]:
        events = turn["history"]
        assert history_to_json(history_from_json(events)) == events


def test_unknown_bases_of_failures_are_known_for_pythons_own() -> None:
    event = {
        "EventType": "TaskFailed",
        "Timestamp": "2026-01-01T00:00:00Z",
        "TaskScheduledId": 0,
        "FailureDetails": {"ErrorType": "ConnectionResetError", "ErrorMessage": "x"},
    }
    (read,) = history_from_json([event])
    assert event_to_json(read)["FailureDetails"]["ErrorType"] == "ConnectionResetError"
    failure = getattr(read, "failure")  # noqa: B009 - it is a TaskFailed
    assert failure.is_caused_by(OSError)
