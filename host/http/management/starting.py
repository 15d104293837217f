"""Starting an orchestration, and starting one again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aiohttp import web

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import (
    FunctionNotFoundError,
    InstanceNotFoundError,
    InvalidArgumentError,
    TooManyWaitsError,
)
from host.core.history import Payload
from host.core.records import Instance
from host.engine.starting import NewInstance
from host.http import answers, parameters
from host.http.access import Need
from host.http.by_state import ByState, State, answering
from host.http.link_tokens import Use
from host.http.management.looking import FAILED, status_answer
from host.http.management.room import (
    FAILURE_FLAG,
    INSTANCE,
    INSTANCE_ID,
    TOO_LARGE,
    Management,
    checked_timeout,
    webhook,
)
from host.http.management.shapes import CHECK_STATUS, NEW_LINE, STARTED_LINE
from host.http.management.start_many import start_many
from host.http.management.status_json import status_to_json
from host.http.operations import ANY_JSON, Answer, Asked, Body, answer, refused
from host.http.parameters import Parameter, in_one_header, in_path, in_query
from host.http.query import Query
from host.http.raw_json import raw
from host.http.shapes import ERROR, JSON, TEXT, list_of
from host.http.streams import NDJSON

_RETRY_AFTER_START = "10"
REPLAYED = "Idempotency-Replayed"
"""The header of an answer to a start that was made before with its key."""

EXISTING = "Existing-Instance"
"""The header of an answer to a start that began no new instance: what became of the one there."""

NAME = in_path("name", "an orchestrator's name")
TIMEOUT = parameters.seconds("timeout", "With pollingInterval: wait so many seconds.")
POLLING_INTERVAL = parameters.seconds("pollingInterval", "With timeout; not longer than it.")
WITH_NEW_ID = parameters.flag("restartWithNewInstanceId", "False keeps the id.", default=True)

REUSE_BY_NAME: Mapping[str, ReusePolicy] = {
    "whenFinished": ReusePolicy.WHEN_FINISHED,
    "never": ReusePolicy.NEVER,
    "keep": ReusePolicy.KEEP,
    "keepActive": ReusePolicy.KEEP_ACTIVE,
    "replace": ReusePolicy.REPLACE,
}
START_AT = in_query(
    "startAt",
    "When to begin: a time, or in how many seconds, such as 90s.",
    TEXT,
    Query.time_or_delay,
)
VERSION = parameters.text("version", "The version that the orchestration is started with.")
TAGS = in_query(
    "tag",
    "A tag, name:value; may be there many times.",
    list_of(TEXT),
    Query.pairs,
    style={"style": "form", "explode": True},
)
DEBOUNCE = parameters.span(
    "debounce",
    "Begin when no other start with this id and a debounce came for so long, such as 90s, 5m or "
    "1h; the last input counts.",
)
REUSE = parameters.choice(
    "reuse",
    "What to do with an instance that has the id: whenFinished replaces a finished one (the "
    "default), never refuses, keep leaves it as it is, keepActive leaves an active one as it is "
    "and replaces a finished one, replace replaces any.",
    REUSE_BY_NAME,
)
IDEMPOTENCY_KEY = in_one_header(
    "Idempotency-Key",
    "A text of the caller's own: with the id and the key of one before it is the same start.",
)

_NEW: tuple[Parameter[Any], ...] = (
    START_AT,
    DEBOUNCE,
    VERSION,
    TAGS,
    REUSE,
    IDEMPOTENCY_KEY,
)
_WAIT: tuple[Parameter[Any], ...] = (TIMEOUT, POLLING_INTERVAL, FAILURE_FLAG)


async def start(here: Management, asked: Asked) -> web.Response:
    """Start an orchestration, and wait for it if a timeout is given; or start many."""
    if asked.call.request.content_type == NDJSON:
        if asked[TIMEOUT] is not None or asked[POLLING_INTERVAL] is not None:
            raise InvalidArgumentError("Nobody waits for many: give no timeout.")
        return await start_many(here, asked, _new(asked, None, None))
    return await _start(here, asked, None)


async def start_with_id(here: Management, asked: Asked) -> web.Response:
    """The same with the client's id for it."""
    if asked.call.request.content_type == NDJSON:
        raise InvalidArgumentError("Many have not one id: leave it out of the path.")
    return await _start(here, asked, asked[INSTANCE_ID])


async def restart(here: Management, asked: Asked) -> web.Response:
    """Start the same function with the same input again."""
    wait_s = _wait_time(here, asked)
    is_new = asked[WITH_NEW_ID]
    try:
        instance_id = await here.instances.restart(asked[INSTANCE_ID], with_new_id=is_new)
    except (InstanceNotFoundError, FunctionNotFoundError) as error:
        summary = "InstanceId does not match a valid orchestration instance."
        return answers.with_exception(HTTPStatus.BAD_REQUEST, summary, error)
    return await _started(here, asked, instance_id, wait_s)


async def _start(here: Management, asked: Asked, instance_id: str | None) -> web.Response:
    wait_s = _wait_time(here, asked)
    new = _new(asked, instance_id, await here.payload(asked))
    begun = await here.instances.begin(new)
    answered = await _started(here, asked, begun.instance_id, wait_s)
    if begun.is_repeated:
        answered.headers[REPLAYED] = "true"
    if begun.existing is not None:
        answered.headers[EXISTING] = begun.existing
    return answered


def _new(asked: Asked, instance_id: str | None, payload: Payload) -> NewInstance:
    return NewInstance(
        name=asked[NAME],
        input=payload,
        instance_id=instance_id,
        start_at=asked[START_AT],
        version=asked[VERSION] or None,
        tags=asked[TAGS],
        reuse=asked[REUSE] or ReusePolicy.WHEN_FINISHED,
        idempotency_key=asked[IDEMPOTENCY_KEY],
        debounce=asked[DEBOUNCE],
    )


async def _started(
    here: Management, asked: Asked, instance_id: str, wait_s: float | None
) -> web.Response:
    """The answer to a start: what came of it if the client waits, else where to look."""
    fails = asked[FAILURE_FLAG]
    row = None if wait_s is None else await _wait(here, instance_id, wait_s)
    if row is None:
        return _check_status(here, asked, instance_id, fails=fails)
    if row.status is RuntimeStatus.COMPLETED:
        return answers.raw_answer(raw(row.output))
    return status_answer(asked, row, status_to_json(row), fails=fails)


def _wait_time(here: Management, asked: Asked) -> float | None:
    """How long the client waits; None if it does not. Raises `TooManyWaitsError`."""
    wait_s = _asked_wait(asked)
    if wait_s is None:
        return None
    here.instances.check_room_for_wait()
    return min(wait_s, here.max_wait_s)


def _asked_wait(asked: Asked) -> float | None:
    """How long the client would wait; None unless it says so with both of its parameters."""
    timeout, interval = asked[TIMEOUT], asked[POLLING_INTERVAL]
    if timeout is None or interval is None:
        return None
    if interval > timeout:
        raise InvalidArgumentError("The pollingInterval is longer than the timeout.")
    return checked_timeout(timeout)


async def _wait(here: Management, instance_id: str, wait_s: float) -> Instance | None:
    try:
        return await here.instances.wait_for_end(instance_id, timeout=timedelta(seconds=wait_s))
    except (TimeoutError, TooManyWaitsError):  # it is started: the client can ask later
        return None


def _check_status(here: Management, asked: Asked, instance_id: str, *, fails: bool) -> web.Response:
    call = asked.call
    urls = here.links.urls_at(call.origin, instance_id, call.link_expires_at)
    if fails:
        urls["statusQueryGetUri"] += f"&{FAILURE_FLAG.name}=true"
    headers = {"Location": urls["statusQueryGetUri"], "Retry-After": _RETRY_AFTER_START}
    return answers.json_answer(urls, HTTPStatus.ACCEPTED, headers)


def _answers(refusal: str) -> Mapping[int, Answer]:
    return {
        200: answer("It ended in time: its output, or its status if it did not complete.", {}),
        202: answer("It is started.", CHECK_STATUS, "Location", "Retry-After"),
        400: refused(refusal),
        409: answer("An instance with this id is active.", ERROR),
        413: TOO_LARGE,
        500: FAILED,
    }


def _of_start(answers: Mapping[int, Answer]) -> Mapping[int, Answer]:
    """The answers of what can be repeated with a key, or find an instance of its id."""
    told = {code: replace(answers[code], some_headers=(REPLAYED, EXISTING)) for code in (200, 202)}
    return {**answers, **told}


_START_ANSWERS = _of_start(
    _answers("There is no such orchestrator, or the id or the body is wrong.")
)
_INPUT = Body(text="The input.", form=ANY_JSON)
_INPUT_OR_MANY = Body(
    text="The input; or a line for each of many to start.",
    form=ANY_JSON,
    others={NDJSON: NEW_LINE},
)
_MANY_STARTED = Answer(
    text="It ended in time: its output, or its status if it did not complete. Or of each line what "
    "became of it.",
    content={JSON: {}, NDJSON: STARTED_LINE},
    some_headers=(REPLAYED, EXISTING),
)

OPERATIONS = (
    webhook(
        id="startInstance",
        is_everyday=True,
        verb="POST",
        path="orchestrators/{name}",
        summary="Start an orchestration, or many; the host chooses the id.",
        access=Need.OPERATE,
        parameters=(NAME, *_NEW, *_WAIT),
        body=_INPUT_OR_MANY,
        answers={**_START_ANSWERS, 200: _MANY_STARTED},
        handler=start,
    ),
    webhook(
        id="startInstanceWithId",
        is_everyday=True,
        verb="POST",
        path="orchestrators/{name}/{instance_id}",
        summary="Start an orchestration with this id, or replace a finished one.",
        access=Need.OPERATE,
        parameters=(NAME, INSTANCE_ID, *_NEW, *_WAIT),
        body=_INPUT,
        answers=_START_ANSWERS,
        by_state=ByState(
            client="schedule_new_orchestration",
            command="instances start",
            says={409: "InstanceAlreadyExistsError"},
            answers=answering(unknown=202, active=409, finished=202),
        ),
        handler=start_with_id,
    ),
    webhook(
        id="restartInstance",
        verb="POST",
        path=f"{INSTANCE}/restart",
        summary="Start the same function with the same input again.",
        access=Need.OPERATE,
        parameters=(INSTANCE_ID, WITH_NEW_ID, *_WAIT),
        answers=_answers("There is no such instance, or its function is gone."),
        by_state=ByState(
            client="restart_instance",
            command="instances restart",
            says={
                State.UNKNOWN: "InstanceNotFoundError",
                State.BLOCKED: "FunctionNotFoundError",
            },
            answers=answering(unknown=400, active=202, finished=202, blocked=400),
        ),
        handler=restart,
        link=Use.MANAGE,
    ),
)
