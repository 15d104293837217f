"""Sessions of the dashboard: who gets one, what it opens, and for whom it opens nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse

from bindings import AuthLevel, FunctionApp, HttpRequest
from host.http.browser_sessions import LIFETIME, BrowserSessions, reference_of
from host.http.keys import KeyFile, KeyKind, open_keys
from host.storage.local_queues import LocalQueues
from host.storage.memory import MemoryStore
from tests.http.hosting import HUB, WEBHOOKS, Host, running_host
from tests.kit.manual_clock import ManualClock


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser that was signed in: it sends its cookie with whatever it is asked to send."""

    host: Host
    cookie: str
    csrf_token: str

    async def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> ClientResponse:
        sent = {"Cookie": self.cookie, **(headers or {})}
        return await self.host.call(method, path, headers=sent, **options)

    async def ask(self, method: str, path: str, **options: Any) -> ClientResponse:
        """What the dashboard itself asks."""
        return await self.call(method, path, {"x-csrf-token": self.csrf_token}, **options)


async def sign_in(host: Host, key: str) -> Browser:
    response = await host.call("POST", "/dashboard/login", json={"key": key})
    assert response.status == 200, await response.text()
    cookie = response.headers.getall("Set-Cookie")[0].partition(";")[0]
    return Browser(host, cookie, (await response.json())["csrfToken"])


@pytest.fixture
async def browser(locked: Host) -> Browser:
    return await sign_in(locked, locked.keys[KeyKind.MASTER])


async def key_of_role(host: Host, role: str, name: str = "one") -> str:
    response = await host.call(
        "POST",
        f"/admin/host/systemkeys/{name}?role={role}",
        headers={"x-functions-key": host.keys[KeyKind.MASTER]},
    )
    return str((await response.json())["value"])


async def test_a_key_becomes_a_session_that_opens_what_it_opens(locked: Host) -> None:
    browser = await sign_in(locked, locked.keys[KeyKind.MASTER])
    response = await browser.call("GET", "/dashboard/session")
    told = await response.json()
    assert (told["role"], told["keyName"], told["hub"]) == ("admin", "_master", HUB)
    assert told["csrfToken"] == browser.csrf_token
    assert datetime.fromisoformat(told["expiresAt"]) > datetime.now(UTC)
    assert (await browser.call("GET", "instances")).status == 200
    assert (await browser.ask("GET", "/admin/host/systemkeys")).status == 200
    assert (await browser.ask("POST", "orchestrators/echo", json=1)).status == 202


async def test_the_cookies_are_for_this_host_and_no_script_or_function(locked: Host) -> None:
    response = await locked.call(
        "POST", "/dashboard/login", json={"key": locked.keys[KeyKind.MASTER]}
    )
    paths = set()
    for line in response.headers.getall("Set-Cookie"):
        (cookie,) = SimpleCookie(line).values()
        assert (cookie["samesite"], cookie["httponly"]) == ("Strict", True)
        assert not cookie["domain"]
        if cookie["path"] == "/":  # another's, which goes away
            assert (cookie.value, cookie["max-age"]) == ("", "0")
            continue
        assert int(cookie["max-age"]) == LIFETIME.total_seconds()
        paths.add(cookie["path"])
    assert paths == {"/dashboard", "/admin", WEBHOOKS}
    assert response.headers["Cache-Control"] == "no-store"


async def test_behind_tls_the_cookies_are_secure_and_below_the_path_of_the_proxy(
    tmp_path: Path,
) -> None:
    limits = {"publicUrl": "https://hub.example/below"}
    async with running_host(tmp_path / "keys.json", limits=limits) as host:
        response = await host.call(
            "POST",
            "/dashboard/login",
            json={"key": host.keys[KeyKind.MASTER]},
            headers={"Origin": "https://hub.example", "Sec-Fetch-Site": "same-origin"},
        )
        assert response.status == 200
        for line in response.headers.getall("Set-Cookie"):
            assert "; Secure" in line
            assert "; Path=/below/" in line or "; Path=/; Max-Age=0;" in line
        page = await (await host.call("GET", "/dashboard/")).text()
        assert 'src="/below/dashboard/app.js"' in page


async def test_cookies_that_other_pages_of_the_name_have_added_change_nothing(
    locked: Host, browser: Browser
) -> None:
    name, _, _ = browser.cookie.partition("=")
    other = await sign_in(locked, await key_of_role(locked, "read", "other"))
    assert other.cookie.startswith(f"{name}=")
    for added in (f"{name}=x", f"{name}=", browser.cookie, f"{other.cookie}0", "a; b=c;;"):
        for cookies in (f"{added}; {browser.cookie}", f"{browser.cookie}; {added}"):
            told = await locked.call("GET", "/dashboard/session", headers={"Cookie": cookies})
            assert (told.status, (await told.json())["role"]) == (200, "admin"), cookies
    for cookies in (f"{browser.cookie}; {other.cookie}", f"{other.cookie}; {browser.cookie}"):
        told = await locked.call("GET", "/dashboard/session", headers={"Cookie": cookies})
        assert told.status == 401  # nobody knows which of them the person has opened


def test_hubs_of_one_name_do_not_sign_each_other_out() -> None:
    assert BrowserSessions(b"one", HUB).cookie == BrowserSessions(b"one", HUB.upper()).cookie
    assert BrowserSessions(b"one", HUB).cookie != BrowserSessions(b"two", HUB).cookie


async def test_signing_out_takes_the_cookies_away(browser: Browser) -> None:
    response = await browser.ask("POST", "/dashboard/logout")
    assert response.status == 204
    for line in response.headers.getall("Set-Cookie"):
        assert "=; " in line
        assert "Max-Age=0" in line


async def test_what_is_no_key_of_operations_opens_no_session(locked: Host) -> None:
    for key, status in (("", 401), ("w" * 43, 401), (locked.keys[KeyKind.FUNCTION], 403)):
        response = await locked.call("POST", "/dashboard/login", json={"key": key})
        assert response.status == status
        assert "Set-Cookie" not in response.headers
        assert not key or key not in await response.text()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"key": 1}', b'"\xff"', b'{"other": "text"}'], ids=repr
)
async def test_a_sign_in_that_cannot_be_read_is_refused(locked: Host, body: bytes) -> None:
    assert (await locked.call("POST", "/dashboard/login", data=body)).status == 400
    assert (await locked.call("POST", "/dashboard/login", data=b" " * 5000)).status == 413


async def test_pages_of_other_sites_sign_nobody_in(locked: Host) -> None:
    key = locked.keys[KeyKind.MASTER]
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        response = await locked.call("POST", "/dashboard/login", json={"key": key}, headers=headers)
        assert response.status == 403
        assert "Set-Cookie" not in response.headers


CHANGES = (
    ("POST", "orchestrators/echo"),
    ("POST", "instances/x/terminate"),
    ("DELETE", "instances/x"),
    ("PUT", "/admin/host/systemkeys/mine"),
    ("POST", "/admin/functions/start"),
    ("POST", "/dashboard/logout"),
)


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_csrf_without_the_token_nothing_changes(
    browser: Browser, method: str, path: str
) -> None:
    other = BrowserSessions(b"x" * 32, HUB)
    wrong = other.read(other.issue("0" * 64, datetime.now(UTC)), datetime.now(UTC))
    assert wrong is not None
    for headers in ({}, {"x-csrf-token": ""}, {"x-csrf-token": wrong.csrf_token}):
        response = await browser.call(method, path, headers)
        assert response.status == 403
        assert "x-csrf-token" in await response.text()
    assert (await browser.ask(method, path)).status != 403


async def test_csrf_a_get_that_needs_more_than_reading_needs_it_too(browser: Browser) -> None:
    assert (await browser.call("GET", "export")).status == 403
    assert (await browser.ask("GET", "export")).status == 200
    own = {"Sec-Fetch-Site": "same-origin"}
    assert (await browser.call("GET", "export", own)).status == 200


FOREIGN = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Referer": "https://evil.example/page"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
async def test_pages_of_other_sites_get_nothing_by_the_cookie(
    browser: Browser, headers: dict[str, str]
) -> None:
    token = {"x-csrf-token": browser.csrf_token}
    assert (await browser.call("POST", "orchestrators/echo", {**headers, **token})).status == 403
    assert (await browser.call("GET", "instances", headers)).status == 403
    assert (await browser.call("GET", "/dashboard/session", headers)).status == 403


async def test_a_cookie_that_was_changed_or_made_up_opens_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    name, _, text = browser.cookie.partition("=")
    mark, reference, expiry, signature = text.split(".")
    file = read_file(tmp_path)
    other_hub = BrowserSessions(file.secret, "Other").issue(reference, datetime.now(UTC))
    other_secret = BrowserSessions(b"y" * 32, HUB).issue(reference, datetime.now(UTC))
    for changed in (
        "",
        ".".join((mark, "0" * 64, expiry, signature)),
        ".".join((mark, reference, "f" * 9, signature)),
        ".".join((mark, reference, expiry, signature[:-1] + "-")),
        ".".join((mark, reference, expiry)),
        text + "A",
        other_hub,
        other_secret,
    ):
        response = await browser.host.call(
            "GET", "instances", headers={"Cookie": f"{name}={changed}"}
        )
        assert response.status == 401, changed
    assert (await browser.call("GET", "instances")).status == 200


def read_file(folder: Path) -> KeyFile:
    file, _ = open_keys(folder / "keys.json")
    return file


async def test_a_session_is_over_after_eight_hours(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_host(tmp_path / "keys.json", clock=clock) as host:
        browser = await sign_in(host, host.keys[KeyKind.MASTER])
        clock.set_wall(LIFETIME - timedelta(seconds=1))
        assert (await browser.call("GET", "instances")).status == 200
        clock.set_wall(timedelta(seconds=1))
        assert (await browser.call("GET", "instances")).status == 401


async def test_a_session_ends_with_its_key(browser: Browser) -> None:
    host = browser.host
    first = await sign_in(host, await key_of_role(host, "operate"))
    assert (await first.call("GET", "instances")).status == 200
    second = await sign_in(host, await key_of_role(host, "operate"))  # the same key, a new value
    assert (await first.call("GET", "instances")).status == 401
    assert (await second.call("GET", "instances")).status == 200
    assert (await browser.ask("DELETE", "/admin/host/systemkeys/one")).status == 204
    assert (await second.call("GET", "instances")).status == 401


async def test_a_session_has_the_role_that_its_key_has_now(browser: Browser) -> None:
    host = browser.host
    reader = await sign_in(host, await key_of_role(host, "read"))
    assert (await (await reader.call("GET", "/dashboard/session")).json())["role"] == "read"
    assert (await reader.call("GET", "instances")).status == 200
    for method, path in (("POST", "orchestrators/echo"), ("DELETE", "instances/x")):
        response = await reader.ask(method, path)
        assert response.status == 403
        assert "needs the role operate" in await response.text()
    operator = await sign_in(host, await key_of_role(host, "operate", "two"))
    assert (await operator.ask("POST", "orchestrators/echo")).status == 202
    assert (await operator.ask("POST", "/admin/functions/start")).status == 403


async def test_a_key_that_is_shown_counts_and_not_the_session(browser: Browser) -> None:
    key = await key_of_role(browser.host, "read")
    headers = {"x-functions-key": key, "x-csrf-token": browser.csrf_token}
    assert (await browser.call("POST", "orchestrators/echo", headers)).status == 403
    headers["x-functions-key"] = "w" * 43
    assert (await browser.call("GET", "instances", headers)).status == 401


@pytest.fixture
async def app_host(tmp_path: Path) -> AsyncIterator[Host]:
    app = FunctionApp(http_auth_level=AuthLevel.FUNCTION)

    @app.route("mine")
    def mine(req: HttpRequest) -> str:
        return "ran"

    async with running_host(tmp_path / "keys.json", app=app, disabled=["off"]) as host:
        yield host


async def test_a_session_opens_no_function(app_host: Host) -> None:
    browser = await sign_in(app_host, app_host.keys[KeyKind.MASTER])
    assert (await browser.ask("GET", "/api/mine")).status == 401


async def test_a_session_is_good_on_all_hosts_of_the_hub(tmp_path: Path) -> None:
    clock = ManualClock()
    storage = MemoryStore(clock.now), LocalQueues()
    keys = tmp_path / "keys.json"
    async with (
        running_host(keys, storage=storage) as one,
        running_host(keys, storage=storage) as other,
    ):
        browser = await sign_in(one, await key_of_role(one, "operate"))
        there = Browser(other, browser.cookie, browser.csrf_token)
        assert (await there.ask("POST", "orchestrators/echo")).status == 202


async def test_a_host_without_keys_needs_no_session_and_trusts_loopback_only(host: Host) -> None:
    told = await (await host.call("GET", "/dashboard/session")).json()
    assert (told["role"], told["keyName"]) == ("admin", None)
    response = await host.call("POST", "/dashboard/login", json={"key": "any"})
    assert (response.status, "Set-Cookie" in response.headers) == (200, False)
    for path in ("/dashboard/", "/dashboard/app.js", "/dashboard/session"):
        response = await host.call("GET", path, headers={"Host": "rebound.example"})
        assert response.status == 421
        response = await host.call("GET", path, headers={"Sec-Fetch-Site": "cross-site"})
        assert response.status == 403


def test_a_reference_says_nothing_of_the_hash_that_hosts_keep() -> None:
    assert reference_of("a" * 64) != reference_of("b" * 64)
    assert "a" * 64 not in reference_of("a" * 64)


@pytest.mark.parametrize(
    ("public_url", "page", "is_own"),
    [
        ("https://hub.example", "https://hub.example", True),
        ("https://hub.example", "https://hub.example:443", True),
        ("https://hub.example", "http://hub.example", False),
        ("https://hub.example", "http://hub.example:443", False),
        ("https://hub.example", "https://hub.example:80", False),
        (None, "http://hub.example", True),
        (None, "https://hub.example", True),  # a proxy ends TLS, and the host was not told of it
        (None, "https://hub.example:80", False),
        (None, "ftp://hub.example", False),
    ],
)
async def test_found_a_page_of_another_scheme_is_of_another_site(
    tmp_path: Path, public_url: str | None, page: str, is_own: bool
) -> None:
    limits = {} if public_url is None else {"publicUrl": public_url}
    async with running_host(tmp_path / "keys.json", limits=limits) as host:
        answer = await host.call(
            "POST",
            "/dashboard/login",
            json={"key": host.keys[KeyKind.MASTER]},
            headers={"Origin": page, "Host": "hub.example"},
        )
        assert answer.status == (200 if is_own else 403)
