"""What the OpenAPI document says of each operation, by verb and path template.

The paths are those of the operation tables (`management/webhooks.py`, `admin/administration.py`); a
test holds that each route of theirs is described here, and nothing that they do not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from host.http.management.links import WEBHOOKS
from host.http.openapi_parts import ERROR, JSON, JsonObject, answer, refused, schema
from host.http.operations import Route

Answers: TypeAlias = Mapping[int, JsonObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One verb of one path. `parameters` are names in `PARAMETERS`; path parameters are added."""

    operation_id: str
    summary: str
    answers: Answers
    parameters: tuple[str, ...] = ()
    body: JsonObject | None = None
    is_open: bool = False


_INSTANCES = f"{WEBHOOKS}/instances"
_INSTANCE = f"{_INSTANCES}/{{instance_id}}"
_ANY_JSON: JsonObject = {"content": {JSON: {"schema": {}}}}

_ACCEPTED = answer("Accepted: the instance will take it in.")
_UNKNOWN = answer("There is no such instance.")
_FINISHED = answer("The instance is finished.")
_WRONG_STATE = answer("The instance's state does not allow it.", ERROR)
_TOO_LARGE = answer("The body is larger than maxPayloadBytes.", ERROR)
_STATUS = schema("Status")
_WAIT = ("timeout", "pollingInterval", "returnInternalServerErrorOnFailure")
_FAILED = answer(
    "It failed and returnInternalServerErrorOnFailure is set, or the host failed.",
    {"anyOf": [_STATUS, ERROR]},
)


def _started(refusal: str) -> dict[int, JsonObject]:
    return {
        200: answer("It ended in time: its output, or its status if it did not complete.", {}),
        202: answer("It is started.", schema("CheckStatus"), "Location", "Retry-After"),
        400: refused(refusal),
        409: answer("An instance with this id is active.", ERROR),
        413: _TOO_LARGE,
        500: _FAILED,
    }


def _start(operation_id: str, summary: str) -> Operation:
    return Operation(
        operation_id=operation_id,
        summary=summary,
        parameters=_WAIT,
        body={"description": "The input.", **_ANY_JSON},
        answers=_started("There is no such orchestrator, or the id or the body is wrong."),
    )


def _steered(operation_id: str, summary: str, more: Answers) -> Operation:
    answers = {202: _ACCEPTED, 404: _UNKNOWN, 410: _FINISHED, 413: _TOO_LARGE, **more}
    return Operation(
        operation_id=operation_id, summary=summary, parameters=("reason",), answers=answers
    )


_MANAGEMENT: dict[Route, Operation] = {
    ("POST", f"{WEBHOOKS}/orchestrators/{{name}}"): _start(
        "startInstance", "Start an orchestration; the host chooses the id."
    ),
    ("POST", f"{WEBHOOKS}/orchestrators/{{name}}/{{instance_id}}"): _start(
        "startInstanceWithId", "Start an orchestration with this id, or replace a finished one."
    ),
    ("GET", _INSTANCES): Operation(
        operation_id="listInstances",
        summary="One page of instances, the newest first.",
        parameters=(
            "showInput",
            "runtimeStatus",
            "createdTimeFrom",
            "createdTimeTo",
            "instanceIdPrefix",
            "top",
            "x-ms-continuation-token",
        ),
        answers={
            200: answer(
                "A page; the header has the token of the next one, empty after the last.",
                {"type": "array", "items": _STATUS},
                "x-ms-continuation-token",
            )
        },
    ),
    ("DELETE", _INSTANCES): Operation(
        operation_id="purgeInstances",
        summary="Delete the finished instances of a time range.",
        parameters=("purgedTimeFrom", "createdTimeTo", "finishedStatus"),
        answers={
            200: answer("They are deleted.", schema("Purged")),
            400: refused(
                "A value cannot be read; a text if it is createdTimeFrom or that is missing.",
                {"anyOf": [ERROR, {"type": "string"}]},
            ),
            404: answer("There is no such instance."),
        },
    ),
    ("GET", _INSTANCE): Operation(
        operation_id="getInstance",
        summary="The status of an instance, on demand with its history.",
        parameters=(
            "showInput",
            "showHistory",
            "showHistoryOutput",
            "historyTop",
            "x-ms-continuation-token",
            "returnInternalServerErrorOnFailure",
        ),
        answers={
            200: answer("It is finished.", _STATUS),
            202: answer("It is active.", _STATUS, "Location", "Retry-After"),
            404: _UNKNOWN,
            413: answer("The history is too large to be shown at once: use historyTop.", ERROR),
            500: _FAILED,
        },
    ),
    ("DELETE", _INSTANCE): Operation(
        operation_id="purgeInstance",
        summary="Delete a finished instance.",
        answers={
            200: answer("It is deleted.", schema("Purged")),
            404: _UNKNOWN,
            409: _WRONG_STATE,
        },
    ),
    ("POST", f"{_INSTANCE}/raiseEvent/{{event_name}}"): Operation(
        operation_id="raiseEvent",
        summary="Send an external event.",
        body={"description": "The event's data.", "required": True, **_ANY_JSON},
        answers={
            202: _ACCEPTED,
            404: _UNKNOWN,
            410: _FINISHED,
            413: _TOO_LARGE,
            429: answer("As much waits for the instance as may.", ERROR),
        },
    ),
    ("POST", f"{_INSTANCE}/terminate"): _steered("terminateInstance", "Stop an instance.", {}),
    ("POST", f"{_INSTANCE}/suspend"): _steered("suspendInstance", "Hold an instance.", {}),
    ("POST", f"{_INSTANCE}/resume"): _steered(
        "resumeInstance", "Let a suspended instance go on.", {}
    ),
    ("POST", f"{_INSTANCE}/restart"): Operation(
        operation_id="restartInstance",
        summary="Start the same function with the same input again.",
        parameters=("restartWithNewInstanceId", *_WAIT),
        answers=_started("There is no such instance, or its function is gone."),
    ),
    ("POST", f"{_INSTANCE}/redrive"): Operation(
        operation_id="redriveInstance",
        summary="Try a quarantined instance anew.",
        answers={202: _ACCEPTED, 404: _UNKNOWN, 409: _WRONG_STATE, 410: _FINISHED},
    ),
    ("POST", f"{_INSTANCE}/rewind"): Operation(
        operation_id="rewindInstance",
        summary="Not supported yet.",
        answers={404: answer("Always: use restart.", ERROR)},
    ),
}

_ADMINISTRATION: dict[Route, Operation] = {
    ("GET", "/admin/host/status"): Operation(
        operation_id="getHostStatus",
        summary="The host's state, and what is wrong.",
        answers={200: answer("The status.", schema("HostStatus"))},
    ),
    ("GET", "/admin/host/ping"): Operation(
        operation_id="ping",
        summary="Whether the process answers.",
        is_open=True,
        answers={200: answer("It does.")},
    ),
    ("POST", "/admin/host/ping"): Operation(
        operation_id="pingByPost",
        summary="Whether the process answers.",
        is_open=True,
        answers={200: answer("It does.")},
    ),
    ("GET", "/admin/functions"): Operation(
        operation_id="listFunctions",
        summary="All functions, those that do not load included.",
        answers={
            200: answer("The functions.", {"type": "array", "items": schema("Function")}),
        },
    ),
    ("GET", "/admin/functions/{name}"): Operation(
        operation_id="getFunction",
        summary="One function.",
        answers={
            200: answer("The function.", schema("Function")),
            404: answer("There is no such function."),
        },
    ),
    ("POST", "/admin/functions/{name}"): Operation(
        operation_id="runFunction",
        summary="Run a function by hand, in the background.",
        body={"required": True, "content": {JSON: {"schema": schema("ManualInput")}}},
        answers={
            202: answer("It runs."),
            400: refused("The body is wrong, or orchestrations alone run the function."),
            404: answer("There is no such function."),
            413: answer("The body is too large.", ERROR),
        },
    ),
    ("GET", "/admin/functions/{name}/status"): Operation(
        operation_id="getFunctionStatus",
        summary="Why a function does not load.",
        answers={
            200: answer("Its errors, if any.", schema("FunctionErrors")),
            404: answer("There is no such function."),
        },
    ),
}

_HOST: dict[Route, Operation] = {
    ("GET", "/"): Operation(
        operation_id="getHomepage",
        summary="A short page, unless a function has this path.",
        is_open=True,
        answers={
            200: {"description": "The page.", "content": {"text/html": {}}},
            204: answer("There is none: AzureWebJobsDisableHomepage is set."),
        },
    ),
    ("GET", "/healthz"): Operation(
        operation_id="getLiveness",
        summary="Whether the process lives.",
        is_open=True,
        answers={200: answer("It does.", schema("Liveness"))},
    ),
    ("GET", "/readyz"): Operation(
        operation_id="getReadiness",
        summary="Whether the host should get work.",
        is_open=True,
        answers={
            200: answer("It should.", schema("Readiness")),
            503: answer("It should not.", schema("Readiness")),
        },
    ),
    ("GET", "/openapi.json"): Operation(
        operation_id="getOpenApi",
        summary="This document.",
        answers={200: answer("The document.", schema("OpenApi"))},
    ),
}


DESCRIPTIONS: Mapping[Route, Operation] = _MANAGEMENT | _ADMINISTRATION | _HOST
