"""The parts that the OpenAPI document names: schemas, parameters, and answers that many share.

Names of states and history events come from the code that writes them, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from bindings.client import RuntimeStatus
from host.core.arguments import MAX_TEXT
from host.core.history import EVENT_TYPES
from host.core.ids import MAX_INSTANCE_ID
from host.engine.client import MAX_PAGE_SIZE

JsonObject: TypeAlias = dict[str, Any]

JSON = "application/json"

_TEXT: JsonObject = {"type": "string"}
_FLAG: JsonObject = {"type": "boolean"}
_COUNT: JsonObject = {"type": "integer", "minimum": 0}
_SECONDS: JsonObject = {"type": "number", "minimum": 0}
_TIME: JsonObject = {"type": "string", "format": "date-time"}
_URL: JsonObject = {"type": "string", "minLength": 1}
_ANY: JsonObject = {"description": "Any JSON value."}
_STATUS_NAMES = [status.value for status in RuntimeStatus]
_FINISHED_NAMES = [status.value for status in RuntimeStatus if status.is_finished]
_EVENT_NAMES = [kind.__name__ for kind in EVENT_TYPES if kind.__name__ != "OrchestratorStarted"]
_ID_SIGNS = r"/\\#?\x00-\x1f\x7f-\x9f"


def schema(name: str) -> JsonObject:
    """A reference to one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(members: Mapping[str, JsonObject], *optional: str) -> JsonObject:
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": dict(members), "required": required}


def _list(items: JsonObject) -> JsonObject:
    return {"type": "array", "items": items}


SCHEMAS: Mapping[str, JsonObject] = {
    "Error": _object(
        {
            "Message": _TEXT,
            "ExceptionMessage": _TEXT,
            "ExceptionType": _TEXT,
            "StackTrace": {"const": ""},
        },
        "ExceptionMessage",
        "ExceptionType",
        "StackTrace",
    ),
    "RuntimeStatus": {"type": "string", "enum": _STATUS_NAMES},
    "Status": _object(
        {
            "name": _TEXT,
            "instanceId": _TEXT,
            "runtimeStatus": schema("RuntimeStatus"),
            "input": _ANY,
            "customStatus": _ANY,
            "output": _ANY,
            "createdTime": _TIME,
            "lastUpdatedTime": _TIME,
            "blockedReason": _TEXT | {"description": "Why an unfinished instance cannot go on."},
            "historyEvents": _list(schema("HistoryEvent")),
        },
        "blockedReason",
        "historyEvents",
    ),
    "HistoryEvent": _object(
        {"EventType": {"type": "string", "enum": _EVENT_NAMES}, "Timestamp": _TIME}
    ),
    "CheckStatus": _object(
        {
            "id": _TEXT,
            "statusQueryGetUri": _URL,
            "sendEventPostUri": _URL,
            "terminatePostUri": _URL,
            "purgeHistoryDeleteUri": _URL,
            "restartPostUri": _URL,
            "suspendPostUri": _URL,
            "resumePostUri": _URL,
        }
    ),
    "Purged": _object({"instancesDeleted": {"type": "integer", "minimum": 1}}),
    "Liveness": _object({"status": {"const": "live"}}),
    "Readiness": _object({"status": {"enum": ["ready", "not ready"]}}),
    "HostStatus": _object(
        {
            "id": _TEXT,
            "state": {"enum": ["Running", "Error"]},
            "version": _TEXT,
            "processUptime": _COUNT | {"description": "In milliseconds."},
            "counters": {"type": "object", "additionalProperties": _COUNT},
            "errors": _list(_TEXT),
        },
        "counters",
        "errors",
    ),
    "Function": _object(
        {
            "name": _TEXT,
            "language": {"const": "python"},
            "isDisabled": _FLAG,
            "href": _URL,
            "invoke_url_template": {"type": ["string", "null"]},
            "config": {"type": "object"},
            "isDirect": _FLAG,
            "isProxy": _FLAG,
            "errors": _list(_TEXT) | {"description": "Why it does not load."},
        },
        "href",
        "invoke_url_template",
        "config",
        "isDirect",
        "isProxy",
        "errors",
    ),
    "FunctionErrors": _object({"errors": _list(_TEXT)}, "errors"),
    "ManualInput": _object({"input": {"type": ["string", "null"]}}, "input"),
    "OpenApi": _object({"openapi": _TEXT, "info": {"type": "object"}, "paths": {"type": "object"}}),
}

PATH_PARAMETERS: Mapping[str, JsonObject] = {
    "name": {"type": "string", "minLength": 1},
    "instance_id": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_INSTANCE_ID,
        "pattern": f"^[^@{_ID_SIGNS}][^{_ID_SIGNS}]*$",
    },
    "event_name": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
}


def _parameter(text: str, form: JsonObject, place: str = "query", **more: Any) -> JsonObject:
    return {"in": place, "description": text, "schema": form, **more}


def _statuses(names: list[str]) -> JsonObject:
    return _list({"type": "string", "enum": names})


PARAMETERS: Mapping[str, JsonObject] = {
    "taskHub": _parameter("The hub that is meant; any but the host's own is refused.", _TEXT),
    "timeout": _parameter("With pollingInterval: wait so many seconds.", _SECONDS),
    "pollingInterval": _parameter("With timeout; not longer than it.", _SECONDS),
    "returnInternalServerErrorOnFailure": _parameter("500 for a failed instance.", _FLAG),
    "showInput": _parameter("Show inputs; true unless it is given.", _FLAG),
    "showHistory": _parameter("Add historyEvents.", _FLAG),
    "showHistoryOutput": _parameter("With showHistory: add results.", _FLAG),
    "historyTop": _parameter(
        "With showHistory: the history page by page, so many events each.",
        {"type": "integer", "minimum": 1},
    ),
    "runtimeStatus": _parameter(
        "Only these states.", _statuses(_STATUS_NAMES), style="form", explode=False
    ),
    "finishedStatus": _parameter(
        "Only these states; all of them are finished ones.",
        _statuses(_FINISHED_NAMES),
        name="runtimeStatus",
        style="form",
        explode=False,
    ),
    "createdTimeFrom": _parameter("Created then or later; without offset it is UTC.", _TIME),
    "purgedTimeFrom": _parameter(
        "Created then or later; without offset it is UTC.",
        _TIME,
        name="createdTimeFrom",
        required=True,
    ),
    "createdTimeTo": _parameter("Created then or before.", _TIME),
    "instanceIdPrefix": _parameter("Ids that begin with this.", _TEXT),
    "top": _parameter(
        f"The size of a page; at most {MAX_PAGE_SIZE} are given.", {"type": "integer", "minimum": 1}
    ),
    "reason": _parameter("Why; kept in the history.", _TEXT),
    "restartWithNewInstanceId": _parameter("False keeps the id.", _FLAG),
    "x-ms-continuation-token": _parameter(
        "From the answer with the page before; empty for the first.", _TEXT, "header"
    ),
}


def answer(text: str, form: JsonObject | None = None, *headers: str) -> JsonObject:
    """One answer of an operation: with a JSON body if there is a schema for it."""
    described: JsonObject = {"description": text}
    if form is not None:
        described["content"] = {JSON: {"schema": form}}
    if headers:
        described["headers"] = {name: {"required": True, "schema": _TEXT} for name in headers}
    return described


ERROR = schema("Error")


def refused(text: str, form: JsonObject = ERROR) -> JsonObject:
    """The answer 400: a text instead where not even the request's head can be read."""
    described = answer(text, form)
    described["content"]["text/plain"] = {"schema": _TEXT}
    return described


ALWAYS: Mapping[int, JsonObject] = {
    400: refused("The request cannot be read."),
    401: answer("No key, or an unknown one."),
    403: answer(
        "The key opens something else; without keys: the request is of another site, or came "
        "through a proxy."
    ),
    408: answer("The body did not come in time.", ERROR),
    415: answer("The body is packed in an unknown way.", ERROR, "Accept-Encoding"),
    421: answer("Without keys: the Host header names no loopback host.", ERROR),
    429: answer("Too many requests wait already.", ERROR, "Retry-After"),
    500: answer("The host failed; its log says how.", ERROR),
    503: answer(
        "The store is out of reach, or it or the host was asked too much: ask again later.",
        ERROR,
        "Retry-After",
    ),
}
"""What any operation that keys guard may answer; each may say more of it."""
