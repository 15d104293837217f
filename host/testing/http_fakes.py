"""Answers of tests to the requests of `call_http`: no request leaves a test that does not want it.

What a fake gives goes the way of a real answer, so a 202 is polled and a 503 tried again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from inspect import isawaitable
from typing import Any, Final, TypeAlias

from bindings.errors import FunchostError, InvalidArgumentError
from bindings.http_calls import DurableHttpResponse
from bindings.shown_values import shown_value
from host.clock import Clock
from host.core.failures import Caught, caught
from host.core.history import Payload
from host.core.http_calls import HTTP_ACTIVITY, HttpOrder, answer, read_order
from host.core.http_urls import shown_url
from host.settings.http_calls import HttpCallSettings
from host.testing.answers import Answer, answer_of

CALL_HTTP: Final = "call_http"
"""The name by which tests answer requests."""
DEFAULT_PAUSE_S: Final = HttpCallSettings().poll_s

Send: TypeAlias = Callable[[Payload], Awaitable[Payload | Caught]]


class MissingAnswerError(FunchostError):
    """The orchestrator waits for something to which the test gives no answer."""


def means_http(name: object) -> bool:
    """Whether a test means the requests by this name."""
    return isinstance(name, str) and name.casefold() in {CALL_HTTP, HTTP_ACTIVITY.casefold()}


def payload_of(
    order: HttpOrder, response: Any, now: datetime, default_pause_s: float = DEFAULT_PAUSE_S
) -> str:
    """What the activity would give for this answer. Raises `InvalidArgumentError`."""
    if not isinstance(response, DurableHttpResponse):
        raise InvalidArgumentError(
            f"The answer to {order.method} {order.uri} is {shown_value(response)}: give a "
            "DurableHttpResponse(200, {'Content-Type': 'application/json'}, '{}'), an error to "
            "raise, or a function that gives one of them."
        )
    told = answer(
        order.uri,
        response.status_code,
        response.headers,
        response.body,
        now=now,
        default_pause_s=default_pause_s,
        is_other_origin=order.is_other_origin,
    )
    return told.to_payload()


class HttpFake:
    """Sends no request: answers as the test says, and else with an error, or for real."""

    def __init__(
        self,
        clock: Clock,
        attempt: Callable[[], int],
        real: Send | None,
        default_pause_s: float,
    ) -> None:
        """`attempt` says which attempt asks; `real` sends what the test does not answer."""
        self._clock = clock
        self._attempt = attempt
        self._real = real
        self._default_pause_s = default_pause_s
        self._answers: dict[int | None, Answer] = {}

    def set(self, what: Any, attempt: int | None) -> None:
        """Let this be the answer, to one attempt or to all others."""
        self._answers[attempt] = answer_of(what)

    async def send(self, payload: Payload) -> Payload | Caught:
        """Answer the request of this payload."""
        found = self._answers.get(self._attempt()) or self._answers.get(None)
        if found is None and self._real is not None:
            return await self._real(payload)
        order = read_order(payload)
        if found is None:
            return caught(MissingAnswerError(unanswered(order)), is_non_retriable=True)
        response = found(order.to_request())
        if isawaitable(response):
            response = await response
        return payload_of(order, response, self._clock.now(), self._default_pause_s)


def unanswered(order: HttpOrder) -> str:
    """What to say where a test answers no requests."""
    return (
        f"The orchestrator sends {order.method} {shown_url(order.uri)}, and the test gives no "
        f"answer to that: give one under the name '{CALL_HTTP}'."
    )
