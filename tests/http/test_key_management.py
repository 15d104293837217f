"""Keys over real HTTP: made, listed, replaced, deleted, and what is refused."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.http.keys import KeyKind
from host.storage.local_queues import LocalQueues
from host.storage.memory import MemoryStore
from tests.http.hosting import Host, running_host
from tests.http.test_security import guarded
from tests.kit.manual_clock import ManualClock

SYSTEM = "/admin/host/systemkeys"
FUNCTIONS = "/admin/host/functionkeys"
HELLO = "/admin/functions/function/keys"
VALUE = "My-Own-Value-0123456789-ABCDEFGHIJ"


@pytest.fixture
async def guarded_host(tmp_path: Path) -> AsyncIterator[Host]:
    async with running_host(tmp_path / "keys.json", app=guarded()) as host:
        yield host


async def ask(
    host: Host, verb: str, path: str, *, key: str | None = None, **options: Any
) -> tuple[int, Any]:
    """Ask as who has the key; else as who has the master key."""
    headers = {"x-functions-key": host.keys[KeyKind.MASTER] if key is None else key}
    response = await host.call(verb, path, headers=headers, **options)
    text = await response.text()
    assert response.status != 500
    if '"value":' in text:
        assert response.headers["Cache-Control"] == "no-store"
    is_json = response.content_type == "application/json"
    return response.status, await response.json() if is_json else None


async def opens(host: Host, value: str) -> bool:
    return (await ask(host, "GET", "/api/function", key=value))[0] == 200


@pytest.mark.parametrize("path", [SYSTEM, FUNCTIONS, HELLO, "/admin/host/keys"])
async def test_a_key_is_made_shown_and_deleted(guarded_host: Host, path: str) -> None:
    status, made = await ask(guarded_host, "POST", f"{path}/Shop")
    assert (status, made["name"], len(made["value"])) == (201, "Shop", 43)
    href = f"{guarded_host.origin}{path}/Shop"
    assert made["links"] == [{"rel": "self", "href": href}]
    status, shown = await ask(guarded_host, "GET", f"{path}/shop")
    assert (status, shown["name"], "value" in shown) == (200, "Shop", False)
    assert shown["createdTime"] == shown["changedTime"]
    status, listed = await ask(guarded_host, "GET", path)
    assert "Shop" in [each["name"] for each in listed["keys"]]
    assert [each for each in listed["keys"] if "value" in each] == []
    if path != SYSTEM:
        assert await opens(guarded_host, made["value"])
    assert await ask(guarded_host, "DELETE", f"{path}/SHOP") == (204, None)
    assert (await ask(guarded_host, "GET", f"{path}/Shop"))[0] == 404
    assert (await ask(guarded_host, "DELETE", f"{path}/Shop"))[0] == 404
    assert not await opens(guarded_host, made["value"])


async def test_all_keys_are_listed_with_what_they_open(guarded_host: Host) -> None:
    await ask(guarded_host, "POST", f"{HELLO}/shop")
    await ask(guarded_host, "POST", f"{SYSTEM}/probe")
    status, listed = await ask(guarded_host, "GET", "/admin/keys")
    assert status == 200
    assert [
        (each["kind"], each["name"], each.get("function"), each.get("role"), each["isInFile"])
        for each in listed
    ] == [
        ("master", "_master", None, "admin", True),
        ("system", "durabletask_extension", None, "operate", True),
        ("system", "probe", None, "read", False),
        ("function", "default", None, None, True),
        ("function", "shop", "function", None, False),
    ]


async def test_a_key_gets_a_new_value_and_the_old_one_ends(guarded_host: Host) -> None:
    _, first = await ask(guarded_host, "POST", f"{FUNCTIONS}/shop")
    status, second = await ask(guarded_host, "POST", f"{FUNCTIONS}/shop")
    assert status == 200
    assert [await opens(guarded_host, each["value"]) for each in (first, second)] == [False, True]


async def test_a_key_of_the_file_gets_a_new_value(guarded_host: Host) -> None:
    old = guarded_host.keys[KeyKind.FUNCTION]
    status, new = await ask(guarded_host, "POST", f"{FUNCTIONS}/default")
    assert status == 200
    assert [await opens(guarded_host, each) for each in (old, new["value"])] == [False, True]


async def test_the_old_value_opens_for_the_grace_that_is_given(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_host(tmp_path / "keys.json", app=guarded(), clock=clock) as host:
        old = host.keys[KeyKind.FUNCTION]
        _, new = await ask(host, "POST", f"{FUNCTIONS}/default?grace=3600")
        assert new["oldValueUntil"]
        clock.jump(timedelta(seconds=3599))
        assert [await opens(host, each) for each in (old, new["value"])] == [True, True]
        clock.jump(timedelta(seconds=1))
        assert [await opens(host, each) for each in (old, new["value"])] == [False, True]


async def test_a_key_can_be_given_its_value(guarded_host: Host) -> None:
    body = {"name": "shop", "value": VALUE}
    status, made = await ask(guarded_host, "PUT", f"{FUNCTIONS}/shop", json=body)
    assert (status, made["value"]) == (201, VALUE)
    assert await opens(guarded_host, VALUE)
    assert (await ask(guarded_host, "PUT", f"{FUNCTIONS}/shop", json=body))[0] == 200


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "is not JSON such as"),
        ([], "is not JSON such as"),
        ({"name": "shop"}, "is not JSON such as"),
        ({"value": None}, "is not JSON such as"),
        ({"value": 1}, "is not JSON such as"),
        ({"name": "other", "value": VALUE}, "The name in the body"),
        ({"value": ""}, "32 to 256 printable"),
        ({"value": VALUE[:31]}, "32 to 256 printable"),
        ({"value": VALUE * 9}, "32 to 256 printable"),
        ({"value": f"{VALUE} "}, "32 to 256 printable"),
        ({"value": f"{VALUE}é"}, "32 to 256 printable"),
        ({"value": f"{VALUE}\n"}, "32 to 256 printable"),
        ({"value": "password" * 5}, "can be guessed"),
        ({"value": f"link2.{VALUE}"}, "can be guessed"),
    ],
)
async def test_a_value_that_is_no_good_is_refused_and_not_quoted(
    guarded_host: Host, body: Any, reason: str
) -> None:
    status, said = await ask(guarded_host, "PUT", f"{FUNCTIONS}/shop", json=body)
    assert status == 400
    assert reason in said["ExceptionMessage"]
    value = body.get("value") if isinstance(body, dict) else None
    assert not value or str(value) not in str(said) or value == 1
    assert (await ask(guarded_host, "GET", f"{FUNCTIONS}/shop"))[0] == 404


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"value": "my-s3cret'])
async def test_a_body_that_is_no_json_is_refused_and_not_quoted(
    guarded_host: Host, data: bytes
) -> None:
    status, said = await ask(guarded_host, "PUT", f"{FUNCTIONS}/shop", data=data)
    assert status == 400
    assert "s3cret" not in str(said)


async def test_a_body_that_is_too_large_is_refused(guarded_host: Host) -> None:
    body = {"value": VALUE, "more": "x" * 5000}
    assert (await ask(guarded_host, "PUT", f"{FUNCTIONS}/shop", json=body))[0] == 413


@pytest.mark.parametrize("name", ["_x", "-x", ".x", "a%20b", "a%2Fb", "%C3%A9", "x" * 65, "a%0Ab"])
async def test_a_name_that_is_no_good_is_refused(guarded_host: Host, name: str) -> None:
    status, said = await ask(guarded_host, "POST", f"{SYSTEM}/{name}")
    assert status == 400
    assert "1 to 64 letters" in said["ExceptionMessage"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("role=root", "not one of read, operate, admin"),
        ("rol=admin", "no option 'rol'"),
        ("grace=-1", "zero or more"),
        ("grace=soon", "a number of seconds"),
        ("grace=2592001", "longer than"),
        ("exists=perhaps", "not one of true, false"),
    ],
)
async def test_an_option_that_is_no_good_is_refused(
    guarded_host: Host, query: str, reason: str
) -> None:
    status, said = await ask(guarded_host, "POST", f"{SYSTEM}/ci?{query}")
    assert status == 400
    assert reason in said["ExceptionMessage"]


async def test_a_function_key_takes_no_role(guarded_host: Host) -> None:
    for path in (FUNCTIONS, HELLO):
        status, said = await ask(guarded_host, "POST", f"{path}/shop?role=admin")
        assert status == 400
        assert "have no role" in said["ExceptionMessage"]


@pytest.mark.parametrize("path", [SYSTEM, FUNCTIONS, HELLO])
@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
async def test_the_master_key_is_changed_in_its_file_only(
    guarded_host: Host, path: str, verb: str
) -> None:
    body = {"value": VALUE} if verb == "PUT" else None
    status, said = await ask(guarded_host, verb, f"{path}/_MASTER", json=body)
    assert status == 400
    assert "in the file of keys" in said["ExceptionMessage"]


async def test_the_master_key_is_shown_among_the_system_keys_and_not_listed(
    guarded_host: Host,
) -> None:
    status, shown = await ask(guarded_host, "GET", f"{SYSTEM}/_master")
    assert (status, shown["role"], "value" in shown) == (200, "admin", False)
    _, listed = await ask(guarded_host, "GET", SYSTEM)
    assert [each["name"] for each in listed["keys"]] == ["durabletask_extension"]


async def test_a_function_that_is_not_there_has_no_keys(guarded_host: Host) -> None:
    for verb, path in (("GET", ""), ("GET", "/x"), ("POST", "/x"), ("DELETE", "/x")):
        status, said = await ask(guarded_host, verb, f"/admin/functions/nope/keys{path}")
        assert status == 404
        assert "'nope'" in said["ExceptionMessage"]


async def test_a_function_that_answers_no_requests_gets_no_key(tmp_path: Path) -> None:
    async with running_host(tmp_path / "keys.json") as host:
        for name in ("shout", "ECHO"):
            path = f"/admin/functions/{name}/keys"
            for verb, body in (("POST", None), ("PUT", {"value": VALUE})):
                status, said = await ask(host, verb, f"{path}/shop", json=body)
                assert status == 400
                assert f"'{name}' answers no HTTP requests" in said["ExceptionMessage"]
            assert (await ask(host, "GET", path))[1]["keys"] == []
        assert (await ask(host, "POST", "/admin/functions/start/keys/shop"))[0] == 201


async def test_keys_of_a_function_that_is_gone_can_be_seen_and_deleted(tmp_path: Path) -> None:
    clock = ManualClock()
    store = MemoryStore(clock.now)
    async with running_host(
        tmp_path / "keys.json", app=guarded(), storage=(store, LocalQueues()), clock=clock
    ) as first:
        await ask(first, "POST", f"{HELLO}/shop")
        async with running_host(
            tmp_path / "keys.json", storage=(store, LocalQueues()), clock=clock
        ) as second:
            second.keys = first.keys
            _, listed = await ask(second, "GET", HELLO)
            assert [each["name"] for each in listed["keys"]] == ["shop"]
            status, said = await ask(second, "POST", f"{HELLO}/shop")
            assert (status, "is gone" in said["ExceptionMessage"]) == (404, True)
            assert (await ask(second, "DELETE", f"{HELLO}/shop"))[0] == 204
            assert (await ask(second, "GET", HELLO))[0] == 404


async def test_a_key_can_be_asked_to_be_new_or_to_be_there(guarded_host: Host) -> None:
    assert (await ask(guarded_host, "POST", f"{SYSTEM}/ci?exists=true"))[0] == 404
    assert (await ask(guarded_host, "POST", f"{SYSTEM}/ci?exists=false"))[0] == 201
    status, said = await ask(guarded_host, "POST", f"{SYSTEM}/ci?exists=false")
    assert (status, "already" in said["ExceptionMessage"]) == (409, True)
    assert (await ask(guarded_host, "POST", f"{SYSTEM}/ci?exists=true"))[0] == 200


async def test_a_value_of_another_key_is_refused(guarded_host: Host) -> None:
    await ask(guarded_host, "PUT", f"{FUNCTIONS}/shop", json={"value": VALUE})
    for value in (VALUE, guarded_host.keys[KeyKind.MASTER]):
        status, said = await ask(
            guarded_host, "PUT", f"{SYSTEM}/ci?role=admin", json={"value": value}
        )
        assert status == 409
        assert value not in str(said)


async def test_an_admin_key_manages_keys_itself_included(guarded_host: Host) -> None:
    _, made = await ask(guarded_host, "POST", f"{SYSTEM}/boss?role=admin")
    boss = made["value"]
    assert (await ask(guarded_host, "POST", f"{SYSTEM}/ci?role=admin", key=boss))[0] == 201
    assert (await ask(guarded_host, "DELETE", f"{SYSTEM}/boss", key=boss))[0] == 204
    assert (await ask(guarded_host, "GET", "/admin/keys", key=boss))[0] == 401


async def test_a_host_without_keys_makes_none_for_others(host: Host) -> None:
    for verb, path in (("GET", "/admin/keys"), ("GET", SYSTEM), ("POST", f"{SYSTEM}/ci")):
        response = await host.call(verb, path)
        assert response.status == 409
        assert "--keys" in (await response.json())["ExceptionMessage"]


async def test_hosts_of_a_hub_take_the_keys_that_one_of_them_made(tmp_path: Path) -> None:
    clock = ManualClock()
    store = MemoryStore(clock.now)
    async with (
        running_host(
            tmp_path / "one.json", app=guarded(), storage=(store, LocalQueues()), clock=clock
        ) as one,
        running_host(
            tmp_path / "two.json", app=guarded(), storage=(store, LocalQueues()), clock=clock
        ) as two,
    ):
        assert not await opens(two, one.keys[KeyKind.FUNCTION])
        _, made = await ask(one, "POST", f"{FUNCTIONS}/shop")
        clock.jump(timedelta(seconds=1))
        assert await opens(two, made["value"])
        assert (await ask(two, "DELETE", f"{FUNCTIONS}/shop"))[0] == 204
        await clock.pass_time(timedelta(seconds=10))
        assert not await opens(one, made["value"])


async def test_each_change_is_logged_with_who_made_it_and_without_the_value(
    guarded_host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, boss = await ask(guarded_host, "POST", f"{SYSTEM}/boss?role=admin")
    _, shop = await ask(guarded_host, "POST", f"{HELLO}/shop", key=boss["value"])
    await ask(guarded_host, "PUT", f"{HELLO}/shop", json={"value": VALUE}, key=boss["value"])
    await ask(guarded_host, "DELETE", f"{HELLO}/shop", key=boss["value"])
    assert [each.getMessage() for each in caplog.records if each.name == "funchost.audit"] == [
        "The system key 'boss' was made by the master key '_master'; its role is admin",
        "The function key 'shop' of the function 'function' was made by the system key 'boss'",
        "The function key 'shop' of the function 'function' was given a new value by the system "
        "key 'boss'",
        "The function key 'shop' of the function 'function' was deleted by the system key 'boss'",
    ]
    for value in (boss["value"], shop["value"], VALUE):
        assert value not in caplog.text
