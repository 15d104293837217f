"""A host at its address: requests, and trying again where that is safe.

The key is sent to the address given and nowhere else: redirects are not followed, cookies not kept.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from http import HTTPStatus
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from bindings.errors import HostUnavailableError, InvalidArgumentError
from bindings.remote.answers import Answer

KEY_HEADER = "x-functions-key"
NDJSON = "application/x-ndjson"
WEBHOOKS = "/runtime/webhooks/durabletask"
EXAMPLE_URL = "http://localhost:7071"

_LINE_S = 300.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


class Connection:
    """One host, which refuses all that is asked if it serves another hub than `hub`.

    Raises `InvalidArgumentError` for a URL or a key that cannot be one.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        timeout_s: float,
        retries: int,
        hub: str | None = None,
    ) -> None:
        if not _is_address(url):
            raise InvalidArgumentError(
                f"'{url}' is not like {EXAMPLE_URL}, the line that a host prints when it listens."
            )
        if key is not None and not (key.isascii() and key.isprintable()):
            raise InvalidArgumentError("That cannot be a key.")
        self.url = url.rstrip("/")
        self._headers = {KEY_HEADER: key} if key else {}
        self._timeout_s = timeout_s
        self.retries = retries
        self._of_hub = () if hub is None else (("taskHub", hub),)
        self._session: aiohttp.ClientSession | None = None

    @property
    def base_url(self) -> str:
        """Where the webhooks are."""
        return f"{self.url}{WEBHOOKS}"

    async def close(self) -> None:
        """Let go of the connections. The next request makes new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(
        self,
        verb: str,
        path: tuple[str, ...],
        query: Iterable[tuple[str, str]] = (),
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        is_repeatable: bool = False,
        wait_s: float = 0.0,
        base: str = WEBHOOKS,
    ) -> Answer:
        """Send a request, and give its answer, whatever it is.

        One that reached nobody is sent again; one that may have been done only if it is repeatable.
        `wait_s` is how long the host may take on purpose. Raises `HostUnavailableError`.
        """
        url = self._url_of(base, path, query)
        for pause_s in self._pauses():
            try:
                answer = await self._once(verb, url, headers, body, wait_s)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if pause_s is None or not (is_repeatable or _is_refused(error)):
                    raise HostUnavailableError(
                        f"No host answers at {self.url}: {self._in_words(error)}."
                    ) from error
            else:
                is_away = answer.status == HTTPStatus.SERVICE_UNAVAILABLE
                if pause_s is None or not (is_away and is_repeatable):
                    return answer
            await asyncio.sleep(pause_s)
        raise AssertionError  # the last pause is None

    async def stream(
        self,
        verb: str,
        path: tuple[str, ...],
        query: Iterable[tuple[str, str]] = (),
        *,
        lines: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        refusal: Callable[[Answer], Exception] = Answer.unexpected,
    ) -> AsyncGenerator[bytes, None]:
        """The lines of an answer as they come, while `lines` are sent.

        Raises `refusal` for an answer that is none of lines, and `HostUnavailableError`.
        """
        # A host says nothing as long as the lines of others do not come: it gives them this long.
        quiet_s = self._timeout_s + (0.0 if lines is None else _LINE_S)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_s, sock_read=quiet_s)
        url = self._url_of(WEBHOOKS, path, query)
        sent = dict(headers or {})
        if lines is not None:
            sent["Content-Type"] = NDJSON
        try:
            async with self._opened().request(
                verb, url, data=lines, headers=sent, allow_redirects=False, timeout=timeout
            ) as response:
                if response.status != HTTPStatus.OK or response.content_type != NDJSON:
                    raise refusal(await self._answer(response))
                rest = b""
                async for piece in response.content.iter_any():
                    *ended, rest = (rest + piece).split(b"\n")
                    for line in ended:
                        yield line + b"\n"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise HostUnavailableError(
                f"The host at {self.url} does not answer to the end: {self._in_words(error)}."
            ) from error

    def _pauses(self) -> Iterable[float | None]:
        """How long to wait after each try; None after the last."""
        for attempt in range(self.retries):
            yield min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)
        yield None

    async def _once(
        self,
        verb: str,
        url: URL,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        wait_s: float,
    ) -> Answer:
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
        async with self._opened().request(
            verb,
            url,
            data=body,
            headers=sent,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s + wait_s),
        ) as response:
            return await self._answer(response)

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        return Answer(
            origin=self.url,
            status=response.status,
            headers=response.headers,
            body=await response.read(),
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def _url_of(self, base: str, path: tuple[str, ...], query: Iterable[tuple[str, str]]) -> URL:
        """Where to ask. Nothing in a part of the path, or in a value, changes where that is."""
        parts = "".join(f"/{quote(part, safe='')}" for part in path)
        try:
            fields = urlencode([*query, *self._of_hub])
        except UnicodeEncodeError as error:
            raise InvalidArgumentError("What is asked for is not valid Unicode.") from error
        return URL(f"{self.url}{base}{parts}{'?' if fields else ''}{fields}", encoded=True)

    def _in_words(self, error: Exception) -> str:
        """Why nobody answered, without the library's words for it."""
        if isinstance(error, TimeoutError):
            return f"there was no answer within {self._timeout_s:g} seconds"
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        if isinstance(cause, socket.gaierror):
            return f"its name cannot be found ({cause.strerror})"
        if isinstance(cause, OSError) and not isinstance(error, aiohttp.ClientSSLError):
            return os.strerror(cause.errno) if cause.errno else "nobody listens there"
        return str(error).rstrip(".") or type(error).__name__


def _is_refused(error: Exception) -> bool:
    """Whether nobody got the request: a host that is being restarted, mostly."""
    return isinstance(error, aiohttp.ClientConnectorError) and not isinstance(
        error, aiohttp.ClientSSLError | aiohttp.ClientConnectorDNSError
    )


def _is_address(url: str) -> bool:
    try:
        parsed = URL(url)
    except (ValueError, TypeError):
        return False
    is_plain = not (parsed.query_string or parsed.fragment or parsed.user)
    return parsed.scheme in {"http", "https"} and bool(parsed.host) and is_plain
