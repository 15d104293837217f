"""Links of instances: what each opens, on which run, for how long, and where it leads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from pydantic import ValidationError

from bindings import (
    AuthLevel,
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
)
from host.http.answers import NO_KEY
from host.http.keys import KeyKind
from tests.http.hosting import WEBHOOKS, Host, durable_app, make_settings, running_host
from tests.http.test_security import key_header, path_of

GO = {"data": 1}


async def links(host: Host, name: str = "waiting", instance_id: str = "i") -> dict[str, str]:
    headers = key_header(host, KeyKind.SYSTEM)
    response = await host.call("POST", f"orchestrators/{name}/{instance_id}", headers=headers)
    assert response.status == 202, await response.text()
    return paths(await response.json())


def paths(urls: dict[str, str]) -> dict[str, str]:
    return {name: path_of(url) for name, url in urls.items() if name != "id"}


def code_of(link: str) -> str:
    return link.partition("code=")[2]


async def use(host: Host, name: str, link: str) -> ClientResponse:
    if name == "statusQueryGetUri":
        return await host.call("GET", link)
    if name == "purgeHistoryDeleteUri":
        return await host.call("DELETE", link)
    return await host.call("POST", link.replace("{eventName}", "go"), json=GO)


CLASSES = {
    "statusQueryGetUri": "read",
    "sendEventPostUri": "raise",
    "suspendPostUri": "manage",
    "resumePostUri": "manage",
    "terminatePostUri": "manage",
    "restartPostUri": "manage",
    "purgeHistoryDeleteUri": "manage",
}


@pytest.mark.parametrize("given", list(CLASSES))
async def test_found_d8_a_link_opens_what_it_is_for_and_nothing_else(
    locked: Host, given: str
) -> None:
    urls = await links(locked)
    await locked.hub.wait_for_instance_start("i")
    for name, link in urls.items():
        other = link.replace(code_of(link), code_of(urls[given]))
        status = (await use(locked, name, other)).status
        assert (status != 401) == (CLASSES[name] == CLASSES[given]), (given, name, status)


async def test_found_d8_a_status_link_does_not_redrive_or_rewind(locked: Host) -> None:
    query = (await links(locked))["statusQueryGetUri"].partition("?")[2]
    for operation in ("redrive", "rewind", "terminate", "REstart", "raiseevent/go"):
        assert (await locked.call("POST", f"instances/i/{operation}?{query}")).status == 401


async def test_found_no_link_of_an_instance_forks_it_or_takes_it_away(locked: Host) -> None:
    """A fork has whatever id and input its maker likes."""
    for link in (await links(locked)).values():
        query = link.partition("?")[2]
        for verb, path in (("POST", "fork"), ("GET", "export")):
            response = await locked.call(verb, f"instances/i/{path}?{query}")
            assert response.status == 401, (path, link)


@pytest.mark.parametrize("how", ["purged", "replaced", "restarted"])
async def test_found_d8_an_old_link_does_not_open_a_new_run(locked: Host, how: str) -> None:
    old = await links(locked, "echo")
    await locked.hub.wait_for_instance_completion("i")
    if how == "purged":
        await locked.hub.purge_instance("i")
        assert (await locked.call("GET", old["statusQueryGetUri"])).status == 404
    if how == "restarted":
        await locked.hub.restart_instance("i", restart_with_new_instance_id=False)
    else:
        await links(locked, "echo")
    await locked.hub.wait_for_instance_completion("i")
    for name, link in old.items():
        response = await use(locked, name, link)
        assert (response.status, await response.json()) == (401, {"Message": NO_KEY}), name


async def test_found_d8_a_link_stays_with_a_run_that_continues_as_new(tmp_path: Path) -> None:
    app = durable_app()

    @app.orchestration_trigger()
    async def counting(context: OrchestrationContext, n: int) -> int:
        await context.wait_for_external_event("go")
        if n < 3:
            context.continue_as_new(n + 1)
        return n

    async with running_host(tmp_path / "keys.json", app=app) as host:
        headers = key_header(host, KeyKind.SYSTEM)
        body = await host.call("POST", "orchestrators/counting/i", headers=headers, json=1)
        urls = paths(await body.json())
        for _ in range(3):
            assert (await use(host, "sendEventPostUri", urls["sendEventPostUri"])).status == 202
        state = await host.hub.wait_for_instance_completion("i")
        assert state.output == 3
        assert (await host.call("GET", urls["statusQueryGetUri"])).status == 200


@pytest.mark.parametrize("is_new", ["true", "false"])
async def test_found_d8_a_restart_by_a_link_keeps_its_expiry(locked: Host, is_new: str) -> None:
    urls = await links(locked, "echo")
    await locked.hub.wait_for_instance_completion("i")
    link = f"{urls['restartPostUri']}&restartWithNewInstanceId={is_new}"
    new = paths(await (await locked.call("POST", link)).json())
    assert expiry_of(new["restartPostUri"]) == expiry_of(urls["restartPostUri"])
    by_key = await locked.call(
        "POST", f"instances/i/restart?{is_new}", headers=key_header(locked, KeyKind.SYSTEM)
    )
    assert expiry_of(str(await by_key.json())) > expiry_of(urls["restartPostUri"])


def expiry_of(link: str) -> int:
    return int(code_of(link).split(".")[3], 16)


async def test_found_d8_old_tokens_are_refused(locked: Host) -> None:
    await links(locked)
    code = f"link1.ffffffff.{'x' * 43}"
    assert (await locked.call("GET", f"instances/i?code={code}")).status == 401


async def test_found_d8_what_holds_tokens_is_not_stored(tmp_path: Path) -> None:
    app = durable_app()

    @app.route("payload")
    @app.orchestration_client("client")
    async def payload(req: HttpRequest, client: DurableClient) -> HttpResponse:
        return HttpResponse(str(client.create_http_management_payload("i", req)))

    @app.route("plain", auth_level=AuthLevel.ANONYMOUS)
    def plain(req: HttpRequest) -> str:
        return "x"

    async with running_host(tmp_path / "keys.json", app=app) as host:
        urls = await links(host)
        master = key_header(host, KeyKind.MASTER)
        answers = [
            await host.call("POST", "orchestrators/echo", headers=master),
            await host.call("POST", "/api/start/echo"),
            await host.call("GET", "/api/payload", headers=master),
            await host.call("GET", urls["statusQueryGetUri"]),
            await host.call("GET", "instances", headers=master),
        ]
        assert {each.headers.get("Cache-Control") for each in answers} == {"no-store"}
        assert "Cache-Control" not in (await host.call("GET", "/api/plain")).headers


# ---- where links lead ----------------------------------------------------------------


async def started(host: Host, headers: dict[str, str]) -> str:
    """What all links begin with that such a request gets."""
    headers = headers | key_header(host, KeyKind.MASTER)
    response = await host.call("POST", "/api/start/echo", headers=headers)
    by_function = (await response.json())["statusQueryGetUri"]
    response = await host.call("POST", "orchestrators/echo", headers=headers)
    by_host = (await response.json())["statusQueryGetUri"]
    assert response.headers["Location"] == by_host
    response = await host.call("GET", "/admin/functions/start", headers=headers)
    href = (await response.json())["href"]
    beginnings = {str(url).partition("/runtime")[0] for url in (by_function, by_host)}
    (beginning,) = beginnings | {str(href).partition("/admin")[0]}
    return beginning


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hub.example"}


@pytest.mark.parametrize("url", ["https://hub.example", "https://hub.example:8443/base/"])
async def test_found_d8_links_begin_with_the_public_url(tmp_path: Path, url: str) -> None:
    async with running_host(tmp_path / "keys.json", limits={"publicUrl": url}) as host:
        assert await started(host, {"Host": "other"}) == url.rstrip("/")
        assert await started(host, {"X-Forwarded-Host": "evil.example"}) == url.rstrip("/")


async def test_found_d8_a_trusted_proxy_says_what_its_client_used(tmp_path: Path) -> None:
    limits = {"trustedProxies": ["10.0.0.0/8", "127.0.0.1"]}
    async with running_host(tmp_path / "keys.json", limits=limits) as host:
        assert await started(host, FORWARDED) == "https://hub.example"
        chain = {"X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "evil.example, b.example"}
        assert await started(host, chain) == "https://b.example"
        odd = {"X-Forwarded-Proto": "javascript", "X-Forwarded-Host": "a b/", "Host": "h.example"}
        assert await started(host, odd) == "http://h.example"


@pytest.mark.parametrize("trusted", [[], ["10.0.0.0/8", "::1"]])
async def test_found_d8_nobody_else_says_where_links_lead(
    tmp_path: Path, trusted: list[str]
) -> None:
    async with running_host(tmp_path / "keys.json", limits={"trustedProxies": trusted}) as host:
        assert await started(host, {"Host": "h.example", **FORWARDED}) == "http://h.example"


@pytest.mark.parametrize(
    "limits",
    [
        {"publicUrl": "hub.example"},
        {"publicUrl": "ftp://hub.example"},
        {"publicUrl": "https://hub.example/?a"},
        {"publicUrl": "https://user@hub.example"},
        {"trustedProxies": ["proxy.example"]},
        {"trustedProxies": ["10.0.0.0/99"]},
    ],
)
def test_found_d8_settings_that_cannot_be_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings({}, {}, {"http": limits})


# ---- what links show -----------------------------------------------------------------


async def test_found_d14_stack_traces_are_for_holders_of_a_key(tmp_path: Path) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def break_it(text: str) -> None:
        try:
            raise ValueError("inner")
        except ValueError as error:
            raise RuntimeError("outer") from error

    @app.orchestration_trigger()
    async def breaking(context: OrchestrationContext) -> None:
        await context.call_activity("break_it", "x")

    async with running_host(tmp_path / "keys.json", app=app) as host:
        urls = await links(host, "breaking")
        await host.hub.wait_for_instance_completion("i")
        history = "showHistory=true&showHistoryOutput=true"
        by_link = await host.call("GET", f"{urls['statusQueryGetUri']}&{history}")
        headers = key_header(host, KeyKind.SYSTEM)
        by_key = await host.call("GET", f"instances/i?{history}", headers=headers)
        assert "outer" in await by_link.text()
        assert ".py" not in await by_link.text()
        assert "test_links.py" in await by_key.text()
        assert WEBHOOKS in urls["statusQueryGetUri"]
