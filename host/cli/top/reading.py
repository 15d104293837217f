"""What `funchost top` reads of a host: what is shown is read anew every few seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from bindings.client import ListOrder, OrchestrationQuery, OrchestrationState, RuntimeStatus
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from bindings.waiting import WaitingFor

PAGE = 100
"""So many instances are listed."""
MAX_EVENTS = 500
"""So many of the last events of a history are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which instances are listed."""

    status: RuntimeStatus | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubView:
    """A hub at one moment."""

    counts: Mapping[RuntimeStatus, int]
    hosts: int
    quarantined: int
    instances: Sequence[OrchestrationState]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """One instance at one moment; `events` are the last ones of its history."""

    state: OrchestrationState
    waiting: Sequence[WaitingFor]
    events: Sequence[Mapping[str, Any]]


async def read_hub(client: RemoteClient, wanted: Filter) -> HubView:
    """The hub, and the instances that were changed last. Raises `ClientError`."""
    answer = await client.connection.ask("GET", ("overview",), is_repeatable=True)
    if answer.status != HTTPStatus.OK:
        raise refusal(answer)
    overview = answer.json()
    query = OrchestrationQuery(
        runtime_status=() if wanted.status is None else (wanted.status,),
        text=wanted.text or None,
        page_size=PAGE,
        order=ListOrder.CREATED,
    )
    page = await client.query_instances(query, fetch_payloads=False)
    return HubView(
        counts={RuntimeStatus(name): count for name, count in overview["counts"].items()},
        hosts=overview["hosts"],
        quarantined=overview["quarantined"],
        instances=page.items,
    )


async def read_instance(client: RemoteClient, instance_id: str) -> InstanceView | None:
    """The instance; None if there is none any more. Raises `ClientError`."""
    state = await client.get_instance(instance_id)
    if state is None:
        return None
    events = await client.get_instance_history(instance_id)
    waiting = () if state.runtime_status.is_finished else await client.why(instance_id)
    return InstanceView(state=state, waiting=waiting, events=events[-MAX_EVENTS:])
