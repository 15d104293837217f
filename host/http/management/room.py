"""What all webhooks share: what their handlers work with, how their records are made, answers.

A webhook is a record made by `webhook` and a handler, in the file of what it is about: starting,
looking, steering, purging. Each of these files lists its records in `OPERATIONS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bindings.errors import InvalidArgumentError
from host.clock import Clock
from host.core.converter import Converter
from host.core.history import Payload
from host.core.ids import MAX_INSTANCE_ID
from host.engine.audit import AuditLog
from host.engine.feed.feed import Feed
from host.engine.hosts import Hosts
from host.engine.jobs import Jobs
from host.engine.limits.desks import Desks
from host.engine.management import InstanceManager
from host.engine.overview.overview import HubOverview
from host.http.access import Access, Need
from host.http.by_state import ByState
from host.http.event_streams import EventStreams
from host.http.hub_meant import TASK_HUB
from host.http.link_tokens import Use
from host.http.management.links import WEBHOOKS, ManagementLinks
from host.http.operations import Answer, Asked, Body, Handler, Operation, answer
from host.http.parameters import Parameter, flag, in_path
from host.http.shapes import ERROR
from host.http.streams import Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Management:
    """The room of the webhooks. A request waits at most `max_wait_s` seconds for an instance."""

    instances: InstanceManager
    hosts: Hosts
    overview: HubOverview
    feed: Feed
    audit: AuditLog
    jobs: Jobs
    limits: Desks
    links: ManagementLinks
    converter: Converter
    clock: Clock
    access: Access
    max_wait_s: float
    max_page_bytes: int
    streams: Streams = field(default_factory=Streams)
    event_streams: EventStreams = field(default_factory=EventStreams)

    async def payload(self, asked: Asked) -> Payload:
        """The JSON of the body, whatever type it says it is of. Raises what is wrong with it."""
        return self.converter.check_json(await self.body(asked), "The request's body")

    async def body(self, asked: Asked) -> bytes:
        """The body, no larger than a payload may be. Raises what `HeldBody.read` does."""
        limit = self.converter.max_payload_bytes
        return await asked.body(limit, "maxPayloadBytes in host.json")


NOT_IN_IDS = r"/\\#?\x00-\x1f\x7f-\x9f"

INSTANCE_ID = in_path(
    "instance_id",
    "an instance's id",
    {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_INSTANCE_ID,
        "pattern": f"^[^@{NOT_IN_IDS}][^{NOT_IN_IDS}]*$",
    },
)
FAILURE_FLAG = flag(
    "returnInternalServerErrorOnFailure", "500 for a failed instance.", default=False
)

INSTANCE = "instances/{instance_id}"
"""The path of one instance. The operations on it have `INSTANCE_ID` among their parameters."""

ACCEPTED = answer("Accepted: the instance will take it in.")
UNKNOWN = answer("There is no such instance.", ERROR)
FINISHED = answer("The instance is finished.", ERROR)
WRONG_STATE = answer("The instance's state does not allow it.", ERROR)
TOO_LARGE = answer("The body is larger than maxPayloadBytes.", ERROR)


MAX_TIMEOUT_S = 86_400.0
"""A client that asks for more does not mean a wait. What it really waits is a setting."""


def checked_timeout(timeout_s: float) -> float:
    """How long a client wants to wait. Raises `InvalidArgumentError` for what cannot be meant."""
    if timeout_s > MAX_TIMEOUT_S:
        raise InvalidArgumentError(f"The timeout is longer than {MAX_TIMEOUT_S:.0f} seconds.")
    return timeout_s


def webhook(
    *,
    id: str,  # noqa: A002 - as the record has it
    verb: str,
    path: str,
    summary: str,
    access: Need,
    handler: Handler[Management],
    answers: Mapping[int, Answer],
    parameters: tuple[Parameter[Any], ...] = (),
    body: Body | None = None,
    link: Use | None = None,
    by_state: ByState | None = None,
    is_everyday: bool = False,
) -> Operation[Management]:
    """The record of an operation at a path below the webhooks' base."""
    return Operation(
        id=id,
        verb=verb,
        path=f"{WEBHOOKS}/{path}",
        summary=summary,
        access=access,
        handler=handler,
        answers=answers,
        parameters=(TASK_HUB, *parameters),
        body=body,
        link=link,
        by_state=by_state,
        is_everyday=is_everyday,
    )
