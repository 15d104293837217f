"""Waiting for an instance: the request is answered as soon as it has started, or has ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

from aiohttp import web

from bindings.errors import InstanceNotFoundError
from host.http import answers, parameters
from host.http.access import Need
from host.http.by_state import BAD_ENDS, ByState, answering
from host.http.link_tokens import Use
from host.http.management.room import (
    INSTANCE,
    INSTANCE_ID,
    UNKNOWN,
    Management,
    checked_timeout,
    webhook,
)
from host.http.management.shapes import STATUS
from host.http.management.status_json import status_to_json
from host.http.operations import Asked, answer
from host.http.parameters import in_query
from host.http.query import Query
from host.http.shapes import SECONDS

FOR: Mapping[str, bool] = {"completion": True, "start": False}
WAIT_FOR = parameters.choice("for", "What is waited for: completion (the default) or start.", FOR)
TIMEOUT = in_query(
    "timeout",
    "How many seconds at most; not longer than the host's longest wait, the default.",
    SECONDS,
    Query.seconds,
    key="waitTimeout",
)


async def wait(here: Management, asked: Asked) -> web.Response:
    """The status as soon as it is what is waited for: 200; 202 with the status if it is not yet."""
    instance_id, is_for_end, timeout = asked[INSTANCE_ID], asked[WAIT_FOR], asked[TIMEOUT]
    asked_s = here.max_wait_s if timeout is None else checked_timeout(timeout)
    seconds = min(asked_s, here.max_wait_s)
    wait_for = here.instances.wait_for_start if is_for_end is False else here.instances.wait_for_end
    status = HTTPStatus.OK
    try:
        row = await wait_for(instance_id, timeout=timedelta(seconds=seconds))
    except TimeoutError:
        found = await here.instances.find(instance_id)
        if found is None:
            raise InstanceNotFoundError(instance_id) from None
        row, status = found, HTTPStatus.ACCEPTED
    has_key = asked.call.link_expires_at is None
    return answers.raw_answer(status_to_json(row, show_stacks=has_key), status)


OPERATIONS = (
    webhook(
        id="waitForInstance",
        verb="POST",
        path=f"{INSTANCE}/wait",
        summary="Wait until an instance has started or ended.",
        access=Need.READ,
        parameters=(INSTANCE_ID, WAIT_FOR, TIMEOUT),
        answers={
            200: answer("It has.", STATUS),
            202: answer("Not yet.", STATUS),
            404: UNKNOWN,
        },
        by_state=ByState(
            client="wait_for_instance_completion",
            command="instances wait",
            says={202: "TimeoutError"},
            tells_of=BAD_ENDS,
            answers=answering(unknown=404, active=202, finished=200),
        ),
        handler=wait,
        link=Use.READ,
    ),
)
