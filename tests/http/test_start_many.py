"""Many instances are started by one request: a line each, answered in order, whatever is wrong."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest

from bindings import DurableClient, NewOrchestration, RemoteClient
from tests.http.hosting import MAX_PAYLOAD, WEBHOOKS, Host

NDJSON = {"Content-Type": "application/x-ndjson"}
ROOM = 65_536


async def start(
    host: Host, body: Any, *, name: str = "echo", query: str = "", headers: Any = NDJSON
) -> tuple[int, list[dict[str, Any]]]:
    response = await host.call(
        "POST", f"orchestrators/{name}{query}", data=body, headers={**NDJSON, **headers}
    )
    return response.status, [json.loads(line) for line in (await response.read()).splitlines()]


def lines(*items: object) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in items).encode()


async def output(host: Host, instance_id: str) -> Any:
    return (await host.hub.wait_for_instance_completion(instance_id)).output


async def test_each_line_starts_one(host: Host) -> None:
    body = lines({"instanceId": "a", "input": [1]}, {}, {"input": {"x": "ä"}})
    status, answers = await start(host, body.rstrip())
    assert (status, answers[0]) == (200, {"instanceId": "a"})
    ids = [each["instanceId"] for each in answers]
    assert [await output(host, each) for each in ids] == [[1], None, {"x": "ä"}]


async def test_what_the_query_says_is_for_all_and_a_line_adds_tags(host: Host) -> None:
    body = lines({"instanceId": "a", "tags": {"k": "own", "m": "1"}}, {"instanceId": "b"})
    await start(host, body, query="?tag=k:all&tag=n:2&version=3&startAt=3600s")
    a, b = await host.hub.get_instance("a"), await host.hub.get_instance("b")
    assert a is not None
    assert b is not None
    assert (a.tags, b.tags) == ({"k": "own", "n": "2", "m": "1"}, {"k": "all", "n": "2"})
    assert (a.version, a.runtime_status, a.scheduled_start_at is not None) == ("3", "Pending", True)


BAD: Sequence[tuple[bytes, int, str]] = [
    (b"{", 400, "InvalidArgumentError"),
    (b"7", 400, "InvalidArgumentError"),
    (b'{"inputs": 1}', 400, "InvalidArgumentError"),
    (b'{"instanceId": 7}', 400, "InvalidArgumentError"),
    (b'{"instanceId": "a/b"}', 400, "InvalidArgumentError"),
    (b'{"instanceId": "\\ud800"}', 400, "InvalidArgumentError"),
    (b'{"tags": {"k": 1}}', 400, "InvalidArgumentError"),
    (b'{"input": NaN}', 400, "InvalidArgumentError"),
    (b'{"input": ' + b"[" * 300 + b"]" * 300 + b"}", 400, "SerializationError"),
    (b'{"input": ' + b"[" * 9000 + b"]" * 9000 + b"}", 400, "InvalidArgumentError"),
    (b'{"input": "\xff"}', 400, "SerializationError"),
    (b'{"input": "' + b"x" * MAX_PAYLOAD + b'"}', 413, "PayloadTooLargeError"),
    (b'{"input": "' + b"x" * (MAX_PAYLOAD + ROOM) + b'"}', 413, "PayloadTooLargeError"),
    (b'{"instanceId": "taken"}', 409, "InstanceAlreadyExistsError"),
]


@pytest.mark.parametrize(("line", "status", "kind"), BAD)
async def test_a_bad_line_is_answered_by_its_number_and_stops_nothing(
    host: Host, line: bytes, status: int, kind: str
) -> None:
    await host.start("waiting", instance_id="taken")
    body = lines({"instanceId": "a"}) + b"\n  \r\n" + line + b"\r\n" + lines({"instanceId": "b"})
    code, (first, bad, last) = await start(host, body)
    assert (code, first, last) == (200, {"instanceId": "a"}, {"instanceId": "b"})
    assert (bad["line"], bad["status"], bad["type"]) == (4, status, kind)
    assert bad["error"]


async def test_a_file_with_a_key_that_is_sent_again_starts_nothing_twice(host: Host) -> None:
    body = lines({"input": 1}, {"input": 1}, {"instanceId": "a"})
    first = await start(host, body, headers={"Idempotency-Key": "k"})
    await asyncio.gather(*[output(host, each["instanceId"]) for each in first[1]])
    again = await start(host, body, headers={"Idempotency-Key": "k"})
    assert again[1] == [each | {"replayed": True} for each in first[1]]
    assert sum((await host.hub.count_instances()).values()) == 3
    other = await start(host, body, headers={"Idempotency-Key": "l"})
    assert other[1][0] != first[1][0]


async def test_lines_are_begun_and_answered_while_others_are_still_to_come(host: Host) -> None:
    answered: asyncio.Queue[bytes] = asyncio.Queue()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"instanceId": "a"}\n{"instan'
        assert json.loads(await answered.get()) == {"instanceId": "a"}
        yield b'ceId": "b"}\n'
        assert json.loads(await answered.get()) == {"instanceId": "b"}

    response = await host.http.request(
        "POST", f"{WEBHOOKS}/orchestrators/echo", data=body(), headers=NDJSON
    )
    async for line in response.content:
        answered.put_nowait(line)
    assert answered.empty()


async def test_a_client_that_hangs_up_leaves_what_was_answered_started(host: Host) -> None:
    forever = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"instanceId": "a"}\n{"instanceId": '
        await forever.wait()

    response = await host.http.request(
        "POST", f"{WEBHOOKS}/orchestrators/echo", data=body(), headers=NDJSON
    )
    assert json.loads(await response.content.readline()) == {"instanceId": "a"}
    response.close()
    assert await output(host, "a") is None
    assert (await start(host, lines({"instanceId": "b"})))[1] == [{"instanceId": "b"}]


async def test_a_packed_body_is_unpacked(host: Host) -> None:
    items = [{"instanceId": f"i{number}"} for number in range(600)]
    packed = {"Content-Encoding": "gzip"}
    status, answers = await start(host, gzip.compress(lines(*items)), headers=packed)
    assert (status, answers) == (200, items)
    torn = gzip.compress(lines(*items))[:-9]
    assert (await start(host, torn, headers=packed))[1][-1]["status"] == 400
    _, (answer,) = await start(host, b"x", headers={"Content-Encoding": "br"})
    assert (answer["line"], answer["status"]) == (1, 415)


@pytest.mark.parametrize(
    ("name", "query", "status"),
    [
        ("nobody", "", 400),
        ("echo", "?startAt=soon", 400),
        ("echo", "?reuse=maybe", 400),
        ("echo", "?tag=x", 400),
        ("echo", "?timeout=1&pollingInterval=1", 400),
        ("echo/id", "", 400),
    ],
)
async def test_what_is_wrong_for_all_is_refused_before_anything_is_started(
    host: Host, name: str, query: str, status: int
) -> None:
    response = await host.call(
        "POST", f"orchestrators/{name}{query}", data=lines({"instanceId": "a"}), headers=NDJSON
    )
    assert response.status == status
    assert (await response.json())["Message"]
    assert await host.hub.get_instance("a") is None


async def test_without_a_line_nothing_is_answered(host: Host) -> None:
    assert await start(host, b"") == (200, [])
    assert await start(host, b"\n\n \n") == (200, [])


async def test_a_client_of_http_1_0_is_told_that_it_cannot_be(host: Host) -> None:
    async with aiohttp.ClientSession(version=aiohttp.HttpVersion10) as session:
        response = await session.post(
            f"{host.origin}/runtime/webhooks/durabletask/orchestrators/echo",
            data=b"{}",
            headers=NDJSON,
        )
        assert response.status == 400


@pytest.mark.parametrize("is_remote", [False, True])
async def test_items_that_come_one_by_one_are_started_one_by_one(
    host: Host, is_remote: bool
) -> None:
    seen = asyncio.Event()

    async def items() -> AsyncIterator[NewOrchestration]:
        yield NewOrchestration(instance_id="a")
        await seen.wait()
        yield NewOrchestration(instance_id="b")

    async with RemoteClient(host.origin) as remote:
        client: DurableClient = remote if is_remote else host.hub
        ids = []
        async for outcome in client.schedule_many("echo", items()):
            seen.set()
            ids.append(outcome.instance_id)
    assert ids == ["a", "b"]


@pytest.mark.parametrize("is_remote", [False, True])
async def test_items_that_fail_are_their_own_error(host: Host, is_remote: bool) -> None:
    async def items() -> AsyncIterator[NewOrchestration]:
        yield NewOrchestration(instance_id="a")
        raise ZeroDivisionError

    async with RemoteClient(host.origin) as remote:
        client: DurableClient = remote if is_remote else host.hub
        with pytest.raises(ZeroDivisionError):
            async for _ in client.schedule_many("echo", items()):
                pass
    assert await output(host, "a") is None
