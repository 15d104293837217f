"""AWS on a bad day: a way to a real server on which calls fail in all the ways they can.

Rules of this file: which calls fail is drawn from a seed, so a run can be had again. A call fails
at most twice in a row, so that with retries everything comes to an end.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from host.storage.aws.wire.transport import Failure, Request, Response, Transport, TransportError

MOST_IN_A_ROW = 2
SHARE_OF_HALVES = 0.5
"""How many of the faults of a batch leave a part of it undone."""


class FaultyTransport:
    """Passes requests on, some of them badly; `faults` counts what happened."""

    def __init__(self, transport: Transport, *, seed: int, rate: float = 0.1) -> None:
        self._transport = transport
        self._random = random.Random(seed)
        self._rate = rate
        self._in_a_row = 0
        self.faults: Counter[str] = Counter()
        self._kinds: tuple[Callable[[Request], Awaitable[Response]], ...] = (
            self._throttle,
            self._fail,
            self._lose_request,
            self._lose_answer,
        )

    async def __call__(self, request: Request) -> Response:
        """Make one attempt."""
        if self._in_a_row >= MOST_IN_A_ROW or self._random.random() >= self._rate:
            self._in_a_row = 0
            return await self._transport(request)
        self._in_a_row += 1
        if "Batch" in _operation(request) and self._random.random() < SHARE_OF_HALVES:
            return await self._do_half(request)
        return await self._random.choice(self._kinds)(request)

    async def _throttle(self, request: Request) -> Response:
        self.faults["throttled"] += 1
        return _refusal(400, "ProvisionedThroughputExceededException")

    async def _fail(self, request: Request) -> Response:
        """An error of the service, which may have done the work all the same."""
        self.faults["failed"] += 1
        await self._transport(request)
        return _refusal(500, "InternalServerError")

    async def _lose_request(self, request: Request) -> Response:
        self.faults["request lost"] += 1
        raise TransportError(Failure.CONNECTION_LOST, "on a bad day")

    async def _lose_answer(self, request: Request) -> Response:
        self.faults["answer lost"] += 1
        await self._transport(request)
        raise TransportError(Failure.CONNECTION_LOST, "on a bad day")

    async def _do_half(self, request: Request) -> Response:
        """Leave a part of a batch undone."""
        body = json.loads(request.body)
        if "Entries" in body:
            return await self._send_half(request, body)
        self.faults["half done"] += 1
        ((table, requests),) = body["RequestItems"].items()
        # The server judges no signature, so the body may be another one.
        now, later = requests[: len(requests) // 2], requests[len(requests) // 2 :]
        if now:
            await self._transport(_with_body(request, {"RequestItems": {table: now}}))
        return Response(200, {}, json.dumps({"UnprocessedItems": {table: later}}).encode())

    async def _send_half(self, request: Request, body: dict[str, Any]) -> Response:
        """What SQS says of a batch of which it did only the first half."""
        self.faults["half sent"] += 1
        entries = body["Entries"]
        now, later = entries[: len(entries) // 2], entries[len(entries) // 2 :]
        done: list[dict[str, Any]] = []
        if now:
            response = await self._transport(_with_body(request, {**body, "Entries": now}))
            done = json.loads(response.body).get("Successful") or []
        failed = [
            {"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"} for entry in later
        ]
        answer = {"Successful": done, "Failed": failed}
        return Response(200, {}, json.dumps(answer).encode())


def _operation(request: Request) -> str:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return headers["x-amz-target"].rpartition(".")[2]


def _refusal(status: int, code: str) -> Response:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "on a bad day"}
    return Response(status, {}, json.dumps(body).encode())


def _with_body(request: Request, body: dict[str, Any]) -> Request:
    return request._replace(body=json.dumps(body).encode())
