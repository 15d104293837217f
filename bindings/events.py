"""Server-sent events: an answer that goes on telling a page what happens."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from bindings.http import GivenHeaders
from bindings.shown_values import shown_value
from bindings.streams import StreamingResponse

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Nothing on the way may keep events, or hold them back."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event. `data` is a text, or any value, which is sent as JSON; None sends no data.

    `event` is its type ("message" for pages if there is none), `id` is what a page that comes back
    says as `Last-Event-ID`, and `retry` is after how many milliseconds it comes back. Raises
    ValueError for what would be another event.
    """

    data: Any = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("event", self.event), ("id", self.id)):
            if value is not None and not isinstance(value, str):
                raise ValueError(f"The {name} of an event is a text, not {shown_value(value)}.")
            if value is not None and (_LINE_END.search(value) or "\0" in value):
                raise ValueError(f"The {name} of an event has no line breaks: {value[:100]!r}.")
        if self.retry is not None and (type(self.retry) is not int or self.retry < 0):
            raise ValueError(
                f"The retry of an event is milliseconds, not {shown_value(self.retry)}."
            )

    def encode(self, data: str | None) -> bytes:
        """The event as it is sent, with its data as a text."""
        fields = [("event", self.event), ("id", self.id), ("retry", self.retry)]
        lines = [f"{name}: {value}" for name, value in fields if value is not None]
        if data is not None:
            lines += [f"data: {line}" for line in _LINE_END.split(data)]
        return "\n".join([*lines, "", ""]).encode("utf-8")


class EventStream(StreamingResponse):
    """An answer of server-sent events (`text/event-stream`), for `EventSource` in pages.

    `content` gives `ServerSentEvent`s, or their data alone: texts, and values, which are sent as
    JSON. While nothing happens the host sends a comment every 15 seconds, so that nobody on the way
    takes the connection for dead. When the host stops it ends, and pages come back by themselves.
    """

    def __init__(
        self,
        content: AsyncIterable[Any] | Iterable[Any],
        status_code: int = 200,
        headers: GivenHeaders = None,
    ) -> None:
        super().__init__(content, status_code, headers, mimetype="text/event-stream")
        for name, value in _HEADERS.items():
            self.headers.setdefault(name, value)
