"""Limits by HTTP and by `funchost limits`: what is in use, who waits, and changes at run time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bindings import EntityContext, EntityId, FunctionApp, OrchestrationContext
from tests.http.hosting import Host, running_host
from tests.http.test_instance_commands import invoke
from tests.kit.hub import until

LIMITS: dict[str, Any] = {
    "few": {"concurrency": 1},
    "slow": {"rate": {"count": 1, "per": "01:00:00"}},
    "hosts": {"concurrency": 2, "rate": {"count": 9, "per": "00:01:00"}, "perKey": True},
}


def limited_app() -> FunctionApp:
    app = FunctionApp()

    @app.orchestration_trigger(limit="few")
    async def one(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("go")

    @app.orchestration_trigger(limit="hosts", limit_key="{at.host}")
    async def each(context: OrchestrationContext, at: dict[str, Any]) -> Any:
        return await context.wait_for_external_event(at["at"]["host"])

    @app.entity_trigger(limit="slow")
    def counter(context: EntityContext) -> None:
        context.set_state(context.get_state(lambda: 0) + 1)

    @app.orchestration_trigger()
    async def count(context: OrchestrationContext) -> Any:
        return await context.call_entity(EntityId("counter", "b"), "add")

    return app


@pytest.fixture
async def limited() -> AsyncIterator[Host]:
    async with running_host(app=limited_app(), durable={"limits": LIMITS}) as host:
        yield host


async def shown(host: Host, path: str = "limits") -> Any:
    response = await host.call("GET", path)
    assert response.status == 200, await response.text()
    return await response.json()


async def put(host: Host, name: str, body: Any, status: int = 200) -> Any:
    response = await host.call("PUT", f"limits/{name}", json=body)
    assert response.status == status, await response.text()
    return await response.json()


async def begin(host: Host, *ids: str) -> None:
    """Start these; the first one begins."""
    for instance_id in ids:
        await host.call("POST", f"orchestrators/one/{instance_id}")
    await host.until(ids[0], "Running")


async def test_what_is_in_use_and_who_waits_is_shown(limited: Host) -> None:
    await begin(limited, "a", "b", "c")
    for number, name in enumerate(["x", "x", "x", "y"]):
        at = {"at": {"host": name}}
        await limited.call("POST", f"orchestrators/each/k{number}", json=at)
    await limited.until("k3", "Running")
    few, hosts, _ = await shown(limited)
    assert few.pop("oldest").endswith("Z")
    assert few == {
        "name": "few",
        "concurrency": 1,
        "perKey": False,
        "isChanged": False,
        "inUse": 1,
        "waiting": 2,
    }
    assert (hosts["rate"], hosts["inUse"], hosts["waiting"]) == (LIMITS["hosts"]["rate"], 3, 1)
    keys = [(each["key"], each["inUse"], each["waiting"]) for each in hosts["keys"]]
    assert keys == [("x", 2, 1), ("y", 1, 0)]
    assert await shown(limited, "limits/few") == (await shown(limited))[0]


async def test_a_change_counts_at_once_and_is_taken_back(limited: Host) -> None:
    await begin(limited, "a", "b", "c", "d")
    changed = await put(limited, "few", {"concurrency": 2})
    assert (changed["concurrency"], changed["isChanged"]) == (2, True)
    await limited.until("b", "Running")
    assert (await (await limited.call("GET", "instances/c")).json())["runtimeStatus"] == "Pending"
    response = await limited.call("DELETE", "limits/few")
    body = await response.json()
    assert (response.status, body["concurrency"], body["isChanged"]) == (200, 1, False)
    assert body["inUse"] == 2  # what runs runs on
    await limited.call("POST", "instances/a/raiseEvent/go", json=1)
    await limited.until("a", "Completed")
    assert (await (await limited.call("GET", "instances/c")).json())["runtimeStatus"] == "Pending"
    await limited.call("POST", "instances/b/raiseEvent/go", json=1)
    await limited.until("c", "Running")


@pytest.mark.parametrize(
    ("name", "body", "status", "word"),
    [
        ("none", {"concurrency": 1}, 404, "few, hosts, slow"),
        ("few", {}, 400, "limits nothing"),
        ("few", None, 400, "object"),
        ("few", [], 400, "object"),
        ("few", {"concurrency": 0}, 400, "concurrency"),
        ("few", {"concurrency": True}, 400, "number"),
        ("few", {"concurrency": "x"}, 400, "concurrency"),
        ("few", {"concurency": 1}, 400, "concurency"),
        ("few", {"rate": {"count": 5, "per": "soon"}}, 400, "hh:mm:ss"),
        ("few", {"rate": {"count": 10**30}}, 400, "rate.count"),
        ("few", {"concurrency": 1, "perKey": True}, 400, "perKey"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    limited: Host, name: str, body: Any, status: int, word: str
) -> None:
    refusal = await put(limited, name, body, status)
    assert word in json.dumps(refusal)
    assert not any(each["isChanged"] for each in await shown(limited))


async def test_a_body_that_is_no_json_is_refused(limited: Host) -> None:
    response = await limited.call("PUT", "limits/few", data=b"{")
    assert response.status == 400
    assert (await limited.call("DELETE", "limits/none")).status == 404
    assert (await limited.call("GET", "limits/none")).status == 404


async def test_a_start_whose_input_has_no_key_is_refused(limited: Host) -> None:
    response = await limited.call("POST", "orchestrators/each/x", json={"at": {}})
    assert response.status == 400
    assert "'{at.host}'" in await response.text()
    assert (await limited.call("GET", "instances/x")).status == 404


async def test_the_command_lists_sets_and_resets(limited: Host) -> None:
    async def run(*arguments: str, code: int = 0) -> str:
        result = await invoke("limits", *arguments, url=limited.origin)
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.stderr

    await begin(limited, "a", "b")
    lines = (await run("list")).splitlines()
    assert lines[1].split()[:4] == ["few", "1", "1", "1"]
    assert "all hosts" in await run("set", "few", "--rate", "3", "--per", "2m")
    (changed, *_) = [json.loads(line) for line in (await run("list", "--json")).splitlines()]
    assert changed["rate"] == {"count": 3, "per": "00:02:00"}
    assert "concurrency" not in changed
    assert "host.json" in await run("reset", "few")
    assert not (await shown(limited, "limits/few"))["isChanged"]
    assert "few, hosts, slow" in await run("set", "none", "--concurrency", "1", code=1)
    assert "--concurrency" in await run("set", "few", code=2)
    assert "--rate" in await run("set", "few", "--concurrency", "1", "--per", "1s", code=2)


async def test_a_key_that_reads_changes_no_limit(tmp_path: Any) -> None:
    app = limited_app()
    async with running_host(tmp_path / "k.json", app=app, durable={"limits": LIMITS}) as host:
        assert (await host.call("GET", "limits")).status == 401


async def test_an_entity_that_waits_is_shown_and_why(limited: Host) -> None:
    for _ in range(2):
        signal = await limited.call("POST", "entities/counter/a?op=add")
        assert signal.status == 202
    started = await limited.call("POST", "orchestrators/count/c")
    assert started.status == 202

    async def is_waiting() -> bool:
        return bool((await shown(limited, "limits/slow"))["waiting"] == 2)

    await until(is_waiting)
    (why,) = (await shown(limited, "instances/c/why"))["waitingFor"]
    assert (why["kind"], why["name"]) == ("limit", "slow")
    assert "@counter@b" in why["reason"]
    assert await shown(limited, "entities/counter/a") == 1
