"""The audit: a page of it, and all of it as lines of JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from host.core.history_json import time_to_json
from host.engine.audit import KEPT, MAX_PAGE, AuditEntry, AuditFilter
from host.http import answers, parameters, shapes
from host.http.access import Need
from host.http.management.looking import CONTINUATION, DEFAULT_PAGE_SIZE
from host.http.management.room import Management, webhook
from host.http.management.shapes import AUDIT_ENTRY
from host.http.operations import Answer, Asked, answer
from host.http.parameters import Parameter, in_query
from host.http.query import Query
from host.http.shapes import ERROR, list_of, object_of
from host.http.streams import NDJSON, line, streamed

WHO = parameters.text("who", "Only what keys with this in their name did.")
WHAT = parameters.text("what", "Only operations with this in their id.")
TARGET = parameters.text("target", "Only what was done to a target with this text in it.")
SINCE = in_query("since", "Then or later; without offset it is UTC.", shapes.TIME, Query.time)
UNTIL = in_query("until", "Then or before.", shapes.TIME, Query.latest_time)
TOP = in_query(
    "top",
    f"The size of a page; at most {MAX_PAGE} are given.",
    shapes.POSITIVE,
    Query.positive,
    key="topOfAudit",
)

FILTERS: tuple[Parameter[Any], ...] = (WHO, WHAT, TARGET, SINCE, UNTIL)


async def show_audit(here: Management, asked: Asked) -> web.Response:
    """One page, the newest first."""
    page = await here.audit.page(
        _wanted(asked),
        limit=min(asked[TOP] or DEFAULT_PAGE_SIZE, MAX_PAGE),
        token=asked[CONTINUATION],
    )
    shown = {"entries": [_shown(each) for each in page.entries]}
    return answers.json_answer(shown, headers={CONTINUATION.name: page.token or ""})


async def export_audit(here: Management, asked: Asked) -> web.Response:
    """All of it, as lines."""
    return streamed(_lines(here, _wanted(asked)), "An export of the audit", here.streams)


async def _lines(here: Management, wanted: AuditFilter) -> AsyncIterator[bytes]:
    async for entries in here.audit.all(wanted):
        yield b"".join(line(_shown(each)) for each in entries)


def _wanted(asked: Asked) -> AuditFilter:
    return AuditFilter(
        who=asked[WHO] or None,
        what=asked[WHAT] or None,
        target=asked[TARGET] or None,
        since=asked[SINCE],
        until=asked[UNTIL],
    )


def _shown(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": time_to_json(entry.at),
        "who": entry.who,
        "what": entry.what,
        "target": entry.target,
        "detail": entry.detail,
        "from": entry.address,
        "outcome": entry.outcome,
        "status": entry.status,
    }


OPERATIONS = (
    webhook(
        id="showAudit",
        verb="GET",
        path="audit",
        summary="Who changed what: one page, the newest first.",
        access=Need.READ,
        parameters=(*FILTERS, TOP, CONTINUATION),
        answers={
            200: answer(
                f"A page, which may be short, of the last {KEPT.days} days. The header has the "
                "token of the next one, empty after the last.",
                object_of({"entries": list_of(AUDIT_ENTRY)}),
                CONTINUATION.name,
            )
        },
        handler=show_audit,
    ),
    webhook(
        id="exportAudit",
        verb="GET",
        path="audit/export",
        summary="Who changed what, as lines of JSON, the newest first.",
        access=Need.READ,
        parameters=FILTERS,
        answers={
            200: Answer(text="An entry a line.", content={NDJSON: AUDIT_ENTRY}),
            429: answer("Too many exports and imports are under way.", ERROR, "Retry-After"),
        },
        handler=export_audit,
    ),
)
