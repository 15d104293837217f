"""What is attacked: functions that anybody may call, and some that need a key."""

from __future__ import annotations

from typing import Any

from bindings import AuthLevel, FunctionApp, HttpRequest, OrchestrationContext

app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)


@app.orchestration_trigger()
async def waiting(context: OrchestrationContext) -> Any:
    return await context.wait_for_external_event("go")


@app.orchestration_trigger()
async def failing(context: OrchestrationContext, counts: dict[int, int]) -> int:
    return len(counts)


@app.route("measure")
def measure(req: HttpRequest) -> int:
    return len(req.get_body())


@app.route("json")
def read_json(req: HttpRequest) -> str:
    return type(req.get_json()).__name__


@app.route("guarded/{id:regex(^(a+)+$)}", auth_level=AuthLevel.FUNCTION)
def guarded(req: HttpRequest) -> str:
    return "come in"
