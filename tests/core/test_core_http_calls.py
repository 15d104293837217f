"""`call_http` as orchestrators see it: what is asked, polled, tried again and given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bindings import (
    AwsSignature,
    ClientCredentials,
    DurableHttpRequest,
    DurableHttpResponse,
    InvalidArgumentError,
    OrchestrationContext,
    RetryPolicy,
    SettingToken,
    TaskFailedError,
    when_all,
    when_any,
)
from host.core.http_calls import MAX_PAUSE_S, retry_after_s
from host.testing.fake_context import FakeContext
from host.testing.manual_clock import START

URL = "https://example.com/jobs"
OK = DurableHttpResponse(200, {"Content-Type": "application/json"}, '{"done": true}')


def accepted(location: str = "/jobs/1", **headers: str) -> DurableHttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return DurableHttpResponse(202, {"Location": location, **named})


def one_by_one(*answers: Any) -> Callable[[DurableHttpRequest], Any]:
    left: Iterator[Any] = iter(answers)

    def answer(_: DurableHttpRequest) -> Any:
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found

    return answer


def asked(context: FakeContext) -> list[tuple[str, str]]:
    requests = [request for name, request in context.called if name == "call_http"]
    return [(each.method, each.url) for each in requests]


def after_s(context: FakeContext) -> float:
    return (context.now - START).total_seconds()


def calls(*arguments: Any, **named: Any) -> Callable[[OrchestrationContext], Any]:
    async def orchestrator(context: OrchestrationContext) -> Any:
        response = await context.call_http(*arguments, **named)
        return [response.status_code, response.content]

    return orchestrator


@pytest.mark.parametrize("status", [200, 204, 301, 400, 404, 429, 500, 503])
def test_an_answer_is_given_whatever_its_status(status: int) -> None:
    context = FakeContext(answers={"call_http": DurableHttpResponse(status, {}, "said")})
    assert context.run(calls("GET", URL)) == [status, "said"]
    assert asked(context) == [("GET", URL)]


def test_the_answer_is_easy_to_read() -> None:
    async def orchestrator(context: OrchestrationContext) -> Any:
        response = await context.call_http("GET", URL)
        assert response.headers["content-type"] == response.headers["Content-Type"]
        assert "CONTENT-TYPE" in response.headers
        assert "Other" not in response.headers
        assert response.headers.get("other") is None
        assert response["statusCode"] == response.status_code == 200
        assert response["content"] == response.content
        assert response.body == b'{"done": true}'
        assert response.is_success
        return response.json()

    assert FakeContext(answers={"call_http": OK}).run(orchestrator) == {"done": True}


def test_an_answer_can_be_the_result() -> None:
    async def orchestrator(context: OrchestrationContext) -> Any:
        return await context.call_http("GET", URL)

    result = FakeContext(answers={"call_http": OK}).run(orchestrator)
    assert result["status_code"] == 200
    assert result["headers"] == {"Content-Type": "application/json"}


def test_bytes_come_as_they_were_sent() -> None:
    async def orchestrator(context: OrchestrationContext) -> Any:
        response = await context.call_http("GET", URL)
        return [response.body == b"\xff\x00", response.content]

    answer = DurableHttpResponse(200, {}, raw=b"\xff\x00")
    assert FakeContext(answers={"call_http": answer}).run(orchestrator) == [True, "\ufffd\x00"]


@pytest.mark.parametrize(
    ("content", "sent", "kind"),
    [
        (None, None, None),
        ("text", "text", "text/plain; charset=utf-8"),
        (b"bytes", "bytes", "application/octet-stream"),
        ({"a": [1, None]}, '{"a":[1,null]}', "application/json"),
        ([], "[]", "application/json"),
        (0, "0", "application/json"),
    ],
)
def test_what_is_sent(content: Any, sent: str | None, kind: str | None) -> None:
    context = FakeContext(answers={"call_http": OK})
    context.run(calls("post", URL, content))
    _, request = context.called[0]
    assert (request.method, request.content) == ("POST", sent)
    assert request.headers.get("content-type") == kind


def test_the_authors_own_type_of_content_counts() -> None:
    context = FakeContext(answers={"call_http": OK})
    context.run(calls("POST", URL, {}, {"content-type": "application/x"}))
    assert context.called[0][1].headers == {"content-type": "application/x"}


def test_it_takes_what_azures_method_takes() -> None:
    context = FakeContext(answers={"call_http": OK})
    context.run(calls(method="GET", uri=URL, content="x", headers={"A": "b"}, token_source=None))
    assert asked(context) == [("GET", URL)]


def test_an_accepted_request_is_polled_until_it_is_done() -> None:
    answers = [accepted(Retry_After="5"), accepted("status?n=2"), accepted(URL, Retry_After="7")]
    context = FakeContext(answers={"call_http": one_by_one(*answers, OK)})
    assert context.run(calls("POST", URL, "content", {"X-Own": "1"}))[0] == 200
    assert asked(context) == [
        ("POST", URL),
        ("GET", f"{URL}/1"),
        ("GET", f"{URL}/status?n=2"),
        ("GET", URL),
    ]
    assert after_s(context) == 5 + 30 + 7


def test_a_poll_has_the_headers_of_the_request_but_not_those_of_its_content() -> None:
    context = FakeContext(answers={"call_http": one_by_one(accepted(), OK)})
    headers = {"Authorization": "mine", "x-functions-key": "key", "Content-Type": "text/csv"}
    context.run(calls("POST", URL, "a,b", headers, SettingToken("KEY")))
    poll = context.called[1][1]
    assert poll.headers == {"Authorization": "mine"}
    assert poll.content is None
    assert poll.token_source == SettingToken("KEY")


def test_without_polling_the_202_is_the_answer() -> None:
    context = FakeContext(answers={"call_http": accepted("javascript:alert(1)")})
    assert context.run(calls("POST", URL, poll=False))[0] == 202
    assert len(asked(context)) == 1


def test_a_202_without_a_location_is_the_answer() -> None:
    context = FakeContext(answers={"call_http": DurableHttpResponse(202)})
    assert context.run(calls("POST", URL))[0] == 202


@pytest.mark.parametrize(
    "location", ["javascript:alert(1)", "file:///x", "http://u:p@example.com/", "http://127.1/"]
)
def test_a_location_that_nobody_may_ask_ends_the_call_at_once(location: str) -> None:
    context = FakeContext(answers={"call_http": accepted(location)})
    with pytest.raises(TaskFailedError, match="is not polled") as raised:
        context.run(calls("POST", URL))
    assert raised.value.details.error_type == "HttpCallError"
    assert after_s(context) == 0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (None, None),
        ("", None),
        ("nonsense", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("0x10", None),
        ("Fri, 99 Foo 9999", None),
        ("0", 1),
        ("12", 12),
        (" 12 ", 12),
        ("999999999999999999999", MAX_PAUSE_S),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 00:00:30", 30),
        ("Wed, 31 Dec 2025 23:59:59 GMT", 1),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_PAUSE_S),
        ("Fri, 31 Dec 9999 23:59:59 -2359", MAX_PAUSE_S),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_bounds(
    said: str | None, seconds: float | None
) -> None:
    assert retry_after_s(said, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


def test_the_timeout_is_for_all_of_it() -> None:
    async def orchestrator(context: OrchestrationContext) -> str:
        try:
            await context.call_http("POST", URL, timeout=timedelta(minutes=2))
        except TimeoutError as error:
            assert str(context.current_utc_datetime - START) == "0:02:00"
            return str(error)
        return "?"

    context = FakeContext(answers={"call_http": lambda _: accepted(Retry_After="50")})
    assert "POST https://example.com/jobs" in context.run(orchestrator)
    assert len(asked(context)) == 3


def test_after_the_answer_the_timeout_holds_nobody() -> None:
    async def orchestrator(context: OrchestrationContext) -> Any:
        response = await context.call_http("GET", URL, timeout=timedelta(hours=1))
        await context.create_timer(timedelta(hours=2))
        return response.status_code

    context = FakeContext(answers={"call_http": OK})
    assert context.run(orchestrator) == 200
    assert after_s(context) == 7200


RETRY = RetryPolicy(
    first_retry_interval=timedelta(seconds=2), max_number_of_attempts=3, backoff_coefficient=2
)
BUSY = DurableHttpResponse(503, {}, "busy")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    busy = DurableHttpResponse(status)
    context = FakeContext(answers={"call_http": one_by_one(busy, ConnectionError("reset"), OK)})
    assert context.run(calls("GET", URL, retry=RETRY))[0] == 200
    assert after_s(context) == 2 + 4


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 409, 422])
def test_other_answers_are_given_at_once(status: int) -> None:
    context = FakeContext(answers={"call_http": DurableHttpResponse(status)})
    assert context.run(calls("GET", URL, retry=RETRY))[0] == status
    assert after_s(context) == 0


def test_after_the_last_try_the_status_is_the_answer() -> None:
    context = FakeContext(answers={"call_http": BUSY})
    assert context.run(calls("GET", URL, retry=RETRY)) == [503, "busy"]
    assert len(asked(context)) == 3


def test_after_the_last_try_an_error_says_what_happened() -> None:
    context = FakeContext(answers={"call_http": ConnectionError("connection refused")})
    with pytest.raises(TaskFailedError, match=r"GET https://example\.com/jobs failed") as raised:
        context.run(calls("GET", f"{URL}?key=secret", retry=RETRY))
    assert raised.value.details.error_type == "ConnectionError"
    assert "connection refused" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert len(asked(context)) == 3


def test_without_a_policy_nothing_is_tried_again() -> None:
    context = FakeContext(answers={"call_http": TimeoutError("slow")})
    with pytest.raises(TaskFailedError, match="slow"):
        context.run(calls("GET", URL))
    assert len(asked(context)) == 1


def test_the_server_says_how_long_a_pause_is_at_least() -> None:
    later = DurableHttpResponse(429, {"Retry-After": "60"})
    sooner = DurableHttpResponse(429, {"Retry-After": "1"})
    context = FakeContext(answers={"call_http": one_by_one(later, sooner, OK)})
    assert context.run(calls("GET", URL, retry=RETRY))[0] == 200
    assert after_s(context) == 60 + 4


def test_each_poll_has_its_own_tries() -> None:
    answers = [BUSY, BUSY, accepted(Retry_After="1"), BUSY, BUSY, OK]
    context = FakeContext(answers={"call_http": one_by_one(*answers)})
    assert context.run(calls("POST", URL, retry=RETRY))[0] == 200
    assert [method for method, _ in asked(context)] == ["POST"] * 3 + ["GET"] * 3


def test_the_policys_own_judgement_is_asked() -> None:
    seen: list[str] = []

    def handle(failure: Any) -> bool:
        seen.append(failure.message)
        return False

    policy = RetryPolicy(timedelta(seconds=1), 5, handle=handle)
    context = FakeContext(answers={"call_http": BUSY})
    assert context.run(calls("GET", URL, retry=policy))[0] == 503
    assert seen == ["The answer was 503."]


def test_calls_run_together_and_against_each_other() -> None:
    async def orchestrator(context: OrchestrationContext) -> Any:
        one, other = context.call_http("GET", URL), context.call_http("POST", URL)
        both = await when_all([one, other])
        slow = context.call_http("PUT", URL)
        timer = context.create_timer(timedelta(seconds=3))
        first = await when_any([slow, timer])
        return [each.status_code for each in both], first is timer

    def answer(request: DurableHttpRequest) -> DurableHttpResponse:
        return accepted(request.url) if request.method == "PUT" else OK

    assert FakeContext(answers={"call_http": answer}).run(orchestrator) == [[200, 200], True]


def test_generators_call_it_as_well() -> None:
    def orchestrator(context: OrchestrationContext) -> Any:
        response = yield context.call_http("GET", URL)
        return response.status_code

    assert FakeContext(answers={"call_http": OK}).run(orchestrator) == 200


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("GET",), {}),
        (("GET", URL), {"uri": URL}),
        ((None, URL), {}),
        (("GET /", URL), {}),
        (("CONNECT", URL), {}),
        (("GET", 5), {}),
        (("GET", "/relative"), {}),
        (("GET", "ftp://example.com"), {}),
        (("GET", "https://u:p@example.com"), {}),
        (("GET", URL), {"headers": "X: y"}),
        (("GET", URL), {"headers": {"X": 5}}),
        (("GET", URL), {"headers": {"X Y": "z"}}),
        (("GET", URL), {"headers": {"X": "a\r\nY: b"}}),
        (("GET", URL), {"headers": {"Host": "other"}}),
        (("GET", URL), {"headers": {"content-length": "5"}}),
        (("GET", URL), {"headers": {"X": "1", "x": "2"}}),
        (("GET", URL), {"token_source": "secret"}),
        (("GET", URL), {"retry": 3}),
        (("GET", URL), {"timeout": 3}),
        (("GET", URL), {"timeout": timedelta(0)}),
        (("GET", URL), {"poll": "no"}),
        (("POST", URL, "\ud800"), {}),
    ],
)
def test_what_is_no_request_is_refused_where_it_is_written(
    arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    context = FakeContext(answers={"call_http": OK})
    with pytest.raises(InvalidArgumentError):
        context.run(calls(*arguments, **named))
    assert not context.called


def test_a_secret_that_is_no_header_is_not_shown() -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        FakeContext().run(calls("GET", URL, headers={"Authorization": "secret\n"}))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SettingToken(""),
        lambda: SettingToken(None),  # type: ignore[arg-type]
        lambda: AwsSignature("s3", ""),
        lambda: ClientCredentials("https://example.com", "id", " "),
    ],
)
def test_a_token_source_has_all_its_parts(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="is a text"):
        make()
