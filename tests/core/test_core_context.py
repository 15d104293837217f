"""The context's own values: identity, time, ids, status, logging, input."""

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from bindings import OrchestrationContext, OrchestrationError, RuntimeStatus
from host.core import history
from tests.kit.bench import Bench
from tests.kit.history_builder import START

Ctx = OrchestrationContext


class Order(BaseModel):
    number: int
    placed_at: datetime


def test_identity_is_that_of_the_instance() -> None:
    async def who(context: Ctx) -> list[Any]:
        return [context.instance_id, context.name, context.version, context.parent_instance_id]

    assert Bench(who, version="1.2").run().output == ["inst", "who", "1.2", None]


def test_the_input_is_rebuilt_as_the_asked_type() -> None:
    async def typed(context: Ctx) -> list[str]:
        order = context.get_input(Order)
        plain = context.get_input()
        return [type(order).__name__, type(order.placed_at).__name__, type(plain).__name__]

    bench = Bench(typed, input_={"number": 1, "placed_at": "2026-01-01T00:00:00Z"}).run()
    assert bench.output == ["Order", "datetime", "dict"]


def test_an_input_that_does_not_fit_fails_the_instance_and_is_named() -> None:
    async def typed(context: Ctx) -> None:
        context.get_input(Order)

    failure = Bench(typed, input_={"number": "x"}).run().failure
    assert failure.error_type == "SerializationError"
    assert failure.message.startswith("The input of orchestrator 'typed' does not fit")


def test_an_input_of_an_impossible_type_is_a_serialization_error() -> None:
    class Opaque:
        pass

    async def typed(context: Ctx) -> None:
        context.get_input(Opaque)

    assert Bench(typed, input_=1).run().failure.error_type == "SerializationError"


def test_falsy_inputs_arrive_as_they_are() -> None:
    async def echo(context: Ctx) -> Any:
        return context.get_input()

    values: list[Any] = [0, "", [], {}, False, None]
    for value in values:
        assert Bench(echo, input_=value).run().output == value


def test_the_current_time_is_that_of_the_turn_and_the_same_on_replay() -> None:
    seen: list[datetime] = []

    async def looks(context: Ctx) -> None:
        seen.append(context.current_utc_datetime)
        await context.call_activity("work")
        seen.append(context.current_utc_datetime)
        await context.wait_for_external_event("end")

    bench = Bench(looks)
    bench.turn(seconds=5)
    bench.turn(bench.done(1), seconds=5)
    bench.turn(seconds=100)
    bench.reload()
    assert seen == [START + timedelta(seconds=5), START + timedelta(seconds=10)] * 2
    assert all(moment.utcoffset() == timedelta(0) for moment in seen)


def test_the_current_time_never_goes_back_when_the_clock_does() -> None:
    async def looks(context: Ctx) -> list[str]:
        moments = [context.current_utc_datetime]
        await context.wait_for_external_event("e")
        moments.append(context.current_utc_datetime)
        return [moment.isoformat() for moment in moments]

    bench = Bench(looks)
    bench.turn(seconds=60)
    bench.reload()
    bench.raise_event("e").turn(seconds=-50)
    assert bench.output == [(START + timedelta(seconds=60)).isoformat()] * 2


def test_a_timer_made_after_the_clock_went_back_does_not_fire_early() -> None:
    async def sleeps(context: Ctx) -> None:
        await context.wait_for_external_event("e")
        await context.create_timer(timedelta(seconds=10))

    bench = Bench(sleeps)
    bench.turn(seconds=60)
    bench.raise_event("e").turn(seconds=-50)
    assert bench.alarm == START + timedelta(seconds=70)


def test_new_uuid_is_unique_per_call_and_stable_on_replay() -> None:
    seen: list[str] = []

    async def names(context: Ctx) -> None:
        seen.extend(str(context.new_uuid()) for _ in range(2))
        await context.call_activity("work")
        seen.append(str(context.new_uuid()))
        await context.wait_for_external_event("end")

    bench = Bench(names)
    bench.turn()
    bench.turn(bench.done(1))
    bench.reload()
    assert seen[:3] == seen[3:]
    assert len(set(seen)) == 3


def test_new_uuid_differs_between_executions() -> None:
    async def names(context: Ctx, first: str | None) -> list[str]:
        if first is None:
            context.continue_as_new(str(context.new_uuid()))
            return []
        return [first, str(context.new_uuid())]

    one, two = Bench(names).run().output
    assert one != two


def test_is_replaying_is_true_exactly_for_what_was_seen_before() -> None:
    seen: list[bool] = []

    async def looks(context: Ctx) -> None:
        seen.append(context.is_replaying)
        await context.call_activity("work")
        seen.append(context.is_replaying)
        await context.call_activity("work")
        seen.append(context.is_replaying)

    bench = Bench(looks)
    bench.turn()
    bench.turn(bench.done(1))
    assert seen == [False, False]
    seen.clear()
    bench.reload()
    assert seen == [True, True]
    bench.turn(bench.done(2))
    assert seen == [True, True, False]


def test_the_replay_safe_logger_logs_once(caplog: pytest.LogCaptureFixture) -> None:
    async def logs(context: Ctx) -> None:
        logger = context.create_replay_safe_logger(logging.getLogger("app"))
        logger.info("before %s", "work")
        await context.call_activity("work")
        assert logger.isEnabledFor(logging.INFO)
        logger.info("after")

    caplog.set_level(logging.INFO, "app")
    bench = Bench(logs)
    bench.turn()
    bench.reload()
    bench.turn(bench.done(1))
    assert bench.status is RuntimeStatus.COMPLETED
    assert caplog.messages == ["before work", "after"]


def test_the_replay_safe_logger_obeys_the_loggers_level(caplog: pytest.LogCaptureFixture) -> None:
    async def logs(context: Ctx) -> None:
        context.create_replay_safe_logger(logging.getLogger("app")).debug("hidden")

    caplog.set_level(logging.INFO, "app")
    Bench(logs).run()
    assert not caplog.messages


def test_the_custom_status_shows_and_can_be_cleared() -> None:
    async def shows(context: Ctx) -> None:
        context.set_custom_status({"step": 1})
        await context.wait_for_external_event("e")
        context.set_custom_status(None)
        await context.wait_for_external_event("e")

    bench = Bench(shows)
    bench.turn()
    assert bench.row.custom_status == '{"step":1}'
    bench.raise_event("e").turn()
    assert bench.snapshot().instance.custom_status is None


def test_the_custom_status_comes_back_by_replay_after_a_crash() -> None:
    async def shows(context: Ctx) -> None:
        context.set_custom_status("waiting")
        await context.wait_for_external_event("e")

    bench = Bench(shows)
    bench.turn_without_effects()
    bench.reload()
    bench.apply(bench.state.redo())
    assert bench.row.custom_status == '"waiting"'


def test_the_custom_status_of_the_last_turn_survives_a_crash_in_it() -> None:
    async def shows(context: Ctx) -> None:
        context.set_custom_status("done")

    bench = Bench(shows)
    bench.turn_without_effects()
    bench.reload()
    bench.apply(bench.state.redo())
    assert (bench.row.custom_status, bench.status) == ('"done"', RuntimeStatus.COMPLETED)


def test_a_status_that_is_not_json_is_refused_where_it_is_set() -> None:
    async def shows(context: Ctx) -> None:
        context.set_custom_status(object())

    assert Bench(shows).run().failure.error_type == "SerializationError"


def test_the_context_does_nothing_after_the_end() -> None:
    kept: list[Ctx] = []

    async def leaks(context: Ctx) -> str:
        kept.append(context)
        return "done"

    bench = Bench(leaks).run()
    (context,) = kept
    for act in (
        lambda: context.call_activity("x"),
        lambda: context.call_sub_orchestrator("x"),
        lambda: context.create_timer(timedelta(seconds=1)),
        lambda: context.wait_for_external_event("x"),
        lambda: context.send_event("other", "x"),
        lambda: context.continue_as_new(1),
        lambda: context.set_custom_status(1),
    ):
        with pytest.raises(OrchestrationError, match="is over"):
            act()
    assert bench.turn() is None
    assert bench.kinds()[-1] == history.ExecutionCompleted.__name__
