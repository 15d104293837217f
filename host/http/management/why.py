"""Why an instance does not go on: what it waits for, from what is stored of it."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from bindings.waiting import WaitingFor, waiting_to_json
from host.http import answers
from host.http.access import Need
from host.http.by_state import ByState, answering
from host.http.link_tokens import Use
from host.http.management.room import INSTANCE, INSTANCE_ID, UNKNOWN, Management, webhook
from host.http.management.shapes import WHY
from host.http.operations import Asked, answer
from host.http.shapes import JsonObject

MAX_SHOWN = 1000
"""Who waits for more than so many things is shown the first ones, and how many there are."""


async def why(here: Management, asked: Asked) -> web.Response:
    """What an instance waits for."""
    found = await here.instances.why(asked[INSTANCE_ID])
    body: JsonObject = {
        "instanceId": found.instance.instance_id,
        "runtimeStatus": found.instance.status.value,
        "waitingFor": shown(found.waiting_for),
    }
    left = len(found.waiting_for) - MAX_SHOWN
    return answers.json_answer(body | {"notShown": left} if left > 0 else body)


def shown(waiting_for: Sequence[WaitingFor]) -> list[JsonObject]:
    """The first ones as JSON."""
    return [waiting_to_json(each) for each in waiting_for[:MAX_SHOWN]]


OPERATIONS = (
    webhook(
        id="whyInstanceWaits",
        verb="GET",
        path=f"{INSTANCE}/why",
        summary="What an instance waits for, as any host can say it.",
        access=Need.READ,
        parameters=(INSTANCE_ID,),
        answers={200: answer("What it waits for; one thing at least.", WHY), 404: UNKNOWN},
        by_state=ByState(
            client="why",
            command="instances why",
            answers=answering(unknown=404, active=200, finished=200),
        ),
        handler=why,
        link=Use.READ,
    ),
)
