"""The locks of entities by HTTP: who has one, who waits for it, and unlocking by force."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Final

from aiohttp import web

from bindings.entity_ids import EntityId
from host.core.history import EntityLock, ParentInstance
from host.core.history_json import time_to_json
from host.engine.entity_locks import Waiter
from host.http import answers, parameters
from host.http.access import Need
from host.http.management.entities import KEY, NAME, entity_of
from host.http.management.room import Management, webhook
from host.http.operations import Asked, answer
from host.http.shapes import COUNT, ERROR, FLAG, TEXT, TIME, JsonObject, Shape, list_of, object_of

HOLDER = parameters.text("holder", "Unlock it only if this instance has locked it.")

_ASKER: Final = {"instanceId": TEXT, "executionId": TEXT, "since": TIME}
ASKER = Shape("LockAsker", object_of(_ASKER))
WAITER = Shape("LockWaiter", object_of({**_ASKER, "operation": TEXT}, "operation"))
LOCK = Shape(
    "EntityLock",
    object_of(
        {
            "isLocked": FLAG,
            "holder": ASKER,
            "waiters": list_of(WAITER),
            "waitingSignals": COUNT,
        },
        "holder",
    ),
)


async def show(here: Management, asked: Asked) -> web.Response:
    """Who has locked an entity, and who waits for it."""
    entity_id = entity_of(asked)
    state = await here.instances.entities.locks.state(entity_id)
    if state is None:
        return answers.message(HTTPStatus.NOT_FOUND, _nothing(entity_id))
    holder = {} if state.lock is None else {"holder": _shown(state.lock)}
    return answers.json_answer(
        {
            "isLocked": bool(holder),
            **holder,
            "waiters": [_waiter(each) for each in state.waiters],
            "waitingSignals": state.signals,
        }
    )


async def unlock(here: Management, asked: Asked) -> web.Response:
    """Unlock an entity by force."""
    lock = await here.instances.entities.locks.unlock(entity_of(asked), asked[HOLDER])
    return answers.json_answer({"holder": _shown(lock)}, HTTPStatus.ACCEPTED)


def _nothing(entity_id: EntityId) -> str:
    return f"There is no entity '{entity_id}'."


def _waiter(waiter: Waiter) -> JsonObject:
    called = {} if waiter.operation is None else {"operation": waiter.operation}
    return _asker(waiter.asker, waiter.since) | called


def _shown(lock: EntityLock) -> JsonObject:
    return _asker(lock.holder, lock.since)


def _asker(asker: ParentInstance, since: datetime) -> JsonObject:
    return {
        "instanceId": asker.instance_id,
        "executionId": asker.execution_id,
        "since": time_to_json(since),
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
