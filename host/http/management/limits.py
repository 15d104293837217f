"""Limits by HTTP: what is in use of each and who waits; another limit in place of host.json's."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import ClassVar

from aiohttp import web
from pydantic import ValidationError

from bindings.errors import InvalidArgumentError
from bindings.function_retry import timespan_text
from host.core.history_json import time_to_json
from host.core.limits import Limit, Rate
from host.engine.limits.desks import Desks
from host.engine.limits.overview import LimitView, Usage, view_of, views_of
from host.http import answers
from host.http.access import Need
from host.http.management.room import Management, webhook
from host.http.operations import Asked, Body, answer, refused
from host.http.parameters import in_path
from host.http.refusals import RefusalError
from host.http.shapes import (
    COUNT,
    ERROR,
    FLAG,
    POSITIVE,
    TEXT,
    TIME,
    JsonObject,
    Shape,
    list_of,
    object_of,
)
from host.settings.limits import LimitSettings

MAX_BODY_BYTES = 64 * 1024
LIMIT_NAME = in_path("limit_name", "a limit's name, as host.json has it")

_RATE = object_of({"count": POSITIVE, "per": TEXT | {"description": "Such as 00:00:01."}}, "per")
_USAGE: JsonObject = {
    "inUse": COUNT,
    "waiting": COUNT,
    "oldest": TIME | {"description": "Since when the first of those that wait does."},
}
GIVEN_LIMIT = Shape(
    "GivenLimit", object_of({"concurrency": POSITIVE, "rate": _RATE}, "concurrency", "rate")
)
LIMIT = Shape(
    "Limit",
    object_of(
        {
            "name": TEXT,
            "concurrency": POSITIVE,
            "rate": _RATE,
            "perKey": FLAG,
            "isChanged": FLAG | {"description": "Whether it is not as host.json says."},
            **_USAGE,
            "keys": list_of(object_of({"key": TEXT, **_USAGE}, "oldest"))
            | {"description": "Of one that counts by key: those with most that wait first."},
            "moreKeys": COUNT,
        },
        *("concurrency", "rate", "oldest", "keys", "moreKeys"),
    ),
)


class LimitNotFoundError(RefusalError):
    """No limit has this name."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    summary: ClassVar[str] = "There is no such limit"


async def show_all(here: Management, _asked: Asked) -> web.Response:
    """All limits, with what is in use of them."""
    return answers.json_answer([_limit_to_json(each) for each in await views_of(here.limits)])


async def show(here: Management, asked: Asked) -> web.Response:
    """One limit."""
    return await _shown(here, _known(here.limits, asked))


async def change(here: Management, asked: Asked) -> web.Response:
    """Let a limit be another one on all hosts, until it is taken back."""
    name = _known(here.limits, asked)
    given = _given(here, await asked.body(MAX_BODY_BYTES))
    configured = here.limits.configured[name]
    if "per_key" in given.model_fields_set and given.per_key is not configured.per_key:
        raise InvalidArgumentError(
            "Whether a limit counts by key (perKey) is for host.json to say: it decides where the "
            "slots in use are counted."
        )
    rate = None if given.rate is None else Rate(given.rate.count, given.rate.per.total_seconds())
    limit = Limit(concurrency=given.concurrency, rate=rate, per_key=configured.per_key)
    await here.limits.change(name, limit)
    return await _shown(here, name)


async def take_back(here: Management, asked: Asked) -> web.Response:
    """Let a limit be what host.json says again."""
    name = _known(here.limits, asked)
    await here.limits.take_back(name)
    return await _shown(here, name)


async def _shown(here: Management, name: str) -> web.Response:
    return answers.json_answer(_limit_to_json(await view_of(here.limits, name)))


def _known(limits: Desks, asked: Asked) -> str:
    """The name of a limit that there is. Raises `LimitNotFoundError`."""
    name = asked[LIMIT_NAME]
    if name not in limits.configured:
        known = ", ".join(sorted(limits.configured)) or "none"
        raise LimitNotFoundError(
            f"'{name}' is none of extensions.durableTask.limits in host.json, which has {known}."
        )
    return name


def _given(here: Management, body: bytes) -> LimitSettings:
    """The limit of a body. Raises `InvalidArgumentError`."""
    payload = here.converter.check_json(body, "The request's body")
    try:
        return LimitSettings.model_validate_json(payload or "null")
    except ValidationError as error:
        said = error.errors(include_url=False)[0]
        place = ".".join(map(str, said["loc"]))
        text = str(said["msg"]).removeprefix("Value error, ").rstrip(".")
        raise InvalidArgumentError(f"{place}: {text}." if place else f"{text}.") from error


def _limit_to_json(view: LimitView) -> JsonObject:
    limit, shown = view.limit, dict[str, object](name=view.name)
    if limit.concurrency is not None:
        shown["concurrency"] = limit.concurrency
    if limit.rate is not None:
        per = timespan_text(timedelta(seconds=limit.rate.per_s))
        shown["rate"] = {"count": limit.rate.count, "per": per}
    shown |= {"perKey": limit.per_key, "isChanged": view.is_changed, **_usage_to_json(view.total)}
    if limit.per_key:
        keys = [{"key": each.key, **_usage_to_json(each)} for each in view.keys]
        shown |= {"keys": keys, "moreKeys": view.more_keys}
    return shown


def _usage_to_json(usage: Usage) -> JsonObject:
    shown: JsonObject = {"inUse": usage.in_use, "waiting": usage.waiting}
    return shown if usage.oldest is None else shown | {"oldest": time_to_json(usage.oldest)}


_UNKNOWN = answer("host.json has no such limit.", ERROR)
_SHOWN = answer("The limit.", LIMIT)

OPERATIONS = (
    webhook(
        id="listLimits",
        verb="GET",
        path="limits",
        summary="The limits of host.json: how much is in use, and who waits.",
        access=Need.READ,
        answers={200: answer("In order of name.", list_of(LIMIT))},
        handler=show_all,
    ),
    webhook(
        id="getLimit",
        verb="GET",
        path="limits/{limit_name}",
        summary="One limit.",
        access=Need.READ,
        parameters=(LIMIT_NAME,),
        answers={200: _SHOWN, 404: _UNKNOWN},
        handler=show,
    ),
    webhook(
        id="changeLimit",
        verb="PUT",
        path="limits/{limit_name}",
        summary="Change a limit on all hosts, until it is taken back: this wins over host.json.",
        access=Need.OPERATE,
        parameters=(LIMIT_NAME,),
        body=Body(form=GIVEN_LIMIT, is_required=True),
        answers={
            200: _SHOWN,
            400: refused("It is no limit, or changes whether it counts by key."),
            404: _UNKNOWN,
            413: answer(f"The body is larger than {MAX_BODY_BYTES // 1024} KiB.", ERROR),
        },
        handler=change,
    ),
    webhook(
        id="takeLimitBack",
        verb="DELETE",
        path="limits/{limit_name}",
        summary="Let a limit be what host.json says again.",
        access=Need.OPERATE,
        parameters=(LIMIT_NAME,),
        answers={200: _SHOWN, 404: _UNKNOWN},
        handler=take_back,
    ),
)
