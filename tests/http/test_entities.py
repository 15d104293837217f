"""Entities over HTTP, by the client of other programs, and from the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from yarl import URL

from bindings import (
    CleanEntityStorageResult,
    Entity,
    EntityContext,
    EntityId,
    EntityQuery,
    FunctionApp,
    InvalidArgumentError,
    RemoteClient,
)
from host.engine.damaged import quarantine
from tests.http.hosting import WEBHOOKS, Host, running_host
from tests.http.test_instance_commands import invoke
from tests.kit.hub import until


def app() -> FunctionApp:
    app = FunctionApp(http_auth_level="anonymous")

    @app.entity_trigger()
    class Counter(Entity[int]):
        initial_state = 0

        def add(self, number: int = 1) -> int:
            self.state += number
            return self.state

    @app.entity_trigger()
    def note(context: EntityContext) -> None:
        if context.operation_name == "delete":
            context.delete_state()
        else:
            context.set_state([context.operation_name, context.get_input()])

    return app


@asynccontextmanager
async def serving() -> AsyncIterator[Host]:
    async with running_host(app=app()) as host:
        yield host


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with serving() as host:
        yield host


JSON = {"Content-Type": "application/json"}


async def state_of(host: Host, path: str) -> Any:
    """What GET answers; an Ellipsis for 404."""
    response = await host.call("GET", f"entities/{path}")
    return ... if response.status == 404 else await response.json()


async def is_state(host: Host, path: str, expected: Any) -> None:
    async def is_there() -> bool:
        return bool(await state_of(host, path) == expected)

    await until(is_there)


# ---- HTTP -------------------------------------------------------------------------------------


async def test_a_signal_is_accepted_and_its_state_is_shown_as_it_is(host: Host) -> None:
    response = await host.call("POST", "entities/counter/home?op=add", json=5)
    assert (response.status, await response.text()) == (202, "")
    await is_state(host, "counter/home", 5)
    await host.call("POST", "entities/COUNTER/home?op=add")
    await is_state(host, "Counter/home", 6)
    assert await state_of(host, "counter/Home") is ...  # keys have a case


@pytest.mark.parametrize("sent", [None, "text", {"a": [1, 2.5]}, [], 0, False])
async def test_every_input_is_the_one_that_was_sent(host: Host, sent: Any) -> None:
    await host.call("POST", "entities/note/k?op=put", data=json.dumps(sent), headers=JSON)
    await is_state(host, "note/k", ["put", sent])


async def test_a_signal_without_an_operation_or_a_body_has_none(host: Host) -> None:
    await host.call("POST", "entities/note/k")
    await is_state(host, "note/k", ["", None])


async def test_a_key_may_be_empty_and_may_have_any_letters(host: Host) -> None:
    await host.call("POST", "entities/note/$?op=empty")
    await is_state(host, "note/$", ["empty", None])
    await host.call("POST", "entities/note/a%40b%20%C3%BC?op=odd")
    await is_state(host, "note/a@b%20ü", ["odd", None])
    page = await (await host.call("GET", "entities/note")).json()
    assert {each["entityId"]["key"] for each in page} == {"", "a@b ü"}


@pytest.mark.parametrize("key", ["%2E", "%2e%2e"])
@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
async def test_a_key_that_means_a_folder_is_refused(host: Host, verb: str, key: str) -> None:
    path = f"{host.origin}{WEBHOOKS}/entities/counter/{key}?op=add"
    response = await host.http.session.request(verb, URL(path, encoded=True))
    assert response.status == 400
    assert "mean a folder in URLs" in await response.text()
    assert await (await host.call("GET", "entities?includeWithoutState=true")).json() == []


async def test_a_key_that_means_a_folder_is_listed_where_it_is_stored(host: Host) -> None:
    stored = EntityId.parse("@counter@.")
    await host.hub.signal_entity(stored, "add", 1)

    async def is_there() -> bool:
        return await host.hub.get_entity(stored) is not None

    await until(is_there)
    page = await (await host.call("GET", "entities?includeWithoutState=true")).json()
    assert [each["entityId"] for each in page] == [{"name": "counter", "key": "."}]
    async with RemoteClient(host.origin) as client:
        listed = await client.query_entities(EntityQuery(include_without_state=True))
        assert [each.entity_id for each in listed.items] == [stored]
        with pytest.raises(InvalidArgumentError, match="no path of a URL"):
            await client.signal_entity(stored, "add", 1)


async def test_a_deleted_entity_is_not_found_any_more(host: Host) -> None:
    await host.call("POST", "entities/counter/a?op=add")
    await is_state(host, "counter/a", 1)
    assert (await host.call("DELETE", "entities/counter/a")).status == 202
    await is_state(host, "counter/a", ...)
    assert await (await host.call("GET", "entities")).json() == []
    every = await (await host.call("GET", "entities?includeWithoutState=true")).json()
    assert [each["hasState"] for each in every] == [False]


async def test_a_list_has_pages_and_states_if_they_are_asked_for(host: Host) -> None:
    for n in range(5):
        await host.call("POST", f"entities/counter/k{n}?op=add", json=n)
        await is_state(host, f"counter/k{n}", n)
    first = await host.call("GET", "entities/counter?top=3&fetchState=true")
    token = first.headers["x-ms-continuation-token"]
    headers = {"x-ms-continuation-token": token}
    second = await host.call("GET", "entities/counter?top=3&fetchState=true", headers=headers)
    found = [*await first.json(), *await second.json()]
    assert [(each["entityId"]["key"], each["state"]) for each in found] == [
        (f"k{n}", n) for n in reversed(range(5))
    ]
    assert second.headers["x-ms-continuation-token"] == ""
    bare = await (await host.call("GET", "entities/counter?keyPrefix=k3")).json()
    assert [each["state"] for each in bare] == [None]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "entities/nobody/k?op=add", 400),
        ("DELETE", "entities/nobody/k", 400),
        ("GET", "entities/counter/nobody", 404),
        ("GET", "entities/counter?top=0", 400),
        ("GET", "entities?keyPrefix=k", 400),
        ("GET", "entities/counter?lastOperationTimeFrom=yesterday", 400),
        ("POST", "entities/counter/k?op=add&signalTime=soon", 400),
        ("POST", f"entities/counter/{'k' * 2000}?op=add", 400),
        ("PUT", "entities/counter/k", 405),
    ],
)
async def test_what_cannot_be_done_is_refused_with_a_reason(
    host: Host, method: str, path: str, status: int
) -> None:
    response = await host.call(method, path)
    assert (response.status, len(await response.text()) > 40) == (status, True)


async def test_a_body_that_is_not_json_is_refused(host: Host) -> None:
    assert (
        await host.call("POST", "entities/counter/k?op=add", data="{", headers=JSON)
    ).status == 400
    assert await state_of(host, "counter/k") is ...


async def test_an_entity_is_no_instance(host: Host) -> None:
    await host.call("POST", "entities/counter/k?op=add")
    await is_state(host, "counter/k", 1)
    assert (await host.call("GET", "instances/@counter@k")).status == 404
    assert await (await host.call("GET", "instances")).json() == []
    refused = await host.call("DELETE", "instances/@counter@k")
    assert refused.status == 404
    assert "the id of an entity" in await refused.text()


# ---- the client of other programs ---------------------------------------------------------------


async def test_the_remote_client_does_what_the_client_of_a_function_does(host: Host) -> None:
    async with RemoteClient(host.origin) as client:
        counter = EntityId("Counter", "far")
        assert await client.get_entity(counter) is None
        await client.signal_entity(counter, "add", 3)
        await is_state(host, "counter/far", 3)
        state = await client.get_entity(counter)
        assert state is not None
        assert (state.entity_id, state.state, state.has_state) == (counter, 3, True)
        assert state == await host.hub.get_entity(counter)
        query = EntityQuery(name="counter", key_prefix="f", include_state=True)
        assert [x.state for x in (await client.query_entities(query)).items] == [3]
        with pytest.raises(InvalidArgumentError):
            await client.signal_entity(EntityId("nobody", "k"), "add")


# ---- the command line ---------------------------------------------------------------------------


async def entities(host: Host, *arguments: str, code: int = 0) -> Result:
    result = await invoke("entities", *arguments, url=host.origin)
    assert result.exit_code == code, result.stderr
    return result


async def test_the_command_line_signals_shows_lists_and_deletes(host: Host) -> None:
    await entities(host, "signal", "counter", "home", "add", "--input", "4")
    await is_state(host, "counter/home", 4)
    assert (await entities(host, "get", "counter", "home")).stdout.strip() == "4"
    listed = (await entities(host, "list", "counter")).stdout
    assert listed.splitlines()[0].split() == ["NAME", "KEY", "LAST", "OPERATION", "STATE"]
    as_json = json.loads((await entities(host, "list", "--json")).stdout)
    assert (as_json["entityId"], as_json["state"]) == ({"name": "counter", "key": "home"}, 4)
    await entities(host, "delete", "counter", "home")
    await is_state(host, "counter/home", ...)
    assert "home" not in (await entities(host, "list")).stdout


async def test_the_command_line_says_what_is_not_there(host: Host) -> None:
    assert "counter" in (await entities(host, "get", "counter", "nobody", code=1)).stderr
    assert "nobody" in (await entities(host, "signal", "nobody", "k", "add", code=1)).stderr


async def test_a_later_signal_waits(host: Host) -> None:
    later = timedelta(seconds=90)
    async with RemoteClient(host.origin) as client:
        await client.signal_entity(EntityId("counter", "k"), "add", 1, signal_time=later)
        await client.signal_entity(EntityId("counter", "k"), "add", 10)
    await is_state(host, "counter/k", 10)


# ---- cleaning -----------------------------------------------------------------------------------


async def emptied(host: Host, *keys: str) -> None:
    """Entities that have a state no more."""
    for key in keys:
        await host.call("POST", f"entities/counter/{key}?op=add")
        await is_state(host, f"counter/{key}", 1)
        await host.call("DELETE", f"entities/counter/{key}")
        await is_state(host, f"counter/{key}", ...)


async def left(host: Host) -> int:
    answer = await host.call("GET", "entities?includeWithoutState=true")
    return len(await answer.json())


async def test_a_cleaning_removes_empty_entities_a_page_at_a_time(host: Host) -> None:
    await emptied(host, "a", "b", "c")
    await host.call("POST", "entities/counter/full?op=add")
    await is_state(host, "counter/full", 1)
    assert (await cleaned(host, "cleanEntityStorage"))[0] == 0  # they are too young
    removed, token = await cleaned(host, "cleanEntityStorage?idleFor=0&top=2")
    pages = 1
    while token:
        more, token = await cleaned(host, "cleanEntityStorage?idleFor=0&top=2", token)
        removed, pages = removed + more, pages + 1
    assert (removed, await left(host)) == (3, 1)
    assert pages >= 2


async def cleaned(host: Host, path: str, token: str = "") -> tuple[int, str]:
    headers = {"x-ms-continuation-token": token} if token else {}
    answer = await host.call("POST", path, headers=headers)
    assert answer.status == 200
    body = await answer.json()
    assert body.keys() == {
        "emptyEntitiesRemoved",
        "entitiesMarked",
        "orphanedLocksReleased",
        "waitInSeconds",
    }
    return body["emptyEntitiesRemoved"], answer.headers["x-ms-continuation-token"]


@pytest.mark.parametrize("query", ["idleFor=soon", "idleFor=-1", "idleFor=nan", "top=0"])
async def test_a_cleaning_that_makes_no_sense_is_refused(host: Host, query: str) -> None:
    assert (await host.call("POST", f"cleanEntityStorage?{query}")).status == 400


async def test_a_token_of_another_list_is_refused(host: Host) -> None:
    headers = {"x-ms-continuation-token": "nonsense"}
    assert (await host.call("POST", "cleanEntityStorage", headers=headers)).status == 400


async def test_an_age_without_end_removes_nothing(host: Host) -> None:
    await emptied(host, "a")
    assert await cleaned(host, "cleanEntityStorage?idleFor=1e300") == (0, "")


async def test_the_remote_client_cleans(host: Host) -> None:
    await emptied(host, "a", "b")
    async with RemoteClient(host.origin) as client:
        assert (await client.clean_entity_storage()).empty_entities_removed == 0
        done = await client.clean_entity_storage(idle_for=timedelta(0))
        assert done == CleanEntityStorageResult(empty_entities_removed=2)
        for wrong in (timedelta(seconds=-1), 30):
            with pytest.raises(InvalidArgumentError):
                await client.clean_entity_storage(idle_for=wrong)  # type: ignore[arg-type]


async def test_the_command_line_cleans(host: Host) -> None:
    await emptied(host, "a", "b")
    young = await entities(host, "clean")
    assert young.stdout == "Removed 0 entities without a state.\n"
    done = await entities(host, "clean", "--idle-for", "0s")
    assert done.stdout == "Removed 2 entities without a state.\n"
    assert await left(host) == 0
    assert "30m" in (await entities(host, "clean", "--idle-for", "soon", code=2)).stderr


# ---- exports ------------------------------------------------------------------------------------


async def ids_in_export(host: Host, query: str = "") -> list[str]:
    answer = await host.call("GET", f"export{query}")
    assert answer.status == 200
    return [json.loads(each)["instance"]["instance_id"] for each in await lines_of(answer)]


async def lines_of(answer: Any) -> list[bytes]:
    found: list[bytes] = (await answer.read()).splitlines()
    return found


async def test_an_export_of_everything_has_the_entities(host: Host) -> None:
    await host.call("POST", "entities/counter/k?op=add")
    await is_state(host, "counter/k", 1)
    assert await ids_in_export(host) == ["@counter@k"]
    assert await ids_in_export(host, "?entities=true&name=nobody") == ["@counter@k"]
    for query in ("?entities=false", "?name=nobody"):
        assert await ids_in_export(host, query) == []
    assert (await host.call("GET", "export?entities=perhaps")).status == 400
    exported = await (await host.call("GET", "export")).read()
    async with serving() as other:
        answer = await other.call("POST", "import", data=exported)
        assert json.loads(await answer.read())["status"] == "imported"
        await is_state(other, "counter/k", 1)


async def test_the_command_line_exports_entities_and_imports_them(
    host: Host, tmp_path: Path
) -> None:
    await host.call("POST", "entities/counter/k?op=add")
    await is_state(host, "counter/k", 1)
    found = await invoke("instances", "export", url=host.origin)
    assert found.exit_code == 0
    assert '"@counter@k"' in found.stdout
    none = await invoke("instances", "export", "--no-entities", url=host.origin)
    assert (none.exit_code, none.stdout) == (0, "")
    wrong = await invoke("instances", "export", "it", "--entities", url=host.origin)
    assert wrong.exit_code == 2
    file = tmp_path / "all.ndjson"
    file.write_text(found.stdout)
    async with serving() as other:
        done = await invoke("instances", "import", str(file), url=other.origin)
        assert done.stdout.strip() == "1 imported"
        await is_state(other, "counter/k", 1)
        again = await invoke("instances", "import", str(file), url=other.origin)
        assert (again.exit_code, again.stdout.strip()) == (1, "1 exists")


async def test_one_in_quarantine_is_redriven_as_an_instance_is(host: Host) -> None:
    await host.call("POST", "entities/counter/a?op=add", json=1)
    await is_state(host, "counter/a", 1)
    redrive = "instances/@counter@a/redrive"
    assert (await host.call("POST", redrive)).status == 409
    await quarantine(host.engine.parts, "@counter@a", "It was too much.")
    (shown,) = await (await host.call("GET", "quarantine")).json()
    assert shown["instanceId"] == "@counter@a"
    assert (await host.call("POST", redrive)).status == 202
    assert await (await host.call("GET", "quarantine")).json() == []
    assert (await host.call("POST", "instances/@counter@b/redrive")).status == 404
    await quarantine(host.engine.parts, "@counter@a", "It was too much again.")
    result = await invoke("redrive", "@counter@a", url=host.origin)
    assert result.exit_code == 0, result.output
