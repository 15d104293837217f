"""Forks, exports and imports over HTTP: in lines, as they come, and hostile until checked."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bindings import OrchestrationQuery, RemoteClient, RuntimeStatus, SyncRemoteClient
from tests.http.hosting import MAX_PAYLOAD, WEBHOOKS, Host, running_host


async def lines(host: Host, path: str, verb: str = "GET") -> list[bytes]:
    response = await host.call(verb, path)
    assert response.status == 200, await response.text()
    assert response.content_type == "application/x-ndjson"
    return (await response.read()).splitlines(keepends=True)


async def imported(host: Host, data: Any, query: str = "", **options: Any) -> list[dict[str, Any]]:
    response = await host.call("POST", f"import{query}", data=data, **options)
    assert response.status == 200, await response.text()
    return [json.loads(line) for line in (await response.read()).splitlines()]


async def said(host: Host, instance_id: str) -> dict[str, Any]:
    return dict(await (await host.call("GET", f"instances/{instance_id}")).json())


# ---- forks ---------------------------------------------------------------------------------------


async def test_a_fork_is_started_and_its_links_are_given(host: Host) -> None:
    origin = await host.ended("failing")
    response = await host.call("POST", f"instances/{origin}/fork", json={"instanceId": "f"})
    assert response.status == 202
    links = await response.json()
    assert links["id"] == "f"
    assert response.headers["Location"] == links["statusQueryGetUri"]
    state = await host.hub.wait_for_instance_completion("f")
    assert state.runtime_status is RuntimeStatus.FAILED


async def test_the_history_numbers_its_events_for_forks(host: Host) -> None:
    origin = await host.ended("shouting", "a")
    response = await host.call("GET", f"instances/{origin}?showHistory=true")
    events = (await response.json())["historyEvents"]
    numbers = {each["EventType"]: each["sequence"] for each in events}
    raw = await host.hub.get_instance_history(origin)
    assert {kind: raw[number - 1]["EventType"] for kind, number in numbers.items()} == {
        kind: kind for kind in numbers
    }
    for number in numbers.values():
        response = await host.call("POST", f"instances/{origin}/fork", json={"afterEvent": number})
        forked = (await response.json())["id"]
        assert (await host.hub.wait_for_instance_completion(forked)).output == "A"


async def test_an_input_may_be_another_one_and_may_be_null(host: Host) -> None:
    origin = await host.ended("echo", 1)
    for given, value in ((b"[1.0,2]", [1.0, 2]), (b"null", None)):
        body = b'{"afterEvent": 0, "input": %s}' % given
        response = await host.call("POST", f"instances/{origin}/fork", data=body)
        forked = (await response.json())["id"]
        assert (await host.hub.wait_for_instance_completion(forked)).output == value


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"1",
        b"{",
        b'{"afterEvents": 1}',
        b'{"afterEvent": -1}',
        b'{"afterEvent": "1"}',
        b'{"afterEvent": 1.5}',
        b'{"afterEvent": 99}',
        b'{"afterEvent": 10000000000000000000000}',
        b'{"afterEvent": 0, "instanceId": "a/b"}',
        b'{"afterEvent": 0, "instanceId": ""}',
        b'{"afterEvent": 0, "instanceId": 7}',
        b'{"afterEvent": 0, "input": NaN}',
        b'{"afterEvent": 1, "input": 1}',
        b"",
    ],
)
async def test_a_fork_that_cannot_be_meant_is_400(host: Host, body: bytes) -> None:
    origin = await host.ended("echo", 1)
    response = await host.call("POST", f"instances/{origin}/fork", data=body)
    assert response.status == 400, await response.text()


async def test_a_fork_of_nobody_is_404_and_one_onto_another_409(host: Host) -> None:
    assert (await host.call("POST", "instances/nobody/fork", json={})).status == 404
    origin = await host.ended("failing")
    response = await host.call("POST", f"instances/{origin}/fork", json={"instanceId": origin})
    assert response.status == 409


# ---- from hub to hub -----------------------------------------------------------------------------


async def test_what_is_exported_is_imported(host: Host) -> None:
    ended, waiting = await host.ended("echo", 1), await host.waiting()
    found = await lines(host, "export")
    async with running_host() as other:
        answers = await imported(other, b"".join(found))
        assert {(x["instanceId"], x["status"]) for x in answers} == {
            (ended, "imported"),
            (waiting, "imported"),
        }
        assert [x["line"] for x in answers] == [1, 2]
        assert await said(other, ended) == await said(host, ended)
        await other.hub.raise_event(waiting, "go", "on")
        assert (await other.hub.wait_for_instance_completion(waiting)).output == "on"


async def test_the_last_line_says_how_many_there_are_and_is_imported_like_any(host: Host) -> None:
    await host.ended("echo", 1)
    await host.waiting()
    first, last = await lines(host, "export")
    assert b"exported" not in first
    assert json.loads(last)["exported"] == 2
    (alone,) = await lines(host, "export?runtimeStatus=Running")
    assert json.loads(alone)["exported"] == 1
    assert await lines(host, "export?runtimeStatus=Failed") == []
    async with running_host() as other:
        said = await imported(other, first + last)
        assert [each["status"] for each in said] == ["imported", "imported"]


async def test_filters_and_one_alone(host: Host) -> None:
    ended, waiting = await host.ended("echo", 1), await host.waiting()
    (one,) = await lines(host, "export?runtimeStatus=Running")
    assert json.loads(one)["instance"]["instance_id"] == waiting
    (one,) = await lines(host, f"instances/{ended}/export")
    assert json.loads(one)["instance"]["instance_id"] == ended
    assert await lines(host, "export?name=nobody") == []
    assert (await host.call("GET", "instances/nobody/export")).status == 404
    assert (await host.call("GET", "export?runtimeStatus=Odd")).status == 400
    assert (await host.call("GET", "export?move=maybe")).status == 400
    assert (await host.call("POST", "import?suspended=maybe", data=b"")).status == 400


async def test_a_move_ends_it_here(host: Host) -> None:
    waiting = await host.waiting()
    found = await lines(host, f"instances/{waiting}/export?move=true", "POST")
    assert (await host.hub.wait_for_instance_completion(waiting)).output == "Moved by an export."
    async with running_host() as other:
        await imported(other, b"".join(found), "?suspended=true")
        await other.until(waiting, "Suspended")


async def test_found_no_get_moves_and_a_post_says_that_it_does(host: Host) -> None:
    waiting = await host.waiting()
    for path in ("export", f"instances/{waiting}/export"):
        for verb in ("GET", "HEAD"):
            asked = await host.call(verb, f"{path}?move=true")
            assert asked.status == 400
            assert verb == "HEAD" or "send a POST" in await asked.text()
        for query in ("", "?move=false"):
            refused = await host.call("POST", path + query)
            assert (refused.status, "move=true" in await refused.text()) == (400, True)
    assert (await said(host, waiting))["runtimeStatus"] == "Running"
    (line,) = await lines(host, "export?move=true", "POST")
    assert json.loads(line)["instance"]["instance_id"] == waiting
    assert (await host.hub.wait_for_instance_completion(waiting)).output == "Moved by an export."


async def test_each_line_has_an_answer_of_its_own(host: Host) -> None:
    ended = await host.ended("echo", 1)
    (good,) = await lines(host, f"instances/{ended}/export")
    await host.hub.purge_instance(ended)
    body = b"\n".join(
        [b"{", b"  ", good.strip(), good.strip(), b'{"format":9}', b"\xff", good.strip()[:-5]]
    )
    answers = await imported(host, body)
    assert [(x["line"], x["status"]) for x in answers if x["line"] not in {3, 4}] == [
        (1, "refused"),
        (5, "refused"),
        (6, "refused"),
        (7, "refused"),
    ]
    assert {x["status"] for x in answers if x["line"] in {3, 4}} == {"imported", "exists"}
    assert all("error" in x for x in answers if x["status"] != "imported")
    assert await imported(host, b"") == []


async def test_a_line_without_an_end_is_refused_and_the_rest_is_read(host: Host) -> None:
    ended = await host.ended("echo", 1)
    (good,) = await lines(host, f"instances/{ended}/export")
    await host.hub.purge_instance(ended)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"x" * 1_000_000
        yield b"\n" + good

    first, second = await imported(host, body())
    assert (first["line"], first["status"]) == (1, "refused")
    assert "67,108,864 bytes" in first["error"]
    assert (second["line"], second["status"]) == (2, "imported")


async def test_found_among_many_refused_lines_the_good_ones_are_imported(host: Host) -> None:
    origin = await host.ended("echo", 5)
    (line,) = await lines(host, f"instances/{origin}/export")
    await host.call("DELETE", f"instances/{origin}")
    bad = [b"{}\n", b'{"format":1,"instance":{"instance_id":"q"}}\n', b"[\n"] * 50
    answers = await imported(host, b"".join((*bad, line, *bad, line)))
    places = {each["status"]: each["line"] for each in answers if each["status"] != "refused"}
    assert places == {"imported": 151, "exists": 302}
    assert [each["line"] for each in answers] == list(range(1, 303))
    assert [each["instanceId"] for each in answers[148:153]] == ["q", None, origin, None, "q"]
    assert all(each["error"] for each in answers if each["status"] == "refused")


async def test_a_large_payload_is_refused(host: Host) -> None:
    ended = await host.ended("echo", "x")
    (good,) = await lines(host, f"instances/{ended}/export")
    large = json.loads(good)
    large["instance"]["input"] = json.dumps("x" * MAX_PAYLOAD)
    large["instance"]["instance_id"] = "large"
    (answer,) = await imported(host, json.dumps(large))
    assert answer["status"] == "refused"
    assert answer["instanceId"] == "large"
    assert await host.hub.get_instance("large") is None


async def test_a_packed_import_is_unpacked(host: Host) -> None:
    ended = await host.ended("echo", 1)
    (good,) = await lines(host, f"instances/{ended}/export")
    await host.hub.purge_instance(ended)
    packed = {"Content-Encoding": "gzip"}
    (answer,) = await imported(host, gzip.compress(good), headers=packed)
    assert answer["status"] == "imported"
    (answer,) = await imported(host, b"no gzip", headers=packed)
    assert answer["status"] == "failed"
    response = await host.call("POST", "import", data=b"", headers={"Content-Encoding": "br"})
    assert (await response.read()).count(b"failed") == 1


async def test_answers_come_while_lines_are_sent(host: Host) -> None:
    ended = await host.ended("echo", 1)
    (good,) = await lines(host, f"instances/{ended}/export")
    has_answered = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield good
        await has_answered.wait()
        yield b"{\n"

    url = "/runtime/webhooks/durabletask/import"
    async with host.http.session.post(url, data=body()) as response:
        first = await response.content.readline()
        assert json.loads(first)["status"] == "exists"
        has_answered.set()
        assert json.loads(await response.content.readline())["line"] == 2


@pytest.mark.parametrize("path", ["import", "orchestrators/echo"])
async def test_found_a_line_that_trickles_is_cut_off_and_slow_lines_are_not(
    host: Host, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("host.http.bodies._PACE_S", 0.0)  # nothing that is owed is in time
    client = await host.raw.connect()
    lines_ = ("Transfer-Encoding: chunked", "Content-Type: application/x-ndjson")
    await client.send_head("POST", f"{WEBHOOKS}/{path}", *lines_)
    for number in range(3):  # each line is whole when it comes, whenever that is
        await client.send(b"3\r\n[]\n\r\n")
        assert number or await client.status() == 200
        assert b'"line":' in await client.chunk()
    await client.send(b"1\r\n{\r\n")
    last = await client.chunk()
    assert b"did not come in time" in last
    assert b'"line":4' in last
    await client.closed()


async def test_many_are_exported_and_imported_in_lines(host: Host) -> None:
    for number in range(150):
        await host.hub.schedule_new_orchestration("echo", input=number, instance_id=f"{number}")
    for number in range(150):
        await host.hub.wait_for_instance_completion(f"{number}")
    found = await lines(host, "export")
    assert len(found) == 150
    async with running_host() as other:
        answers = await imported(other, b"".join(found))
        assert [x["status"] for x in answers] == ["imported"] * 150
        assert sum((await other.hub.count_instances()).values()) == 150


async def test_only_a_key_opens_them(locked: Host) -> None:
    for verb, path in (
        ("GET", "export"),
        ("POST", "export?move=true"),
        ("POST", "import"),
        ("GET", "instances/i/export"),
        ("POST", "instances/i/export?move=true"),
    ):
        assert (await locked.call(verb, path)).status == 401


@pytest.mark.parametrize("kind", ["hub", "remote", "sync"])
async def test_the_clients_do_the_same(host: Host, kind: str) -> None:
    ended, waiting = await host.ended("failing"), await host.waiting()
    async with running_host() as other:
        if kind == "sync":
            await asyncio.to_thread(_with_sync, host.origin, other.origin, ended, waiting)
            return
        remote = RemoteClient(host.origin), RemoteClient(other.origin)
        one, two = (host.hub, other.hub) if kind == "hub" else remote
        forked = await one.fork_instance(ended, new_instance_id="f")
        assert forked == "f"
        found = [x async for x in one.export_instances(OrchestrationQuery(name="failing"))]
        found += [x async for x in one.export_instance(waiting, move=True)]
        answers = [x async for x in two.import_instances(found, suspended=True)]
        assert [x.status for x in answers] == ["imported"] * 3
        (again,) = [x async for x in two.import_instances(found[:1])]
        assert (again.status, again.line) == ("exists", 1)
        for each in remote:
            await each.close()


async def test_found_lines_to_import_may_be_texts_and_lack_their_ends(host: Host) -> None:
    async def some() -> AsyncIterator[bytes]:
        yield b"{}"
        yield b"[]"

    async with RemoteClient(host.origin) as remote:
        for client in (host.hub, remote):
            for lines in (["{}", "[]"], [b"{}", b"[]"], some()):
                said = client.import_instances(lines)  # type: ignore[arg-type]
                found = [(each.line, each.status) async for each in said]
                assert found == [(1, "refused"), (2, "refused")]


def _with_sync(origin: str, target: str, ended: str, waiting: str) -> None:
    with SyncRemoteClient(origin) as one, SyncRemoteClient(target) as two:
        assert one.fork_instance(ended, new_instance_id="f") == "f"
        found = [*one.export_instances(), *one.export_instance(waiting)]
        answers = list(two.import_instances(found))
        assert sorted(x.status for x in answers) == ["exists", "imported", "imported", "imported"]


async def test_found_a_ninth_stream_is_refused_until_one_of_eight_has_ended(host: Host) -> None:
    over = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"{}\n"
        await over.wait()

    async def begin() -> asyncio.Task[Any]:
        answer = await host.http.request("POST", f"{WEBHOOKS}/import", data=endless())
        assert answer.status == 200
        return asyncio.ensure_future(answer.read())

    reads = [await begin() for _ in range(8)]
    refused = await host.call("GET", "export")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
    over.set()
    await asyncio.gather(*reads)
    assert (await host.call("GET", "export")).status == 200


async def test_found_what_no_import_takes_is_not_moved_away(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id = await host.waiting()
    monkeypatch.setattr("host.core.exported.MAX_LINE_BYTES", 100)
    (line,) = await lines(host, f"instances/{instance_id}/export?move=true", "POST")
    assert "no import takes more than 100" in json.loads(line)["error"]
    assert (await said(host, instance_id))["runtimeStatus"] == "Running"
