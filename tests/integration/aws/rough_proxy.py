"""A proxy before a stand-in of AWS, over real sockets: it throttles, fails and cuts connections.

Rules of this file: what is refused or cut *before* changes nothing; what fails or is cut *after*
was carried out. Trouble is on or off as the test says; a seed decides which, and how often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from random import Random

import aiohttp
from aiohttp import web


class Weather(StrEnum):
    """What the proxy does to requests."""

    CALM = "calm"
    ROUGH = "rough"
    AWAY = "away"
    """Nobody answers."""


class _Trouble(StrEnum):
    THROTTLED = "throttled"
    FAILS_BEFORE = "failed, not carried out"
    FAILS_AFTER = "failed, carried out"
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"


_CHANCE = 0.35
_AFTER = frozenset({_Trouble.FAILS_AFTER, _Trouble.CUT_AFTER})
_CUT = frozenset({_Trouble.CUT_BEFORE, _Trouble.CUT_AFTER})
_THROTTLING = {
    "DynamoDB": (400, "com.amazonaws.dynamodb.v20120810#ThrottlingException"),
    "AmazonSQS": (403, "com.amazonaws.sqs#RequestThrottled"),
}
_FAILURES = (
    (500, '{"__type":"com.amazon.coral.service#InternalFailure"}'),
    (503, "<html><h1>503 Service Unavailable</h1></html>"),
    (503, ""),
)
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class RoughProxy:
    """Use `rough_proxy()`. `struck` counts the trouble that it made."""

    def __init__(self, target: str, session: aiohttp.ClientSession, seed: int) -> None:
        self.url = ""
        self.weather = Weather.CALM
        self.struck: Counter[str] = Counter()
        self._target = target
        self._session = session
        self._random = Random(seed)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, or have it answered, or do not."""
        body = await request.read()
        trouble = self._draw()
        if trouble is None:
            return await self._forward(request, body)
        self.struck[trouble] += 1
        if trouble in _AFTER:
            await self._forward(request, body)
        if trouble in _CUT:
            return _cut(request)
        if trouble is _Trouble.THROTTLED:
            service = request.headers["x-amz-target"].partition("_")[0].partition(".")[0]
            status, code = _THROTTLING[service]
            return web.json_response({"__type": code, "message": "Rate exceeded"}, status=status)
        status, text = self._random.choice(_FAILURES)
        return web.Response(status=status, text=text)

    def told(self) -> str:
        """The trouble so far, in words."""
        return ", ".join(f"{times} {trouble}" for trouble, times in sorted(self.struck.items()))

    def _draw(self) -> _Trouble | None:
        if self.weather is Weather.AWAY:
            return _Trouble.CUT_BEFORE
        if self.weather is Weather.CALM or self._random.random() >= _CHANCE:
            return None
        return self._random.choice(tuple(_Trouble))

    async def _forward(self, request: web.BaseRequest, body: bytes) -> web.Response:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _OWN_HEADERS}
        async with self._session.post(self._target, data=body, headers=headers) as answer:
            return web.Response(
                status=answer.status,
                body=await answer.read(),
                headers={"content-type": answer.headers.get("content-type", "")},
            )


def _cut(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # to nobody


@asynccontextmanager
async def rough_proxy(target: str, seed: int) -> AsyncIterator[RoughProxy]:
    """A proxy on a free port, calm at first."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        proxy = RoughProxy(target, session, seed)
        runner = web.ServerRunner(web.Server(proxy.answer, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        proxy.url = f"http://{host}:{port}"
        try:
            yield proxy
        finally:
            await runner.cleanup()
