"""`call_http`: requests by the built-in activity, with timers between them, as one task.

Everything that is decided here follows from the arguments and the history: which request is next,
when, and whether one is tried again. What the network or the settings decide, the activity says.
"""

from __future__ import annotations

import itertools
import re
from base64 import b64encode
from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from bindings.errors import FailureDetails, HttpCallError, InvalidArgumentError, TaskFailedError
from bindings.http_calls import DurableHttpResponse, HttpHeaders
from bindings.retry import RetryPolicy
from bindings.shown_values import shown_value
from bindings.tasks import DurableTask
from bindings.token_sources import TokenSource, written
from host.core.arguments import exact_duration, exact_text, instance_of
from host.core.converter import Converter
from host.core.http_calls import (
    HTTP_ACTIVITY,
    OF_THE_HOST,
    HttpAnswer,
    HttpOrder,
    HttpPoll,
    read_answer,
)
from host.core.http_urls import checked_url, shown_url
from host.core.replay.led_task import LedTask, Steps
from host.core.replay.operations import Operations, Tries
from host.core.replay.waits import MAX_TIMER, Deadline, TimerTask, next_delay

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_METHODS_OF_OTHERS = frozenset({"CONNECT", "TRACE"})
_NOT_FOR_POLLS: Final = frozenset({"x-functions-key", "if-match", "if-none-match"})
"""The key is one of the function that was called, and not of its status."""
_TRACEPARENT: Final = "traceparent"
_MAY_BE_LATER: Final = frozenset({408, 429})


class HttpCall(LedTask[DurableHttpResponse]):
    """One call: a request, what it is tried again for, and what is polled after it."""

    __slots__ = ("_converter", "_operations", "_order", "_polls", "_retry", "_timer", "_until")

    def __init__(
        self,
        order: HttpOrder,
        operations: Operations,
        converter: Converter,
        *,
        timeout: timedelta | None,
        retry: RetryPolicy | None,
        polls: bool,
    ) -> None:
        super().__init__()
        self._order = order
        self._operations = operations
        self._converter = converter
        self._retry = retry
        self._polls = polls
        self._until: datetime | None = None if timeout is None else operations.now + timeout
        self._timer: TimerTask | None = None
        self._begin(self._lead())
        if self._until is not None:
            self._timer = operations.create_timer(self._until)
            Deadline(self._timer, self._time_out)

    def _lead(self) -> Steps[DurableHttpResponse]:
        answer = yield from self._answer(self._order)
        while self._polls and answer.poll is not None:
            if answer.poll.error:
                raise _no_poll(self._order, answer.poll)
            yield self._pause(timedelta(seconds=answer.poll.after_seconds))
            answer = yield from self._answer(_polling(self._order, answer.poll))
        return answer.to_response()

    def _ended(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _answer(self, order: HttpOrder) -> Steps[HttpAnswer]:
        """The answer to one request, which is tried again as the policy says."""
        begun, tries = self._operations.now, Tries(1)
        if self._retry is not None:
            tries = Tries(self._retry.max_number_of_attempts)
        for attempt in itertools.count(1):
            found = yield from self._try(order, attempt, tries)
            delay = self._delay(found, attempt, self._operations.now - begun)
            if delay is not None:
                yield self._pause(delay)
            elif isinstance(found, TaskFailedError):
                raise _in_words(order, found) from None
            else:
                return found
        raise AssertionError("It is counted without end.")

    def _try(
        self, order: HttpOrder, attempt: int, tries: Tries
    ) -> Generator[DurableTask[Any], Any, HttpAnswer | TaskFailedError]:
        if self._until is not None:
            left = (self._until - self._operations.now).total_seconds()
            order = msgspec.structs.replace(order, timeout_seconds=max(left, 0.001))
        header = self._operations.next_traceparent()
        if header and not any(name.lower() == _TRACEPARENT for name in order.headers):
            order = msgspec.structs.replace(order, headers={**order.headers, _TRACEPARENT: header})
        payload = order.to_payload()
        self._converter.check_size(len(payload.encode()), "The request of call_http")
        try:
            result = yield self._operations.schedule_activity(
                HTTP_ACTIVITY, payload, None, attempt, tries
            )
        except TaskFailedError as error:
            return error
        return read_answer(result)

    def _delay(
        self, found: HttpAnswer | TaskFailedError, attempt: int, elapsed: timedelta
    ) -> timedelta | None:
        """How long to wait before the request is sent again; None if it is not."""
        if self._retry is None:
            return None
        if isinstance(found, TaskFailedError):
            return next_delay(self._retry, attempt, elapsed, found.details)
        status = found.status_code
        if status < 500 and status not in _MAY_BE_LATER:
            return None
        failure = FailureDetails(error_type="HttpStatus", message=f"The answer was {status}.")
        delay = next_delay(self._retry, attempt, elapsed, failure)
        if delay is None or found.retry_after_seconds is None:
            return delay
        return max(delay, timedelta(seconds=found.retry_after_seconds))

    def _pause(self, delay: timedelta) -> TimerTask:
        return self._operations.create_timer(self._operations.now + delay)

    def _time_out(self) -> None:
        """The time for all of it is over: no further request, and no further answer."""
        if self.is_completed:
            return
        waiting = self._children[0]
        self._end(TimeoutError(f"{_name(self._order)}: no final answer came in time."))
        if isinstance(waiting, TimerTask):
            waiting.cancel()


def call_http(
    operations: Operations,
    converter: Converter,
    request: HttpOrder,
    *,
    timeout: timedelta | None,
    retry: RetryPolicy | None,
    poll: bool,
) -> HttpCall:
    """Begin a call. Raises `InvalidArgumentError` for what cannot be meant."""
    if retry is not None:
        instance_of(retry, RetryPolicy, "The retry policy")
    if timeout is not None:
        timeout = exact_duration(instance_of(timeout, timedelta, "The timeout of call_http"))
        if not timedelta(0) < timeout <= MAX_TIMER:
            raise InvalidArgumentError(
                f"The timeout of call_http is more than 0 and at most 10 years, not {timeout}."
            )
    if not isinstance(poll, bool):
        raise InvalidArgumentError(f"poll of call_http is True or False, not {shown_value(poll)}.")
    return HttpCall(request, operations, converter, timeout=timeout, retry=retry, polls=poll)


def order_of(
    converter: Converter,
    *,
    method: str,
    url: str | None,
    uri: str | None,
    content: Any,
    headers: Mapping[str, str] | None,
    token_source: TokenSource | None,
) -> HttpOrder:
    """The request as it is stored. Raises `InvalidArgumentError` or `SerializationError`."""
    if (url is None) == (uri is None):
        raise InvalidArgumentError("call_http takes one URL: call_http(method, url).")
    given = _headers(headers)
    text, base64 = _content(converter, content, given)
    return HttpOrder(
        method=_method(method),
        uri=_url(url if uri is None else uri),
        headers=dict(given),
        content=text,
        content_base64=base64,
        token_source=None if token_source is None else _source(token_source),
    )


def _method(method: object) -> str:
    if not isinstance(method, str) or not _TOKEN.fullmatch(method):
        raise InvalidArgumentError(
            f"call_http takes a method such as 'GET' first, not {shown_value(method)}."
        )
    upper = exact_text(method).upper()
    if upper in _METHODS_OF_OTHERS:
        raise InvalidArgumentError(f"call_http sends no {upper} requests.")
    return upper


def _url(url: object) -> str:
    if not isinstance(url, str):
        raise InvalidArgumentError(
            "call_http takes a URL such as 'https://example.com/items' second, not "
            f"{shown_value(url)}."
        )
    try:
        return checked_url(exact_text(url))
    except ValueError as error:
        raise InvalidArgumentError(f"A URL of call_http {error}.") from None


def _source(source: TokenSource) -> dict[str, str]:
    try:
        return written(source)
    except TypeError as error:
        raise InvalidArgumentError(str(error)) from None


def _headers(headers: Mapping[str, str] | None) -> HttpHeaders:
    if headers is None:
        return HttpHeaders()
    if not isinstance(headers, Mapping):
        raise InvalidArgumentError(
            f"headers of call_http are a dict of texts, not {shown_value(headers)}."
        )
    found = HttpHeaders()
    for name, value in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name) or name in found:
            raise InvalidArgumentError(f"call_http cannot send a header named {shown_value(name)}.")
        if name.lower() in OF_THE_HOST:
            raise InvalidArgumentError(f"The header '{name}' of call_http is the host's to set.")
        if not isinstance(value, str) or not _is_value(value):
            # The value is not shown: it may be a secret.
            raise InvalidArgumentError(
                f"The header '{name}' of call_http has a value of one line of text."
            )
        found[exact_text(name)] = exact_text(value).strip()
    return found


def _is_value(value: str) -> bool:
    return value.isprintable() and not any("\ud800" <= char <= "\udfff" for char in value)


def _content(
    converter: Converter, content: Any, headers: HttpHeaders
) -> tuple[str | None, str | None]:
    """The content as text, or in Base64; its type is told in the headers unless it is there."""
    if content is None:
        return None, None
    if isinstance(content, bytes | bytearray):
        _say_type(headers, "application/octet-stream")
        try:
            return bytes(content).decode(), None
        except UnicodeDecodeError:
            return None, b64encode(content).decode()
    if isinstance(content, str):
        _say_type(headers, "text/plain; charset=utf-8")
        return _unicode(content), None
    _say_type(headers, "application/json")
    return converter.to_payload(content, "The content of call_http"), None


def _say_type(headers: HttpHeaders, content_type: str) -> None:
    if "Content-Type" not in headers:
        headers["Content-Type"] = content_type


def _unicode(content: str) -> str:
    try:
        content.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError("The content of call_http is not valid Unicode.") from None
    return exact_text(content)


def _polling(order: HttpOrder, poll: HttpPoll) -> HttpOrder:
    """The request that asks how far it is: a GET with the headers of the first request."""
    kept = {
        name: value
        for name, value in order.headers.items()
        if name.lower() not in _NOT_FOR_POLLS and not name.lower().startswith("content-")
    }
    return HttpOrder(
        method="GET",
        uri=poll.uri,
        headers=kept,
        token_source=order.token_source,
        is_other_origin=poll.is_other_origin,
    )


def _name(order: HttpOrder) -> str:
    return f"{order.method} {shown_url(order.uri)}"


def _no_poll(order: HttpOrder, poll: HttpPoll) -> TaskFailedError:
    message = f"{_name(order)}: the Location of its answer 202 is not polled: {poll.error}."
    details = FailureDetails(
        error_type=HttpCallError.__name__, message=message, is_non_retriable=True
    )
    return TaskFailedError(message, details)


def _in_words(order: HttpOrder, error: TaskFailedError) -> TaskFailedError:
    return TaskFailedError(f"{_name(order)} failed: {error.details.text}", error.details)
