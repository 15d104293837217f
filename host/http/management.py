"""The management webhooks under `/runtime/webhooks/durabletask`: paths, verbs and who may.

The whole of it is the table below; `instance_operations.py` has the operations.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from bindings.errors import InvalidArgumentError
from host.http import answers
from host.http.access import Access, refused
from host.http.calls import Call
from host.http.instance_operations import InstanceOperations
from host.http.links import WEBHOOKS
from host.http.operations import OperationTable, Route


class Management:
    """Answers calls to the webhooks of one hub."""

    def __init__(self, operations: InstanceOperations, access: Access, hub_name: str) -> None:
        self._access = access
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
        is_of_instance = len(path) > 1 and path[0].lower() == "instances"
        verdict = self._access.to_webhooks(call, path[1] if is_of_instance else None)
        refusal = refused(verdict)
        if refusal is None:
            refusal = self._refuse_other_hub(call)
        return await self._table.answer(call, path) if refusal is None else refusal

    def _refuse_other_hub(self, call: Call) -> web.Response | None:
        """Another hub's instance of the same id is not meant: do not touch ours."""
        hub = (call.query.text("taskHub") or "").strip()
        if not hub or hub.lower() == self._hub_name.lower():
            return None
        error = InvalidArgumentError(f"This host serves the hub '{self._hub_name}', not '{hub}'.")
        return answers.refusal(error)
