"""Tags of entities over HTTP, by the client of other programs, and from the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bindings import (
    Entity,
    EntityId,
    EntityQuery,
    FunctionApp,
    InvalidArgumentError,
    RemoteClient,
)
from tests.http.hosting import Host, running_host
from tests.http.test_entities import entities
from tests.kit.hub import until


def app() -> FunctionApp:
    app = FunctionApp(http_auth_level="anonymous")

    @app.entity_trigger()
    class Shop(Entity[int]):
        initial_state = 0

        def open(self, tags: dict[str, str]) -> None:
            self.state += 1
            self.context.set_tags(tags)

    return app


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """With two shops, of which `rome` has tags."""
    async with running_host(app=app()) as host:
        await opened(host, "plain", {})
        await opened(host, "rome", {"town": "Rome", "<b>": "a b&c=1:2"})
        yield host


async def opened(host: Host, key: str, tags: dict[str, str]) -> None:
    await host.call("POST", f"entities/shop/{key}?op=open", json=tags)

    async def is_done() -> bool:
        found = await host.hub.get_entity(EntityId("shop", key))
        return found is not None and found.has_state and found.tags == tags

    await until(is_done)


async def keys(host: Host, path: str) -> list[str]:
    answer = await host.call("GET", path)
    assert answer.status == 200
    return [each["entityId"]["key"] for each in await answer.json()]


async def test_a_list_shows_tags_and_is_restricted_by_them(host: Host) -> None:
    page: list[dict[str, Any]] = await (await host.call("GET", "entities")).json()
    rome, plain = page
    assert rome["tags"] == {"town": "Rome", "<b>": "a b&c=1:2"}
    assert "tags" not in plain
    assert await keys(host, "entities?tag=town:Rome") == ["rome"]
    assert await keys(host, "entities/shop?tag=town:Rome&tag=%3Cb%3E:a%20b%26c%3D1%3A2") == ["rome"]
    assert await keys(host, "entities?tag=town:Rome&tag=size:") == []
    assert await keys(host, "entities/shop?key=rome&tag=town:Rome") == ["rome"]
    assert await keys(host, "entities/shop?key=plain&tag=town:Rome") == []
    await opened(host, "rome", {"town": "Paris"})
    assert await keys(host, "entities?tag=town:Rome") == []
    assert await keys(host, "entities?tag=town:Paris") == ["rome"]


@pytest.mark.parametrize(
    "query", ["tag=town", "tag=:Rome", "tag=" + "x" * 2000 + ":1", "tag=town:" + "x" * 2000]
)
async def test_what_is_no_tag_is_refused_as_for_instances(host: Host, query: str) -> None:
    refused = await host.call("GET", f"entities?{query}")
    expected = await host.call("GET", f"instances?{query}")
    assert (refused.status, await refused.json()) == (400, await expected.json())


async def test_the_remote_client_finds_and_shows_what_the_client_of_a_function_does(
    host: Host,
) -> None:
    async with RemoteClient(host.origin) as client:
        query = EntityQuery(tags={"town": "Rome", "<b>": "a b&c=1:2"})
        (found,) = (await client.query_entities(query)).items
        assert (await host.hub.query_entities(query)).items == [found]
        assert found.tags == query.tags
        assert await client.get_entity(EntityId("Shop", "rome")) == found
        plain = await client.get_entity(EntityId("Shop", "plain"))
        assert plain is not None
        assert plain.tags == {}
        for wrong in ({"a:b": "c"}, {"": "c"}, {"a": 1}, [1]):
            with pytest.raises(InvalidArgumentError):
                await client.query_entities(EntityQuery(tags=wrong))  # type: ignore[arg-type]


async def test_the_command_line_lists_by_tags_and_shows_them(host: Host) -> None:
    listed = (await entities(host, "list", "shop")).stdout.splitlines()
    assert listed[0].split() == ["NAME", "KEY", "LAST", "OPERATION", "TAGS", "STATE"]
    assert "town:Rome, <b>:a b&c=1:2" in listed[1]
    by_tag = (await entities(host, "list", "--tag", "town:Rome", "--json")).stdout.splitlines()
    assert [json.loads(each)["entityId"]["key"] for each in by_tag] == ["rome"]
    assert json.loads(by_tag[0])["tags"] == {"town": "Rome", "<b>": "a b&c=1:2"}
    none = (await entities(host, "list", "--tag", "town:Rome", "--tag", "size=")).stdout
    assert len(none.splitlines()) <= 1
    assert "region:north" in (await entities(host, "list", "--tag", "town", code=2)).stderr
    shown = await entities(host, "get", "shop", "rome")
    assert shown.stdout == "1\n"
    assert shown.stderr == "Tags: town:Rome, <b>:a b&c=1:2\n"
    assert (await entities(host, "get", "shop", "plain")).stderr == ""
