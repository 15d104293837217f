"""Activities that every host has, whatever its app. No author's function has a name like theirs."""

from __future__ import annotations

from functools import partial

from bindings.errors import InvalidArgumentError
from host.core.failures import Caught
from host.core.functions import ActivityFunction
from host.core.history import Payload
from host.core.http_calls import HTTP_ACTIVITY
from host.functions.bound_activities import InvokerSlot


def built_in_activities(slot: InvokerSlot) -> dict[str, ActivityFunction]:
    """They find the host's parts in the slot."""
    return {
        HTTP_ACTIVITY: ActivityFunction(name=HTTP_ACTIVITY, run=partial(_send, slot)),
    }


async def _send(slot: InvokerSlot, payload: Payload) -> Payload | Caught:
    if slot.send_http is None:
        raise InvalidArgumentError("Requests of call_http are sent by a host.")
    return await slot.send_http(payload)
