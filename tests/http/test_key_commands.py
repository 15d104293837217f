"""`funchost keys` against a host: what it does, prints, and ends with."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from host.http.keys import KeyKind
from tests.http.hosting import Host, running_host
from tests.http.test_instance_commands import invoke
from tests.http.test_security import guarded


@pytest.fixture
async def guarded_host(tmp_path: Path) -> AsyncIterator[Host]:
    async with running_host(tmp_path / "keys.json", app=guarded()) as host:
        yield host


async def keys(host: Host, *arguments: str, code: int = 0, key: str | None = None) -> Result:
    """The command, with the master key unless another one is given."""
    shown = host.keys[KeyKind.MASTER] if key is None else key
    result = await invoke("keys", *arguments, url=host.origin, key=shown)
    assert result.exit_code == code, result.stderr
    return result


async def status(host: Host, path: str, key: str) -> int:
    return (await host.call("GET", path, headers={"x-functions-key": key})).status


async def test_a_new_key_is_all_of_the_output_and_opens_what_was_said(guarded_host: Host) -> None:
    opened: dict[str, list[int]] = {}
    for name, *what in (
        ("looks", "--role", "read"),
        ("boss", "--role", "admin"),
        ("one", "--function", "Function"),
        ("every", "--all-functions"),
    ):
        made = await keys(guarded_host, "create", name, *what)
        assert "shown only once" in made.stderr
        value = made.stdout.strip()
        opened[name] = [
            await status(guarded_host, path, value)
            for path in ("instances", "/admin/keys", "/api/function", "/api/masters")
        ]
    assert opened == {
        "looks": [200, 403, 401, 401],
        "boss": [200, 200, 200, 200],
        "one": [403, 403, 200, 401],
        "every": [403, 403, 200, 401],
    }


async def test_keys_are_listed_for_people_and_programs(guarded_host: Host) -> None:
    await keys(guarded_host, "create", "shop", "--function", "function")
    shown = (await keys(guarded_host, "list")).stdout
    rows = [line.split() for line in shown.splitlines()]
    assert rows[1][:3] == ["_master", "everything", "admin"]
    assert rows[2][:4] == ["durabletask_extension", "the", "host", "operate"]
    assert rows[4][:4] == ["shop", "the", "function", "function"]
    lines = (await keys(guarded_host, "list", "--json")).stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == [
        "_master",
        "durabletask_extension",
        "default",
        "shop",
    ]


async def test_a_key_is_rotated_at_once_or_with_grace(guarded_host: Host) -> None:
    first = (await keys(guarded_host, "create", "shop", "--all-functions")).stdout.strip()
    rotated = await keys(guarded_host, "rotate", "shop", "--all-functions", "--grace", "1h")
    second = rotated.stdout.strip()
    assert "The old value opens until" in rotated.stderr
    assert [await status(guarded_host, "/api/function", key) for key in (first, second)] == [
        200
    ] * 2
    made = await keys(guarded_host, "rotate", "shop", "--all-functions", "--json")
    third: dict[str, Any] = json.loads(made.stdout)
    assert datetime.fromisoformat(third["changedTime"]) > datetime.fromisoformat(
        third["createdTime"]
    )
    assert [
        await status(guarded_host, "/api/function", key) for key in (first, second, third["value"])
    ] == [401, 401, 200]


async def test_a_key_is_deleted(guarded_host: Host) -> None:
    value = (await keys(guarded_host, "create", "ci", "--role", "operate")).stdout.strip()
    assert "opens nothing any more" in (await keys(guarded_host, "delete", "ci")).stdout
    assert await status(guarded_host, "instances", value) == 401


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["create", "durabletask_extension", "--role", "read"], "here already"),
        (["create", "x", "--function", "nope"], "No function has the name 'nope'"),
        (["create", "a b", "--role", "read"], "1 to 64 letters"),
        (["rotate", "nope"], "There is no key 'nope' here"),
        (["rotate", "durabletask_extension", "--grace", "60d"], "longer than"),
        (["delete", "nope", "--function", "function"], "There is no key 'nope' here"),
        (["delete", "_master"], "in the file of keys"),
        (["list", "--hub", "other"], "This host serves the hub 'TestHub', not 'other'"),
        (["delete", "durabletask_extension", "--hub", "other"], "serves the hub"),
    ],
)
async def test_what_the_host_refuses_ends_with_1_and_the_reason(
    guarded_host: Host, arguments: list[str], reason: str
) -> None:
    refused = await keys(guarded_host, *arguments, code=1)
    assert reason in refused.stderr
    assert refused.stdout == ""
    listed = json.loads((await keys(guarded_host, "list", "--json")).stdout.splitlines()[1])
    assert listed == {
        "name": "durabletask_extension",
        "kind": "system",
        "role": "operate",
        "isInFile": True,
    }


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["create", "x"], "Say what it opens"),
        (["create", "x", "--role", "read", "--all-functions"], "Say what it opens"),
        (["create", "x", "--role", "root"], "'root' is not one of"),
        (["rotate", "x", "--function", "y", "--all-functions"], "not both"),
        (["rotate", "x", "--grace", "soon"], "is not how long"),
        (["delete", ""], "is a text that is not empty"),
        (["keys.json"], "A file of keys is made by `funchost keys new keys.json`"),
        (["lst"], "Did you mean 'list'?"),
    ],
)
async def test_wrong_usage_ends_with_2(
    guarded_host: Host, arguments: list[str], reason: str
) -> None:
    assert reason in (await keys(guarded_host, *arguments, code=2)).stderr


async def test_keys_that_are_not_enough_are_told_so(guarded_host: Host) -> None:
    missing = await keys(guarded_host, "list", key="", code=2)
    assert "wants a valid key. Give one with --key" in missing.stderr
    system = guarded_host.keys[KeyKind.SYSTEM]
    too_little = await keys(guarded_host, "create", "x", "--role", "read", key=system, code=2)
    assert "This needs the role admin" in too_little.stderr


async def test_a_host_without_keys_says_how_to_have_some(host: Host) -> None:
    for arguments in (["list"], ["create", "x", "--role", "read"], ["delete", "x"]):
        refused = await invoke("keys", *arguments, url=host.origin)
        assert refused.exit_code == 1
        assert "--keys" in refused.stderr
