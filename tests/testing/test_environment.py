"""An app in a test: time that the test moves, and what is said of wrong uses."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import (
    Blueprint,
    FunctionApp,
    FunctionDefinitionError,
    InstanceNotFoundError,
    InvalidArgumentError,
    PayloadTooLargeError,
    RuntimeStatus,
)
from bindings.http import HttpRequest
from funchost.testing import TestEnvironment
from host.errors import ConfigurationError
from tests.testing.sample_app import (
    Order,
    app,
    approve,
    buy,
    by_generator,
    for_ever,
    hang,
    start_order,
)


async def test_a_deadline_of_30_days_is_over_when_30_days_were_skipped() -> None:
    async with TestEnvironment(app) as env:
        id_ = await env.client.schedule_new_orchestration(approve, input=30)
        await env.skip(timedelta(days=30) - timedelta(microseconds=1))
        before = await env.client.get_instance(id_)
        await env.skip(timedelta(microseconds=1))
        after = await env.client.get_instance(id_)
    assert before is not None
    assert (before.runtime_status, before.custom_status) == (RuntimeStatus.RUNNING, "waiting")
    assert after is not None
    assert after.output == "nobody"


async def test_timers_fire_at_their_own_times_within_one_skip() -> None:
    async with TestEnvironment(app, start=datetime(2030, 5, 1, tzinfo=UTC)) as env:
        id_ = await env.client.schedule_new_orchestration(by_generator)
        await env.skip(timedelta(days=10))
        events = await env.history(id_)
        assert env.now == datetime(2030, 5, 11, tzinfo=UTC)
    fired = [each["Timestamp"] for each in events if each["EventType"] == "TimerFired"]
    assert fired == ["2030-05-02T00:00:00Z"]
    assert events[-1]["Timestamp"] == "2030-05-05T00:00:00Z"
    assert events[-1]["Result"] == '"nobody"'


async def test_an_event_that_comes_in_time_ends_the_wait() -> None:
    async with TestEnvironment(app) as env:
        id_ = await env.client.schedule_new_orchestration(approve, input=30)
        await env.skip(timedelta(days=7))
        await env.client.raise_event(id_, "answer", "yes")
        await env.idle()
        state = await env.client.get_instance(id_)
    assert state is not None
    assert state.output == "yes"


async def test_a_wait_of_the_client_moves_the_clock_as_far_as_it_needs() -> None:
    async with TestEnvironment(app) as env:
        began = env.now
        id_ = await env.client.schedule_new_orchestration(
            approve, input=30, start_at=timedelta(days=1)
        )
        await env.client.wait_for_instance_start(id_)
        assert env.now - began == timedelta(days=1)
        state = await env.client.wait_for_instance_completion(id_)
        assert (state.output, env.now - began) == ("nobody", timedelta(days=31))


async def test_a_wait_of_the_client_ends_when_its_time_is_over_on_the_tests_clock() -> None:
    async with TestEnvironment(app) as env:
        began = env.now
        id_ = await env.client.schedule_new_orchestration(approve, input=30)
        with pytest.raises(TimeoutError, match="is Running after 2:00:00 on the test's clock"):
            await env.client.wait_for_instance_completion(id_, timeout=timedelta(hours=2))
        assert env.now - began == timedelta(hours=2)


async def test_a_wait_for_what_only_the_test_can_bring_ends_at_once() -> None:
    async with TestEnvironment(app) as env:
        id_ = await env.client.schedule_new_orchestration(approve, input=30)
        await env.client.suspend_instance(id_)
        with pytest.raises(TimeoutError, match="is Suspended, and no timer will make it go on"):
            await env.client.wait_for_instance_completion(id_)


async def test_a_wait_for_what_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.testing.client.MAX_TIMERS", 20)
    async with TestEnvironment(app) as env:
        id_ = await env.client.schedule_new_orchestration(for_ever)
        with pytest.raises(TimeoutError, match="while 20 timers fired"):
            await env.client.wait_for_instance_completion(id_)


async def test_a_wait_for_an_instance_that_is_not_there_says_so() -> None:
    async with TestEnvironment(app) as env:
        with pytest.raises(InstanceNotFoundError, match="nobody"):
            await env.client.wait_for_instance_completion("nobody")


async def test_an_activity_that_never_ends_is_named_when_patience_is_over() -> None:
    async with TestEnvironment(app, patience_s=0.05) as env:
        await env.client.schedule_new_orchestration(hang, instance_id="h")
        with pytest.raises(TimeoutError, match="still activity 'wait_for_ever' of 'h'"):
            await env.idle()


async def test_an_http_function_is_called_with_the_client_of_the_test() -> None:
    async with TestEnvironment(app) as env:
        request = HttpRequest(
            method="POST", url="/api/orders", body=b'{"item": "boat", "price": 2}'
        )
        answer = await start_order(request, env.client)
        (found,) = (await env.client.query_instances()).items
        state = await env.client.wait_for_instance_completion(found.instance_id)
    assert answer.status_code == 202
    assert state.output == "charged 2.00 for a boat"


async def test_each_environment_has_a_hub_of_its_own() -> None:
    async with TestEnvironment(app) as one, TestEnvironment(app) as other:
        await one.client.schedule_new_orchestration(approve, input=1, instance_id="x")
        assert await other.client.get_instance("x") is None


# ---- a folder ------------------------------------------------------------------------------

APP = """
import os
from funchost import FunctionApp
app = FunctionApp()

@app.orchestration_trigger()
async def town(context):
    return await context.call_activity("find_town")

@app.activity_trigger()
def find_town() -> str:
    return os.environ["KIT_TOWN"]
"""


def app_folder(folder: Path, code: str = APP) -> Path:
    (folder / "function_app.py").write_text(code)
    (folder / "local.settings.json").write_text('{"Values": {"KIT_TOWN": "Oslo"}}')
    return folder


async def test_a_folder_is_loaded_as_a_host_does_with_its_settings(tmp_path: Path) -> None:
    folder = app_folder(tmp_path)
    (folder / "host.json").write_text(
        '{"version": "2.0", "extensions": {"durableTask": {"maxPayloadBytes": 1024}}}'
    )
    async with TestEnvironment(folder) as env:
        id_ = await env.client.schedule_new_orchestration("town")
        assert (await env.client.wait_for_instance_completion(id_)).output == "Oslo"
        with pytest.raises(PayloadTooLargeError, match="the limit is 1,024 bytes"):
            await env.client.schedule_new_orchestration("town", input="x" * 2000)
    assert "KIT_TOWN" not in os.environ


async def test_an_app_that_does_not_load_says_why(tmp_path: Path) -> None:
    with pytest.raises(
        FunctionDefinitionError, match=r"(?s)does not load.*No module named 'nowhere'"
    ):
        async with TestEnvironment(app_folder(tmp_path, "import nowhere")):
            pass
    assert "KIT_TOWN" not in os.environ


async def test_a_function_that_does_not_load_says_why() -> None:
    broken = FunctionApp()

    @broken.activity_trigger()
    def odd(*, context: int, **rest: int) -> None: ...

    @broken.orchestration_trigger()
    def no_context() -> None: ...

    with pytest.raises(FunctionDefinitionError, match="Function no_context does not load"):
        async with TestEnvironment(broken):
            pass


async def test_an_app_without_functions_says_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(
        FunctionDefinitionError, match=r"No functions found in .*add a function_app"
    ):
        async with TestEnvironment(tmp_path):
            pass
    with pytest.raises(FunctionDefinitionError, match=r"The app has no functions\."):
        async with TestEnvironment(FunctionApp()):
            pass


async def test_a_folder_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'no/such/folder' does not exist"):
        async with TestEnvironment("no/such/folder"):
            pass


# ---- wrong uses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [(Blueprint(), "A Blueprint is no app"), (5, "not an object of type int")],
)
async def test_what_is_no_app_is_refused(given: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        async with TestEnvironment(given):
            pass


def test_a_with_without_async_is_explained() -> None:
    env: Any = TestEnvironment(app)
    with pytest.raises(TypeError, match="write `async with TestEnvironment"), env:
        pass


async def test_what_is_used_outside_of_the_with_is_explained() -> None:
    env = TestEnvironment(app)
    with pytest.raises(RuntimeError, match="use it within `async with"):
        await env.skip(timedelta(days=1))
    async with env:
        with pytest.raises(RuntimeError, match="entered already"):
            await env.__aenter__()
    with pytest.raises(RuntimeError, match="use it within `async with"):
        _ = env.client


@pytest.mark.parametrize("delta", [3, timedelta(days=-1), None])
async def test_only_a_duration_can_be_skipped(delta: Any) -> None:
    async with TestEnvironment(app) as env:
        with pytest.raises(InvalidArgumentError, match="skip takes a timedelta of 0 or more"):
            await env.skip(delta)


async def test_retries_need_no_skip() -> None:
    async with TestEnvironment(app, fakes={"charge": OSError("down")}) as env:
        began = env.now
        id_ = await env.client.schedule_new_orchestration(buy, input=Order("boat", 1.0))
        state = await env.client.wait_for_instance_completion(id_)
        assert state.runtime_status is RuntimeStatus.FAILED
        assert env.now - began == timedelta(hours=2)
