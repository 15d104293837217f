"""Steering an instance: events, and the orders that hold it, let it go on, or end it.

Whether the instance is there and active, the store says as it stores the order. Only where the
order itself is wrong is it asked before, since clients are told of the instance first (404, 410)
and of the content then (400), as with Durable Functions.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import web

from bindings.errors import FunchostError, InvalidArgumentError
from host.core.arguments import MAX_TEXT
from host.core.history import Payload
from host.http import answers, parameters
from host.http.access import Need
from host.http.by_state import ORDERS, ByState, answering
from host.http.link_tokens import Use
from host.http.management.room import (
    ACCEPTED,
    FINISHED,
    INSTANCE,
    INSTANCE_ID,
    TOO_LARGE,
    UNKNOWN,
    WRONG_STATE,
    Management,
    webhook,
)
from host.http.operations import ANY_JSON, Answer, Asked, Body, answer, refused
from host.http.parameters import in_path, in_query
from host.http.shapes import ERROR, FLAG, TEXT

EVENT_NAME = in_path(
    "event_name",
    "an event's name",
    {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
)
REASON = parameters.text("reason", "Why; kept in the history.")
ALL_BELOW = in_query(
    "recursive",
    "Its sub-orchestrations, too; true unless it is given.",
    FLAG,
    lambda query, name: query.flag(name, default=True),
    key="recursiveEnd",
)
Check: TypeAlias = Callable[[str], Awaitable[None]]
"""Raises what an order to the instance of this id would raise now."""

ALSO_BELOW = parameters.flag("recursive", "Its sub-orchestrations, too.", default=False)


async def raise_event(here: Management, asked: Asked) -> web.Response:
    """Send an external event, whose data is JSON, whatever type the body says it is of."""
    instance_id = asked[INSTANCE_ID]
    try:
        payload = await here.payload(asked)
    except FunchostError:
        await here.instances.check_active(instance_id)
        raise
    await here.instances.raise_event(instance_id, asked[EVENT_NAME], payload)
    return answers.empty(HTTPStatus.ACCEPTED)


async def terminate(here: Management, asked: Asked) -> web.Response:
    """Stop an instance; the body, or else the reason, is its output."""
    is_deep = asked[ALL_BELOW]
    output = await _reason(here, asked)
    await here.instances.terminate(asked[INSTANCE_ID], output, recursive=is_deep)
    return answers.empty(HTTPStatus.ACCEPTED)


async def suspend(here: Management, asked: Asked) -> web.Response:
    """Hold an instance."""
    is_deep = asked[ALSO_BELOW]
    why = await _reason_text(here, asked)
    await here.instances.suspend(asked[INSTANCE_ID], why, recursive=is_deep)
    return answers.empty(HTTPStatus.ACCEPTED)


async def resume(here: Management, asked: Asked) -> web.Response:
    """Let a suspended instance go on."""
    is_deep = asked[ALSO_BELOW]
    why = await _reason_text(here, asked)
    await here.instances.resume(asked[INSTANCE_ID], why, recursive=is_deep)
    return answers.empty(HTTPStatus.ACCEPTED)


async def set_custom_status(here: Management, asked: Asked) -> web.Response:
    """Show a custom status, any JSON, until the code sets another one."""
    instance_id = asked[INSTANCE_ID]
    try:
        payload = await _given_payload(here, asked)
    except FunchostError:
        await here.instances.check_active(instance_id)
        raise
    await here.instances.set_custom_status(instance_id, payload)
    return answers.empty(HTTPStatus.ACCEPTED)


async def redrive(here: Management, asked: Asked) -> web.Response:
    """Try a quarantined instance anew."""
    await here.instances.redrive(asked[INSTANCE_ID])
    return answers.empty(HTTPStatus.ACCEPTED)


async def rewind(here: Management, asked: Asked) -> web.Response:
    """Have a failed instance go on from before its failure."""
    why = await _reason_text(here, asked, here.instances.check_failed)
    await here.instances.rewind(asked[INSTANCE_ID], why)
    return answers.empty(HTTPStatus.ACCEPTED)


async def _given_payload(here: Management, asked: Asked) -> Payload:
    """The JSON of the body. One that is empty (a variable of a script, perhaps) says nothing."""
    body = await here.body(asked)
    payload = here.converter.check_json(body, "The request's body")
    if payload is None and b"null" not in body:
        raise InvalidArgumentError(
            "The body is empty: send the custom status as JSON, or null to show none."
        )
    return payload


async def _reason(here: Management, asked: Asked, check: Check | None = None) -> Payload:
    """The reason as JSON: of the body, or of the query.

    Before what is wrong with it comes what `check` says of the instance: that it is not there.
    """
    try:
        payload = await here.payload(asked)
        if payload is not None and asked[REASON] is not None:
            raise InvalidArgumentError("The reason is in the query and in the body: say it once.")
    except FunchostError:
        await (check or here.instances.check_active)(asked[INSTANCE_ID])
        raise
    return here.converter.to_payload(asked[REASON], "The reason") if payload is None else payload


async def _reason_text(here: Management, asked: Asked, check: Check | None = None) -> str:
    reason = json.loads(await _reason(here, asked, check) or "null")
    if not isinstance(reason, str | None):
        await (check or here.instances.check_active)(asked[INSTANCE_ID])
        raise InvalidArgumentError("The body, if there is one, is the reason: a JSON text.")
    return reason or ""


_OUTPUT = Body(text="The instance's output, in place of the reason.", form=ANY_JSON)
_REASON_BODY = Body(text="The reason, in place of the one in the query.", form=TEXT)
FULL = answer("As much waits for the instance as may.", ERROR)
_ORDERED: Mapping[int, Answer] = {202: ACCEPTED, 404: UNKNOWN, 410: FINISHED, 413: TOO_LARGE}

REDRIVE = webhook(
    id="redriveInstance",
    verb="POST",
    path=f"{INSTANCE}/redrive",
    summary="Try a quarantined instance anew.",
    access=Need.OPERATE,
    parameters=(INSTANCE_ID,),
    answers={202: ACCEPTED, 404: UNKNOWN, 409: WRONG_STATE, 410: FINISHED},
    by_state=ByState(
        client="redrive_instance",
        command="instances redrive",
        answers=answering(unknown=404, active=409, finished=410, quarantined=202),
    ),
    handler=redrive,
    link=Use.MANAGE,
)

OPERATIONS = (
    webhook(
        id="raiseEvent",
        is_everyday=True,
        verb="POST",
        path=f"{INSTANCE}/raiseEvent/{{event_name}}",
        summary="Send an external event.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID, EVENT_NAME),
        body=Body(text="The event's data.", form=ANY_JSON, is_required=True),
        answers={**_ORDERED, 429: FULL},
        by_state=ByState(client="raise_event", command="instances raise-event", answers=ORDERS),
        handler=raise_event,
        link=Use.RAISE,
    ),
    webhook(
        id="terminateInstance",
        verb="POST",
        path=f"{INSTANCE}/terminate",
        summary="Stop an instance.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID, REASON, ALL_BELOW),
        body=_OUTPUT,
        answers=_ORDERED,
        by_state=ByState(
            client="terminate_instance", command="instances terminate", answers=ORDERS
        ),
        handler=terminate,
        link=Use.MANAGE,
    ),
    webhook(
        id="suspendInstance",
        verb="POST",
        path=f"{INSTANCE}/suspend",
        summary="Hold an instance.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID, REASON, ALSO_BELOW),
        body=_REASON_BODY,
        answers=_ORDERED,
        by_state=ByState(client="suspend_instance", command="instances suspend", answers=ORDERS),
        handler=suspend,
        link=Use.MANAGE,
    ),
    webhook(
        id="resumeInstance",
        verb="POST",
        path=f"{INSTANCE}/resume",
        summary="Let a suspended instance go on.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID, REASON, ALSO_BELOW),
        body=_REASON_BODY,
        answers=_ORDERED,
        by_state=ByState(client="resume_instance", command="instances resume", answers=ORDERS),
        handler=resume,
        link=Use.MANAGE,
    ),
    webhook(
        id="setCustomStatus",
        verb="PUT",
        path=f"{INSTANCE}/customStatus",
        summary="Show a custom status until the code sets another one.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID,),
        body=Body(text="The custom status; null to show none.", form=ANY_JSON, is_required=True),
        answers={
            **_ORDERED,
            400: refused("The body is empty, or no JSON."),
            429: FULL,
        },
        by_state=ByState(
            client="set_custom_status", command="instances set-status", answers=ORDERS
        ),
        handler=set_custom_status,
        link=Use.MANAGE,
    ),
    REDRIVE,
    webhook(
        id="rewindInstance",
        verb="POST",
        path=f"{INSTANCE}/rewind",
        summary="Have a failed instance go on from before its failure.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID, REASON),
        body=_REASON_BODY,
        answers={202: ACCEPTED, 404: UNKNOWN, 409: WRONG_STATE, 410: FINISHED, 413: TOO_LARGE},
        by_state=ByState(
            client="rewind_instance",
            command="instances rewind",
            answers=answering(unknown=404, active=409, finished=410, failed=202),
        ),
        handler=rewind,
        link=Use.MANAGE,
    ),
)
