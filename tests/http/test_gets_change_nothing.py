"""No GET and no HEAD changes anything: a link, an image or a preview would change it, too."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.clock import SystemClock
from host.http.access import Need
from host.http.keys import KeyKind
from host.http.operations import Operation
from host.http.parameters import Place
from host.http.server import OPERATIONS
from host.http.shapes import FLAG
from host.storage.kinds import StorePlace
from host.storage.opening import STORES
from tests.http.hosting import HUB, WEBHOOKS, Host, running_host
from tests.http.test_other_sites import NAVIGATION
from tests.kit.hub import until
from tests.kit.manual_clock import ManualClock

GETS = [each for each in OPERATIONS if each.verb == "GET"]
MORE_THAN_READING = {
    "exportInstance",
    "exportInstances",
    "listKeys",
    *(
        f"{verb}{one}"
        for verb, ones in {
            "list": ("SystemKeys", "HostKeys", "HostFunctionKeys", "FunctionKeys"),
            "get": ("SystemKey", "HostKey", "HostFunctionKey", "FunctionKey"),
        }.items()
        for one in ones
    ),
}
"""What they tell is more than the role `read` may see. That they change nothing is tested below."""
ENDLESS = {"tellEvents"}


def flags_of(operation: Operation[Any]) -> Iterator[str]:
    """Each query that switches one thing on, and one that says nothing."""
    yield ""
    for each in operation.parameters_in(Place.QUERY):
        if each.schema == FLAG:
            yield f"?{each.name}=true"


def test_what_is_a_get_needs_no_more_than_reading() -> None:
    assert {each.id for each in GETS if each.access > Need.READ} == MORE_THAN_READING


async def test_no_get_changes_what_is_stored(tmp_path: Path) -> None:
    clock = ManualClock(start=SystemClock().now())
    place = StorePlace(hub=HUB, folder=tmp_path)
    async with (
        STORES.find("sqlite").opened(place, clock) as opened,
        running_host(tmp_path / "keys.json", storage=opened, clock=clock) as host,
    ):
        master = {"x-functions-key": host.keys[KeyKind.MASTER]}
        names = await something_of_everything(host, master)
        before, keys = stored_in(tmp_path), (tmp_path / "keys.json").read_bytes()
        for each in GETS:
            for query in flags_of(each):
                verb = "HEAD" if each.id in ENDLESS else "GET"
                path = each.path.format(**names) + query
                answer = await host.call(verb, path, headers=master, allow_redirects=False)
                assert answer.status not in {401, 403}, each.id
                assert stored_in(tmp_path) == before, f"{each.id}{query}"
        assert (tmp_path / "keys.json").read_bytes() == keys


async def something_of_everything(host: Host, key: dict[str, str]) -> dict[str, str]:
    """What stands in the paths; all of it is there."""
    started = await host.call("POST", "orchestrators/waiting/it", headers=key)
    assert started.status == 202
    await host.hub.wait_for_instance_start("it")
    job = await host.call("POST", "batch/suspend?name=nobody", headers=key)
    job_id = str((await job.json())["jobId"])

    async def is_over() -> bool:
        return "endedTime" in await (await host.call("GET", f"jobs/{job_id}", headers=key)).text()

    await until(is_over)
    for path in ("/admin/host/systemkeys/k?role=read", "/admin/host/functionkeys/k"):
        assert (await host.call("POST", path, headers=key)).status == 201
    assert (await host.call("PUT", "limits/l", json={"maxConcurrent": 1}, headers=key)).status < 500
    return {
        "name": "start",
        "instance_id": "it",
        "event_name": "go",
        "job_id": job_id,
        "limit_name": "l",
        "key": "k",
        "entity_name": "e",
        "entity_key": "k",
        "*path": "none",
    }


def stored_in(folder: Path) -> list[str]:
    (file,) = folder.rglob("*.db")
    with sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("operation", GETS, ids=lambda each: each.id)
async def test_found_a_foreign_page_leads_nobody_to_more_than_reading(
    host: Host, operation: Operation[Any]
) -> None:
    if operation.id in ENDLESS:
        return
    path = operation.path.format(
        **{
            "name": "none",
            "instance_id": "none",
            "job_id": "none",
            "limit_name": "none",
            "key": "none",
            "entity_name": "none",
            "entity_key": "none",
            "*path": "none",
        }
    )
    led = await host.call("GET", path, headers=NAVIGATION, allow_redirects=False)
    assert (led.status == 403) == (operation.access > Need.READ)


async def test_found_a_foreign_page_cannot_end_what_runs(host: Host) -> None:
    waiting = await host.waiting()
    for path in ("export?move=true", f"instances/{waiting}/export?move=true"):
        for verb in ("GET", "POST"):
            led = await host.call(verb, f"{WEBHOOKS}/{path}", headers=NAVIGATION)
            assert led.status == 403
    status = await (await host.call("GET", f"instances/{waiting}")).json()
    assert status["runtimeStatus"] == "Running"
