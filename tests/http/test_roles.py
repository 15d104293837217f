"""Which key opens which operation: each operation, by each kind and role of key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from host.http.answers import NO_KEY
from host.http.keys import KeyKind
from host.http.server import OPERATIONS
from tests.http.hosting import Host, running_host
from tests.http.test_security import guarded

NOTHING = {
    "getDashboard",
    "getDashboardFile",
    "signIn",
    "getHomepage",
    "getLiveness",
    "getReadiness",
    "ping",
    "pingByPost",
}
READ = {
    "listEntities",
    "listEntitiesOfName",
    "getEntity",
    "getEntityLock",
    "listInstances",
    "countInstances",
    "getOverview",
    "listQuarantine",
    "getHistogram",
    "tellEvents",
    "getInstance",
    "getHistory",
    "whyInstanceWaits",
    "waitForInstance",
    "listHosts",
    "listJobs",
    "listLimits",
    "getLimit",
    "getJob",
    "getOpenApi",
    "getDashboardSession",
    "signOut",
    "getHostStatus",
    "listFunctions",
    "getFunction",
    "getFunctionStatus",
    "listQueues",
    "showAudit",
    "exportAudit",
    "getFunctionStats",
    "getScale",
    "getMetrics",
    "listSchedules",
    "peekMessages",
}
OPERATE = {
    "runSchedule",
    "batchRedrive",
    "pauseSchedule",
    "resumeSchedule",
    "signalEntity",
    "signalEntityWithoutKey",
    "deleteEntity",
    "cleanEntityStorage",
    "unlockEntity",
    "startInstance",
    "startInstanceWithId",
    "restartInstance",
    "raiseEvent",
    "terminateInstance",
    "suspendInstance",
    "resumeInstance",
    "setCustomStatus",
    "redriveInstance",
    "rewindInstance",
    "purgeInstances",
    "purgeInstance",
    "forkInstance",
    "exportInstance",
    "exportInstances",
    "moveInstance",
    "moveInstances",
    "importInstances",
    "batchTerminate",
    "batchSuspend",
    "batchResume",
    "batchRewind",
    "batchPurge",
    "cancelJob",
    "changeLimit",
    "takeLimitBack",
    "putMessage",
    "purgeQueue",
    "redriveQueue",
}
ADMIN = {"runFunction", "reloadApp", "listKeys"} | {
    f"{verb}{one}"
    for verb, ones in {
        "list": ("SystemKeys", "HostKeys", "HostFunctionKeys", "FunctionKeys"),
        "get": ("SystemKey", "HostKey", "HostFunctionKey", "FunctionKey"),
        "generate": ("SystemKey", "HostKey", "HostFunctionKey", "FunctionKey"),
        "set": ("SystemKey", "HostKey", "HostFunctionKey", "FunctionKey"),
        "delete": ("SystemKey", "HostKey", "HostFunctionKey", "FunctionKey"),
    }.items()
    for one in ones
}
"""By what opens them. What is new has to be put into one of these."""

OPENED: Mapping[str, set[str]] = {
    "function": NOTHING,
    "of a function": NOTHING,
    "read": NOTHING | READ,
    "operate": NOTHING | READ | OPERATE,
    "durabletask_extension": NOTHING | READ | OPERATE,
    "admin": NOTHING | READ | OPERATE | ADMIN,
    "master": NOTHING | READ | OPERATE | ADMIN,
}
PARTS = {
    "name": "none",
    "instance_id": "none",
    "event_name": "e",
    "job_id": "none",
    "limit_name": "none",
    "key": "none",
    "entity_name": "none",
    "entity_key": "none",
    "*path": "none",
}


ENDLESS = {"tellEvents"}
"""Those whose answers never end: their heads say as much."""


async def all_keys(host: Host) -> dict[str, str]:
    """A value for each kind and role of key."""
    master = {"x-functions-key": host.keys[KeyKind.MASTER]}

    async def made(path: str) -> str:
        response = await host.call("POST", path, headers=master)
        assert response.status == 201, await response.text()
        return str((await response.json())["value"])

    functions = await (await host.call("GET", "/admin/functions", headers=master)).json()
    function = next(
        each
        for each in functions
        if any(x["type"] == "httpTrigger" for x in each["config"]["bindings"])
    )
    return {
        "function": host.keys[KeyKind.FUNCTION],
        "of a function": await made(f"/admin/functions/{function['name']}/keys/one"),
        "durabletask_extension": host.keys[KeyKind.SYSTEM],
        "master": host.keys[KeyKind.MASTER],
        **{
            role: await made(f"/admin/host/systemkeys/of-{role}?role={role}")
            for role in ("read", "operate", "admin")
        },
    }


def test_each_operation_has_its_place_in_these_tables() -> None:
    tables = (NOTHING, READ, OPERATE, ADMIN)
    assert sum(map(len, tables)) == len(set().union(*tables))
    assert {each.id for each in OPERATIONS} == set().union(*tables)


async def test_each_operation_is_opened_by_the_keys_that_it_is_for(locked: Host) -> None:
    keys = await all_keys(locked)
    opened: dict[str, set[str]] = {}
    for who, value in keys.items():
        opened[who] = set()
        for each in OPERATIONS:
            verb = "HEAD" if each.id in ENDLESS else each.verb
            response = await locked.call(
                verb, each.path.format(**PARTS), headers={"x-functions-key": value}
            )
            if response.status == 403 and verb != "HEAD":
                assert f"needs the role {each.access.role}" in await response.text()
            elif response.status != 403:
                assert response.status not in {401, 500}, each.id
                opened[who].add(each.id)
    assert opened == OPENED


async def test_without_a_key_and_with_a_wrong_one_nothing_is_told(locked: Host) -> None:
    for each in OPERATIONS:
        if each.id in NOTHING:
            continue
        for headers in ({}, {"x-functions-key": "w" * 43}):
            response = await locked.call(each.verb, each.path.format(**PARTS), headers=headers)
            assert (response.status, await response.json()) == (401, {"Message": NO_KEY}), each.id


@pytest.fixture
async def guarded_host(tmp_path: Path) -> AsyncIterator[Host]:
    async with running_host(tmp_path / "keys.json", app=guarded(), disabled=["off"]) as host:
        yield host


async def test_functions_are_opened_by_their_own_keys_and_by_admins(guarded_host: Host) -> None:
    keys = await all_keys(guarded_host)
    master = {"x-functions-key": guarded_host.keys[KeyKind.MASTER]}
    made = await guarded_host.call("POST", "/admin/functions/function/keys/its", headers=master)
    keys["its own"] = (await made.json())["value"]

    async def those_that_open(name: str) -> set[str]:
        return {
            who
            for who, value in keys.items()
            if (
                await guarded_host.call("GET", f"/api/{name}", headers={"x-functions-key": value})
            ).status
            != 401
        }

    assert await those_that_open("open") == set(keys)
    assert await those_that_open("function") == {"function", "its own", "admin", "master"}
    assert await those_that_open("masters") == {"admin", "master"}
    off = {
        who: (await guarded_host.call("GET", "/api/off", headers={"x-functions-key": value})).status
        for who, value in keys.items()
    }
    assert {who for who, status in off.items() if status == 200} == {"admin", "master"}
    assert {who for who, status in off.items() if status == 404} == {"function"}
