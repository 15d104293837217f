"""Entities by HTTP: signals to them, their states, and a page of many."""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus

from aiohttp import web

from bindings.entities import EntityQuery
from bindings.entity_cleaning import IDLE_ENTITY
from bindings.entity_ids import EMPTY_KEY_IN_URLS, MAX_ENTITY_ID, EntityId
from bindings.errors import InvalidArgumentError
from bindings.forms import URL_ENCODED, kind_of_content
from host.core.arguments import MAX_PAGE_SIZE
from host.core.history import Payload
from host.core.history_json import time_to_json
from host.engine.entity_cleaning import PAGE_SIZE
from host.engine.entity_management import Found
from host.http import answers, parameters, shapes
from host.http.access import Need
from host.http.management.looking import CONTINUATION, DEFAULT_PAGE_SIZE, TOP, WITH_TAGS
from host.http.management.room import NOT_IN_IDS, TOO_LARGE, Management, webhook
from host.http.management.shapes import TAGS
from host.http.operations import ANY_JSON, Asked, Body, answer, refused
from host.http.parameters import in_path, in_query
from host.http.query import Query
from host.http.raw_json import raw
from host.http.shapes import (
    ANY,
    COUNT,
    ERROR,
    FLAG,
    SECONDS,
    TEXT,
    TIME,
    JsonObject,
    Shape,
    list_of,
    object_of,
)

DELETE = "delete"
"""The operation that entities which are classes have by themselves."""

_EVER_S = timedelta(days=36_500).total_seconds()

NAME = in_path(
    "entity_name",
    "an entity's name, in any case",
    {"type": "string", "minLength": 1, "pattern": f"^[^@{NOT_IN_IDS}]+$"},
)
KEY = in_path(
    "entity_key",
    f"an entity's key; {EMPTY_KEY_IN_URLS} is the empty one",
    {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_ENTITY_ID,
        "pattern": f"^[^{NOT_IN_IDS}]+$",
    },
)
OPERATION = parameters.text("op", "The operation; without it that has an empty name.")
SIGNAL_AT = in_query(
    "signalTime",
    "Not before then: a time, or seconds such as 90s.",
    TEXT,
    Query.time_or_delay,
)
SHOW_STATE = parameters.flag("fetchState", "Show states.", default=False)
WITHOUT_STATE = parameters.flag("includeWithoutState", "Those without a state, too.", default=False)
ONLY_LOCKED = parameters.flag("onlyLocked", "Only those that are locked.", default=False)
KEY_PREFIX = parameters.text("keyPrefix", "Keys that begin with this; needs the entity's name.")
ONLY_KEY = parameters.text("key", "Only this key; needs the entity's name.")
LAST_FROM = in_query(
    "lastOperationTimeFrom", "Its last operation was then or later.", shapes.TIME, Query.time
)
LAST_TO = in_query(
    "lastOperationTimeTo", "Its last operation was then or before.", TIME, Query.latest_time
)

IDLE_FOR = in_query(
    "idleFor",
    "Only those that have done nothing for so many seconds; 1800 unless it is given.",
    shapes.SECONDS,
    Query.seconds,
)

CLEANED = Shape(
    "CleanedEntities",
    object_of(
        {
            "emptyEntitiesRemoved": COUNT,
            "orphanedLocksReleased": COUNT,
            "entitiesMarked": COUNT | {"description": "They go when they are looked at again."},
            "waitInSeconds": SECONDS | {"description": "So long before the token is used."},
        }
    ),
)
ENTITY = Shape(
    "Entity",
    object_of(
        {
            "entityId": object_of({"name": TEXT, "key": TEXT}),
            "lastOperationTime": TIME,
            "hasState": FLAG,
            "state": ANY,
            "tags": TAGS,
            "lockedBy": TEXT | {"description": "The orchestration that has locked it."},
            "waitingReason": TEXT | {"description": "Why its operations wait."},
        },
        "tags",
        "lockedBy",
        "waitingReason",
    ),
)


async def signal(here: Management, asked: Asked) -> web.Response:
    """Have an entity do something."""
    entity_id = entity_of(asked)
    _check_known(here, entity_id)
    operation, at = asked[OPERATION] or "", asked[SIGNAL_AT]
    payload = await _input(here, asked)
    await here.instances.entities.signal(entity_id, operation, payload, at)
    return answers.empty(HTTPStatus.ACCEPTED)


async def delete(here: Management, asked: Asked) -> web.Response:
    """Have an entity delete its state."""
    entity_id = entity_of(asked)
    _check_known(here, entity_id)
    await here.instances.entities.signal(entity_id, DELETE, None)
    return answers.empty(HTTPStatus.ACCEPTED)


async def show(here: Management, asked: Asked) -> web.Response:
    """The state of an entity, as it is."""
    entity_id = entity_of(asked)
    found = await here.instances.entities.find(entity_id)
    if found is None or not found.has_state:
        text = f"There is no entity '{entity_id}', or it has no state."
        return answers.message(HTTPStatus.NOT_FOUND, text)
    return answers.raw_answer(raw(found.state))


async def show_page(here: Management, asked: Asked) -> web.Response:
    """One page of entities; the token of the next one is in a header."""
    size, show_state = asked[TOP], asked[SHOW_STATE]
    query = EntityQuery(
        name=asked[NAME] if NAME in asked.operation.parameters else None,
        key=asked[ONLY_KEY],
        key_prefix=asked[KEY_PREFIX] or "",
        last_operation_from=asked[LAST_FROM],
        last_operation_to=asked[LAST_TO],
        tags=asked[WITH_TAGS],
        include_state=show_state,
        include_without_state=asked[WITHOUT_STATE],
        only_locked=asked[ONLY_LOCKED],
        page_size=DEFAULT_PAGE_SIZE if size is None else min(size, MAX_PAGE_SIZE),
        continuation_token=asked[CONTINUATION],
    )
    page = await here.instances.entities.query(query)
    body = [_shown(each, show_state=show_state) for each in page.entities]
    return answers.raw_answer(body, headers={CONTINUATION.name: page.token or ""})


async def clean(here: Management, asked: Asked) -> web.Response:
    """Remove the empty ones of some entities; the token of the next ones is in a header."""
    size, idle_s = asked[TOP], asked[IDLE_FOR]
    page = await here.instances.entities.cleaner.page(
        idle_for=IDLE_ENTITY if idle_s is None else timedelta(seconds=min(idle_s, _EVER_S)),
        token=asked[CONTINUATION],
        size=PAGE_SIZE if size is None else min(size, MAX_PAGE_SIZE),
    )
    body = {
        "emptyEntitiesRemoved": page.removed,
        "orphanedLocksReleased": page.released,
        "entitiesMarked": page.marked,
        "waitInSeconds": page.wait.total_seconds(),
    }
    return answers.json_answer(body, headers={CONTINUATION.name: page.token or ""})


def entity_of(asked: Asked) -> EntityId:
    """The entity that the path names."""
    if KEY not in asked.operation.parameters:
        return EntityId(asked[NAME], "")
    key = asked[KEY]
    return EntityId(asked[NAME], "" if key == EMPTY_KEY_IN_URLS else key)


def _check_known(here: Management, entity_id: EntityId) -> None:
    """Raise `InvalidArgumentError` for a name that this host has no function for."""
    if not here.instances.entities.knows(entity_id):
        raise InvalidArgumentError(
            f"There is no entity function '{entity_id.name}' on this host: GET /admin/functions "
            "lists what there is."
        )


async def _input(here: Management, asked: Asked) -> Payload:
    """The JSON of the body; of another type of content than JSON, the body as a text.

    What says nothing of its type, or is sent as curl sends what it is given, is to be JSON.
    """
    kind = kind_of_content(asked.call.request.headers.get("Content-Type", ""))
    if not kind or kind == URL_ENCODED or kind.endswith("json"):
        return await here.payload(asked)
    body = await here.body(asked)
    if not body:
        return None
    try:
        return json.dumps(body.decode("utf-8-sig"), ensure_ascii=False)
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(f"The body is neither JSON nor a text: {error}") from error


def _shown(found: Found, *, show_state: bool) -> JsonObject:
    entity_id = found.entity_id
    shown: JsonObject = {
        "entityId": {"name": entity_id.name, "key": entity_id.key},
        "lastOperationTime": time_to_json(found.row.updated_at),
        "hasState": found.has_state,
        "state": raw(found.state) if show_state else None,
    }
    more = {
        "tags": found.row.tags or None,
        "lockedBy": found.locked_by,
        "waitingReason": found.row.blocked_reason,
    }
    return shown | {name: value for name, value in more.items() if value is not None}


_ACCEPTED = answer("Accepted: the entity will do it.")
_WRONG = refused("It is no operation of an entity, or this host has no such entity function.")
_PAGE = {
    200: answer(
        "A page; the header has the token of the next one, empty after the last.",
        list_of(ENTITY),
        CONTINUATION.name,
    )
}
_FILTERS = (
    ONLY_KEY,
    KEY_PREFIX,
    SHOW_STATE,
    WITHOUT_STATE,
    ONLY_LOCKED,
    LAST_FROM,
    LAST_TO,
    WITH_TAGS,
    TOP,
    CONTINUATION,
)
_INPUT = Body(text="The input of the operation; as text/plain it is a text.", form=ANY_JSON)

OPERATIONS = (
    webhook(
        id="listEntities",
        verb="GET",
        path="entities",
        summary="One page of entities, the newest first.",
        access=Need.READ,
        parameters=_FILTERS,
        answers=_PAGE,
        handler=show_page,
    ),
    webhook(
        id="listEntitiesOfName",
        verb="GET",
        path="entities/{entity_name}",
        summary="One page of the entities of a name, the newest first.",
        access=Need.READ,
        parameters=(NAME, *_FILTERS),
        answers=_PAGE,
        handler=show_page,
    ),
    webhook(
        id="cleanEntityStorage",
        verb="POST",
        path="cleanEntityStorage",
        summary="Remove what is stored of empty entities, unlock orphaned ones, a page at a time.",
        access=Need.OPERATE,
        parameters=(IDLE_FOR, TOP, CONTINUATION),
        answers={
            200: answer(
                "What came of it; the header has the token of the next page, empty after the last.",
                CLEANED,
                CONTINUATION.name,
            )
        },
        handler=clean,
    ),
    webhook(
        id="signalEntityWithoutKey",
        is_everyday=True,
        verb="POST",
        path="entities/{entity_name}",
        summary="Have the entity of the empty key do something.",
        access=Need.OPERATE,
        parameters=(NAME, OPERATION, SIGNAL_AT),
        body=_INPUT,
        answers={202: _ACCEPTED, 400: _WRONG, 413: TOO_LARGE},
        handler=signal,
    ),
    webhook(
        id="getEntity",
        verb="GET",
        path="entities/{entity_name}/{entity_key}",
        summary="The state of an entity.",
        access=Need.READ,
        parameters=(NAME, KEY),
        answers={
            200: answer("Its state, as it is.", ANY_JSON),
            404: answer("There is no such entity, or it has no state.", ERROR),
        },
        handler=show,
    ),
    webhook(
        id="signalEntity",
        is_everyday=True,
        verb="POST",
        path="entities/{entity_name}/{entity_key}",
        summary="Have an entity do something.",
        access=Need.OPERATE,
        parameters=(NAME, KEY, OPERATION, SIGNAL_AT),
        body=_INPUT,
        answers={202: _ACCEPTED, 400: _WRONG, 413: TOO_LARGE},
        handler=signal,
    ),
    webhook(
        id="deleteEntity",
        verb="DELETE",
        path="entities/{entity_name}/{entity_key}",
        summary="Have an entity delete its state, by its operation 'delete'.",
        access=Need.OPERATE,
        parameters=(NAME, KEY),
        answers={202: _ACCEPTED, 400: _WRONG},
        handler=delete,
    ),
)
