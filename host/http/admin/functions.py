"""The functions of a host: what they are, what is wrong with them, and running one by hand.

A function run by hand runs in the background: the client learns only that it was accepted, and
failures are logged.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

import pydantic_core
from aiohttp import web

from bindings.errors import InvalidArgumentError
from bindings.functions import Binding
from bindings.kinds.records import Role
from host.core.failures import caught
from host.engine.callers import CALLER
from host.functions.input_schemas import input_schema_of
from host.functions.model import HostFunction
from host.http import answers
from host.http.access import Need
from host.http.admin.room import Administration
from host.http.calls import Call
from host.http.operations import Asked, Body, Operation, answer, refused
from host.http.parameters import in_path
from host.http.shapes import ERROR, FLAG, TEXT, URL, JsonObject, Shape, list_of, object_of
from host.logs import HostLog

MAX_INPUT_BYTES = 16 * 1024 * 1024

_log = HostLog(__name__)

NAME = in_path("name", "a function's name")

FUNCTION = Shape(
    "Function",
    object_of(
        {
            "name": TEXT,
            "version": TEXT | {"description": "The only one that an orchestrator is for."},
            "language": {"const": "python"},
            "isDisabled": FLAG,
            "href": URL,
            "invoke_url_template": {"type": ["string", "null"]},
            "config": {"type": "object"},
            "isDirect": FLAG,
            "isProxy": FLAG,
            "listener": {
                "type": "object",
                "additionalProperties": TEXT,
                "description": "What its listener says of it, such as when it runs next.",
            },
            "errors": list_of(TEXT) | {"description": "Why it does not load."},
            "inputSchema": {
                "type": "object",
                "description": "The JSON schema of an orchestrator's input, by its annotation; "
                "of one function only, not in the list.",
            },
        },
        "version",
        "href",
        "invoke_url_template",
        "config",
        "isDirect",
        "isProxy",
        "listener",
        "errors",
        "inputSchema",
    ),
)
FUNCTION_ERRORS = Shape("FunctionErrors", object_of({"errors": list_of(TEXT)}, "errors"))
MANUAL_INPUT = Shape("ManualInput", object_of({"input": {"type": ["string", "null"]}}, "input"))


async def show_all(here: Administration, asked: Asked) -> web.Response:
    """All functions, those that do not load included."""
    working = [_describe(here, asked.call, function) for function in here.app.functions]
    broken = [_describe_broken(each.name, each.error) for each in here.app.broken]
    return answers.json_answer(working + broken)


async def show(here: Administration, asked: Asked) -> web.Response:
    """One function."""
    name = asked[NAME]
    function = _find(here, name)
    if function is not None:
        schema = input_schema_of(function)
        input_schema = {} if schema is None else {"inputSchema": schema}
        return answers.json_answer(_describe(here, asked.call, function) | input_schema)
    errors = _errors(here, name)
    if errors:
        return answers.json_answer(_describe_broken(name, *errors))
    return _no_function(name)


async def show_errors(here: Administration, asked: Asked) -> web.Response:
    """Why a function does not load."""
    name = asked[NAME]
    errors = _errors(here, name)
    if errors:
        return answers.json_answer({"errors": errors})
    if _find(here, name) is None:
        return _no_function(name)
    return answers.json_answer({})


async def run_by_hand(here: Administration, asked: Asked) -> web.Response:
    """Run a function in the background."""
    function = _find(here, asked[NAME])
    if function is None:
        return _no_function(asked[NAME])
    if function.role is not Role.TRIGGERED:
        raise InvalidArgumentError(
            f"'{function.name}' is run by orchestrations only; start one with POST "
            "/runtime/webhooks/durabletask/orchestrators/NAME."
        )
    text = _manual_input(await asked.body(MAX_INPUT_BYTES))
    here.run(_run(here, function, _by_hand(here, function, text, asked.call)))
    return answers.empty(HTTPStatus.ACCEPTED)


def _by_hand(here: Administration, function: HostFunction, text: str | None, call: Call) -> object:
    """What triggers the function now. Raises `InvalidArgumentError`."""
    trigger = function.trigger
    if trigger.by_hand_for is not None:
        return trigger.by_hand_for(text, function.declaration.trigger)
    if trigger.by_hand_at is not None:
        return trigger.by_hand_at(text, here.clock.now())
    return text if trigger.by_hand is None else trigger.by_hand(text, call.url)


async def _run(here: Administration, function: HostFunction, value: object) -> None:
    CALLER.set(None)  # the client was answered already
    try:
        await here.invoker.invoke(function, value)
    except Exception as error:  # noqa: BLE001 - an author's function may raise anything
        failed = caught(error)
        _log.error(
            "The function '%s', run by hand, failed: %s",
            function.name,
            failed,
            exc_info=failed.exc_info,
        )


def _no_function(name: str) -> web.Response:
    return answers.message(HTTPStatus.NOT_FOUND, f"No function has the name '{name}'.")


def _find(here: Administration, name: str) -> HostFunction | None:
    matches = (each for each in here.app.functions if each.name.lower() == name.lower())
    return next(matches, None)


def _errors(here: Administration, name: str) -> list[str]:
    return [each.error for each in here.app.broken if each.name.lower() == name.lower()]


def _describe(here: Administration, call: Call, function: HostFunction) -> JsonObject:
    path = here.path_of(function)
    version = {} if function.version is None else {"version": function.version}
    shown = here.shown(function.name)
    listener = {"listener": dict(shown)} if shown else {}
    return {
        "name": function.name,
        **version,
        "href": f"{call.origin}/admin/functions/{quote(function.name, safe='')}",
        "invoke_url_template": None if path is None else call.origin + path,
        "language": "python",
        "config": _config(function),
        "isDisabled": function.is_disabled,
        "isDirect": False,
        "isProxy": False,
        **listener,
    }


def _describe_broken(name: str, *errors: str) -> JsonObject:
    return {"name": name, "language": "python", "isDisabled": False, "errors": list(errors)}


def _config(function: HostFunction) -> JsonObject:
    bindings = [_binding(each) for each in function.shown_bindings]
    retry = {} if function.shown_retry is None else {"retry": dict(function.shown_retry)}
    return {"bindings": bindings, "disabled": function.is_disabled, **retry}


def _binding(binding: Binding) -> JsonObject:
    head = {"type": binding.type, "direction": binding.direction.value, "name": binding.name}
    return head | dict(binding.properties)


def _manual_input(body: bytes) -> str | None:
    """The `input` of the body: a text, even where the text is JSON."""
    try:
        document = pydantic_core.from_json(body)
    except ValueError as error:
        raise InvalidArgumentError(f"The request's body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidArgumentError('The request\'s body is not an object such as {"input": "…"}.')
    value = document.get("input")
    if value is None or isinstance(value, str):
        return value
    raise InvalidArgumentError("The member 'input' is not a string; put JSON into a string, too.")


_NONE = answer("There is no such function.", ERROR)

OPERATIONS: tuple[Operation[Administration], ...] = (
    Operation(
        id="listFunctions",
        verb="GET",
        path="/admin/functions",
        summary="All functions, those that do not load included.",
        access=Need.READ,
        answers={200: answer("The functions.", list_of(FUNCTION))},
        handler=show_all,
    ),
    Operation(
        id="getFunction",
        verb="GET",
        path="/admin/functions/{name}",
        summary="One function.",
        access=Need.READ,
        parameters=(NAME,),
        answers={200: answer("The function.", FUNCTION), 404: _NONE},
        handler=show,
    ),
    Operation(
        id="runFunction",
        verb="POST",
        path="/admin/functions/{name}",
        summary="Run a function by hand, in the background.",
        access=Need.ADMIN,
        parameters=(NAME,),
        body=Body(form=MANUAL_INPUT, is_required=True),
        answers={
            202: answer("It runs."),
            400: refused("The body is wrong, or orchestrations alone run the function."),
            404: _NONE,
            413: answer("The body is too large.", ERROR),
        },
        handler=run_by_hand,
    ),
    Operation(
        id="getFunctionStatus",
        verb="GET",
        path="/admin/functions/{name}/status",
        summary="Why a function does not load.",
        access=Need.READ,
        parameters=(NAME,),
        answers={200: answer("Its errors, if any.", FUNCTION_ERRORS), 404: _NONE},
        handler=show_errors,
    ),
)
