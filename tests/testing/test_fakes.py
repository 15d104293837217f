"""What stands in for activities."""

from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from bindings import InvalidArgumentError, OrchestrationState
from funchost.testing import NEVER, TestEnvironment
from tests.testing.sample_app import Order, app, approve, buy, charge, move, move_it

BOAT = Order("boat", 5.0)


async def bought(env: TestEnvironment) -> OrchestrationState:
    id_ = await env.client.schedule_new_orchestration(buy, input=BOAT)
    return await env.client.wait_for_instance_completion(id_)


async def later(order: Order) -> str:
    return f"later: {order.item}"


@pytest.mark.parametrize(
    ("what", "output"),
    [
        ("paid", "paid"),
        (lambda order: f"{order.item} for {order.price}", "boat for 5.0"),
        (later, "later: boat"),
        (Mock(return_value="mocked"), "mocked"),
        (AsyncMock(return_value="mocked"), "mocked"),
    ],
    ids=["value", "function", "async", "mock", "async mock"],
)
async def test_a_fake_gives_the_result(what: Any, output: str) -> None:
    async with TestEnvironment(app, fakes={"CHARGE": what}) as env:
        assert (await bought(env)).output == output
        env.fake("charge", "changed")
        assert (await bought(env)).output == "changed"


async def test_a_fake_gets_what_the_activity_takes() -> None:
    mock = Mock(return_value="ok")
    async with TestEnvironment(app, fakes={charge: mock}) as env:
        await bought(env)
        mock.assert_called_once_with(Order("boat", 5.0))
        env.fake(move, mock)
        for given in (["a"], {"target": "b", "source": "a"}):
            id_ = await env.client.schedule_new_orchestration(move_it, input=given)
            await env.client.wait_for_instance_completion(id_)
    assert [each.args for each in mock.call_args_list[1:]] == [("a", "here"), ("a", "b")]


@pytest.mark.parametrize("what", [KeyError("card"), KeyError])
async def test_a_fake_that_raises_fails_as_the_activity_would(what: Any) -> None:
    async with TestEnvironment(app, fakes={"charge": what}) as env:
        state = await bought(env)
        retried = await env.history(state.instance_id)
    assert state.failure_details is not None
    assert state.failure_details.is_caused_by(KeyError)
    failed = [each for each in retried if each["EventType"] == "TaskFailed"]
    assert len(failed) == 3


async def test_a_result_that_the_activity_could_not_give_fails_it() -> None:
    async with TestEnvironment(app, fakes={"charge": 5}) as env:
        state = await bought(env)
    assert state.failure_details is not None
    assert state.failure_details.is_caused_by("ResultMismatchError")


async def test_what_is_not_faked_runs_for_real() -> None:
    async with TestEnvironment(app, fakes={"move": "moved"}) as env:
        assert (await bought(env)).output == "charged 5.00 for a boat"


async def test_an_attempt_is_faked_by_itself() -> None:
    async with TestEnvironment(app) as env:
        env.fake(charge, OSError("down"), attempt=1)
        assert (await bought(env)).output == "charged 5.00 for a boat"
        env.fake(charge, "all but the first")
        assert (await bought(env)).output == "all but the first"
        env.fake(charge, OSError("down"), attempt=2)
        env.fake(charge, "third", attempt=3)
        assert (await bought(env)).output == "third"


@pytest.mark.parametrize(
    ("name", "what", "attempt", "said"),
    [
        ("chrage", 1, None, "no activity 'chrage' to fake; it has: charge, move, wait_for_ever"),
        ("buy", 1, None, "'buy' is an orchestrator: only activities are faked"),
        (approve, 1, None, "'approve' is an orchestrator"),
        (len, 1, None, "is not a registered orchestrator, activity or entity"),
        ("charge", 1, 0, "An attempt is 1 to"),
        ("charge", NEVER, None, "NEVER is for FakeContext"),
        (
            "charge",
            lambda: 1,
            None,
            r"fake of activity 'charge' takes \(\) and the activity \(order",
        ),
        ("move", lambda a, b, c: 1, None, r"takes \(a, b, c\) and the activity \(source, target"),
    ],
)
async def test_fakes_that_make_no_sense_are_refused(
    name: Any, what: Any, attempt: Any, said: str
) -> None:
    async with TestEnvironment(app) as env:
        with pytest.raises(InvalidArgumentError, match=said):
            env.fake(name, what, attempt=attempt)


async def test_first_fakes_of_no_activity_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="no activity 'chrage'"):
        async with TestEnvironment(app, fakes={"chrage": 1}):
            pass
