"""The locks of entities by HTTP: who has one, who waits for it, and unlocking by force."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from bindings.entity_ids import EntityId
from host.core.history import EntityLock
from host.core.history_json import time_to_json
from host.http import answers, parameters
from host.http.access import Need
from host.http.management.entities import KEY, NAME, entity_of
from host.http.management.room import Management, webhook
from host.http.operations import Asked, answer
from host.http.shapes import ERROR, FLAG, TEXT, TIME, JsonObject, Shape, list_of, object_of

HOLDER = parameters.text("holder", "Unlock it only if this instance has locked it.")

ASKER = Shape("LockAsker", object_of({"instanceId": TEXT, "executionId": TEXT, "since": TIME}))
LOCK = Shape(
    "EntityLock",
    object_of({"isLocked": FLAG, "holder": ASKER, "waiters": list_of(ASKER)}, "holder"),
)


async def show(here: Management, asked: Asked) -> web.Response:
    """Who has locked an entity, and who waits for it."""
    entity_id = entity_of(asked)
    state = await here.instances.entities.locks.state(entity_id)
    if state is None:
        return answers.message(HTTPStatus.NOT_FOUND, _nothing(entity_id))
    holder = {} if state.lock is None else {"holder": _shown(state.lock)}
    waiters = [_shown(each) for each in state.waiters]
    return answers.json_answer({"isLocked": bool(holder), **holder, "waiters": waiters})


async def unlock(here: Management, asked: Asked) -> web.Response:
    """Unlock an entity by force."""
    lock = await here.instances.entities.locks.unlock(entity_of(asked), asked[HOLDER])
    return answers.json_answer({"holder": _shown(lock)}, HTTPStatus.ACCEPTED)


def _nothing(entity_id: EntityId) -> str:
    return f"There is no entity '{entity_id}'."


def _shown(lock: EntityLock) -> JsonObject:
    return {
        "instanceId": lock.holder.instance_id,
        "executionId": lock.holder.execution_id,
        "since": time_to_json(lock.since),
    }


OPERATIONS = (
    webhook(
        id="getEntityLock",
        verb="GET",
        path="entities/{entity_name}/{entity_key}/lock",
        summary="Who has locked an entity, and who waits for it.",
        access=Need.READ,
        parameters=(NAME, KEY),
        answers={
            200: answer("Its lock.", LOCK),
            404: answer("There is no such entity.", ERROR),
        },
        handler=show,
    ),
    webhook(
        id="unlockEntity",
        verb="POST",
        path="entities/{entity_name}/{entity_key}/unlock",
        summary="Unlock an entity by force: its critical section goes on without it.",
        access=Need.OPERATE,
        parameters=(NAME, KEY, HOLDER),
        answers={
            202: answer("Accepted; it says who had locked it.", object_of({"holder": ASKER})),
            409: answer("It is not locked, or by another instance.", ERROR),
        },
        handler=unlock,
    ),
)
