"""The HTTP answers a client makes for functions, as Durable Functions' Python SDK makes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pydantic_core

from bindings.client import OrchestrationState, RuntimeStatus
from bindings.http import HttpResponse

CHECK_AFTER_S = 10
JSON = "application/json"


def check_status_response(urls: dict[str, str]) -> HttpResponse:
    """202 with all management URLs, `Location` and `Retry-After`."""
    headers = {
        "Location": urls["statusQueryGetUri"],
        "Retry-After": str(CHECK_AFTER_S),
        "Cache-Control": "no-store",  # the URLs may hold what opens the instance
    }
    return HttpResponse(_json(urls), 202, headers, JSON)


def finished_response(state: OrchestrationState) -> HttpResponse:
    """The output of a completed instance; the status of one that ended otherwise."""
    if state.runtime_status is RuntimeStatus.COMPLETED:
        if isinstance(state.output, str):
            return HttpResponse(state.output)
        return HttpResponse(_json(state.output), 200, {}, JSON)
    status_code = 500 if state.runtime_status is RuntimeStatus.FAILED else 200
    return HttpResponse(_json(status_json(state)), status_code, {}, JSON)


def status_json(state: OrchestrationState) -> dict[str, Any]:
    """The status body of the management API; times have whole seconds."""
    body = {
        "name": state.name,
        "instanceId": state.instance_id,
        "runtimeStatus": state.runtime_status.value,
        "input": state.input,
        "customStatus": state.custom_status,
        "output": state.output,
        "createdTime": _seconds(state.created_at),
        "lastUpdatedTime": _seconds(state.last_updated_at),
    }
    if state.blocked_reason is not None:
        body["blockedReason"] = state.blocked_reason
    return body


def _seconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: Any) -> str:
    return pydantic_core.to_json(value).decode()
