"""Who changed what is written down, shown and exported; and nothing that is secret."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from host.http.keys import WEBHOOK_KEY_NAME, KeyKind, open_keys
from host.http.server import OPERATIONS
from tests.http.hosting import WEBHOOKS, Host, running_host
from tests.http.test_instance_commands import invoke
from tests.http.test_sessions import key_of_role, sign_in
from tests.kit.hub import until

SECRET = "a-secret-of-the-body"


async def entries(host: Host, query: str = "", **headers: str) -> list[dict[str, Any]]:
    response = await host.call("GET", f"audit?{query}", headers=headers)
    assert response.status == 200, await response.text()
    found: list[dict[str, Any]] = (await response.json())["entries"]
    return found


async def test_what_changes_an_instance_is_written_down(host: Host) -> None:
    instance_id = await host.waiting()
    await host.call("POST", f"instances/{instance_id}/terminate?reason=too%20old")
    (entry,) = await entries(host)
    assert entry.pop("at").endswith("Z")
    assert entry == {
        "who": "loopback",
        "what": "terminateInstance",
        "target": instance_id,
        "detail": "reason=too+old",
        "from": "127.0.0.1",
        "outcome": "done",
        "status": 202,
    }


async def test_what_was_refused_by_the_state_of_things_is_written_down_as_that(host: Host) -> None:
    assert (await host.call("POST", "instances/nobody/suspend")).status == 404
    (entry,) = await entries(host)
    assert (entry["outcome"], entry["status"], entry["target"]) == ("refused", 404, "nobody")


async def test_everyday_business_and_looking_are_not_in_it(host: Host) -> None:
    instance_id = await host.waiting()
    await host.call("POST", f"instances/{instance_id}/raiseEvent/go", json=SECRET)
    await host.call("GET", "instances")
    await host.call("POST", f"instances/{instance_id}/wait?timeout=0")
    await host.call("GET", "audit")
    assert await entries(host) == []


async def test_what_only_counts_what_would_be_done_is_not_in_it(host: Host) -> None:
    await host.waiting()
    path = "batch/terminate?runtimeStatus=Running"
    assert (await host.call("POST", f"{path}&dryRun=true")).status == 200
    assert await entries(host) == []
    assert (await host.call("POST", f"{path}&dryRun=perhaps")).status == 400
    assert (await host.call("POST", path)).status == 202
    done, refused = await entries(host)
    assert (done["what"], done["outcome"], refused["outcome"]) == (
        "batchTerminate",
        "done",
        "refused",
    )


async def test_every_other_operation_that_changes_something_is_in_it() -> None:
    looks = {"GET", "HEAD"}
    left_out = {each.id for each in OPERATIONS if each.verb not in looks and each.is_everyday}
    assert left_out == {
        "startInstance",
        "startInstanceWithId",
        "raiseEvent",
        "signalEntity",
        "signalEntityWithoutKey",
        "putMessage",
    }


async def test_who_is_the_name_of_the_key_and_no_key_is_kept(tmp_path: Path) -> None:
    async with running_host(tmp_path / "keys.json") as host:
        master = host.keys[KeyKind.MASTER]
        made = await host.call(
            "POST",
            "/admin/host/systemkeys/night?role=operate",
            headers={"x-functions-key": master},
        )
        value = (await made.json())["value"]
        await host.call("POST", f"instances/x/suspend?code={value}&reason=late")
        assert (await host.call("POST", "instances/x/suspend?code=wrong")).status == 401
        reader = host.keys[KeyKind.FUNCTION]
        assert (await host.call("POST", f"instances/x/suspend?code={reader}")).status == 403
        found = await entries(host, **{"x-functions-key": master})
        assert [(each["who"], each["what"]) for each in found] == [
            ("night", "suspendInstance"),
            ("_master", found[1]["what"]),
        ]
        assert (found[0]["detail"], found[1]["target"]) == ("reason=late", "night")
        text = json.dumps(found)
        assert value not in text
        assert master not in text


async def test_found_a_key_under_any_name_is_not_kept(tmp_path: Path) -> None:
    async with running_host(tmp_path / "keys.json") as host:
        master = host.keys[KeyKind.MASTER]
        key = {"x-functions-key": master}
        chosen = "chosen.by.somebody/0123456789-abcdef"
        made = await host.call(
            "PUT", "/admin/host/systemkeys/given", headers=key, json={"value": chosen}
        )
        assert made.status == 201, await made.text()
        token = (await sign_in(host, master)).cookie.partition("=")[2]
        for secret in (master, chosen, token):
            for name in (
                "note",
                "key",
                "x-functions-key",
                "CODE",
                "connection",
                "taskhub",
                "reason",
            ):
                query = {name: f"late {secret}" if name == "reason" else secret}
                await host.call("POST", "instances/x/suspend", params=query, headers=key)
        await host.call("POST", f"instances/{master}/suspend", headers=key)
        found = await entries(host, "what=suspendInstance", **key)
        assert len(found) > 10
        text = json.dumps(found)
        for secret in (master, chosen, token, token[:30]):
            assert secret not in text
        assert {each["detail"] for each in found} == {
            "",
            "reason=late+...",
            "reason=late+session1...",
        }
        assert {each["target"] for each in found} == {"x", "..."}


@pytest.mark.parametrize("name", ["link", "Loopback", "unknown", "MASTER", "master"])
async def test_found_no_key_is_named_as_a_caller_of_the_host(tmp_path: Path, name: str) -> None:
    async with running_host(tmp_path / "keys.json") as host:
        key = {"x-functions-key": host.keys[KeyKind.MASTER]}
        refused = await host.call("POST", f"/admin/host/systemkeys/{name}", headers=key)
        assert refused.status == 400
        assert "The audit names" in await refused.text()
        assert (await host.call("POST", f"/admin/host/keys/{name}", headers=key)).status == 201


def key_named_as_a_caller(path: Path) -> tuple[str, str]:
    """A system key of the name `link`, from a time when one could have it.

    Gives its value, and the master key's.
    """
    _, new = open_keys(path)
    path.write_text(path.read_text().replace(WEBHOOK_KEY_NAME, "link"))
    file = json.loads(path.read_text())
    for each in file["keys"]:
        if each["name"] == "link":
            each["role"] = "operate"
    path.write_text(json.dumps(file))
    (value,) = [each.value for each in new if each.kind is KeyKind.SYSTEM]
    (master,) = [each.value for each in new if each.kind is KeyKind.MASTER]
    return value, master


async def test_found_a_key_of_a_file_is_told_from_a_caller_of_the_host(tmp_path: Path) -> None:
    value, _ = key_named_as_a_caller(tmp_path / "keys.json")
    async with running_host(tmp_path / "keys.json") as host:
        key = {"x-functions-key": value}
        await host.call("POST", "instances/x/suspend", headers=key)
        (entry,) = await entries(host, **key)
        assert entry["who"] == "'link'"


async def test_a_key_that_has_the_name_of_a_caller_gets_a_new_value_until_it_is_deleted(
    tmp_path: Path,
) -> None:
    value, of_master = key_named_as_a_caller(tmp_path / "keys.json")
    url, master = "/admin/host/systemkeys/link", {"x-functions-key": of_master}
    async with running_host(tmp_path / "keys.json") as host:
        renewed = await host.call("POST", url, headers=master)
        assert renewed.status == 200, await renewed.text()
        new = {"x-functions-key": (await renewed.json())["value"]}
        assert (await host.call("POST", "instances/x/suspend", headers=new)).status == 404
        old = {"x-functions-key": value}
        assert (await host.call("POST", "instances/x/suspend", headers=old)).status == 401
        assert "'link'" in {each["who"] for each in await entries(host, **master)}
        given = await host.call("PUT", url, headers=master, json={"value": token_hex(20)})
        assert given.status == 200, await given.text()
        assert (await host.call("DELETE", url, headers=master)).status == 204
        assert (await host.call("POST", url, headers=master)).status == 400


async def test_a_link_is_named_as_one(tmp_path: Path) -> None:
    async with running_host(tmp_path / "keys.json") as host:
        headers = {"x-functions-key": host.keys[KeyKind.SYSTEM]}
        started = await host.call("POST", "orchestrators/waiting/it", headers=headers)
        links = await started.json()
        url = links["terminatePostUri"].removeprefix(host.origin).replace("{text}", "x")
        assert (await host.call("POST", url)).status == 202
        (entry,) = await entries(host, **headers)
        assert (entry["who"], entry["target"]) == ("link", "it")
        assert "code" not in entry["detail"]


async def test_a_session_of_the_dashboard_is_named_by_its_key(locked: Host) -> None:
    key = await key_of_role(locked, "operate", "day")
    browser = await sign_in(locked, key)
    assert (await browser.ask("POST", "instances/x/suspend")).status == 404
    assert (await browser.call("POST", "instances/x/suspend")).status == 403  # no CSRF token
    master = {"x-functions-key": locked.keys[KeyKind.MASTER]}
    found = await entries(locked, "what=suspendInstance", **master)
    assert [each["who"] for each in found] == ["day"]


async def test_found_who_signs_in_and_out_is_in_it(locked: Host) -> None:
    master = locked.keys[KeyKind.MASTER]
    browser = await sign_in(locked, master)
    for key in ("w" * 43, locked.keys[KeyKind.FUNCTION]):
        refused = await locked.call("POST", "/dashboard/login", json={"key": key})
        assert refused.status in {401, 403}
    assert (await browser.ask("POST", "/dashboard/logout")).status == 204
    found = await entries(locked, **{"x-functions-key": master})
    assert [(each["what"], each["who"], each["outcome"]) for each in found] == [
        ("signOut", "_master", "done"),
        ("signIn", "_master", "done"),
    ]
    assert master not in json.dumps(found)


async def test_found_the_log_tells_of_who_tries_and_of_a_flood_a_line(
    locked: Host, caplog: pytest.LogCaptureFixture
) -> None:
    reader = await key_of_role(locked, "read", "looks")
    caplog.clear()
    for number in range(20):
        await locked.call("POST", "/dashboard/login", json={"key": f"{'w' * 40}{number}"})
        headers = {"x-functions-key": reader}
        assert (await locked.call("POST", "instances/x/suspend", headers=headers)).status == 403
    assert [each.getMessage() for each in caplog.records if each.name == "funchost.audit"] == [
        "A sign-in from 127.0.0.1 failed: there is no such key",
        "What needs the role operate was refused to the system key 'looks'.",
    ]


async def test_what_a_client_did_not_wait_for_is_in_it_too(host: Host) -> None:
    client = await host.raw.connect()
    await client.send_head("POST", f"{WEBHOOKS}/instances/it/fork", "Content-Length: 100")
    await client.send(b"{")
    await client.close()

    async def is_noted() -> bool:
        return bool(await entries(host))

    await until(is_noted)
    (entry,) = await entries(host)
    assert (entry["what"], entry["target"]) == ("forkInstance", "it")
    assert entry["outcome"] in {"begun", "refused"}


async def test_found_a_move_is_in_it_and_a_copy_is_not(host: Host) -> None:
    instance_id = await host.waiting()
    for path in ("export", f"instances/{instance_id}/export"):
        assert (await host.call("GET", path)).status == 200
        assert (await host.call("GET", f"{path}?move=true")).status == 400
    assert await entries(host) == []
    await host.call("POST", f"instances/{instance_id}/export?move=true")
    await host.call("POST", "export?move=true&name=nobody")
    many, one = await entries(host)
    assert (one["what"], one["target"], one["outcome"]) == ("moveInstance", instance_id, "begun")
    assert (many["what"], many["detail"]) == ("moveInstances", "move=true&name=nobody")


async def test_no_body_is_in_it(host: Host) -> None:
    instance_id = await host.waiting()
    await host.call("PUT", f"instances/{instance_id}/customStatus", json=SECRET)
    await host.call("POST", "/admin/functions/start", json={"input": SECRET})
    found = await entries(host)
    assert len(found) == 2
    assert SECRET not in json.dumps(found)


async def test_pages_go_on_with_a_token(host: Host) -> None:
    for number in range(5):
        await host.call("POST", f"instances/i{number}/suspend")
    found: list[str] = []
    token = ""
    while True:
        headers = {"x-ms-continuation-token": token}
        response = await host.call("GET", "audit?top=2", headers=headers)
        found += [each["target"] for each in (await response.json())["entries"]]
        token = response.headers["x-ms-continuation-token"]
        if not token:
            break
    assert found == ["i4", "i3", "i2", "i1", "i0"]
    refused = await host.call("GET", "audit", headers={"x-ms-continuation-token": "x"})
    assert refused.status == 400


async def test_it_is_filtered_and_exported(host: Host) -> None:
    for number in range(3):
        await host.call("POST", f"instances/order-{number}/suspend")
    await host.call("DELETE", "instances/order-1")
    assert len(await entries(host, "what=suspendInstance&who=loopback")) == 3
    assert len(await entries(host, "target=order-1")) == 2
    assert await entries(host, "since=2999-01-01") == []
    assert await entries(host, "until=2001-01-01") == []
    assert (await host.call("GET", "audit?since=yesterday")).status == 400
    response = await host.call("GET", "audit/export?target=order-1")
    assert response.headers["Content-Type"].startswith("application/x-ndjson")
    lines = (await response.read()).splitlines()
    assert [json.loads(line)["what"] for line in lines] == ["purgeInstance", "suspendInstance"]


async def test_a_proxy_that_is_believed_says_where_it_comes_from(tmp_path: Path) -> None:
    limits = {"trustedProxies": ["127.0.0.1"]}
    async with running_host(tmp_path / "keys.json", limits=limits) as host:
        key = {"x-functions-key": host.keys[KeyKind.MASTER]}
        for told in ("1.1.1.1, 203.0.113.7", "not an address"):
            await host.call("POST", "instances/x/suspend", headers=key | {"X-Forwarded-For": told})
        found = await entries(host, **key)
        assert [each["from"] for each in found] == ["127.0.0.1", "203.0.113.7"]


@pytest.fixture
async def audited(host: Host) -> AsyncIterator[Host]:
    for number in range(3):
        await host.call("POST", f"instances/order-{number}/suspend")
    yield host


async def test_the_command_lists_it(audited: Host) -> None:
    result = await invoke("audit", url=audited.origin)
    assert result.exit_code == 0, result.stderr
    assert "suspendInstance" in result.stdout
    assert "refused (404)" in result.stdout
    some = await invoke("audit", "--json", "--limit", "2", url=audited.origin)
    assert [json.loads(line)["target"] for line in some.stdout.splitlines()] == [
        "order-2",
        "order-1",
    ]
    found = await invoke(
        "audit", "--all", "--json", "--target", "order-0", "--since", "1h", url=audited.origin
    )
    assert [json.loads(line)["target"] for line in found.stdout.splitlines()] == ["order-0"]
