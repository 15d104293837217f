"""External events: buffering, order, names, data, timeouts."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from bindings import (
    InvalidArgumentError,
    OrchestrationContext,
    SerializationError,
    TaskCancelledError,
    when_all,
    when_any,
)
from host.core import history
from tests.kit.bench import Bench

Ctx = OrchestrationContext


class Approval(BaseModel):
    by: str
    ok: bool


def test_a_wait_ends_with_the_events_data() -> None:
    async def waits(context: Ctx) -> Any:
        return await context.wait_for_external_event("go")

    bench = Bench(waits)
    bench.turn()
    bench.raise_event("go", {"n": 1}).turn()
    assert bench.output == {"n": 1}


def test_an_event_without_data_gives_none() -> None:
    async def waits(context: Ctx) -> bool:
        return await context.wait_for_external_event("go") is None

    bench = Bench(waits)
    bench.raise_event("go").turn()
    assert bench.output is True


def test_event_names_match_without_regard_to_case() -> None:
    async def waits(context: Ctx) -> list[Any]:
        first = await context.wait_for_external_event("GO")
        second = await context.wait_for_external_event("straße")
        return [first, second]

    bench = Bench(waits)
    bench.raise_event("go", 1).raise_event("STRASSE", 2).turn()
    assert bench.output == [1, 2]


def test_events_that_came_before_the_wait_are_given_in_order_of_arrival() -> None:
    async def waits(context: Ctx) -> list[Any]:
        await context.call_activity("slow")
        return [await context.wait_for_external_event("e") for _ in range(3)]

    bench = Bench(waits)
    bench.turn()
    for number in range(3):
        bench.raise_event("e", number)
    bench.turn()
    bench.turn(bench.done(1))
    assert bench.output == [0, 1, 2]


def test_the_oldest_wait_is_served_first() -> None:
    async def waits(context: Ctx) -> list[Any]:
        tasks = [context.wait_for_external_event("e") for _ in range(3)]
        return await when_all(tasks)

    bench = Bench(waits)
    bench.turn()
    for data in ("a", "b", "c"):
        bench.raise_event("e", data).turn()
    assert bench.output == ["a", "b", "c"]


def test_a_cancelled_wait_takes_no_event() -> None:
    async def waits(context: Ctx) -> Any:
        first = context.wait_for_external_event("e")
        second = context.wait_for_external_event("e")
        assert first.cancel()
        with pytest.raises(TaskCancelledError):
            await first
        return await second

    bench = Bench(waits)
    bench.turn()
    bench.raise_event("e", "mine").turn()
    assert bench.output == "mine"


def test_events_of_other_names_do_not_disturb_a_wait() -> None:
    async def waits(context: Ctx) -> list[Any]:
        b = await context.wait_for_external_event("b")
        return [await context.wait_for_external_event("a"), b]

    bench = Bench(waits)
    bench.turn()
    bench.raise_event("a", 1).turn()
    bench.raise_event("b", 2).turn()
    assert bench.output == [1, 2]


def test_data_is_rebuilt_as_the_asked_type() -> None:
    async def waits(context: Ctx) -> list[Any]:
        approval = await context.wait_for_external_event("approval", Approval)
        return [type(approval).__name__, approval.by]

    bench = Bench(waits)
    bench.raise_event("approval", {"by": "Ann", "ok": True}).turn()
    assert bench.output == ["Approval", "Ann"]


def test_data_that_does_not_fit_is_raised_at_the_await_and_the_next_event_counts() -> None:
    async def waits(context: Ctx) -> str:
        with pytest.raises(SerializationError, match="The data of event 'approval' does not fit"):
            await context.wait_for_external_event("approval", Approval)
        approval: Approval = await context.wait_for_external_event("approval", Approval)
        return approval.by

    bench = Bench(waits)
    bench.turn()
    bench.raise_event("approval", {"by": 7}).turn()
    bench.raise_event("approval", {"by": "Ann", "ok": True}).turn()
    assert bench.output == "Ann"


def test_a_wait_with_timeout_ends_in_timeout_error() -> None:
    async def waits(context: Ctx) -> str:
        try:
            await context.wait_for_external_event("e", timeout=timedelta(minutes=5))
        except TimeoutError as error:
            return str(error)
        return "came"

    bench = Bench(waits)
    bench.turn()
    assert bench.turn(seconds=299) is None
    bench.turn(seconds=1)
    assert bench.output == "No event 'e' came in time."


def test_an_event_in_time_ends_the_wait_and_its_timer() -> None:
    async def waits(context: Ctx) -> Any:
        data = await context.wait_for_external_event("e", timeout=timedelta(minutes=5))
        await context.wait_for_external_event("end")
        return data

    bench = Bench(waits)
    bench.turn()
    bench.raise_event("e", 1).turn()
    assert bench.alarm is None
    assert bench.turn(seconds=600) is None
    bench.reload()
    bench.raise_event("end").turn()
    assert bench.output == 1


def test_an_event_that_is_already_there_beats_the_timeout() -> None:
    async def waits(context: Ctx) -> Any:
        return await context.wait_for_external_event("e", timeout=timedelta(0))

    bench = Bench(waits)
    bench.raise_event("e", 1).turn()
    assert bench.output == 1


def test_an_event_after_the_timeout_is_kept_for_the_next_wait() -> None:
    async def waits(context: Ctx) -> Any:
        with pytest.raises(TimeoutError):
            await context.wait_for_external_event("e", timeout=timedelta(seconds=1))
        await context.call_activity("later")
        return await context.wait_for_external_event("e")

    bench = Bench(waits)
    bench.turn()
    bench.turn(seconds=1)
    bench.raise_event("e", "late").turn()
    bench.turn(bench.done(2))
    assert bench.output == "late"


def test_cancelling_a_wait_with_timeout_ends_its_timer() -> None:
    async def waits(context: Ctx) -> None:
        context.wait_for_external_event("e", timeout=timedelta(hours=1)).cancel()
        await context.wait_for_external_event("end")

    bench = Bench(waits)
    bench.turn()
    assert bench.alarm is None
    assert bench.recorded(history.TimerCreated)


@pytest.mark.parametrize("timeout", [-timedelta(seconds=1), timedelta(days=4000)])
def test_an_impossible_timeout_is_refused(timeout: timedelta) -> None:
    async def waits(context: Ctx) -> None:
        await context.wait_for_external_event("e", timeout=timeout)

    assert Bench(waits).run().failure.error_type == InvalidArgumentError.__name__


@pytest.mark.parametrize("name", ["", 5, None])
def test_an_event_needs_a_name(name: Any) -> None:
    async def waits(context: Ctx) -> None:
        await context.wait_for_external_event(name)

    assert Bench(waits).run().failure.error_type == InvalidArgumentError.__name__


def test_when_any_of_events_and_a_timer_gives_what_came() -> None:
    async def waits(context: Ctx) -> list[Any]:
        yes, no = (context.wait_for_external_event(name) for name in ("yes", "no"))
        timer = context.create_timer(timedelta(hours=1))
        winner = await when_any([yes, no, timer])
        return [winner is no, winner.get_result()]

    bench = Bench(waits)
    bench.turn()
    bench.raise_event("no", "never").turn()
    assert bench.output == [True, "never"]


def test_send_event_becomes_a_message_with_an_id_that_is_the_same_every_time() -> None:
    async def sends(context: Ctx) -> None:
        context.send_event("other", "ping", {"n": 1})

    bench = Bench(sends)
    bench.turn_without_effects()
    bench.reload()
    first, second = bench.state.redo(), bench.reload().state.redo()
    assert first == second
    (envelope,) = first.messages
    assert envelope.instance_id == "other"
    assert envelope.message.message_id == f"{bench.row.execution_id}.1"
    assert isinstance(envelope.message.event, history.EventRaised)
    assert (envelope.message.event.name, envelope.message.event.input) == ("ping", '{"n":1}')


@pytest.mark.parametrize(("target", "name"), [("", "e"), ("a/b", "e"), ("@entity", "e"), ("x", "")])
def test_send_event_refuses_impossible_targets_and_names(target: str, name: str) -> None:
    async def sends(context: Ctx) -> None:
        context.send_event(target, name)

    assert Bench(sends).run().failure.error_type == InvalidArgumentError.__name__
