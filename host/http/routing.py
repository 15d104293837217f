"""Which operation a call means, and doing it.

An unknown path is 404. A known path with another verb is 405 and says in `Allow` which verbs there
are; what takes GET takes HEAD. Refusals of the hub become their answers here; any other error is
the host's and becomes 500.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic

from aiohttp import web

from bindings.errors import FunchostError
from host.http import answers
from host.http.access import Access, Need, refused
from host.http.auditing import Auditor, is_audited, is_dry_run
from host.http.calls import Call
from host.http.operations import Asked, Handler, Operation, R
from host.http.parameters import Values
from host.http.route_templates import RouteTemplate, parse_template


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[R]):
    """What stands at a path, by verb: nothing if the path is unknown. `asked_for` is the verb's."""

    by_verb: Mapping[str, Operation[R]]
    asked_for: Operation[R] | None
    values: Values

    def need(self, default: Need) -> Need:
        """What opens it: for a verb that is not there, what opens all that is; else the default."""
        if self.asked_for is not None:
            return self.asked_for.access
        return max((each.access for each in self.by_verb.values()), default=default)


class OperationTable(Generic[R]):
    """The operations of one room, by path and verb."""

    def __init__(
        self, room: R, operations: Iterable[Operation[R]], auditor: Auditor | None = None
    ) -> None:
        """With an `auditor` what changes something is written down."""
        operations = tuple(operations)
        by_path: dict[str, dict[str, Operation[R]]] = {}
        for each in operations:
            by_path.setdefault(each.path, {})[each.verb] = each
        self._room = room
        self._auditor = auditor
        self._audited = frozenset(filter(is_audited, operations))
        self._paths: tuple[tuple[RouteTemplate, Mapping[str, Operation[R]]], ...] = tuple(
            (parse_template(path), by_verb) for path, by_verb in by_path.items()
        )

    def find(self, call: Call) -> Found[R]:
        """What the call's path and verb mean."""
        path: Sequence[str] = call.segments
        for template, by_verb in self._paths:
            values = template.match(path)
            if values is not None:
                verb = "GET" if call.method == "HEAD" else call.method
                meant = by_verb.get(verb) or _of_any_verb(by_verb)
                return Found(by_verb=by_verb, asked_for=meant, values=values)
        return Found(by_verb={}, asked_for=None, values={})

    async def answer_by_key(
        self,
        call: Call,
        access: Access,
        default: Need,
        check: Callable[[Call], None] = lambda _: None,
    ) -> web.Response:
        """Do what the call means if its key opens that; an unknown path needs the default.

        `check` may raise a refusal of what the call may ask for.
        """
        found = self.find(call)
        need = found.need(default)
        refusal = refused(await access.to_operation(call, need), need)
        if refusal is None:
            try:
                check(call)
            except FunchostError as error:
                refusal = answers.refusal(error)
        return await self.answer(call, found) if refusal is None else refusal

    async def answer(self, call: Call, found: Found[R]) -> web.Response:
        """Do what was found. Never raises but for a lost connection."""
        operation = found.asked_for
        if operation is not None:
            asked = Asked(operation=operation, call=call, values=found.values)
            response = await self._done(asked)
            response[answers.OPERATION] = operation.id
            return response
        if found.by_verb:
            return _not_allowed(found.by_verb)
        return answers.message(HTTPStatus.NOT_FOUND, answers.NOTHING_HERE)

    async def _done(self, asked: Asked) -> web.Response:
        """Do it, and write it down if the audit tells of it."""
        operation, auditor = asked.operation, self._auditor
        if auditor is None or operation not in self._audited or is_dry_run(asked):
            return await _do(operation.handler, self._room, asked)
        who = await auditor.who(asked.call)
        try:
            response = await _do(operation.handler, self._room, asked)
        except BaseException:  # the client is gone, or the host stops: it may have been done
            auditor.note_open(who, asked)
            raise
        await auditor.note(who, asked, response)
        return response


def _of_any_verb(by_verb: Mapping[str, Operation[R]]) -> Operation[R] | None:
    return next((each for each in by_verb.values() if each.takes_any_verb), None)


async def _do(handler: Handler[R], room: R, asked: Asked) -> web.Response:
    try:
        return await handler(room, asked)
    except FunchostError as error:
        refusal = answers.refusal(error)
        return answers.fault(error, _name(asked)) if refusal is None else refusal
    except ConnectionError:
        raise  # the client is gone: there is nobody to answer
    except Exception as error:  # noqa: BLE001 - logged by fault; a client never sees a traceback
        return answers.fault(error, _name(asked))


def _name(asked: Asked) -> str:
    return f"{asked.operation.verb} {asked.operation.path}"


def _not_allowed(by_verb: Iterable[str]) -> web.Response:
    verbs = ", ".join("GET, HEAD" if verb == "GET" else verb for verb in by_verb)
    return answers.message(
        HTTPStatus.METHOD_NOT_ALLOWED, f"This URL takes {verbs} only.", {"Allow": verbs}
    )
