"""What the fuzz is aimed at: functions that pass on whatever reaches them and never fail."""

from __future__ import annotations

import json
from typing import Any

from bindings import (
    AuthLevel,
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
)
from bindings.errors import FunchostError

app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)


@app.activity_trigger()
def reverse(value: Any) -> str:
    return json.dumps(value)[::-1]


@app.orchestration_trigger()
async def echo(context: OrchestrationContext, value: Any) -> Any:
    return value


@app.orchestration_trigger()
async def reversing(context: OrchestrationContext, value: Any) -> Any:
    context.set_custom_status(value)
    return await context.call_activity("reverse", value)


@app.orchestration_trigger()
async def failing(context: OrchestrationContext, value: Any) -> None:
    raise ValueError(f"no luck with {value!r}")


@app.orchestration_trigger()
async def waiting(context: OrchestrationContext) -> Any:
    return await context.wait_for_external_event("go")


@app.route("show/{*rest}")
def show(req: HttpRequest) -> str:
    """All of the request, as text that can always be written."""
    seen = (req.method, req.url, dict(req.headers), dict(req.params), dict(req.route_params))
    return ascii(seen)


@app.route("items/{id:int}/{when:datetime}/{part:regex(^a+$)}")
@app.route("typed/{id:guid}/{long:long}/{number:double}/{word:alpha:length(2,5)?}")
def show_typed(req: HttpRequest) -> str:
    return ascii(dict(req.route_params))


@app.route("files/{name}.{ext}")
async def body(req: HttpRequest) -> HttpResponse:
    """The body as it came."""
    return HttpResponse(req.get_body(), mimetype="application/octet-stream")


@app.route("json", methods=["POST"])
async def parsed(req: HttpRequest) -> str:
    """The body as JSON; that it may be none is the host's to say."""
    return ascii(req.json())


@app.route("start/{name}/{id?}", methods=["POST"])
@app.orchestration_client("client")
async def start(req: HttpRequest, client: DurableClient) -> HttpResponse:
    try:
        instance_id = await client.schedule_new_orchestration(
            req.route_params.get("name", ""),
            input=req.json(),
            instance_id=req.route_params.get("id"),
        )
    except (FunchostError, ValueError) as error:
        return HttpResponse(ascii(str(error)), status_code=400)
    return client.create_check_status_response(req, instance_id)
