"""Sends spans by OTLP over HTTP, in JSON, to a receiver such as OpenTelemetry's Collector.

Rules of this file: nobody waits for a receiver. Spans are gathered for a moment and go out in
batches; what a receiver does not take for now is sent again, and what there is no room for is
dropped and counted. The log says once that a receiver fails, and once that it works again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from gzip import compress
from itertools import islice
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from host.about import installed_version
from host.clock import Clock
from host.logs import HostLog
from host.traces.otlp_json import written
from host.traces.settings import TraceSettings
from host.traces.spans import Span

MAX_WAITING: Final = 20_000
BATCH: Final = 512
CLOSE_S: Final = 3.0
_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
_PACK_LEVEL: Final = 1

_log = HostLog("funchost.traces")


class OtlpExporter:
    """An `Exporter`. To be made on the event loop."""

    def __init__(self, settings: TraceSettings, clock: Clock) -> None:
        """Raises `OSError` for certificates that cannot be read."""
        self._settings = settings
        self._clock = clock
        self._waiting: deque[Span] = deque()
        self._dropped = 0
        self._is_failing = False
        self._version = installed_version()
        certificate = settings.certificate
        self._tls = True if certificate is None else ssl.create_default_context(cafile=certificate)
        self._session: ClientSession | None = None
        self._sending = asyncio.create_task(self._send_again_and_again(), name="traces")

    def export(self, span: Span) -> None:
        """Have it sent."""
        if len(self._waiting) >= MAX_WAITING:
            self._dropped += 1
            return
        self._waiting.append(span)

    async def close(self) -> None:
        """Send what is left."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._send_all()
        if self._session is not None:
            await self._session.close()
        if self._waiting or self._dropped:
            _log.warning("%d spans were not sent.", len(self._waiting) + self._dropped)

    async def _send_again_and_again(self) -> None:
        while True:
            await self._clock.sleep(self._settings.delay_s)
            await self._send_all()

    async def _send_all(self) -> None:
        """Send what waits, as long as it is taken."""
        while self._waiting:
            batch = list(islice(self._waiting, BATCH))
            if not await self._is_taken(batch):
                return
            for _ in batch:
                self._waiting.popleft()

    async def _is_taken(self, batch: list[Span]) -> bool:
        """Send it; False if it is to be sent again later. What a receiver refuses is dropped."""
        settings = self._settings
        body = written(batch, settings.resource, self._version)
        headers = {"Content-Type": "application/json", **settings.headers}
        if settings.packs:
            body = compress(body, _PACK_LEVEL)
            headers["Content-Encoding"] = "gzip"
        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=settings.timeout_s))
        try:
            async with self._session.post(
                settings.url, data=body, headers=headers, ssl=self._tls
            ) as answer:
                status = answer.status
        except (ClientError, OSError, TimeoutError) as error:
            self._failed(str(error) or type(error).__name__)
            return False
        if status in _AGAIN:
            self._failed(f"it answered {status}")
            return False
        if status >= 300:
            self._failed(f"it answered {status}")
            self._dropped += len(batch)
            return True
        self._worked()
        return True

    def _failed(self, why: str) -> None:
        if not self._is_failing:
            self._is_failing = True
            _log.warning("Traces cannot be sent to %s: %s", self._settings.url, why)

    def _worked(self) -> None:
        if self._is_failing:
            self._is_failing = False
            dropped, self._dropped = self._dropped, 0
            _log.warning("Traces are sent again. Spans that were dropped: %d.", dropped)
