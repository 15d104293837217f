"""A kind of trigger from outside, with a listener of its own, on a real host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bindings.kinds import BindingKind, HubRecord, ListenerServices, Trigger, TriggeredFunction
from bindings.kinds.registry import KINDS
from host.app import RunningHost
from host.wiring.options import HostOptions, read_settings
from host.wiring.versions import load_version
from tests.kit.app_folders import make_app
from tests.kit.served_app import served

__all__ = ["make_app"]

APP = """
    from funchost import FunctionApp

    app = FunctionApp()

    @app.bell_trigger(door="front")
    @app.orchestration_client()
    async def open_door(ring: str, client) -> str:
        return await client.schedule_new_orchestration("visit", input=ring)

    @app.bell_trigger(door="back")
    def opened(ring: str) -> str:
        return f"{ring} at the back"

    @app.orchestration_trigger()
    async def visit(context, who: str) -> str:
        return who
"""


@dataclass
class Bell:
    """Rings when a test says so."""

    function: TriggeredFunction
    faults: Mapping[str, Exception]
    events: list[str]
    is_stuck: bool = False
    trouble: list[str] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        if self.function.name in self.faults:
            raise self.faults[self.function.name]
        self.events.append(f"{self.function.name} starts")

    async def ring(self, who: str) -> object:
        return await self.function.invoke(who)

    async def stop(self) -> None:
        self.events.append(f"{self.function.name} stops")
        if self.is_stuck:
            await self.done.wait()

    def problems(self) -> list[str]:
        return self.trouble


@dataclass
class House:
    """All bells of the test, by the name of their function."""

    bells: dict[str, Bell] = field(default_factory=dict)
    faults: dict[str, Exception] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def listen(self, function: TriggeredFunction) -> Bell:
        bell = Bell(function, self.faults, self.events)
        self.bells[function.name] = bell
        return bell


HOUSES: list[House] = []


def listen(function: TriggeredFunction) -> Bell:
    return HOUSES[-1].listen(function)


KINDS.add(
    BindingKind(
        type="bellTrigger",
        about="who rings",
        trigger=Trigger(decorator="bell_trigger", listen=listen),
        properties={"door": {"type": "string"}, "connection": {"type": "string"}},
    )
)


@dataclass
class Chime:
    """Counts in the hub how often it was struck, by all hosts together."""

    function: TriggeredFunction
    services: ListenerServices

    async def start(self) -> None:
        CHIMES.append(self)

    async def strike(self) -> object:
        key = self.function.name
        found = await self.services.records.read(key)
        count, stamp = (int(found.data) + 1, found.stamp) if found else (1, None)
        record = HubRecord(stamp=f"{count}", data=b"%d" % count)
        assert await self.services.records.change(key, record, after=stamp)
        assert not await self.services.records.change(
            key, HubRecord(stamp="late", data=b""), after=stamp
        )
        at = self.services.clock.now().isoformat()
        self.services.show({"struck": f"{count}", "at": at})
        return await self.function.invoke(f"{count} of {self.services.host_id}")

    async def stop(self) -> None:
        CHIMES.remove(self)

    def problems(self) -> list[str]:
        return []


CHIMES: list[Chime] = []
KINDS.add(
    BindingKind(
        type="chimeTrigger",
        about="how often it was struck",
        trigger=Trigger(decorator="chime_trigger", listen=Chime),
    )
)
CHIME_APP = """
    from funchost import FunctionApp

    app = FunctionApp()

    @app.chime_trigger()
    def struck(times: str) -> str:
        return times
"""


@pytest.fixture
def house() -> Iterator[House]:
    HOUSES.append(House())
    yield HOUSES[-1]
    HOUSES.pop()


@pytest.fixture
def app(make_app: Callable[[Mapping[str, str]], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    host_json = '{"version": "2.0", "funchost": {"stopGraceSeconds": 1}}'
    return make_app({"function_app.py": APP, "host.json": host_json})


def change(app: Path, host: RunningHost, old: str, new: str) -> None:
    """Let the host run an app that says something else."""
    script = app / "function_app.py"
    script.write_text(script.read_text().replace(old, new))
    options = HostOptions(app_dir=app)
    host.registry.swap(load_version(options, read_settings(options)))


async def problems_of(session: aiohttp.ClientSession) -> list[str]:
    async with session.get("/admin/host/status") as answer:
        problems: list[str] = (await answer.json()).get("errors", [])
        return problems


async def until_ready(session: aiohttp.ClientSession) -> None:
    while True:
        async with session.get("/readyz") as answer:
            if answer.status == 200:
                return


async def test_what_a_listener_brings_runs_the_function(app: Path, house: House) -> None:
    async with served(app) as (_, session):
        await until_ready(session)
        assert sorted(house.events) == ["open_door starts", "opened starts"]
        front, back = house.bells["open_door"], house.bells["opened"]
        assert back.function.trigger.properties == {"door": "back"}

        assert await back.ring("Ada") == "Ada at the back"
        instance = f"/runtime/webhooks/durabletask/instances/{await front.ring('Bob')}"
        while True:
            async with session.get(instance) as answer:
                status = await answer.json()
            if status["runtimeStatus"] == "Completed":
                break
        assert status["output"] == "Bob"

    assert sorted(house.events[2:]) == ["open_door stops", "opened stops"]


async def test_a_listener_says_what_is_wrong_at_the_moment(app: Path, house: House) -> None:
    async with served(app) as (_, session):
        await until_ready(session)
        house.bells["opened"].trouble.append("the wire is cut")
        assert await problems_of(session) == [
            "Nothing triggers the function 'opened': the wire is cut"
        ]
        house.bells["opened"].trouble.clear()
        await until_ready(session)


async def test_a_listener_that_does_not_start_is_shown_and_the_others_run(
    app: Path, house: House
) -> None:
    house.faults["open_door"] = OSError("no wire")
    async with served(app) as (_, session):
        while await problems_of(session) != [
            "Nothing triggers the function 'open_door': its listener does not start: "
            "OSError: no wire"
        ]:
            pass
        assert await house.bells["opened"].ring("Ada") == "Ada at the back"
    assert house.events == ["opened starts", "opened stops"]


async def test_a_listener_that_does_not_stop_is_left_after_the_grace_time(
    app: Path, house: House
) -> None:
    async with served(app) as (_, session):
        await until_ready(session)
        house.bells["opened"].is_stuck = True
    assert sorted(house.events[2:]) == ["open_door stops", "opened stops"]


async def test_nobody_listens_for_a_disabled_function(
    app: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AzureWebJobs.opened.Disabled", "true")
    async with served(app) as (_, session):
        await until_ready(session)
        assert house.events == ["open_door starts"]


async def test_new_code_under_an_old_trigger_touches_no_listener(app: Path, house: House) -> None:
    async with served(app) as (host, session):
        await until_ready(session)
        bell = house.bells["opened"]
        change(app, host, "at the back", "behind the house")
        assert await bell.ring("Ada") == "Ada behind the house"
        assert house.bells["opened"] is bell
        assert len(house.events) == 2


async def test_a_changed_trigger_gets_a_new_listener_when_the_old_one_has_gone(
    app: Path, house: House
) -> None:
    async with served(app) as (host, session):
        await until_ready(session)
        old = house.bells["opened"]
        old.is_stuck = True
        change(app, host, "back", "side")

        while house.events[2:] != ["opened stops"]:
            await problems_of(session)
        assert await problems_of(session) == [
            "Nothing triggers the function 'opened': it is still starting"
        ]
        assert await old.ring("Ada") == "Ada at the back"
        old.done.set()
        await until_ready(session)
        assert house.events[2:] == ["opened stops", "opened starts"]
        assert await house.bells["opened"].ring("Ada") == "Ada at the side"


async def test_a_listener_that_failed_begins_anew_when_the_app_is_loaded_anew(
    app: Path, house: House
) -> None:
    house.faults["opened"] = OSError("no wire")
    async with served(app) as (host, session):
        while not any("no wire" in each for each in await problems_of(session)):
            pass
        house.faults.clear()
        await host.reload()
        await until_ready(session)
        assert house.events == ["open_door starts", "opened starts"]


async def test_a_connection_that_leads_elsewhere_gets_a_new_listener(
    app: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("Wire__region", "")  # what the host exports is taken back in the end
    lead_to(app, "eu-west-1")
    make_wired(app)
    async with served(app) as (host, session):
        await until_ready(session)
        await host.reload()
        assert sorted(house.events) == ["open_door starts", "opened starts"]
        lead_to(app, "eu-central-1")
        await host.reload()
        while len(house.events) < 4:
            await problems_of(session)
        assert house.events[2:] == ["opened stops", "opened starts"]


def lead_to(app: Path, region: str) -> None:
    values = {"IsEncrypted": False, "Values": {"Wire__region": region}}
    (app / "local.settings.json").write_text(json.dumps(values))


def make_wired(app: Path) -> None:
    """Let `opened` have a connection."""
    script = app / "function_app.py"
    wired = script.read_text().replace('door="back"', 'door="back", connection="Wire"')
    assert "Wire" in wired
    script.write_text(wired)


async def test_functions_that_come_and_go_are_listened_for(app: Path, house: House) -> None:
    async with served(app) as (host, session):
        await until_ready(session)
        change(app, host, "def opened", "def answered")
        while len(house.events) < 4:
            await problems_of(session)
        assert sorted(house.events[2:]) == ["answered starts", "opened stops"]
        assert await house.bells["answered"].ring("Ada") == "Ada at the back"


async def test_a_listener_that_takes_them_has_the_hosts_time_and_a_place_in_the_hub(
    make_app: Callable[[Mapping[str, str]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    async with served(make_app({"function_app.py": CHIME_APP})) as (_, session):
        await until_ready(session)
        chime = CHIMES[0]
        assert chime.services.is_alone
        assert "listener" not in await function_of(session, "struck")
        host_id = chime.services.host_id
        assert [await chime.strike() for _ in range(2)] == [f"1 of {host_id}", f"2 of {host_id}"]
        shown = await function_of(session, "struck")
        assert shown["listener"]["struck"] == "2"
    assert CHIMES == []


async def function_of(session: aiohttp.ClientSession, name: str) -> dict[str, Any]:
    async with session.get(f"/admin/functions/{name}") as answer:
        found: dict[str, Any] = await answer.json()
        return found
