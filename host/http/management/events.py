"""What happens on this host, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from bindings.events import ServerSentEvent
from host.clock import Clock
from host.core.history_json import time_to_json
from host.engine.feed.events import FeedEvent, FeedKind, Wanted
from host.engine.feed.feed import Feed, Listener, Told
from host.http import parameters
from host.http.access import Need, Verdict
from host.http.management.looking import NAMES, RUNTIME_STATUS
from host.http.management.room import Management, webhook
from host.http.management.shapes import FEED_EVENT, MISSED
from host.http.operations import Answer, Asked
from host.http.parameters import in_header, in_query
from host.http.query import Query
from host.http.refusals import RefusalError
from host.http.sending import Sending, as_response
from host.http.shapes import ERROR, JSON, NAME, list_of
from host.logs import HostLog

MAX_EVENT_STREAMS = 32
MAX_STREAM_S = 900.0
"""An answer is over after so long, and asked for again."""
LOOK_S = 10.0
"""So often it is looked whether a quiet answer is over, or its caller may read no more."""
RETRY_MS = 2000
KEPT_TEXTS = 256
"""Of so many events the text is kept: all who listen are told the same in a moment."""
EVENT_STREAM = "text/event-stream"

_COMMA_LIST = {"style": "form", "explode": False}
_KINDS = {kind.value: kind for kind in FeedKind}

OF_INSTANCES = in_query(
    "instanceId",
    "Only of these instances.",
    list_of(NAME),
    Query.names,
    key="ofInstances",
    style=_COMMA_LIST,
)
OF_KINDS = in_query(
    "kind",
    "Only events of these kinds.",
    list_of({"type": "string", "enum": list(_KINDS)}),
    lambda query, name: query.members(name, _KINDS),
    style=_COMMA_LIST,
)
AFTER = parameters.text("after", "The id of the last event that was seen: go on behind it.")
LAST_EVENT_ID = in_header("Last-Event-ID", "The same, as browsers say it; it goes before `after`.")

_log = HostLog(__name__)
_encode = msgspec.json.Encoder().encode


class TooManyEventStreamsError(RefusalError):
    """As many listen as may."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    summary = "Too many listen already"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}


async def tell_events(here: Management, asked: Asked) -> web.Response:
    """An answer that goes on telling what happens."""
    wanted = Wanted(
        instance_ids=asked[OF_INSTANCES],
        names=asked[NAMES],
        statuses=asked[RUNTIME_STATUS],
        kinds=frozenset(asked[OF_KINDS]),
    )
    if len(here.event_streams) >= MAX_EVENT_STREAMS:
        raise TooManyEventStreamsError(f"This host tells {MAX_EVENT_STREAMS} at once.")
    listener = here.feed.listen(wanted, asked[LAST_EVENT_ID] or asked[AFTER] or None)
    chunks = _chunks(here, asked, listener)
    stream = Sending(chunks, partial(_log.error, "A stream of events broke off: %s"), here.clock)
    stream.when_over(listener.close)
    here.event_streams.add(stream)
    headers = {
        "Cache-Control": "no-store",
        "Content-Type": EVENT_STREAM,
        "X-Accel-Buffering": "no",
    }
    return as_response(stream, headers=headers)


async def _chunks(here: Management, asked: Asked, listener: Listener) -> AsyncIterator[bytes]:
    """The events as they are sent, first where to go on if none comes.

    They end when the caller's key or session does: he asks again, and is told 401. So it is looked
    before each piece, and at times though there is none.
    """
    ends_at = here.clock.monotonic() + MAX_STREAM_S
    yield ServerSentEvent(id=here.feed.id_of(max(listener.at, 0)), retry=RETRY_MS).encode(None)
    while True:
        told = await _next(here.clock, listener)
        if here.clock.monotonic() >= ends_at or not await _may_read_on(here, asked):
            return
        if told:
            yield b"".join(_event(here.feed, each) for each in told)


async def _next(clock: Clock, listener: Listener) -> Sequence[Told]:
    """The next events, or none after a while."""
    listening = asyncio.ensure_future(listener.next())
    waiting = asyncio.ensure_future(clock.sleep(LOOK_S))
    try:
        await asyncio.wait((listening, waiting), return_when=asyncio.FIRST_COMPLETED)
        return listening.result() if listening.done() else ()
    finally:
        listening.cancel()
        waiting.cancel()


async def _may_read_on(here: Management, asked: Asked) -> bool:
    return await here.access.to_operation(asked.call, asked.operation.access) is Verdict.ALLOWED


@lru_cache(KEPT_TEXTS)
def _text(event: FeedEvent | None) -> str:
    """The JSON of an event, which is written once for all who listen."""
    return _encode({"kind": MISSED} if event is None else _shown(event)).decode()


def _event(feed: Feed, told: Told) -> bytes:
    return f"id: {feed.id_of(told.number)}\ndata: {_text(told.event)}\n\n".encode()


def _shown(event: FeedEvent) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "kind": event.kind,
        "instanceId": event.instance_id,
        "name": event.name,
        "runtimeStatus": event.status.value,
        "lastUpdatedTime": time_to_json(event.at),
    }
    more = {
        "activity": event.activity,
        "taskId": event.task_id,
        "seconds": event.seconds,
        "reason": event.reason,
    }
    shown |= {name: value for name, value in more.items() if value is not None}
    if event.count > 1:
        shown |= {"count": event.count, "kinds": sorted(event.kinds)}
    return shown


OPERATIONS = (
    webhook(
        id="tellEvents",
        verb="GET",
        path="events",
        summary="What happens on this host from now on, as server-sent events.",
        access=Need.READ,
        parameters=(OF_INSTANCES, NAMES, RUNTIME_STATUS, OF_KINDS, AFTER, LAST_EVENT_ID),
        answers={
            200: Answer(
                text="Events, each with an id and JSON; `missed` says that some were left out. It "
                f"ends with the host, with the caller's key or session, and after "
                f"{MAX_STREAM_S / 60:.0f} minutes.",
                content={EVENT_STREAM: FEED_EVENT},
            ),
            429: Answer(
                text=f"{MAX_EVENT_STREAMS} listen already.",
                content={JSON: ERROR},
                headers=("Retry-After",),
            ),
        },
        handler=tell_events,
    ),
)
