"""The built-in activity of `call_http`: a request, its redirects, what is told of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from bindings.errors import HttpCallError, SerializationError
from bindings.http_calls import HttpHeaders
from bindings.token_sources import TokenSource, read
from host.clock import Clock
from host.core.failures import Caught, caught
from host.core.history import Payload
from host.core.http_calls import OF_THE_HOST, HttpAnswer, HttpOrder, answer, read_order
from host.core.http_urls import checked_url
from host.http_calls.redirects import MAX_REDIRECTS, Hop, following
from host.http_calls.sending import Received, Sender

HIDDEN = "***"
MIN_SECRET = 6
"""Shorter ones are found everywhere: to hide them would spoil the answer."""


class Proof(NamedTuple):
    """What proves to the receiver who asks: headers, and what of them nobody else may see."""

    headers: Mapping[str, str]
    secrets: tuple[str, ...]


class Proofs(Protocol):
    """Makes proofs of token sources."""

    async def of(self, source: TokenSource, hop: Hop) -> Proof:
        """The proof for this request. Raises as `Sender.send` does."""

    def refused(self, source: TokenSource) -> None:
        """The receiver does not take it."""


class HttpCalls:
    """Runs the activity."""

    def __init__(
        self,
        sender: Sender,
        proofs: Proofs,
        clock: Clock,
        *,
        timeout_s: float,
        default_pause_s: float,
    ) -> None:
        self._sender = sender
        self._proofs = proofs
        self._clock = clock
        self._timeout_s = timeout_s
        self._default_pause_s = default_pause_s

    async def run(self, payload: Payload) -> Payload | Caught:
        """Send the request of this payload, and give what is told of the answer."""
        try:
            order = read_order(payload)
            return (await self._in_time(order)).to_payload()
        except (HttpCallError, SerializationError) as error:
            return caught(error, is_non_retriable=True)
        except (ConnectionError, TimeoutError) as error:
            return caught(error)

    async def close(self) -> None:
        """Close all connections."""
        await self._sender.close()

    async def _in_time(self, order: HttpOrder) -> HttpAnswer:
        left_s = self._timeout_s
        if order.timeout_seconds is not None:
            left_s = min(left_s, order.timeout_seconds)
        try:
            async with asyncio.timeout(left_s) as limit:
                return await self._answer(order)
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(f"no whole answer in {left_s:g} s") from None

    async def _answer(self, order: HttpOrder) -> HttpAnswer:
        source = _source(order)
        hop = _first_hop(order)
        for _ in range(MAX_REDIRECTS + 1):
            received = await self._send(hop, source)
            moved = following(hop, received.status, received.headers)
            if moved is None:
                return answer(
                    hop.url,
                    received.status,
                    received.headers,
                    received.body,
                    now=self._clock.now(),
                    default_pause_s=self._default_pause_s,
                    is_other_origin=hop.is_other_origin,
                )
            hop = moved
        raise HttpCallError(f"There are more than {MAX_REDIRECTS} redirects one after the other.")

    async def _send(self, hop: Hop, source: TokenSource | None) -> Received:
        headers = hop.sent_headers
        if source is None or hop.is_other_origin:
            return await self._sender.send(hop.method, hop.url, headers, hop.body)
        proof = await self._proofs.of(source, hop)
        own = {name.lower() for name in proof.headers}
        kept = {name: headers[name] for name in headers if name.lower() not in own}
        received = await self._sender.send(hop.method, hop.url, {**kept, **proof.headers}, hop.body)
        if received.status == 401:
            self._proofs.refused(source)
        return _hidden(received, proof.secrets)


def _first_hop(order: HttpOrder) -> Hop:
    """Raises `HttpCallError` for what no context of ours would have stored."""
    try:
        url = checked_url(order.uri)
    except ValueError as error:
        raise HttpCallError(f"A URL of call_http {error}.") from None
    if any(name.lower() in OF_THE_HOST for name in order.headers):
        raise HttpCallError("The request has headers that are the host's to set.")
    return Hop(
        method=order.method,
        url=url,
        headers=HttpHeaders(order.headers),
        body=order.body,
        is_other_origin=order.is_other_origin,
    )


def _source(order: HttpOrder) -> TokenSource | None:
    if order.token_source is None:
        return None
    try:
        return read(order.token_source)
    except (ValueError, TypeError) as error:
        raise HttpCallError(f"The token source of call_http cannot be read: {error}") from None


def _hidden(received: Received, secrets: tuple[str, ...]) -> Received:
    """The answer without the secrets that were sent: some servers send back what they got."""
    status, headers, body = received
    for secret in secrets:
        if len(secret) >= MIN_SECRET:
            body = body.replace(secret.encode(), HIDDEN.encode())
            headers = HttpHeaders(
                {name: value.replace(secret, HIDDEN) for name, value in headers.items()}
            )
    return Received(status, headers, body)
