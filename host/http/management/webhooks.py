"""The management webhooks under `/runtime/webhooks/durabletask`: paths, verbs and who may.

The whole of it is the table below; `instances.py` has the operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from bindings.errors import FunchostError, InvalidArgumentError
from host.http import answers
from host.http.access import Access, Verdict, refused
from host.http.calls import Call
from host.http.link_tokens import Pass, Use
from host.http.management.instances import InstanceOperations
from host.http.management.links import WEBHOOKS
from host.http.operations import OperationTable, Route


class Management:
    """Answers calls to the webhooks of one hub."""

    def __init__(self, operations: InstanceOperations, access: Access, hub_name: str) -> None:
        self._access = access
        self._operations = operations
        self._hub_name = hub_name
        instance = "instances/{instance_id}"
        self._table = OperationTable(
            {
                "orchestrators/{name}/{instance_id?}": {"POST": operations.start},
                "instances": {"GET": operations.list, "DELETE": operations.purge_many},
                instance: {"GET": operations.status, "DELETE": operations.purge},
                f"{instance}/raiseEvent/{{event_name}}": {"POST": operations.raise_event},
                f"{instance}/terminate": {"POST": operations.terminate},
                f"{instance}/suspend": {"POST": operations.suspend},
                f"{instance}/resume": {"POST": operations.resume},
                f"{instance}/restart": {"POST": operations.restart},
                f"{instance}/redrive": {"POST": operations.redrive},
                f"{instance}/rewind": {"POST": operations.rewind},
            }
        )

    @property
    def routes(self) -> list[Route]:
        """Everything that is answered here."""
        return self._table.routes(WEBHOOKS)

    async def answer(self, call: Call, path: Sequence[str]) -> web.Response:
        """Answer a call; `path` is what stands behind the base."""
        response = await self._answer(call, path)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    async def _answer(self, call: Call, path: Sequence[str]) -> web.Response:
        verdict = self._access.to_webhooks(call)
        if verdict is Verdict.UNKNOWN:
            try:
                found = await self._link_of(call, path)
            except FunchostError as error:
                return answers.refusal(error) or answers.fault(error, "Reading of a link's run")
            if found is not None:
                call, verdict = replace(call, link_expires_at=found.expires_at), Verdict.ALLOWED
        refusal = refused(verdict)
        if refusal is None:
            refusal = self._refuse_other_hub(call)
        return await self._table.answer(call, path) if refusal is None else refusal

    async def _link_of(self, call: Call, path: Sequence[str]) -> Pass | None:
        """What the link says by which the call comes, if that opens what it asks for.

        Of a run that is gone it opens what is there: nothing. That is 404, as with a key.
        """
        if len(path) < 2 or path[0].lower() != "instances":
            return None
        found = self._access.pass_of(call, path[1])
        if found is None:
            return None
        began_at = await self._operations.began_at(path[1])
        return found if found.opens(_use(call, path[2:]), began_at or found.made_at) else None

    def _refuse_other_hub(self, call: Call) -> web.Response | None:
        """Another hub's instance of the same id is not meant: do not touch ours."""
        hub = (call.query.text("taskHub") or "").strip()
        if not hub or hub.lower() == self._hub_name.lower():
            return None
        error = InvalidArgumentError(f"This host serves the hub '{self._hub_name}', not '{hub}'.")
        return answers.refusal(error)


def _use(call: Call, rest: Sequence[str]) -> Use:
    """What a call is for; `rest` is what stands behind the id of the instance."""
    if not rest:
        return Use.READ if call.method == "GET" else Use.MANAGE
    return Use.RAISE if rest[0].lower() == "raiseevent" else Use.MANAGE
