"""What of a request the audit says: who asked, for what, from where, and what was answered.

Never a key, a body or a header. Of the query only that is kept, shortened, which the operation
takes: under a name that means nothing a key may stand. What is a key of the host, or looks like
one, is left out wherever it stands.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from bindings.errors import FunchostError, InvalidArgumentError
from host.clock import Clock
from host.engine.audit import AuditEntry, AuditLog
from host.http.access import Access, Need
from host.http.calls import Call
from host.http.hub_meant import TASK_HUB
from host.http.key_ring import Key
from host.http.keys import RESERVED_NAMES, HostCaller, KeyKind
from host.http.operations import Asked, Operation
from host.http.origins import Origins
from host.http.parameters import DRY_RUN, Place
from host.http.sending import sending_of
from host.log_text import HIDDEN, shown

MAX_TARGET = 300
MAX_DETAIL = 300
_LOOKS = frozenset({"GET", "HEAD"})
_UNSAID = frozenset({"code", TASK_HUB.name.lower()})
"""Fields of a query that say who asks, or which hub is meant."""


def is_audited(operation: Operation[Any]) -> bool:
    """Whether the audit tells of it: it changes something, and is no everyday business."""
    changes = operation.verb not in _LOOKS and operation.access >= Need.OPERATE
    return changes and not operation.is_everyday


def is_dry_run(asked: Asked) -> bool:
    """Whether it only asks what would be done: the audit would take that for the deed."""
    try:
        return DRY_RUN in asked.operation.parameters and asked[DRY_RUN]
    except InvalidArgumentError:
        return False


class Auditor:
    """Writes down what was done."""

    def __init__(self, log: AuditLog, access: Access, origins: Origins, clock: Clock) -> None:
        self._log = log
        self._access = access
        self._origins = origins
        self._clock = clock

    async def who(self, call: Call) -> str:
        """Who asks. To be found out before his key may be gone."""
        if call.link_expires_at is not None:
            return HostCaller.LINK
        if not self._access.has_keys:
            return HostCaller.LOOPBACK
        try:
            key = await self._access.key(call)
        except FunchostError:  # it opened the operation a moment ago
            key = None
        return HostCaller.UNKNOWN if key is None else name_of(key)

    def address_of(self, call: Call) -> str:
        """Where the call comes from, as far as anybody knows."""
        return self._origins.address_of(call.request)

    async def note(self, who: str, asked: Asked, response: web.Response) -> None:
        """Write down what came of it."""
        await self._log.write(self._entry(who, asked, _outcome(response), response.status))

    def note_open(self, who: str, asked: Asked) -> None:
        """Have it written down that it was begun, and nobody heard its end."""
        self._log.owe(self._entry(who, asked, "begun", 0))

    def _entry(self, who: str, asked: Asked, outcome: str, status: int) -> AuditEntry:
        return AuditEntry(
            at=self._clock.now(),
            who=who,
            what=asked.operation.id,
            target="/".join(map(self._without_keys, asked.values.values()))[:MAX_TARGET],
            detail=self._detail(asked)[:MAX_DETAIL],
            address=self.address_of(asked.call),
            outcome=outcome,
            status=status,
        )

    def _detail(self, asked: Asked) -> str:
        takes = {each.name.lower() for each in asked.operation.parameters_in(Place.QUERY)} - _UNSAID
        fields = [(name, value) for name, value in asked.call.query.fields if name.lower() in takes]
        return urlencode([(name, shown(self._without_keys(value))) for name, value in fields])

    def _without_keys(self, text: str) -> str:
        return " ".join(HIDDEN if self._access.knows(word) else word for word in text.split(" "))


def name_of(key: Key) -> str:
    """What the audit calls a key: by name, in quotes if a caller without a key is called so."""
    is_taken = key.kind is not KeyKind.MASTER and key.name.lower() in RESERVED_NAMES
    return f"'{key.name}'" if is_taken else key.name


def _outcome(response: web.Response) -> str:
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "failed"
    if response.status >= HTTPStatus.BAD_REQUEST:
        return "refused"
    return "done" if sending_of(response) is None else "begun"
