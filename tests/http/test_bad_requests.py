"""Bad input over real HTTP: always a 4xx that says why, never a 5xx."""

from __future__ import annotations

import asyncio
import gzip
import logging
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from bindings import HttpRequest, RequestBodyError
from tests.http.hosting import MAX_PAYLOAD, WEBHOOKS, Host

JSON = {"Content-Type": "application/json"}
BAD_JSON = [
    b"{",
    b"NaN",
    b"[Infinity]",
    b'"\\ud800"',
    b"\xff",
    b"1 2",
    b"'a'",
    b"[" * 50_000 + b"]" * 50_000,
    b"[" * 50_000,
]
BAD_IDS = ["@entity", "a/b", "a\\b", "a#b", "a?b", "a\nb", "a\x7fb", "x" * 257]


@pytest.fixture(autouse=True)
def nothing_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    errors = [each for each in caplog.get_records("call") if each.levelno >= logging.ERROR]
    assert [each.getMessage() for each in errors if not each.name.startswith("aiohttp")] == []


@pytest.mark.parametrize("body", BAD_JSON, ids=range(len(BAD_JSON)))
async def test_a_start_with_bad_json_is_refused(host: Host, body: bytes) -> None:
    response = await host.call("POST", "orchestrators/echo", data=body)
    error = await response.json()
    assert response.status == 400
    assert error["Message"] == "Invalid JSON content"
    assert error["ExceptionMessage"]


@pytest.mark.parametrize("body", BAD_JSON, ids=range(len(BAD_JSON)))
async def test_an_event_with_bad_json_is_refused(host: Host, body: bytes) -> None:
    path = f"instances/{await host.waiting()}/raiseEvent/go"
    response = await host.call("POST", path, data=body, headers=JSON)
    assert response.status == 400
    assert (await response.json())["Message"] == "Invalid JSON content"


@pytest.mark.parametrize("body", [*BAD_JSON, b"[1e999]"], ids=range(len(BAD_JSON) + 1))
async def test_bad_json_for_a_function_that_asks_for_json_is_refused(
    host: Host, body: bytes
) -> None:
    response = await host.call("POST", "/api/start/echo", data=body)
    assert response.status == 400
    assert "The request's body is not JSON: " in (await response.json())["Message"]


def test_a_function_may_deal_with_bad_json_itself() -> None:
    request = HttpRequest(method="POST", url="http://localhost/api/x", body=b"{")
    with pytest.raises(ValueError, match="is not JSON"):
        request.json()
    with pytest.raises(RequestBodyError):
        request.get_json()


async def test_numbers_of_any_size_survive(host: Host) -> None:
    digits = b"1" * 400
    response = await host.call("POST", "orchestrators/echo/big", data=digits)
    assert response.status == 202
    assert (await host.hub.wait_for_instance_completion("big")).output == int(digits)
    status = await host.call("GET", "instances/big")
    assert (await status.text()).count(digits.decode()) == 2


async def test_nested_json_is_taken_or_refused_but_never_breaks_the_status(host: Host) -> None:
    for depth in (50, 100, 150, 190, 200, 250, 500, 1000):
        body = b"[" * depth + b"]" * depth
        response = await host.call("POST", f"orchestrators/echo/deep{depth}", data=body)
        assert response.status in {202, 400}
        if response.status == 202:
            await host.hub.wait_for_instance_completion(f"deep{depth}")
            assert (await host.call("GET", f"instances/deep{depth}")).status == 200
            assert (await host.call("GET", "instances")).status == 200


@pytest.mark.parametrize("instance_id", BAD_IDS, ids=range(len(BAD_IDS)))
async def test_a_start_with_an_impossible_id_is_refused(host: Host, instance_id: str) -> None:
    response = await host.call("POST", f"orchestrators/echo/{quote(instance_id, safe='')}")
    assert response.status == 400
    assert "instance id" in (await response.json())["ExceptionMessage"]


@pytest.mark.parametrize("instance_id", BAD_IDS, ids=range(len(BAD_IDS)))
async def test_an_impossible_id_is_an_unknown_one(host: Host, instance_id: str) -> None:
    path = f"instances/{quote(instance_id, safe='')}"
    assert (await host.call("GET", path)).status == 404
    assert (await host.call("DELETE", path)).status == 404
    assert (await host.call("POST", f"{path}/terminate")).status == 404


@pytest.mark.parametrize("path", ["%ff", "%C3", "%ED%A0%80"])
async def test_a_path_that_is_no_text_is_refused(host: Host, path: str) -> None:
    status = await raw_status(host, f"GET {WEBHOOKS}/instances/{path} HTTP/1.1")
    assert status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "instances/{id}?showHistory=maybe"),
        ("GET", "instances/{id}?showInput=2"),
        ("GET", "instances/{id}?returnInternalServerErrorOnFailure=x"),
        ("GET", "instances?runtimeStatus=Runing"),
        ("GET", "instances?runtimeStatus=Completed,%20nope"),
        ("GET", "instances?createdTimeFrom=yesterday"),
        ("GET", "instances?createdTimeTo=2026-13-01"),
        ("GET", "instances?top=0"),
        ("GET", "instances?top=-1"),
        ("GET", "instances?top=ten"),
        ("GET", "instances?showInput=perhaps"),
        ("GET", "instances?a=%ff"),
        ("DELETE", "instances?createdTimeFrom=2026-01-01&createdTimeTo=later"),
        ("DELETE", "instances?createdTimeFrom=2026-01-01&runtimeStatus=Running"),
        ("DELETE", "instances?createdTimeFrom=2026-01-01&runtimeStatus=nope"),
        ("POST", "orchestrators/echo?timeout=soon&pollingInterval=1"),
        ("POST", "orchestrators/echo?timeout=1&pollingInterval=nan"),
        ("POST", "orchestrators/echo?timeout=1&pollingInterval=2"),
        ("POST", "orchestrators/echo?timeout=-1&pollingInterval=-2"),
        ("POST", "orchestrators/echo?timeout=1e300&pollingInterval=1"),
        ("POST", "instances/{id}/restart?restartWithNewInstanceId=x"),
        ("POST", "instances/{id}/restart?timeout=1&pollingInterval=x"),
        ("GET", "instances/{id}?taskHub=AnotherHub"),
        ("POST", "instances/{id}/terminate?taskHub=AnotherHub"),
        ("POST", "instances/{id}/raiseEvent/" + "x" * 2000),
    ],
)
async def test_a_value_that_cannot_be_read_is_refused(host: Host, method: str, path: str) -> None:
    path = path.format(id=await host.waiting())
    response = await host.call(method, path, headers=JSON)
    assert response.status == 400
    assert (await response.json()).keys() & {"ExceptionMessage", "Message"}
    assert (await host.call("GET", "instances")).status == 200


async def test_a_continuation_token_that_is_none_is_refused(host: Host) -> None:
    await host.ended()
    nested = b"\x93\xc4\x00\x92\x00\xa0" + b"\x91" * 5000 + b"\xc0"
    for token in ("nonsense", "%00", "é", "9" * 5000, b64encode(nested).decode()):
        headers = {"x-ms-continuation-token": token}
        response = await host.call("GET", "instances", headers=headers)
        assert response.status == 400, token


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("orchestrators/echo", "POST"),
        ("orchestrators/echo/id", "POST"),
        ("instances", "GET, HEAD, DELETE"),
        ("instances/id", "GET, HEAD, DELETE"),
        ("instances/id/raiseEvent/go", "POST"),
        ("instances/id/terminate", "POST"),
        ("instances/id/suspend", "POST"),
        ("instances/id/resume", "POST"),
        ("instances/id/restart", "POST"),
        ("instances/id/rewind", "POST"),
        ("/admin/functions", "GET, HEAD"),
    ],
)
async def test_a_wrong_verb_is_told_the_right_ones(host: Host, path: str, allowed: str) -> None:
    for method in {"GET", "PUT", "PATCH", "POST", "DELETE", "OPTIONS"} - set(allowed.split(", ")):
        response = await host.call(method, path)
        assert (response.status, response.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nothing",
        "orchestrators",
        "orchestrators/echo/id/more",
        "instances/id/raiseEvent",
        "instances/id/raiseEvent/go/on",
        "instances/id/explode",
        "instances//terminate/x",
        "entities/counter/1/2",
        "/runtime",
        "/runtime/webhooks",
        "/runtime/webhooks/other/instances",
        "/admin",
        "/admin/nothing",
        "/nothing",
        "/api",
        "/api/nothing",
    ],
)
async def test_an_unknown_path_is_404_for_every_verb(host: Host, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "PUT"):
        assert (await host.call(method, path)).status == 404


async def test_a_body_over_the_limit_is_refused(host: Host) -> None:
    body = b'"' + b"x" * MAX_PAYLOAD + b'"'
    for path in ("orchestrators/echo", f"instances/{await host.waiting()}/raiseEvent/go"):
        response = await host.call("POST", path, data=body, headers=JSON)
        assert response.status == 413
        assert "maxPayloadBytes" in (await response.json())["ExceptionMessage"]


async def test_a_body_of_unknown_length_over_the_limit_is_refused(host: Host) -> None:
    async def endless() -> object:
        for _ in range(MAX_PAYLOAD // 1000 + 1):
            yield b"x" * 1000

    response = await host.call("POST", "orchestrators/echo", data=endless())
    assert response.status == 413


async def test_a_compressed_body_is_measured_as_it_unpacks(host: Host) -> None:
    headers = {"Content-Encoding": "gzip", **JSON}
    small, bomb = gzip.compress(b'"hi"'), gzip.compress(b" " * (MAX_PAYLOAD * 20))
    fine = await host.call("POST", "orchestrators/echo/zip", data=small, headers=headers)
    assert fine.status == 202
    assert (await host.hub.wait_for_instance_completion("zip")).output == "hi"
    large = await host.call("POST", "orchestrators/echo", data=bomb, headers=headers)
    assert large.status == 413


async def test_a_body_that_is_not_encoded_as_it_says_is_refused(host: Host) -> None:
    headers = {"Content-Encoding": "gzip", **JSON}
    response = await host.call("POST", "orchestrators/echo", data=b"no gzip", headers=headers)
    assert response.status == 400


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\nHost: a b",
        "GET / HTTP/1.1\r\nHost:",
        "GET * HTTP/1.1",
        "NONSENSE",
        "GET /healthz",
        "GET /healthz HTTP/0.9",
        "GET /healthz HTTP/2.0",
        "POST /x HTTP/1.1\r\nContent-Length: x",
        "POST /healthz HTTP/1.1\r\nExpect: nonsense",
        "POST /healthz HTTP/1.1\r\nExpect: \udcff",
        "POST /x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
    ],
)
async def test_a_broken_request_gets_a_4xx(host: Host, head: str) -> None:
    assert 400 <= await raw_status(host, head) < 500


async def test_a_client_that_asks_first_is_told_to_send_its_body(host: Host) -> None:
    start = f"POST {WEBHOOKS}/orchestrators/echo HTTP/1.1\r\nContent-Length: 2"
    assert await raw_status(host, f"{start}\r\nExpect: 100-Continue") == 100


async def test_a_client_whose_body_nobody_wants_is_answered_at_once(host: Host) -> None:
    head = "POST {} HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-Continue"
    assert await raw_status(host, head.format("/healthz")) == 200
    assert await raw_status(host, head.format("/nothing")) == 404


async def raw_status(host: Host, head: str) -> int:
    """Send a request that no client would, and give the status."""
    reader, writer = await asyncio.open_connection(host.http.host, host.http.port)
    if "Host:" not in head:
        head += f"\r\nHost: localhost:{host.http.port}"
    writer.write(head.encode(errors="surrogateescape") + b"\r\nConnection: close\r\n\r\n")
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])
