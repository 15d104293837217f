"""Requests of `call_http` in tests: answered by the test, and sent only where it wants that."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import (
    DurableHttpRequest,
    DurableHttpResponse,
    FunctionApp,
    InvalidArgumentError,
    OrchestrationContext,
    RetryPolicy,
    TaskFailedError,
)
from host.core.http_calls import HTTP_ACTIVITY
from host.testing.environment import TestEnvironment
from host.testing.fake_context import FakeContext
from host.testing.http_fakes import MissingAnswerError
from tests.kit.raw_server import Server

app = FunctionApp()
SAMPLE = Path(__file__).parents[2] / "samples/http_monitor"
RETRY = RetryPolicy(timedelta(minutes=1), 3)


@app.orchestration_trigger()
async def asks(context: OrchestrationContext, url: str) -> list[Any]:
    began = context.current_utc_datetime
    try:
        response = await context.call_http("POST", url, {"n": 1}, retry=RETRY)
    except TaskFailedError as error:
        return [error.details.error_type, error.details.message]
    took = context.current_utc_datetime - began
    return [response.status_code, response.content, took.total_seconds()]


URL = "https://example.com/jobs"


async def result(env: TestEnvironment, url: str = URL) -> Any:
    instance_id = await env.client.schedule_new_orchestration(asks, input=url)
    state = await env.client.wait_for_instance_completion(instance_id)
    return state.output


async def test_an_answer_is_given_by_name() -> None:
    answer = DurableHttpResponse(201, {}, "made")
    async with TestEnvironment(app, fakes={"call_http": answer}) as env:
        assert await result(env) == [201, "made", 0]
        env.fake("CALL_HTTP", ConnectionError("reset"))
        assert await result(env) == ["ConnectionError", "reset"]
        env.fake(HTTP_ACTIVITY, DurableHttpResponse(404))
        assert await result(env) == [404, "", 0]


async def test_a_function_sees_the_request_and_what_it_gives_is_polled_and_tried_again() -> None:
    seen: list[DurableHttpRequest] = []

    async def answer(request: DurableHttpRequest) -> DurableHttpResponse:
        seen.append(request)
        headers = {"Location": "/status", "Retry-After": "120"}
        return DurableHttpResponse(202, headers) if len(seen) == 1 else DurableHttpResponse(200)

    async with TestEnvironment(app, fakes={"call_http": answer}) as env:
        env.fake("call_http", DurableHttpResponse(503), attempt=2)
        env.fake("call_http", TimeoutError("slow"), attempt=1)
        assert await result(env) == [200, "", 60 + 60 + 120 + 60 + 60]
    assert [(each.method, each.url) for each in seen] == [
        ("POST", URL),
        ("GET", "https://example.com/status"),
    ]
    assert seen[0].json() == {"n": 1}
    assert seen[0].headers["content-type"] == "application/json"


async def test_without_an_answer_nothing_is_sent() -> None:
    server = Server(lambda *_: pytest.fail("It was asked."))
    async with server.running() as url, TestEnvironment(app) as env:
        kind, message = await result(env, f"{url}?key=secret")
    assert kind == "MissingAnswerError"
    assert "'call_http'" in message
    assert "secret" not in message
    assert not server.connections


async def test_with_real_http_it_is_sent_by_the_rules_of_the_host() -> None:
    server = Server(lambda *_: pytest.fail("It was asked."))
    async with server.running() as url, TestEnvironment(app, real_http=True) as env:
        kind, message = await result(env, url)
        env.fake("call_http", DurableHttpResponse(200))
        assert (await result(env, url))[0] == 200
    assert kind == "HttpCallError"
    assert "127.0.0.1" in message
    assert not server.connections


@pytest.mark.parametrize("answer", ["text", 200, {"status": 200}, None])
async def test_what_is_no_response_says_so(answer: Any) -> None:
    async with TestEnvironment(app, fakes={"call_http": lambda _: answer}) as env:
        kind, message = await result(env)
    assert kind == "InvalidArgumentError"
    assert "DurableHttpResponse" in message
    with pytest.raises(InvalidArgumentError, match="DurableHttpResponse"):
        FakeContext(URL, {"call_http": lambda _: answer}).run(asks)


def test_a_fake_context_says_which_request_has_no_answer() -> None:
    context = FakeContext(f"{URL}?key=secret", {"other": 1})
    with pytest.raises(MissingAnswerError, match="POST") as raised:
        context.run(asks)
    assert "secret" not in str(raised.value)
    assert context.called[0][0] == "call_http"


async def test_the_sample_waits_until_its_job_is_done() -> None:
    answers = [
        DurableHttpResponse(503),
        DurableHttpResponse(202, {"Location": "/jobs/1", "Retry-After": "600"}),
        DurableHttpResponse(200, {}, '{"result": "HELLO!"}'),
    ]
    job = {"service": URL, "text": "hello"}
    fakes = {"call_http": lambda _: answers.pop(0)}
    async with TestEnvironment(SAMPLE, fakes=fakes) as env:
        began = env.now
        instance_id = await env.client.schedule_new_orchestration("watch_job", input=job)
        state = await env.client.wait_for_instance_completion(instance_id)
        assert state.output == "HELLO!"
        assert env.now - began >= timedelta(seconds=601)
        env.fake("call_http", DurableHttpResponse(202, {"Location": "/jobs/1"}))
        instance_id = await env.client.schedule_new_orchestration("watch_job", input=job)
        state = await env.client.wait_for_instance_completion(instance_id)
        assert state.output == "It was not done in time."


async def test_polls_pause_as_the_apps_settings_say(tmp_path: Path) -> None:
    settings = {"httpSettings": {"defaultAsyncRequestSleepTimeMilliseconds": 7000}}
    document = {"version": "2.0", "extensions": {"durableTask": settings}}
    (tmp_path / "host.json").write_text(json.dumps(document))
    (tmp_path / "function_app.py").write_text((SAMPLE / "function_app.py").read_text())
    answers = [DurableHttpResponse(202, {"Location": "/1"}), DurableHttpResponse(404, {}, "gone")]
    async with TestEnvironment(tmp_path, fakes={"call_http": lambda _: answers.pop(0)}) as env:
        began = env.now
        job = {"service": URL, "text": "hello"}
        instance_id = await env.client.schedule_new_orchestration("watch_job", input=job)
        state = await env.client.wait_for_instance_completion(instance_id)
        assert state.output == "The service answers 404: gone"
        assert env.now - began == timedelta(seconds=7)


async def test_an_activity_of_that_name_is_the_apps_own() -> None:
    own = FunctionApp()

    @own.activity_trigger()
    def call_http() -> str:
        return "real"

    @own.orchestration_trigger()
    async def calls(context: OrchestrationContext) -> str:
        return await context.call_activity(call_http)

    async with TestEnvironment(own, fakes={"call_http": "fake"}) as env:
        instance_id = await env.client.schedule_new_orchestration(calls)
        assert (await env.client.wait_for_instance_completion(instance_id)).output == "fake"
