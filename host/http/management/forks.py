"""Forking an instance."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from aiohttp import web

from bindings.errors import InvalidArgumentError
from host.core.history import Payload
from host.core.ids import MAX_INSTANCE_ID
from host.core.records import UNCHANGED
from host.engine.forking import WantedFork
from host.http import answers
from host.http.access import Need
from host.http.by_state import ByState, answering
from host.http.management.room import (
    INSTANCE,
    INSTANCE_ID,
    TOO_LARGE,
    UNKNOWN,
    Management,
    webhook,
)
from host.http.management.shapes import CHECK_STATUS
from host.http.operations import Asked, Body, answer, refused
from host.http.shapes import ERROR

_FORM = {
    "type": "object",
    "properties": {
        "afterEvent": {
            "type": "integer",
            "minimum": 0,
            "description": "The fork's history goes up to this event, as showHistory counts them "
            "(sequence); 0 is from the start. Of a failed instance: before its first failure.",
        },
        "instanceId": {"type": "string", "minLength": 1, "maxLength": MAX_INSTANCE_ID},
        "input": {"description": "Another input; only from the start."},
    },
    "additionalProperties": False,
}


async def fork(here: Management, asked: Asked) -> web.Response:
    """Start a new instance with the history of another up to an event."""
    wanted = _wanted(await here.payload(asked))
    instance_id = await here.instances.fork(asked[INSTANCE_ID], wanted)
    call = asked.call
    urls = here.links.urls_at(call.origin, instance_id, call.link_expires_at)
    headers = {"Location": urls["statusQueryGetUri"], "Retry-After": "10"}
    return answers.json_answer(urls, HTTPStatus.ACCEPTED, headers)


class _Said(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The members of the body. The input stays the text that it is."""

    after_event: int | None = None
    instance_id: str | None = None
    input: msgspec.Raw = msgspec.Raw()


def _wanted(payload: Payload) -> WantedFork:
    try:
        said = msgspec.json.decode(payload or "{}", type=_Said)
    except msgspec.DecodeError as error:
        raise InvalidArgumentError(f"The body does not say what the fork is to be: {error}") from (
            error
        )
    given = bytes(said.input).decode()
    return WantedFork(
        after_event=said.after_event,
        instance_id=said.instance_id,
        input=UNCHANGED if not given else None if given == "null" else given,
    )


OPERATIONS = (
    webhook(
        id="forkInstance",
        verb="POST",
        path=f"{INSTANCE}/fork",
        summary="Start a new instance with the history of another up to an event.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID,),
        body=Body(text="What the fork is to be.", form=_FORM),
        answers={
            202: answer("It is started.", CHECK_STATUS, "Location", "Retry-After"),
            400: refused("The event or the id is wrong, or the event must be said."),
            404: UNKNOWN,
            409: answer("An instance with this id exists.", ERROR),
            413: TOO_LARGE,
        },
        by_state=ByState(
            client="fork_instance",
            command="instances fork",
            answers=answering(unknown=404, active=400, finished=400, failed=202),
            says={400: "InvalidArgumentError"},
        ),
        handler=fork,
    ),
)
