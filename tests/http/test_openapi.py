"""The OpenAPI document: it says of every route what the host does, and of no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis

from bindings import AuthLevel, FunctionApp
from host.http.keys import KeyKind
from host.http.server import OPERATIONS
from tests.http.hosting import Host, running_host

VERBS = {"GET", "PUT", "PATCH", "POST", "DELETE"}


async def document_of(host: Host) -> dict[str, Any]:
    response = await host.call("GET", "/openapi.json")
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    document: dict[str, Any] = await response.json()
    return document


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, verbs in document["paths"].items():
        for verb in verbs:
            yield verb.upper(), path


async def test_the_document_is_valid_openapi(host: Host) -> None:
    schemathesis.openapi.from_dict(await document_of(host)).validate()


async def test_every_operation_is_described(host: Host) -> None:
    described = set(operations_of(await document_of(host)))
    assert described == {(each.verb, each.path.replace("{*", "{")) for each in OPERATIONS}


async def test_a_described_path_takes_the_described_verbs_and_no_others(host: Host) -> None:
    document = await document_of(host)
    for path, verbs in document["paths"].items():
        if path in {"/", "/healthz", "/readyz"}:
            continue
        url = path.format(
            name="none",
            instance_id="none",
            event_name="none",
            job_id="none",
            limit_name="none",
            key="none",
            entity_name="none",
            entity_key="none",
            path="none",
        )
        for verb in VERBS:
            endless = verb == "GET" and path.endswith("/events")
            status = (await host.call("HEAD" if endless else verb, url)).status
            assert (status != 405) == (verb.lower() in verbs), (verb, path, status)


async def test_on_a_host_with_keys_the_document_is_for_those_who_may_use_the_webhooks(
    locked: Host,
) -> None:
    for headers, status in (
        ({}, 401),
        ({"x-functions-key": "wrong"}, 401),
        ({"x-functions-key": locked.keys[KeyKind.FUNCTION]}, 403),
        ({"x-functions-key": locked.keys[KeyKind.SYSTEM]}, 200),
        ({"x-functions-key": locked.keys[KeyKind.MASTER]}, 200),
    ):
        assert (await locked.call("GET", "/openapi.json", headers=headers)).status == status


async def test_the_document_asks_for_keys_where_there_are_some(host: Host, locked: Host) -> None:
    key = {"x-functions-key": locked.keys[KeyKind.MASTER]}
    guarded = await (await locked.call("GET", "/openapi.json", headers=key)).json()
    assert guarded["security"] == [{"keyInHeader": []}, {"keyInQuery": []}]
    assert guarded["paths"]["/healthz"]["get"]["security"] == []
    assert (await document_of(host))["security"] == []


async def test_the_document_is_shown_on_loopback_names_only(host: Host) -> None:
    response = await host.call("GET", "/openapi.json", headers={"Host": "evil.example"})
    assert response.status == 421


@pytest.mark.parametrize("verb", sorted(VERBS - {"GET"}))
async def test_the_document_can_only_be_read(host: Host, verb: str) -> None:
    response = await host.call(verb, "/openapi.json")
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_function_cannot_take_the_path_of_the_document() -> None:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("openapi.json")
    def impostor(req: Any) -> str:
        return "mine"

    async with running_host(app=app, http={"routePrefix": ""}) as host:
        assert (await document_of(host))["openapi"] == "3.1.0"
        functions = await (await host.call("GET", "/admin/functions")).json()
        assert "reserved" in functions[0]["errors"][0]


async def test_every_operation_may_have_to_be_asked_again_later(host: Host) -> None:
    document = await document_of(host)
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            headers = operation["responses"]["503"].get("headers", {})
            assert (path == "/readyz") != ("Retry-After" in headers), (verb, path)
