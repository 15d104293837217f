"""What anybody can make a function refuse does not fill the log."""

from __future__ import annotations

import logging

import pytest
from pydantic import BaseModel

from bindings import AuthLevel, DurableClient, FunctionApp, HttpRequest
from tests.http.hosting import running_host

LOGGER = "host.http.functions.calls"


class Order(BaseModel):
    """What a function asks for."""

    count: int


def refusing() -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("order", methods=["POST"])
    def order(req: HttpRequest) -> str:
        return str(Order.model_validate(req.get_json()).count)

    @app.route("raise/{id}", methods=["POST"])
    @app.orchestration_client("client")
    async def raise_(req: HttpRequest, client: DurableClient) -> None:
        await client.raise_event(req.route_params["id"], "go")

    @app.route("broken")
    def broken(req: HttpRequest) -> str:
        raise ValueError("no luck")

    return app


async def test_found_d14_refused_requests_are_one_short_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running_host(app=refusing()) as host:
        for n in range(20):
            body = f'{{"count": "{n}\x1b[31m{"x" * 5000}"}}'.encode()
            assert (await host.call("POST", "/api/order", data=body)).status == 400
            assert (await host.call("POST", "/api/order", json={"count": f"x{n}"})).status == 400
            assert (await host.call("POST", f"/api/raise/{n}")).status == 404
    told = [record for record in caplog.records if record.name == LOGGER]
    assert [record.levelno for record in told] == [logging.WARNING] * 2
    assert [record.exc_info for record in told] == [None, None]
    assert max(len(record.getMessage()) for record in told) < 400
    assert {record.getMessage().split("'")[1] for record in told} == {"order", "raise_"}


async def test_what_is_the_functions_own_fault_is_logged_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running_host(app=refusing()) as host:
        for _ in range(3):
            assert (await host.call("GET", "/api/broken")).status == 500
    assert len([record for record in caplog.records if record.exc_info]) == 3
