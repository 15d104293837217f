"""An app with a function of each kind that the pages of the hub show, some with hostile names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bindings import (
    AuthLevel,
    Entity,
    EntityId,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    Out,
)
from host.functions.model import BrokenFunction
from tests.http.hosting import Host, running_host

HOSTILE = "<script>alert(1)</script>"
HOSTILE_KEY = "<img src=x onerror=alert(1)>\u202egnp"
BROKEN = BrokenFunction(name="spoiled", directory=Path(), error=f"SyntaxError: {HOSTILE}")
LIMITS: Mapping[str, Any] = {
    "press": {"concurrency": 2},
    "sites": {"concurrency": 1, "perKey": True},
}


def add_functions(app: FunctionApp) -> None:
    """Functions that no orchestration runs."""

    @app.route("orders/{customer}", methods=["POST"])
    @app.queue_output("message", queue_name="orders")
    def take_order(req: HttpRequest, message: Out[str]) -> HttpResponse:
        message.set(req.get_body().decode())
        return HttpResponse(f"<b>{req.route_params['customer']}</b>", status_code=201)

    @app.route("greet/{name}/{title?}", methods=["POST"])
    def greet(req: HttpRequest) -> HttpResponse:
        name, body = req.route_params["name"], req.get_body().decode()
        return HttpResponse(f"<b>{name}</b> {req.params.get('from')} {body}", status_code=201)

    @app.route("flood", methods=["GET"])
    def flood(req: HttpRequest) -> str:
        return "x" * 3_000_000

    @app.queue_trigger(arg_name="order", queue_name="orders")
    @app.blob_output(arg_name="$return", path="bills/{id}.txt")
    def bill(order: str) -> str:
        return order

    @app.timer_trigger(arg_name="timer", schedule="0 30 3 * * *")
    def clean(timer: Any) -> None:
        return None

    @app.generic_trigger("text", "manualTrigger")
    def by_hand(text: str) -> None:
        return None


def hub_app() -> FunctionApp:
    """Those, an entity that can be locked, and orchestrations."""
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.entity_trigger()
    class Counter(Entity[int]):
        initial_state = 0

        def add(self, number: int = 1) -> int:
            self.state += number
            return self.state

        def tag(self, tags: dict[str, str]) -> None:
            self.context.set_tags(tags)

    @app.orchestration_trigger()
    async def keep(context: OrchestrationContext, key: str) -> None:
        async with context.lock_entities(EntityId("Counter", key)):
            await context.wait_for_external_event("go")

    @app.orchestration_trigger(limit="press")
    async def print_book(context: OrchestrationContext) -> None:
        await context.wait_for_external_event("go")

    @app.orchestration_trigger()
    async def waiting(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("go")

    add_functions(app)
    return app


@asynccontextmanager
async def hub_host(**options: Any) -> AsyncIterator[Host]:
    """A host of the app."""
    given: dict[str, Any] = {
        "app": hub_app(),
        "broken": (BROKEN,),
        "durable": {"limits": LIMITS},
    } | options
    async with running_host(**given) as host:
        yield host
