"""The history in an answer: whole if it is small, else page by page.

A page has so many events and so many bytes, or one event that has more. Its token names the
execution and the place of the event that comes next, so pages fit together while the history grows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from bindings.errors import InvalidArgumentError
from host.core.history import ExecutionStarted, HistoryEvent, TaskScheduled
from host.core.history_json import history_to_json
from host.http import raw_json
from host.http.management.history_view import Shown, raw_history, view_history
from host.http.refusals import RefusalError
from host.http.shapes import JsonObject

MAX_EVENTS = 1000

_TOKEN = re.compile(r"h(?P<place>[0-9]{1,9})\.(?P<execution>[^.]{1,100})", re.ASCII)


class LongHistoryError(RefusalError):
    """A history is too large to be shown as a whole."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    summary = "The history is too large"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedHistory:
    """What of a history is asked for. Without a number of events it is all of it, or nothing.

    `is_raw`: the events as they are stored, in place of the view of `history_view`.
    """

    show: Shown
    count: int | None
    token: str | None
    max_bytes: int
    is_raw: bool = False

    @property
    def is_paged(self) -> bool:
        """Whether it is asked for page by page."""
        return self.count is not None or self.token is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """Events, each of them JSON already; the token is empty on the last page."""

    events: list[msgspec.Raw]
    token: str = ""


def history_page(history: Sequence[HistoryEvent], asked: AskedHistory) -> HistoryPage:
    """The events that were asked for.

    Raises `InvalidArgumentError` for a token of another history, and `LongHistoryError` for a
    history that is too large to be shown as a whole.
    """
    execution = next(
        (each.execution_id for each in history if isinstance(each, ExecutionStarted)), ""
    )
    first = 0 if asked.token is None else _place(asked.token, execution)
    count = min(asked.count or MAX_EVENTS, MAX_EVENTS) if asked.is_paged else len(history)
    events: list[msgspec.Raw] = []
    left = asked.max_bytes
    as_json = _with_tries(history) if asked.is_raw else history_to_json(history)
    view = raw_history if asked.is_raw else view_history
    for place, event in view(as_json, asked.show, first):
        encoded = raw_json.to_json(event)
        left -= len(encoded)
        if len(events) >= count or (left < 0 and (events or not asked.is_paged)):
            if asked.is_paged:
                return HistoryPage(events=events, token=f"h{place}.{execution}")
            raise LongHistoryError(
                f"The history has more than the {asked.max_bytes} bytes that are shown at once "
                "(funchost.http.maxPageBytes). Ask for it page by page: add historyTop=100, and "
                "send each answer's x-ms-continuation-token with the next request."
            )
        events.append(msgspec.Raw(encoded))
    return HistoryPage(events=events)


def _with_tries(history: Sequence[HistoryEvent]) -> list[JsonObject]:
    """The events as they are stored; attempts by a retry policy say which they are, and of what."""
    return [
        shown | _tries(event) if isinstance(event, TaskScheduled) else shown
        for event, shown in zip(history, history_to_json(history), strict=True)
    ]


def _tries(event: TaskScheduled) -> JsonObject:
    if event.max_attempts == 1:
        return {}
    first = event.task_id if event.first_id is None else event.first_id
    return {
        "Attempt": event.attempt,
        "MaxAttempts": event.max_attempts,
        "FirstEventId": first,
    }


def _place(token: str, execution: str) -> int:
    found = _TOKEN.fullmatch(token)
    if found is None or found["execution"] != execution:
        raise InvalidArgumentError(
            "The continuation token is not from this history, which may have begun anew. Start "
            "again without one."
        )
    return int(found["place"])
