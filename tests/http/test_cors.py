"""Pages of other sites: those that are allowed ask functions, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bindings import AuthLevel, FunctionApp, HttpRequest, HttpResponse
from host.errors import ConfigurationError
from host.settings.cors import CorsWish
from host.wiring.options import HostOptions, read_settings
from tests.http.hosting import Host, running_host
from tests.http.test_other_sites import FOREIGN

MakeApp = Callable[[Mapping[str, str]], Path]

SHOP = "https://shop.example"
OTHER = "https://evil.example"
PAGE = {"Origin": SHOP, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
PREFLIGHT = {**PAGE, "Access-Control-Request-Method": "PUT"}
ALLOWED = {"cors": {"allowedOrigins": [SHOP, "http://localhost:3000"]}}


def an_app() -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.FUNCTION)

    @app.route("things/{id}", methods=["GET", "PUT"])
    def thing(req: HttpRequest) -> str:
        return req.method

    @app.route("any")
    def any_verb(req: HttpRequest) -> HttpResponse:
        return HttpResponse(req.method, headers={"X-Own": "1", "Vary": "Cookie"})

    @app.route("broken")
    def broken(req: HttpRequest) -> None:
        raise ValueError

    return app


def cors_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.startswith("Access-Control-")}


async def test_without_cors_nothing_is_allowed_to_a_page() -> None:
    async with running_host(app=an_app()) as host:
        for headers in (PAGE, PREFLIGHT):
            response = await host.call("OPTIONS", "/api/things/1", headers=headers)
            assert (response.status, cors_headers(response.headers)) == (403, {})
        response = await host.call("GET", "/api/any")
        assert response.headers["Vary"] == "Cookie"


async def test_an_allowed_page_asks_functions_and_reads_the_answers() -> None:
    async with running_host(app=an_app(), http=ALLOWED) as host:
        for origin in (SHOP, "http://localhost:3000"):
            headers = {**PAGE, "Origin": origin}
            response = await host.call("PUT", "/api/things/1", headers=headers)
            assert (response.status, await response.text()) == (200, "PUT")
            assert cors_headers(response.headers) == {"Access-Control-Allow-Origin": origin}
            assert response.headers["Vary"] == "Origin"
        response = await host.call("GET", "/api/any", headers=PAGE)
        assert response.headers.getall("Vary") == ["Cookie", "Origin"]
        response = await host.call("GET", "/api/broken", headers=PAGE)
        assert response.status == 500
        assert cors_headers(response.headers) == {"Access-Control-Allow-Origin": SHOP}
        response = await host.call(
            "GET", "/api/things/1"
        )  # no page: kept answers differ all the same
        assert (response.headers["Vary"], cors_headers(response.headers)) == ("Origin", {})


async def test_a_browser_that_asks_first_is_told_what_the_page_may_send() -> None:
    asked = {**PREFLIGHT, "Access-Control-Request-Headers": "content-type, x-functions-key"}
    async with running_host(app=an_app(), http=ALLOWED) as host:
        for path, methods in (
            ("/api/things/1", "GET, PUT, HEAD, OPTIONS"),
            ("/api/any", "GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS"),
        ):
            response = await host.call("OPTIONS", path, headers=asked)
            assert (response.status, await response.read()) == (204, b"")
            assert cors_headers(response.headers) == {
                "Access-Control-Allow-Origin": SHOP,
                "Access-Control-Allow-Methods": methods,
                "Access-Control-Allow-Headers": "content-type, x-functions-key",
                "Access-Control-Max-Age": "7200",
            }
            assert set(response.headers.getall("Vary")) == {
                "Origin", "Access-Control-Request-Headers",
            }  # fmt: skip
        assert (await host.call("OPTIONS", "/api/nothing", headers=asked)).status == 403


async def test_no_key_is_needed_to_ask_first_and_one_to_ask(tmp_path: Path) -> None:
    async with running_host(tmp_path / "keys.json", app=an_app(), http=ALLOWED) as host:
        assert (await host.call("OPTIONS", "/api/things/1", headers=PREFLIGHT)).status == 204
        response = await host.call("PUT", "/api/things/1", headers=PAGE)
        assert response.status == 401
        assert response.headers["Access-Control-Allow-Origin"] == SHOP  # so that it can say why


@pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
async def test_pages_of_sites_that_are_not_allowed_reach_nothing(headers: dict[str, str]) -> None:
    http = {"cors": {"allowedOrigins": [SHOP]}}
    async with running_host(app=an_app(), http=http) as host:
        for method, path in (("GET", "/api/any"), ("OPTIONS", "/api/any"), ("POST", "/api/any")):
            asked = {**headers, "Access-Control-Request-Method": "GET"}
            response = await host.call(method, path, headers=asked)
            assert (response.status, cors_headers(response.headers)) == (403, {})


async def the_host_itself_is_closed(host: Host, headers: dict[str, str], status: int) -> None:
    for method, path in (
        ("GET", "instances"),
        ("POST", "orchestrators/echo"),
        ("OPTIONS", "instances"),
        ("GET", "/admin/functions"),
        ("OPTIONS", "/admin/functions"),
        ("POST", "/admin/functions/any_verb"),
        ("GET", "/healthz"),
        ("GET", "/openapi.json"),
        ("GET", "/"),
        ("GET", "/api/nothing"),
        ("OPTIONS", "/api/nothing"),
    ):
        response = await host.call(method, path, headers=headers)
        assert cors_headers(response.headers) == {}, path
        assert status in {0, response.status}, path


@pytest.mark.parametrize("origins", [[SHOP], ["*"]])
async def test_an_allowed_page_asks_functions_only(origins: list[str], tmp_path: Path) -> None:
    http = {"cors": {"allowedOrigins": origins}}
    async with running_host(http=http) as host:
        await the_host_itself_is_closed(host, PAGE, 403)
        await the_host_itself_is_closed(host, PREFLIGHT, 403)
    async with running_host(tmp_path / "keys.json", http=http) as host:
        await the_host_itself_is_closed(host, PAGE, 0)
        await the_host_itself_is_closed(host, PREFLIGHT, 0)


async def test_all_sites_may_be_allowed() -> None:
    async with running_host(app=an_app(), http={"cors": {"allowedOrigins": ["*"]}}) as host:
        for origin in (SHOP, OTHER, "null"):
            response = await host.call("GET", "/api/any", headers={"Origin": origin})
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert response.headers["Vary"] == "Cookie"
        response = await host.call("GET", "/api/any", headers={"Sec-Fetch-Site": "cross-site"})
        assert response.status == 403  # an image, say: no page could read it


async def test_the_name_of_the_host_still_counts() -> None:
    async with running_host(app=an_app(), http={"cors": {"allowedOrigins": ["*"]}}) as host:
        headers = {"Origin": OTHER, "Host": "evil.example"}
        assert (await host.call("GET", "/api/any", headers=headers)).status == 421


async def test_credentials_and_headers_that_pages_read() -> None:
    cors = {
        "allowedOrigins": [SHOP],
        "supportCredentials": True,
        "exposedHeaders": ["Location", "Retry-After"],
    }
    async with running_host(app=an_app(), http={"cors": cors}) as host:
        for method in ("GET", "OPTIONS"):
            response = await host.call(method, "/api/any", headers=PAGE)
            assert cors_headers(response.headers) == {
                "Access-Control-Allow-Origin": SHOP,
                "Access-Control-Allow-Credentials": "true",
                "Access-Control-Expose-Headers": "Location, Retry-After",
            }


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://Shop.Example/", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
async def test_origins_are_read_as_browsers_write_them(given: str, origin: str) -> None:
    async with running_host(app=an_app(), http={"cors": {"allowedOrigins": [given]}}) as host:
        response = await host.call("GET", "/api/any", headers={"Origin": origin})
        assert response.headers["Access-Control-Allow-Origin"] == origin


HOST_JSON = '{"version": "2.0", "extensions": {"http": {"cors": %s}}}'


@pytest.mark.parametrize(
    ("cors", "problem"),
    [
        ({"allowedOrigins": ["shop.example"]}, "is no origin such as https://shop.example"),
        ({"allowedOrigins": ["https://shop.example/page"]}, "is no origin"),
        ({"allowedOrigins": ["https://*.example"]}, "is no origin"),
        ({"allowedOrigins": ["null"]}, "is no origin"),
        ({"allowedOrigins": ["https://a@b"]}, "is no origin"),
        ({"allowedOrigins": [""]}, "is no origin"),
        ({"allowedOrigins": "https://shop.example"}, "valid tuple"),
        ({"allowedOrigins": ["*"], "supportCredentials": True}, "do not go together"),
        ({"exposedHeaders": ["a b"]}, "cannot be a header's name"),
    ],
)
def test_what_cannot_be_allowed_is_refused_at_the_start(
    make_app: MakeApp, cors: dict[str, Any], problem: str
) -> None:
    app = make_app({"host.json": HOST_JSON % json.dumps(cors)})
    with pytest.raises(ConfigurationError, match=r"host.json: extensions\.http\.cors") as refused:
        read_settings(HostOptions(app_dir=app))
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("local", "wish", "origins", "credentials"),
    [
        ({}, CorsWish(), ["https://file.example"], False),
        ({"CORS": "http://a, http://b/"}, CorsWish(), ["http://a", "http://b"], False),
        ({"cors": "*"}, CorsWish(), ["*"], False),
        ({"CORSCredentials": True}, CorsWish(), ["https://file.example"], True),
        ({"CORS": "http://a"}, CorsWish(origins="http://c"), ["http://c"], False),
        ({"CORS": "http://a"}, CorsWish(credentials=True), ["http://a"], True),
        ({"CORS": ""}, CorsWish(), [], False),
    ],
)
def test_what_is_said_nearer_to_the_start_comes_first(
    make_app: MakeApp,
    local: dict[str, Any],
    wish: CorsWish,
    origins: list[str],
    credentials: bool,
) -> None:
    app = make_app(
        {
            "host.json": HOST_JSON % '{"allowedOrigins": ["https://file.example"]}',
            "local.settings.json": json.dumps({"Host": local}),
        }
    )
    cors = read_settings(HostOptions(app_dir=app, cors=wish)).cors
    assert (list(cors.allowed_origins), cors.support_credentials) == (origins, credentials)


@pytest.mark.parametrize(
    ("local", "wish", "problem"),
    [
        ({"CORS": "nothing"}, CorsWish(), "local.settings.json: Host.CORS: 'nothing' is no origin"),
        ({"CORS": ["http://a"]}, CorsWish(), "Host.CORS must be a text"),
        ({"CORSCredentials": "yes"}, CorsWish(), "Host.CORSCredentials must be true or false"),
        ({"CORS": "*", "CORSCredentials": True}, CorsWish(), "Host.CORS: Credentials and the orig"),
        ({"CORS": "*"}, CorsWish(credentials=True), "--cors-credentials: Credentials and the"),
        ({}, CorsWish(origins="nothing"), "--cors, --cors-credentials: 'nothing' is no origin"),
    ],
)
def test_what_cannot_be_meant_is_told_by_its_place(
    make_app: MakeApp, local: dict[str, Any], wish: CorsWish, problem: str
) -> None:
    app = make_app({"local.settings.json": json.dumps({"Host": local})})
    with pytest.raises(ConfigurationError) as refused:
        read_settings(HostOptions(app_dir=app, cors=wish))
    assert problem in str(refused.value)
