"""Who may do what over real HTTP: loopback without keys, and keys and links everywhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bindings import AuthLevel, FunctionApp, HttpRequest
from host.http.answers import NO_KEY, WRONG_KEY
from host.http.keys import KeyKind
from tests.http.hosting import WEBHOOKS, Host, running_host

ORIGIN = {"Origin": "https://evil.example"}


def guarded() -> FunctionApp:
    """One function of each level."""
    app = FunctionApp()

    @app.route("open", auth_level=AuthLevel.ANONYMOUS)
    def open_(req: HttpRequest) -> str:
        return "x"

    @app.route("function")
    def function(req: HttpRequest) -> str:
        return "x"

    @app.route("masters", auth_level=AuthLevel.ADMIN)
    def masters(req: HttpRequest) -> str:
        return "x"

    @app.route("off")
    def off(req: HttpRequest) -> str:
        return "x"

    return app


@pytest.fixture
async def guarded_host(tmp_path: Path) -> AsyncIterator[Host]:
    async with running_host(tmp_path / "keys.json", app=guarded(), disabled=["off"]) as host:
        yield host


def key_header(host: Host, kind: KeyKind) -> dict[str, str]:
    return {"x-functions-key": host.keys[kind]}


@pytest.mark.parametrize("name", ["evil.example", "evil.example:7071", "10.0.0.5", "0.0.0.0"])
async def test_without_keys_a_foreign_host_name_is_refused(host: Host, name: str) -> None:
    for path in ("instances", "/", "/healthz", "/api/start/echo", "/admin/host/ping"):
        response = await host.call("GET", path, headers={"Host": name})
        assert response.status == 421


@pytest.mark.parametrize("name", ["localhost", "LocalHost:1234", "127.0.0.1", "[::1]:80"])
async def test_without_keys_loopback_names_are_served(host: Host, name: str) -> None:
    assert (await host.call("GET", "instances", headers={"Host": name})).status == 200


async def test_links_have_the_name_that_the_request_used(host: Host) -> None:
    headers = {"Host": "localhost:1234"}
    body = await (await host.call("POST", "orchestrators/echo", headers=headers)).json()
    assert body["statusQueryGetUri"].startswith(f"http://localhost:1234{WEBHOOKS}/instances/")


async def test_without_keys_links_carry_no_code(host: Host) -> None:
    body = await (await host.call("POST", "orchestrators/echo")).json()
    assert [url for url in body.values() if "code=" in url] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "instances"),
        ("POST", "orchestrators/echo"),
        ("DELETE", "instances?createdTimeFrom=2000-01-01"),
        ("GET", "instances/x"),
        ("GET", "nothing"),
        ("GET", "/admin/host/status"),
        ("GET", "/admin/functions"),
        ("POST", "/admin/functions/start"),
        ("GET", "/admin/nothing"),
    ],
)
async def test_with_keys_nothing_is_open_without_one(locked: Host, method: str, path: str) -> None:
    for headers in ({}, {"x-functions-key": "wrong"}, {"x-functions-key": ""}):
        response = await locked.call(method, path, headers=headers)
        assert (response.status, await response.json()) == (401, {"Message": NO_KEY})


async def test_with_keys_the_webhooks_take_system_and_master_key(locked: Host) -> None:
    statuses = {
        kind: (await locked.call("GET", "instances", headers=key_header(locked, kind))).status
        for kind in KeyKind
    }
    assert statuses == {KeyKind.MASTER: 200, KeyKind.SYSTEM: 200, KeyKind.FUNCTION: 403}


async def test_with_keys_the_administration_is_changed_by_the_master_key_only(
    locked: Host,
) -> None:
    statuses = {
        kind: (
            await locked.call(
                "POST", "/admin/functions/start", json={}, headers=key_header(locked, kind)
            )
        ).status
        for kind in KeyKind
    }
    assert statuses == {KeyKind.MASTER: 202, KeyKind.SYSTEM: 403, KeyKind.FUNCTION: 403}


async def test_with_keys_ping_health_and_homepage_stay_open(locked: Host) -> None:
    for path in ("/admin/host/ping", "/healthz", "/readyz", "/"):
        assert (await locked.call("GET", path)).status == 200


async def test_the_key_may_stand_in_the_query_but_the_header_wins(locked: Host) -> None:
    path = f"instances?code={locked.keys[KeyKind.SYSTEM]}"
    assert (await locked.call("GET", path)).status == 200
    assert (await locked.call("GET", path, headers={"x-functions-key": "wrong"})).status == 401


async def test_with_keys_any_host_name_is_served(locked: Host) -> None:
    headers = {"Host": "hub.example", **key_header(locked, KeyKind.SYSTEM), **ORIGIN}
    response = await locked.call("POST", "orchestrators/echo", headers=headers)
    assert response.status == 202
    assert response.headers["Location"].startswith("http://hub.example/")


async def test_a_link_holds_no_key_and_opens_its_instance(locked: Host) -> None:
    headers = key_header(locked, KeyKind.SYSTEM)
    body = await (await locked.call("POST", "orchestrators/waiting", headers=headers)).json()
    urls = {name: path_of(url) for name, url in body.items() if name != "id"}
    assert [key for key in locked.keys.values() if key in str(urls)] == []
    event = urls["sendEventPostUri"].replace("{eventName}", "go")
    answers = [
        await locked.call("GET", urls["statusQueryGetUri"]),
        await locked.call("POST", urls["suspendPostUri"]),
        await locked.call("POST", event, json=1),
        await locked.call("POST", urls["terminatePostUri"].replace("{text}", "x")),
        await locked.call("POST", urls["restartPostUri"]),
    ]
    assert [each.status for each in answers] == [202, 202, 202, 202, 202]
    await locked.hub.wait_for_instance_completion(body["id"])
    assert (await locked.call("DELETE", urls["purgeHistoryDeleteUri"])).status == 200


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


async def test_a_link_opens_nothing_but_its_instance(locked: Host) -> None:
    headers = key_header(locked, KeyKind.SYSTEM)
    first = await (await locked.call("POST", "orchestrators/echo/first", headers=headers)).json()
    await locked.call("POST", "orchestrators/echo/second", headers=headers)
    link = path_of(first["statusQueryGetUri"])
    query = link.partition("?")[2]
    for path in (
        link.replace("/first?", "/second?"),
        f"{WEBHOOKS}/instances?{query}",
        f"{WEBHOOKS}/orchestrators/echo?{query}",
        f"/admin/functions?{query}",
    ):
        assert (await locked.call("GET", path)).status == 401


async def test_functions_need_a_key_of_their_level(guarded_host: Host) -> None:
    async def status(path: str, kind: KeyKind | None) -> int:
        headers = {} if kind is None else key_header(guarded_host, kind)
        return (await guarded_host.call("GET", f"/api/{path}", headers=headers)).status

    kinds = (None, KeyKind.SYSTEM, KeyKind.FUNCTION, KeyKind.MASTER)
    assert [await status("open", kind) for kind in kinds] == [200, 200, 200, 200]
    assert [await status("function", kind) for kind in kinds] == [401, 401, 200, 200]
    assert [await status("masters", kind) for kind in kinds] == [401, 401, 401, 200]


@pytest.mark.parametrize(
    ("path", "kind", "why"),
    [
        ("function", None, NO_KEY),
        ("function", KeyKind.SYSTEM, WRONG_KEY),
        ("masters", KeyKind.FUNCTION, WRONG_KEY),
    ],
)
async def test_a_key_that_opens_something_else_is_not_called_unknown(
    guarded_host: Host, path: str, kind: KeyKind | None, why: str
) -> None:
    headers = {} if kind is None else key_header(guarded_host, kind)
    response = await guarded_host.call("GET", f"/api/{path}", headers=headers)
    assert (response.status, await response.json()) == (401, {"Message": why})


async def test_an_open_function_is_served_with_a_wrong_key(guarded_host: Host) -> None:
    headers = {"x-functions-key": "wrong"}
    assert (await guarded_host.call("GET", "/api/open", headers=headers)).status == 200


async def test_a_disabled_function_asks_for_its_key_first_and_runs_for_the_master(
    guarded_host: Host,
) -> None:
    async def status(headers: dict[str, str]) -> int:
        return (await guarded_host.call("GET", "/api/off", headers=headers)).status

    assert await status({}) == 401
    assert await status(key_header(guarded_host, KeyKind.FUNCTION)) == 404
    assert await status(key_header(guarded_host, KeyKind.MASTER)) == 200


async def test_a_function_gives_out_links_with_a_token(locked: Host) -> None:
    body = await (await locked.call("POST", "/api/start/echo/i")).json()
    await locked.hub.wait_for_instance_completion("i")
    assert "code=link2." in body["statusQueryGetUri"]
    assert (await locked.call("GET", path_of(body["statusQueryGetUri"]))).status == 200
