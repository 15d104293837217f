"""Deleting finished instances."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from bindings.client import RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.http import answers, shapes
from host.http.access import Need
from host.http.by_state import ByState, answering
from host.http.link_tokens import Use
from host.http.management.choosing import refuse_unsure
from host.http.management.looking import (
    CREATED_FROM,
    CREATED_TO,
    ID_PREFIX,
    NAMES,
    RUNTIME_STATUS,
    UPDATED_FROM,
    UPDATED_TO,
    WITH_TAGS,
    WITH_TEXT,
    filtered,
)
from host.http.management.room import (
    INSTANCE,
    INSTANCE_ID,
    UNKNOWN,
    WRONG_STATE,
    Management,
    webhook,
)
from host.http.management.shapes import FINISHED_NAMES, PURGED
from host.http.operations import Asked, answer, refused
from host.http.parameters import in_query
from host.http.query import Query
from host.http.shapes import ERROR, TEXT, list_of

PURGED_FROM = in_query(
    CREATED_FROM.name,
    CREATED_FROM.text,
    shapes.TIME,
    Query.time,
    is_required=True,
    key="purgedTimeFrom",
)
FINISHED_STATUS = in_query(
    RUNTIME_STATUS.name,
    "Only these states; all of them are finished ones.",
    list_of({"type": "string", "enum": FINISHED_NAMES}),
    Query.statuses,
    style=RUNTIME_STATUS.style,
    key="finishedStatus",
)
FINISHED_BELOW = in_query(
    "recursive",
    "Its finished sub-orchestrations, too; true unless it is given.",
    shapes.FLAG,
    lambda query, name: query.flag(name, default=True),
    key="recursivePurge",
)

THEIRS_BELOW = in_query(
    "recursive",
    "Their finished sub-orchestrations, too, whether the filters find those or not.",
    shapes.FLAG,
    lambda query, name: query.flag(name, default=False),
    key="recursivePurgeOfMany",
)


async def purge(here: Management, asked: Asked) -> web.Response:
    """Delete one finished instance, and what is finished below it."""
    deleted = await here.instances.purge(asked[INSTANCE_ID], recursive=asked[FINISHED_BELOW])
    return answers.json_answer({"instancesDeleted": deleted})


async def purge_many(here: Management, asked: Asked) -> web.Response:
    """Delete the finished instances of a time range."""
    try:
        created_from = asked[PURGED_FROM]
    except InvalidArgumentError:
        created_from = None
    if created_from is None:
        return answers.json_answer(
            "Please provide value for 'createdTimeFrom' parameter.", HTTPStatus.BAD_REQUEST
        )
    refuse_unsure(asked)
    query = filtered(asked, _finished_statuses(asked), created_from)
    deleted = await here.instances.purge_all(query, recursive=asked[THEIRS_BELOW])
    if not deleted:
        return answers.message(
            HTTPStatus.NOT_FOUND, "No finished instance is found by these filters."
        )
    return answers.json_answer({"instancesDeleted": deleted})


def _finished_statuses(asked: Asked) -> tuple[RuntimeStatus, ...]:
    statuses = asked[FINISHED_STATUS]
    active = [status.value for status in statuses if not status.is_finished]
    if active:
        raise InvalidArgumentError(
            f"Instances that are {', '.join(active)} are not finished, so they cannot be purged."
        )
    return statuses


OPERATIONS = (
    webhook(
        id="purgeInstances",
        verb="DELETE",
        path="instances",
        summary="Delete the finished instances of a time range.",
        access=Need.OPERATE,
        parameters=(
            PURGED_FROM,
            CREATED_TO,
            FINISHED_STATUS,
            UPDATED_FROM,
            UPDATED_TO,
            NAMES,
            WITH_TAGS,
            WITH_TEXT,
            ID_PREFIX,
            THEIRS_BELOW,
        ),
        answers={
            200: answer("They are deleted.", PURGED),
            400: refused(
                "A value cannot be read; a text if it is createdTimeFrom or that is missing.",
                {"anyOf": [ERROR, TEXT]},
            ),
            404: UNKNOWN,
        },
        handler=purge_many,
    ),
    webhook(
        id="purgeInstance",
        verb="DELETE",
        path=INSTANCE,
        summary="Delete a finished instance, and its finished sub-orchestrations.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID, FINISHED_BELOW),
        answers={200: answer("It is deleted.", PURGED), 404: UNKNOWN, 409: WRONG_STATE},
        by_state=ByState(
            client="purge_instance",
            command="instances purge",
            answers=answering(unknown=404, active=409, finished=200),
        ),
        handler=purge,
        link=Use.MANAGE,
    ),
)
