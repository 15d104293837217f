"""Looking at instances: the status of one, with its history on demand, and a page of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from bindings.client import ListOrder, OrchestrationQuery, RuntimeStatus
from bindings.errors import InstanceNotFoundError
from host.core.arguments import MAX_PAGE_SIZE
from host.core.records import Instance
from host.http import answers, parameters, shapes
from host.http.access import Need
from host.http.by_state import ByState, answering
from host.http.link_tokens import Use
from host.http.management import why
from host.http.management.history_pages import (
    MAX_EVENTS,
    AskedHistory,
    HistoryPage,
    history_page,
)
from host.http.management.history_view import Shown
from host.http.management.room import (
    FAILURE_FLAG,
    INSTANCE,
    INSTANCE_ID,
    UNKNOWN,
    Management,
    webhook,
)
from host.http.management.shapes import COUNTS, RAW_HISTORY, STATUS, STATUS_NAMES
from host.http.management.status_json import status_to_json
from host.http.operations import Asked, answer
from host.http.parameters import Parameter, in_header, in_query
from host.http.query import Query
from host.http.shapes import ERROR, JsonObject, list_of

DEFAULT_PAGE_SIZE = 100

_RETRY_AFTER_POLL = "5"
_COMMA_LIST = {"style": "form", "explode": False}

CONTINUATION = in_header(
    "x-ms-continuation-token", "From the answer with the page before; empty for the first."
)
SHOW_INPUT = parameters.flag("showInput", "Show inputs; true unless it is given.", default=True)
SHOW_HISTORY = parameters.flag("showHistory", "Add historyEvents.", default=False)
SHOW_HISTORY_OUTPUT = parameters.flag(
    "showHistoryOutput", "With showHistory: add results.", default=False
)
HISTORY_TOP = parameters.positive(
    "historyTop",
    "The history page by page, so many events each; in a status only with showHistory.",
)
SHOW_WAITING = parameters.flag("showWaiting", "Add waitingFor: what it waits for.", default=False)
RUNTIME_STATUS = in_query(
    "runtimeStatus",
    "Only these states.",
    list_of({"type": "string", "enum": STATUS_NAMES}),
    Query.statuses,
    style=_COMMA_LIST,
)
CREATED_FROM = in_query(
    "createdTimeFrom",
    "Created then or later; without offset it is UTC.",
    shapes.TIME,
    Query.time,
)
CREATED_TO = in_query("createdTimeTo", "Created then or before.", shapes.TIME, Query.latest_time)
UPDATED_FROM = in_query(
    "lastUpdatedTimeFrom",
    "Changed last then or later; without offset it is UTC.",
    shapes.TIME,
    Query.time,
)
UPDATED_TO = in_query(
    "lastUpdatedTimeTo", "Changed last then or before.", shapes.TIME, Query.latest_time
)
NAMES = in_query(
    "name",
    "Only these orchestrators.",
    list_of(shapes.NAME),
    Query.names,
    key="ofNames",
    style=_COMMA_LIST,
)
WITH_TAGS = in_query(
    "tag",
    "Only with this tag, name:value; may be there many times.",
    list_of(shapes.TEXT),
    Query.pairs,
    key="withTag",
    style={"style": "form", "explode": True},
)
WITH_TEXT = parameters.text(
    "text", "Only with this text, in any case, in the id, the custom status or the failure."
)
ONLY_QUARANTINED = parameters.flag(
    "onlyQuarantined", "Only those that are quarantined.", default=False
)
SHOW_OUTPUT = parameters.flag("showOutput", "Show outputs; true unless it is given.", default=True)
ID_PREFIX = parameters.text("instanceIdPrefix", "Ids that begin with this.")
ORDER = parameters.choice(
    "order",
    "By when they were created (the default) or updated last; the newest come first.",
    {order.value: order for order in ListOrder},
)
TOP = parameters.positive("top", f"The size of a page; at most {MAX_PAGE_SIZE} are given.")


FILTERS: tuple[Parameter[Any], ...] = (
    NAMES,
    RUNTIME_STATUS,
    CREATED_FROM,
    CREATED_TO,
    UPDATED_FROM,
    UPDATED_TO,
    ID_PREFIX,
    WITH_TAGS,
    WITH_TEXT,
    ONLY_QUARANTINED,
)
"""What a list and a count may be restricted by."""


async def show(here: Management, asked: Asked) -> web.Response:
    """The status of one instance, with its history on demand."""
    show_history = asked[SHOW_HISTORY]
    of_history = _of_history(here, asked)
    fails, show_waiting = asked[FAILURE_FLAG], asked[SHOW_WAITING]
    waits = await here.instances.why(asked[INSTANCE_ID]) if show_waiting else None
    row = waits.instance if waits else await here.instances.find(asked[INSTANCE_ID])
    if row is None:
        raise InstanceNotFoundError(asked[INSTANCE_ID])
    page: HistoryPage | None = None
    if show_history and row.status is not RuntimeStatus.PENDING:
        page = history_page(await here.instances.history(row.instance_id), of_history)
    body = status_to_json(
        row,
        show_input=of_history.show.input,
        show_stacks=of_history.show.stacks,
        history=None if page is None else page.events,
    )
    if waits is not None:
        body["waitingFor"] = why.shown(waits.waiting_for)
    is_paged = page is not None and of_history.is_paged
    headers = {CONTINUATION.name: page.token} if page is not None and is_paged else {}
    return status_answer(asked, row, body, fails=fails, headers=headers)


async def show_history(here: Management, asked: Asked) -> web.Response:
    """One page of an instance's history, as it is stored."""
    page = history_page(
        await here.instances.history(asked[INSTANCE_ID]),
        AskedHistory(
            show=Shown(input=True, output=True, stacks=asked.call.link_expires_at is None),
            count=asked[HISTORY_TOP] or MAX_EVENTS,
            token=asked[CONTINUATION],
            max_bytes=here.max_page_bytes,
            is_raw=True,
        ),
    )
    return answers.raw_answer(
        {"historyEvents": page.events}, headers={CONTINUATION.name: page.token}
    )


async def show_page(here: Management, asked: Asked) -> web.Response:
    """One page of instances; the token of the next one is in a header."""
    show_input, show_output = asked[SHOW_INPUT], asked[SHOW_OUTPUT]
    page = await here.instances.query(_page_query(asked))
    body = [
        status_to_json(row, show_input=show_input, show_output=show_output)
        for row in page.instances
    ]
    return answers.raw_answer(body, headers={CONTINUATION.name: page.token or ""})


async def count(here: Management, asked: Asked) -> web.Response:
    """How many instances there are, in all and by status."""
    found = await here.instances.count(wanted(asked))
    by_status = {status.value: found[status] for status in RuntimeStatus if found.get(status)}
    return answers.json_answer({"total": sum(found.values())} | by_status)


def status_answer(
    asked: Asked,
    row: Instance,
    body: JsonObject,
    *,
    fails: bool,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """The answer with a status: 202 while it is active, 500 if it failed and that is asked."""
    headers = dict(headers or {})
    if not row.is_finished:
        headers |= {"Location": asked.call.url, "Retry-After": _RETRY_AFTER_POLL}
        return answers.raw_answer(body, HTTPStatus.ACCEPTED, headers)
    if fails and row.status is RuntimeStatus.FAILED:
        return answers.raw_answer(body, HTTPStatus.INTERNAL_SERVER_ERROR, headers)
    return answers.raw_answer(body, headers=headers)


def _of_history(here: Management, asked: Asked) -> AskedHistory:
    """What the call asks for of a history."""
    return AskedHistory(
        show=Shown(
            input=asked[SHOW_INPUT],
            output=asked[SHOW_HISTORY_OUTPUT],
            stacks=asked.call.link_expires_at is None,
        ),
        count=asked[HISTORY_TOP],
        token=asked[CONTINUATION],
        max_bytes=here.max_page_bytes,
    )


def _page_query(asked: Asked) -> OrchestrationQuery:
    size = asked[TOP]
    return replace(
        wanted(asked),
        order=asked[ORDER] or ListOrder.CREATED,
        page_size=DEFAULT_PAGE_SIZE if size is None else min(size, MAX_PAGE_SIZE),
        continuation_token=asked[CONTINUATION],
    )


def wanted(asked: Asked) -> OrchestrationQuery:
    """The instances that the filters of a call are about."""
    found = filtered(asked, asked[RUNTIME_STATUS], asked[CREATED_FROM])
    return replace(found, is_quarantined=asked[ONLY_QUARANTINED])


def filtered(
    asked: Asked, statuses: Sequence[RuntimeStatus], created_from: datetime | None
) -> OrchestrationQuery:
    """The same for a call that reads these two in its own way."""
    return OrchestrationQuery(
        runtime_status=statuses,
        created_time_from=created_from,
        created_time_to=asked[CREATED_TO],
        last_updated_time_from=asked[UPDATED_FROM],
        last_updated_time_to=asked[UPDATED_TO],
        name=asked[NAMES] or None,
        tags=asked[WITH_TAGS],
        text=asked[WITH_TEXT] or None,
        instance_id_prefix=asked[ID_PREFIX] or None,
    )


FAILED = answer(
    "It failed and returnInternalServerErrorOnFailure is set, or the host failed.",
    {"anyOf": [STATUS, ERROR]},
)

OPERATIONS = (
    webhook(
        id="listInstances",
        verb="GET",
        path="instances",
        summary="One page of instances, the newest first.",
        access=Need.READ,
        parameters=(
            SHOW_INPUT,
            SHOW_OUTPUT,
            *FILTERS,
            ORDER,
            TOP,
            CONTINUATION,
        ),
        answers={
            200: answer(
                "A page; the header has the token of the next one, empty after the last.",
                list_of(STATUS),
                CONTINUATION.name,
            )
        },
        handler=show_page,
    ),
    webhook(
        id="countInstances",
        verb="GET",
        path="counts",
        summary="How many instances there are, by status.",
        access=Need.READ,
        parameters=FILTERS,
        answers={200: answer("How many, in all and by status; none is left out.", COUNTS)},
        handler=count,
    ),
    webhook(
        id="getInstance",
        verb="GET",
        path=INSTANCE,
        summary="The status of an instance, on demand with its history.",
        access=Need.READ,
        parameters=(
            INSTANCE_ID,
            SHOW_INPUT,
            SHOW_HISTORY,
            SHOW_HISTORY_OUTPUT,
            HISTORY_TOP,
            CONTINUATION,
            SHOW_WAITING,
            FAILURE_FLAG,
        ),
        answers={
            200: answer("It is finished.", STATUS),
            202: answer("It is active.", STATUS, "Location", "Retry-After"),
            404: UNKNOWN,
            413: answer("The history is too large to be shown at once: use historyTop.", ERROR),
            500: FAILED,
        },
        by_state=ByState(
            client="get_instance",
            command="instances get",
            says={404: "None"},
            answers=answering(unknown=404, active=202, finished=200),
        ),
        handler=show,
        link=Use.READ,
    ),
    webhook(
        id="getHistory",
        verb="GET",
        path=f"{INSTANCE}/history",
        summary="One page of an instance's history, every event as it is stored.",
        access=Need.READ,
        parameters=(INSTANCE_ID, HISTORY_TOP, CONTINUATION),
        answers={
            200: answer(
                "A page; the header has the token of the next one, empty after the last.",
                RAW_HISTORY,
                CONTINUATION.name,
            ),
            404: UNKNOWN,
        },
        by_state=ByState(
            client="get_instance_history",
            command="instances history",
            answers=answering(unknown=404, active=200, finished=200),
        ),
        handler=show_history,
        link=Use.READ,
    ),
)
