"""Administration under `/admin`: the host's status, its functions, and running one by hand.

Everything but the ping needs the master key. A function run by hand runs in the background: the
client learns only that it was accepted, and failures are logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import quote

import pydantic_core
from aiohttp import web

from bindings.errors import InvalidArgumentError
from bindings.functions import Binding
from bindings.kinds.records import Role
from host.engine.callers import CALLER
from host.functions.invocation import Invoker
from host.functions.model import App, HostFunction
from host.http import answers
from host.http.access import Access, refused
from host.http.calls import Call
from host.http.health import Health
from host.http.operations import OperationTable, Route
from host.logs import HostLog

JsonObject: TypeAlias = dict[str, Any]

MAX_INPUT_BYTES = 16 * 1024 * 1024

_NO_STORE = {"Cache-Control": "no-store"}

_log = HostLog(__name__)


class Admin:
    """Answers calls to the administration of one app.

    `path_of` gives the path of an HTTP function as it was written, None for any other function.
    """

    def __init__(
        self,
        *,
        app: App,
        path_of: Callable[[HostFunction], str | None],
        invoker: Invoker,
        health: Health,
        access: Access,
    ) -> None:
        self._app = app
        self._path_of = path_of
        self._invoker = invoker
        self._health = health
        self._access = access
        self._running: set[asyncio.Task[None]] = set()
        self._table = OperationTable(
            {
                "host/status": {"GET": self._status},
                "functions": {"GET": self._list},
                "functions/{name}": {"GET": self._show, "POST": self._run_by_hand},
                "functions/{name}/status": {"GET": self._function_status},
            }
        )
        self._open_table = OperationTable({"host/ping": {"GET": self._ping, "POST": self._ping}})

    @property
    def routes(self) -> list[Route]:
        """Everything that is answered here."""
        return self._table.routes("/admin") + self._open_table.routes("/admin")

    async def answer(self, call: Call, path: Sequence[str]) -> web.Response:
        """Answer a call; `path` is what stands behind `/admin`."""
        if [part.lower() for part in path] == ["host", "ping"]:
            return await self._open_table.answer(call, path)
        refusal = refused(self._access.to_administration(call))
        return await self._table.answer(call, path) if refusal is None else refusal

    async def close(self, grace_s: float) -> None:
        """Wait for functions that run by hand, then cancel them."""
        running = set(self._running)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _ping(self, _call: Call, _values: Mapping[str, str]) -> web.Response:
        return answers.empty(HTTPStatus.OK, _NO_STORE)

    async def _status(self, _call: Call, _values: Mapping[str, str]) -> web.Response:
        return answers.json_answer(self._health.status(self._app), headers=_NO_STORE)

    async def _list(self, call: Call, _: Mapping[str, str]) -> web.Response:
        working = [self._describe(call, function) for function in self._app.functions]
        broken = [_describe_broken(each.name, each.error) for each in self._app.broken]
        return answers.json_answer(working + broken)

    async def _show(self, call: Call, values: Mapping[str, str]) -> web.Response:
        function = self._find(values["name"])
        if function is not None:
            return answers.json_answer(self._describe(call, function))
        errors = self._errors(values["name"])
        if errors:
            return answers.json_answer(_describe_broken(values["name"], *errors))
        return answers.empty(HTTPStatus.NOT_FOUND)

    async def _function_status(self, _: Call, values: Mapping[str, str]) -> web.Response:
        errors = self._errors(values["name"])
        if errors:
            return answers.json_answer({"errors": errors})
        if self._find(values["name"]) is None:
            return answers.empty(HTTPStatus.NOT_FOUND)
        return answers.json_answer({})

    async def _run_by_hand(self, call: Call, values: Mapping[str, str]) -> web.Response:
        function = self._find(values["name"])
        if function is None:
            return answers.empty(HTTPStatus.NOT_FOUND)
        if function.role is not Role.TRIGGERED:
            raise InvalidArgumentError(
                f"'{function.name}' is run by orchestrations only; start one with POST "
                "/runtime/webhooks/durabletask/orchestrators/NAME."
            )
        text = _manual_input(await call.body(MAX_INPUT_BYTES))
        by_hand = function.trigger.by_hand
        value: object = text if by_hand is None else by_hand(text, call.url)
        task = asyncio.create_task(self._run(function, value))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return answers.empty(HTTPStatus.ACCEPTED)

    async def _run(self, function: HostFunction, value: object) -> None:
        CALLER.set(None)  # the client was answered already
        try:
            await self._invoker.invoke(function, value)
        except Exception:  # noqa: BLE001 - an author's function may raise anything
            _log.exception("The function '%s', run by hand, failed", function.name)

    def _find(self, name: str) -> HostFunction | None:
        matches = (each for each in self._app.functions if each.name.lower() == name.lower())
        return next(matches, None)

    def _errors(self, name: str) -> list[str]:
        return [each.error for each in self._app.broken if each.name.lower() == name.lower()]

    def _describe(self, call: Call, function: HostFunction) -> JsonObject:
        route = self._path_of(function)
        return {
            "name": function.name,
            "href": f"{call.origin}/admin/functions/{quote(function.name, safe='')}",
            "invoke_url_template": None if route is None else call.origin + route,
            "language": "python",
            "config": _config(function),
            "isDisabled": function.is_disabled,
            "isDirect": False,
            "isProxy": False,
        }


def _describe_broken(name: str, *errors: str) -> JsonObject:
    return {"name": name, "language": "python", "isDisabled": False, "errors": list(errors)}


def _config(function: HostFunction) -> JsonObject:
    bindings = [_binding(each) for each in function.shown_bindings]
    return {"bindings": bindings, "disabled": function.is_disabled}


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
