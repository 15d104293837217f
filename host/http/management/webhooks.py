"""The management webhooks under `/runtime/webhooks/durabletask`: who may use them.

A key opens those that its role is enough for. A link of an instance opens those whose records say
so, on the one run that had the id when the link was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from bindings.errors import FunchostError, InvalidArgumentError
from host.http import answers
from host.http.access import Access, Need, Verdict, refused
from host.http.auditing import Auditor
from host.http.calls import Call
from host.http.hub_meant import check_hub
from host.http.link_tokens import Pass, Use
from host.http.management.links import WEBHOOKS
from host.http.management.operations import OPERATIONS
from host.http.management.room import Management
from host.http.routing import Found, OperationTable

_BASE_LENGTH = len(WEBHOOKS.strip("/").split("/"))


class Webhooks:
    """Answers calls to the webhooks of one hub."""

    def __init__(self, room: Management, access: Access, hub_name: str, auditor: Auditor) -> None:
        self._room = room
        self._access = access
        self._hub_name = hub_name
        self._table = OperationTable(room, OPERATIONS, auditor)

    async def answer(self, call: Call) -> web.Response:
        """Answer a call of a path below the base."""
        response = await self._answer(call)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    async def _answer(self, call: Call) -> web.Response:
        found = self._table.find(call)
        need = found.need(Need.READ)
        verdict = await self._access.to_operation(call, need)
        if verdict is Verdict.UNKNOWN:
            try:
                link = await self._link_of(call, found)
            except FunchostError as error:
                return answers.refusal(error) or answers.fault(error, "Reading of a link's run")
            if link is not None:
                call, verdict = replace(call, link_expires_at=link.expires_at), Verdict.ALLOWED
        refusal = refused(verdict, need)
        if refusal is None:
            refusal = self._refuse_other_hub(call)
        return await self._table.answer(call, found) if refusal is None else refusal

    async def _link_of(self, call: Call, found: Found[Management]) -> Pass | None:
        """What the link says by which the call comes, if that opens what it asks for.

        Of a run that is gone it opens what is there: nothing. That is 404, as with a key.
        """
        path = call.segments[_BASE_LENGTH:]
        if len(path) < 2 or path[0].lower() != "instances":
            return None
        link, use = self._access.pass_of(call, path[1]), _use(found, path[2:])
        if link is None or use is None:
            return None
        row = await self._room.instances.find(path[1])
        return link if link.opens(use, link.made_at if row is None else row.created_at) else None

    def _refuse_other_hub(self, call: Call) -> web.Response | None:
        try:
            check_hub(call, self._hub_name)
        except InvalidArgumentError as error:
            return answers.refusal(error)
        return None


def _use(found: Found[Management], rest: Sequence[str]) -> Use | None:
    """What a link must be for; `rest` is what stands behind the id. None if no link is enough.

    Where no operation stands, a link that could do nothing there learns nothing, either.
    """
    if found.asked_for is not None:
        return found.asked_for.link
    return Use.RAISE if rest and rest[0].lower() == "raiseevent" else Use.MANAGE
