"""A client sets the custom status: a turn takes it in, and the code's next one takes its place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bindings import OrchestrationContext, RuntimeStatus
from host.core import history
from tests.kit.bench import Bench
from tests.kit.history_builder import START

Ctx = OrchestrationContext


async def counts(context: Ctx) -> None:
    """It shows how many events have come, once there is one."""
    for number in range(1, 4):
        await context.wait_for_external_event("next")
        context.set_custom_status(number)


def shown(bench: Bench) -> str | None:
    return bench.snapshot().instance.custom_status


def test_it_is_shown_until_the_code_sets_another_one() -> None:
    bench = Bench(counts)
    bench.turn()
    bench.set_status({"by": "hand"}).turn()
    assert shown(bench) == '{"by":"hand"}'
    bench.raise_event("other").turn(seconds=2)
    assert shown(bench) == '{"by":"hand"}'
    bench.raise_event("next").turn()
    assert shown(bench) == "1"
    bench.set_status(None).turn()
    assert shown(bench) is None


@pytest.mark.parametrize("is_first", [True, False])
def test_in_one_turn_what_came_last_is_shown(is_first: bool) -> None:
    bench = Bench(counts)
    bench.turn()
    if is_first:
        bench.set_status("hand").raise_event("next").turn()
    else:
        bench.raise_event("next").set_status("hand").turn()
    assert shown(bench) == ("1" if is_first else '"hand"')


def test_it_comes_back_by_replay_after_a_crash() -> None:
    bench = Bench(counts)
    bench.turn()
    bench.raise_event("next").turn()
    bench.set_status("hand")
    bench.turn_without_effects()
    state = bench.reload().state
    assert state.view().custom_status == '"hand"'
    bench.apply(state.redo())
    assert shown(bench) == '"hand"'
    assert len(bench.recorded(history.CustomStatusSet)) == 1


def test_one_that_came_before_the_start_does_not_hide_what_the_code_shows_as_it_starts() -> None:
    async def begins(context: Ctx) -> None:
        context.set_custom_status("begun")
        await context.wait_for_external_event("end")

    bench = Bench(begins, scheduled_start_at=START + timedelta(minutes=1))
    bench.set_status("planned").turn()
    assert bench.status is RuntimeStatus.PENDING
    bench.turn(seconds=60)
    assert shown(bench) == '"begun"'
    bench.reload()
    assert bench.state.view().custom_status == '"begun"'


def test_it_stays_when_the_code_continues_as_new_as_that_of_the_code_does() -> None:
    async def again(context: Ctx) -> None:
        await context.wait_for_external_event("go")
        context.continue_as_new(None)

    bench = Bench(again)
    bench.turn()
    bench.set_status("hand").turn()
    bench.raise_event("go").turn()
    bench.turn()
    assert shown(bench) == '"hand"'
    bench.reload()
    assert bench.state.view().custom_status == '"hand"'


def test_one_that_comes_as_the_code_continues_as_new_is_for_the_next_execution() -> None:
    async def again(context: Ctx) -> None:
        await context.wait_for_external_event("go")
        context.continue_as_new(None)

    bench = Bench(again)
    bench.turn()
    bench.raise_event("go").set_status("hand").turn()
    bench.turn()
    assert shown(bench) == '"hand"'
    assert not bench.inbox


def test_it_is_set_while_the_instance_is_suspended() -> None:
    bench = Bench(counts)
    bench.turn()
    bench.suspend("audit").turn()
    bench.set_status("held").turn()
    assert (bench.status, shown(bench)) == (RuntimeStatus.SUSPENDED, '"held"')


def test_the_code_sees_nothing_of_it() -> None:
    async def asks(context: Ctx) -> Any:
        return await context.wait_for_external_event("end")

    bench = Bench(asks)
    bench.turn()
    bench.set_status("hand").turn()
    bench.raise_event("end", 7).turn()
    assert bench.output == 7
    assert shown(bench) == '"hand"'
