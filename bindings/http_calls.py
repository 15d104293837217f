"""HTTP requests of orchestrators: what is sent, what comes back, and `call_http` itself."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bindings.retry import RetryPolicy
from bindings.tasks import DurableTask
from bindings.token_sources import TokenSource


class HttpHeaders(dict[str, str]):
    """Headers under their names as they were sent, found in any case."""

    def __missing__(self, name: str) -> str:
        found = self._as_sent(name)
        if found is None:
            raise KeyError(name)
        return dict.__getitem__(self, found)

    def __contains__(self, name: object) -> bool:
        return self._as_sent(name) is not None

    def get(self, name: str, default: Any = None, /) -> Any:
        """The header in any case, else `default`."""
        found = self._as_sent(name)
        return default if found is None else dict.__getitem__(self, found)

    def _as_sent(self, name: object) -> str | None:
        if dict.__contains__(self, name):
            return str(name)
        folded = name.lower() if isinstance(name, str) else None
        return next((each for each in self if each.lower() == folded), None)


@dataclass(frozen=True, slots=True)
class DurableHttpRequest:
    """One request of `call_http`, as fakes of tests see it. `headers` are found in any case."""

    method: str
    url: str
    headers: HttpHeaders = field(default_factory=HttpHeaders)
    content: str | None = None
    token_source: TokenSource | None = None

    def json(self) -> Any:
        """The content as JSON; None without one. Raises ValueError if it is not JSON."""
        return json.loads(self.content) if self.content else None


@dataclass(frozen=True, slots=True)
class DurableHttpResponse:
    """What a request of `call_http` brought, whatever its status.

    `headers` are found in any case; of several of one name the values are joined by ", ". `content`
    is the body as text, by its charset, else UTF-8; `raw` are its bytes where it is no such text.
    As in Azure's first Python SDK, `response["statusCode"]`, `["headers"]` and `["content"]` do,
    too.
    """

    status_code: int
    headers: Mapping[str, str] = field(default_factory=HttpHeaders)
    content: str = ""
    raw: bytes | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.headers, HttpHeaders):
            object.__setattr__(self, "headers", HttpHeaders(self.headers))

    @property
    def is_success(self) -> bool:
        """Whether the status is one of 200 to 299."""
        return 200 <= self.status_code <= 299

    @property
    def body(self) -> bytes:
        """The body as bytes: of a text, in UTF-8."""
        return self.content.encode() if self.raw is None else self.raw

    def json(self) -> Any:
        """The content as JSON. Raises ValueError if it is not JSON."""
        return json.loads(self.content)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, _ATTRIBUTES[name])


_ATTRIBUTES = {"statusCode": "status_code", "headers": "headers", "content": "content"}


class HttpCalls(ABC):
    """`call_http` of the orchestration context."""

    @abstractmethod
    def call_http(
        self,
        method: str,
        url: str | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        token_source: TokenSource | None = None,
        *,
        timeout: timedelta | None = None,
        retry: RetryPolicy | None = None,
        poll: bool = True,
        uri: str | None = None,
    ) -> DurableTask[DurableHttpResponse]:
        """Send an HTTP request, at least once, and wait durably for the answer.

        Awaiting the task gives the answer, whatever its status. An answer 202 with a `Location` is
        polled there, by timers, until the status is another one; `poll=False` gives the 202.
        `content` is a text or bytes, sent as they are, or any other value, sent as JSON. `timeout`
        is for all of it together, and ends in `TimeoutError`. `retry` repeats requests that got no
        answer, or 408, 429 or 5xx. `uri` is another name for `url`.

        The await raises `TaskFailedError` if there is no answer, with `ConnectionError` or
        `TimeoutError` as `details.error_type`, or if the host does not send the request or take
        its answer (`HttpCallError`): private addresses are refused unless host.json names them.
        Raises `InvalidArgumentError` for what is no request.
        """
