"""What web pages of other sites, and proxies, can do to a host without keys: nothing."""

from __future__ import annotations

import pytest

from bindings import AuthLevel, FunctionApp, HttpRequest
from tests.http.hosting import WEBHOOKS, Host, running_host

FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "file://localhost"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "Cross-Site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Sec-Fetch-Site": "something new"},
    {"Referer": "https://evil.example/page"},
]
NAVIGATION = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Referer": "https://mail.example/",
}
PROXY_MARKS = [
    {"Forwarded": "for=10.0.0.1"},
    {"X-Forwarded-For": "10.0.0.1"},
    {"x-forwarded-proto": "https"},
    {"X-FORWARDED-HOST": "hub.example"},
    {"X-Forwarded-Prefix": "/x"},
    {"Via": "1.1 proxy"},
    {"X-Real-IP": "10.0.0.1"},
    {"CF-Connecting-IP": "10.0.0.1"},
    {"True-Client-IP": "10.0.0.1"},
    {"X-Forwarded-For": ""},
]


def at_every_path(run: list[str], prefix: str) -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("{*rest}")
    def runs(req: HttpRequest) -> str:
        run.append(req.url)
        return prefix

    return app


@pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
async def test_found_d6_pages_of_other_sites_reach_nothing_with_any_verb(
    host: Host, headers: dict[str, str]
) -> None:
    instance_id = await host.waiting()
    for method, path in (
        ("GET", f"instances/{instance_id}"),
        ("GET", "/healthz"),
        ("GET", "/api/start/echo"),
        ("HEAD", "/"),
        ("POST", "orchestrators/echo"),
        ("POST", f"instances/{instance_id}/terminate"),
        ("DELETE", f"instances/{instance_id}"),
        ("POST", "/api/start/echo"),
        ("POST", "/admin/functions/start"),
        ("OPTIONS", "instances"),
        ("PUT", "/nothing"),
    ):
        assert (await host.call(method, path, headers=headers)).status == 403
    assert (await host.call("GET", f"instances/{instance_id}")).status == 202


async def test_found_d6_a_page_of_the_host_itself_and_a_person_may(host: Host) -> None:
    own = {"Origin": host.origin, "Referer": f"{host.origin}/", "Sec-Fetch-Site": "same-origin"}
    typed = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for headers in (own, typed, {"Origin": host.origin}, {"Referer": f"{host.origin}/x"}, {}):
        started = await host.call("POST", "orchestrators/echo", headers=headers)
        assert started.status == 202


async def test_found_a_page_over_tls_is_none_of_a_host_without_keys(host: Host) -> None:
    for headers in (
        {"Origin": f"https://localhost:{host.http.port}"},
        {"Origin": "https://localhost"},
    ):
        named = headers | {"Host": headers["Origin"].removeprefix("https://")}
        assert (await host.call("POST", "orchestrators/echo", headers=named)).status == 403


@pytest.mark.parametrize("prefix", ["api", ""])
async def test_found_d6_a_link_of_another_site_leads_to_pages_that_change_nothing(
    prefix: str,
) -> None:
    run: list[str] = []
    async with running_host(app=at_every_path(run, prefix), http={"routePrefix": prefix}) as host:
        for path in ("/healthz", "/readyz", f"{WEBHOOKS}/instances", "/openapi.json"):
            assert (await host.call("GET", path, headers=NAVIGATION)).status == 200
        for path in (f"/{prefix}".rstrip("/") + "/x", f"/{prefix}"):
            assert (await host.call("GET", path, headers=NAVIGATION)).status == 403
        assert (await host.call("POST", "/healthz", headers=NAVIGATION)).status == 403
        assert run == []
        assert (await host.call("GET", f"/{prefix}/x".replace("//", "/"))).status == 200


async def test_found_d6_no_other_site_may_embed_or_guess_at_answers(host: Host) -> None:
    for path in ("/", "/healthz", "instances", "/nothing", "/api/start/echo"):
        headers = (await host.call("GET", path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_found_d6_with_keys_pages_of_other_sites_show_their_key_like_anybody(
    locked: Host,
) -> None:
    for headers in (*FOREIGN, NAVIGATION):
        assert (await locked.call("GET", "instances", headers=headers)).status == 401
        assert (await locked.call("GET", "/healthz", headers=headers)).status == 200


@pytest.mark.parametrize("headers", PROXY_MARKS, ids=range(len(PROXY_MARKS)))
async def test_found_d3_without_keys_nothing_comes_through_a_proxy(
    host: Host, headers: dict[str, str]
) -> None:
    for method, path in (
        ("GET", "instances"),
        ("POST", "orchestrators/echo"),
        ("POST", "/api/start/echo"),
        ("GET", "/healthz"),
        ("GET", "/admin/functions"),
    ):
        response = await host.call(method, path, headers=headers)
        assert response.status == 403
        assert "--keys" in (await response.json())["Message"]


async def test_found_d3_with_keys_proxies_are_welcome(locked: Host) -> None:
    for headers in PROXY_MARKS:
        assert (await locked.call("GET", "/healthz", headers=headers)).status == 200
        assert (await locked.call("GET", "instances", headers=headers)).status == 401
