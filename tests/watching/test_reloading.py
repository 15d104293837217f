"""An app that is loaded anew while its host serves: what counts then, and what is said of it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from host.app import RunningHost
from host.errors import ConfigurationError
from tests.http.test_instance_commands import invoke
from tests.kit.app_folders import make_app
from tests.kit.hub import until
from tests.kit.served_app import served

__all__ = ["make_app"]

MakeApp = Callable[[Mapping[str, str]], Path]

HEAD = """
    from funchost import AuthLevel, FunctionApp

    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)
"""
TWO = (
    HEAD
    + """
    @app.route("one")
    def one(req) -> str:
        return "{one}"

    @app.route("two")
    def two(req) -> str:
        return "{two}"
"""
)
DROP_IN = json.dumps(
    {
        "bindings": [
            {"type": "httpTrigger", "name": "req", "authLevel": "anonymous"},
            {"type": "http", "direction": "out", "name": "$return"},
        ]
    }
)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    for name in ("COLOUR", "SIZE"):  # whatever the host exports is taken back in the end
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


async def text(session: aiohttp.ClientSession, path: str) -> str | int:
    async with session.get(f"/api/{path}") as answer:
        return await answer.text() if answer.status == 200 else answer.status


async def test_what_is_there_now_counts(make_app: MakeApp) -> None:
    app = make_app({"function_app.py": TWO.format(one=1, two=2), "Old/function.json": DROP_IN})
    make_app({"Old/run.py": "def main(req): return 'old'"})
    async with served(app) as (host, session):
        assert [await text(session, name) for name in ("one", "two", "Old")] == ["1", "2", "old"]

        make_app({"function_app.py": TWO.format(one="uno", two=2)})
        make_app({"New/function.json": DROP_IN, "New/run.py": "def main(req): return 'new'"})
        (app / "Old" / "function.json").unlink()
        found = await host.reload()

        assert (found.functions, found.added, found.removed) == (3, ("New",), ("Old",))
        assert (found.broken, found.remarks) == ((), ())
        got = [await text(session, name) for name in ("one", "two", "New", "Old")]
        assert got == ["uno", "2", "new", 404]


async def test_a_change_of_the_same_size_in_the_same_second_counts(make_app: MakeApp) -> None:
    files = {"helper.py": "VALUE = 'a'", "Drop/function.json": DROP_IN}
    files["Drop/run.py"] = "import helper\ndef main(req): return f'{helper.VALUE}1'"
    app = make_app({"function_app.py": TWO.format(one="x", two="y"), **files})
    async with served(app) as (host, session):
        assert [await text(session, name) for name in ("one", "Drop")] == ["x", "a1"]
        changed = {
            "function_app.py": TWO.format(one="z", two="y"),
            "helper.py": "VALUE = 'b'",
            "Drop/run.py": files["Drop/run.py"].replace("1", "2"),
        }
        for name, content in changed.items():
            stat = (app / name).stat()
            make_app({name: content})
            os.utime(app / name, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        await host.reload()
        assert [await text(session, name) for name in ("one", "Drop")] == ["z", "b2"]


BROKEN = {
    "a syntax error": "def (",
    "an error": HEAD + "\n    1 / 0",
    "no app": "x = 1",
    "nothing": "",
    "an exit": "raise SystemExit(3)",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
async def test_functions_of_a_module_that_breaks_go_on_until_it_is_mended(
    make_app: MakeApp, content: str
) -> None:
    app = make_app({"function_app.py": TWO.format(one=1, two=2)})
    async with served(app) as (host, session):
        for _ in range(3):  # what went on goes on
            make_app({"function_app.py": content})
            found = await host.reload()
            [broken] = found.broken
            assert (broken.name, broken.goes_on) == ("function_app", ("one", "two"))
            assert (found.functions, found.added, found.removed) == (2, (), ())
            assert [await text(session, name) for name in ("one", "two")] == ["1", "2"]
            async with session.get("/readyz") as answer:
                assert answer.status == 200
            async with session.get("/admin/host/status") as answer:
                status = await answer.json()
            assert any("(its former version goes on)" in each for each in status["errors"])

        make_app({"function_app.py": TWO.format(one=3, two=4)})
        assert (await host.reload()).broken == ()
        assert [await text(session, name) for name in ("one", "two")] == ["3", "4"]


async def test_a_function_that_breaks_goes_on_and_the_rest_is_new(make_app: MakeApp) -> None:
    app = make_app({"function_app.py": TWO.format(one=1, two=2)})
    make_app({"Drop/function.json": DROP_IN, "Drop/run.py": "def main(req): return 'drop'"})
    async with served(app) as (host, session):
        make_app({"function_app.py": TWO.format(one=5, two=6).replace('"two"', '"one"')})
        make_app({"Drop/function.json": "{"})
        found = await host.reload()
        assert {each.name: each.goes_on for each in found.broken} == {
            "Drop": ("Drop",),
            "two": ("two",),
        }
        assert [await text(session, name) for name in ("one", "two", "Drop")] == ["5", "2", "drop"]


async def test_a_broken_function_that_never_ran_does_not_run(make_app: MakeApp) -> None:
    app = make_app({"function_app.py": TWO.format(one=1, two=2)})
    async with served(app) as (host, session):
        make_app({"New/function.json": DROP_IN, "New/run.py": "import nowhere"})
        [broken] = (await host.reload()).broken
        assert (broken.name, broken.goes_on) == ("New", ())
        assert await text(session, "New") == 404
        make_app({"New/run.py": "def main(req): return 'new'"})
        assert (await host.reload()).added == ("New",)
        assert await text(session, "New") == "new"


async def test_what_is_named_no_more_does_not_go_on(make_app: MakeApp) -> None:
    app = make_app({"function_app.py": TWO.format(one=1, two=2)})
    async with served(app) as (host, session):
        make_app(
            {"function_app.py": "def (", "host.json": '{"version": "2.0", "functions": ["one"]}'}
        )
        found = await host.reload()
        assert found.removed == ("two",)
        assert [await text(session, name) for name in ("one", "two")] == ["1", 404]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("host.json", "{"),
        ("host.json", '{"version": "3.0"}'),
        ("local.settings.json", '{"Values": 5}'),
        ("host.json", '{"version": "2.0", "funchost": {"include": [""]}}'),
    ],
)
async def test_settings_that_cannot_be_read_change_nothing(
    make_app: MakeApp, file: str, content: str
) -> None:
    app = make_app({"function_app.py": TWO.format(one=1, two=2)})
    async with served(app) as (host, session):
        before = host.registry.version
        make_app({"function_app.py": TWO.format(one=3, two=4), file: content})
        with pytest.raises(ConfigurationError, match=r"host\.json|local\.settings\.json"):
            await host.reload()
        assert host.registry.version is before
        async with session.post("/admin/host/reload") as answer:
            assert answer.status == 409
            assert "The app stays as it was" in (await answer.json())["Message"]
        assert await text(session, "one") == "1"
        (app / file).unlink()
        async with session.post("/admin/host/reload") as answer:
            assert (await answer.json())["functions"] == 2
        assert await text(session, "one") == "3"


SETTINGS = (
    HEAD
    + """
    import os

    @app.route("%PLACE%")
    def where(req) -> str:
        return f"{os.environ.get('COLOUR')} {os.environ.get('SIZE')}"
"""
)


async def test_settings_of_bindings_count_and_the_environment_stays(make_app: MakeApp) -> None:
    def local(**values: str) -> dict[str, str]:
        return {"local.settings.json": json.dumps({"IsEncrypted": False, "Values": values})}

    app = make_app({"function_app.py": SETTINGS, **local(PLACE="here", COLOUR="red")})
    async with served(app) as (host, session):
        assert await text(session, "here") == "red None"
        make_app(local(PLACE="there", COLOUR="blue", SIZE="big"))
        found = await host.reload()
        assert await text(session, "here") == 404
        assert await text(session, "there") == "red big"
        [remark] = found.remarks
        assert "'COLOUR' and 'PLACE'" in remark
        assert "restart" in remark
        assert "blue" not in remark
    for name in ("PLACE", "COLOUR", "SIZE"):
        os.environ.pop(name, None)


async def test_other_changes_of_host_json_are_said_to_need_a_restart(make_app: MakeApp) -> None:
    app = make_app({"function_app.py": TWO.format(one=1, two=2)})
    async with served(app) as (host, session):
        content: dict[str, Any] = {
            "version": "2.0",
            "functions": ["two"],
            "extensions": {"http": {"routePrefix": "other"}},
            "funchost": {"stopGraceSeconds": 1},
        }
        make_app({"host.json": json.dumps(content)})
        [remark] = (await host.reload()).remarks
        assert "'extensions.http.routePrefix' and 'funchost.stopGraceSeconds'" in remark
        assert [await text(session, name) for name in ("one", "two")] == [404, "2"]


async def test_reloads_come_one_after_the_other(make_app: MakeApp) -> None:
    app = make_app({"function_app.py": TWO.format(one=1, two=2)})
    async with served(app) as (host, session):
        found = await asyncio.gather(*(host.reload() for _ in range(5)))
        assert [each.functions for each in found] == [2] * 5
        assert await text(session, "one") == "1"


async def test_the_command_says_what_changed(make_app: MakeApp) -> None:
    app = make_app({"function_app.py": TWO.format(one=1, two=2)})
    async with served(app) as (host, _):
        result = await invoke("reload", url=host.url)
        assert (result.exit_code, result.stdout) == (
            0,
            "The host has loaded its app anew: 2 functions.\n",
        )

        make_app({"function_app.py": "def (", "New/function.json": DROP_IN})
        make_app({"New/run.py": "def main(req): return 'new'"})
        result = await invoke("reload", url=host.url)
        assert result.exit_code == 1
        assert "3 functions.\nAdded: New\nfunction_app does not load: " in result.stdout
        assert "(its former version goes on: one, two)" in result.stdout

        result = await invoke("reload", "--json", url=host.url)
        assert json.loads(result.stdout)["broken"][0]["goesOn"] == ["one", "two"]

        make_app({"host.json": "{"})
        result = await invoke("reload", url=host.url)
        assert result.exit_code == 1
        assert "The app stays as it was. host.json" in result.stderr


ORDER = (
    HEAD
    + """
    from datetime import timedelta
    from funchost import OrchestrationContext

    @app.orchestration_trigger()
    async def order(context: OrchestrationContext) -> None:
        {first}
        await context.wait_for_external_event("go")
"""
)


async def test_who_keeps_the_former_code_is_said(make_app: MakeApp) -> None:
    app = make_app({"function_app.py": ORDER.format(first="pass")})
    hooks = "/runtime/webhooks/durabletask"
    async with served(app) as (host, session):
        for name in ("a", "b"):
            await session.post(f"{hooks}/orchestrators/order/{name}")
            await until(partial(is_running, session, f"{hooks}/instances/{name}"))
        assert (await host.reload()).on_former == {}

        make_app({"function_app.py": ORDER.format(first="context.create_timer(timedelta(1))")})
        assert (await host.reload()).on_former == {"order": ["a", "b"]}
        result = await invoke("reload", url=host.url)
        assert "order: 2 go on with the former version" in result.stdout
        result = await invoke("reload", "--json", url=host.url)
        found = {"orchestrator": "order", "instances": 2, "instanceIds": ["a", "b"]}
        assert json.loads(result.stdout)["onFormerVersion"] == [found]


async def is_running(session: aiohttp.ClientSession, path: str) -> bool:
    async with session.get(path) as answer:
        return bool((await answer.json())["runtimeStatus"] == "Running")


HEAVY = (
    HEAD
    + """
    import functools, typing
    from dataclasses import dataclass
    from pydantic import BaseModel
    import helper
    from funchost import OrchestrationContext

    class Order(BaseModel):
        name: str
        parts: typing.Optional[typing.List["Part"]] = None

    @dataclass
    class Part:
        number: int

    Order.model_rebuild()

    @functools.lru_cache
    def cached(x): return Order(name=x)

    @app.activity_trigger()
    def price(order: Order) -> typing.Dict[str, Part]:
        return {"a": Part(len(order.name))}

    @app.orchestration_trigger()
    async def buy(context: OrchestrationContext, order: typing.Optional[Order]) -> Order | None:
        await context.call_activity(price, cached("x"))
        return order

    @app.route("one")
    @app.orchestration_client()
    async def one(req, client) -> str:
        started = await client.schedule_new_orchestration(buy, input=Order(name="book"))
        state = await client.wait_for_instance_completion(started)
        return state.runtime_status.value
"""
)


async def test_200_reloads_leave_nothing_behind(make_app: MakeApp) -> None:
    app = make_app({"function_app.py": HEAVY, "helper.py": "class Help: pass"})
    make_app({"Drop/function.json": DROP_IN, "Drop/run.py": "def main(req): return 'drop'"})
    async with served(app) as (host, session):
        left: list[weakref.ref[object]] = []
        for number in range(200):
            if number % 20 == 0:
                assert await text(session, "one") == "Completed"
            left += [weakref.ref(sys.modules[name]) for name in ("function_app", "helper")]
            left += _parts(host)
            await host.reload()
        await text(session, "one")
        await host.reload()
        gc.collect()
        alive = [each() for each in left if each() is not None]
        assert alive == []


def _parts(host: RunningHost) -> list[weakref.ref[object]]:
    version = host.registry.version
    functions = [each.declaration.function for each in version.app.functions]
    module = sys.modules["function_app"]
    return [weakref.ref(each) for each in (version.catalog, *functions, module.Order, module.Part)]
