"""The way from one host to one service, with all that happens on it.

Rules of this file: what is cut or refused before the request gets there changes nothing; what is
cut after it was carried out has changed all. Answers are what AWS and the balancers before it say,
word for word where that is known. The signature is not judged, but whose keys it was made with is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from host.core.rewound import is_rewind
from host.errors import DamagedDataError
from host.storage.aws.table.items import batch_of
from host.storage.aws.table.keys import BATCHES, id_of, sort_key_of
from host.storage.aws.wire.client import Service
from host.storage.aws.wire.transport import Failure, Request, Response, Transport, TransportError
from tests.rough.trouble import ENDS_AT_S, Trouble, Troubles
from tests.simulation.loop import VirtualLoop
from tests.simulation.trace import Trace

_THROTTLING: dict[Service, Sequence[tuple[int, str]]] = {
    "dynamodb": (
        (400, "ProvisionedThroughputExceededException"),
        (400, "ThrottlingException"),
        (400, "RequestLimitExceeded"),
        (400, "KMS.ThrottlingException"),
        (503, "SlowDown"),
    ),
    "sqs": (
        (403, "RequestThrottled"),
        (400, "ThrottlingException"),
        (400, "KmsThrottled"),
        (400, "KMS.ThrottlingException"),
        (429, "TooManyRequestsException"),
    ),
}
_ENTRY_CODES = (
    ("RequestThrottled", True),
    ("ThrottlingException", True),
    ("KmsThrottled", True),
    ("InternalError", False),
    ("ServiceUnavailable", False),
)
_FAILURES = (
    Response(500, {}, b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}'),
    Response(500, {}, b'{"__type":"com.amazonaws.sqs#InternalError","message":"We failed."}'),
    Response(503, {}, b'{"__type":"com.amazon.coral.availability#ServiceUnavailableException"}'),
    Response(503, {"content-type": "text/html"}, b"<html><h1>503 Unavailable</h1></html>"),
    Response(502, {"content-type": "text/html"}, b"<html><h1>502 Bad Gateway</h1></html>"),
    Response(503, {}, b""),
    Response(500, {}, b"{}"),
)
_EXPIRED: dict[Service, str] = {
    "dynamodb": "com.amazon.coral.service#ExpiredTokenException",
    "sqs": "com.amazon.coral.service#ExpiredToken",
}
_KEY = re.compile(r"Credential=([^/]+)/")
_DROP_WITHIN_S = 3.0

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class RoughWire:
    """A `Transport`."""

    def __init__(
        self,
        service: Service,
        inner: Transport,
        *,
        loop: VirtualLoop,
        troubles: Troubles,
        trace: Trace,
        is_valid: Callable[[str], bool],
        sees_turn: Callable[[str, str], None],
    ) -> None:
        """`is_valid`: whether the service knows the keys of this id.

        `sees_turn` is told of each turn that is to be stored: its instance, and its key. A rewind
        is none: whoever is asked for it stores it, on top of what he has read.
        """
        self._service = service
        self._inner = inner
        self._loop = loop
        self._troubles = troubles
        self._trace = trace
        self._is_valid = is_valid
        self._sees_turn = sees_turn
        self._polls: set[asyncio.Task[Response]] = set()

    async def __call__(self, request: Request) -> Response:
        operation = request.headers["x-amz-target"].rpartition(".")[2]
        if operation == "PutItem":
            item = _decode(request.body)["Item"]
            if sort_key_of(item).startswith(BATCHES) and not _is_rewind(item):
                self._sees_turn(id_of(item), sort_key_of(item))
        answer = await self._before(operation, request)
        if answer is not None:
            return answer
        if operation == "ReceiveMessage":
            answer = await self._poll(self._ending(request))
        elif operation.endswith("MessageBatch"):
            answer = await self._in_part(request)
        else:
            answer = await self._inner(request)
        return self._after(operation, answer)

    async def _before(self, operation: str, request: Request) -> Response | None:
        """What becomes of the request on its way; None if it gets there."""
        happens, pick = self._troubles.happens, self._troubles.pick
        is_spared = self._service == "dynamodb" and self._troubles.spares_the_table
        if self._troubles.is_on(Trouble.AWAY) and not is_spared:
            self._troubles.note(Trouble.AWAY)
            return await self._away(operation, request)
        if happens(Trouble.CUT_BEFORE):
            failure = pick(Trouble.CUT_BEFORE).choice(
                (Failure.NOT_CONNECTED, Failure.CONNECTION_LOST)
            )
            await self._cut(operation, failure, "before it got there")
        if not self._is_valid(_KEY.findall(request.headers["authorization"])[0]):
            self._troubles.note(Trouble.EXPIRED_KEYS)
            await self._loop.pass_time(0.003)
            return self._refusal(400, _EXPIRED[self._service])
        if happens(Trouble.THROTTLED):
            await self._loop.pass_time(0.003)
            return self._refusal(*pick(Trouble.THROTTLED).choice(_THROTTLING[self._service]))
        if happens(Trouble.FAILING):
            draw = pick(Trouble.FAILING)
            if draw.random() < 0.4 and operation != "ReceiveMessage":  # else hints are hidden, too
                await self._inner(request)
            await self._loop.pass_time(draw.uniform(0.005, 1.0))
            self._trace.step(self._service, operation, "", "fails")
            return draw.choice(_FAILURES)
        return None

    async def _away(self, operation: str, request: Request) -> Response:
        """Nobody there, or only a balancer, or nothing that ever answers."""
        kind = self._troubles.pick(Trouble.AWAY).random()
        if kind < 0.6:
            await self._cut(operation, Failure.NOT_CONNECTED, "away")
        if kind < 0.9:
            await self._loop.pass_time(0.01)
            return self._troubles.pick(Trouble.AWAY).choice(_FAILURES)
        await self._loop.pass_time(request.timeout_s)
        raise TransportError(Failure.TIMED_OUT, "no answer: away")

    def _after(self, operation: str, answer: Response) -> Response:
        if self._troubles.happens(Trouble.CUT_AFTER):
            self._trace.step(self._service, operation, "", "answer cut")
            raise TransportError(Failure.CONNECTION_LOST, "cut after it was carried out")
        return answer

    async def _cut(self, operation: str, failure: Failure, why: str) -> None:
        self._trace.step(self._service, operation, "", why)
        await self._loop.pass_time(0.002)
        raise TransportError(failure, why)

    async def _poll(self, request: Request) -> Response:
        """A poll. The service does not notice that its client is gone: it takes what comes."""
        poll = asyncio.ensure_future(self._inner(request))
        self._polls.add(poll)
        poll.add_done_callback(self._ended)
        if not self._troubles.happens(Trouble.DEAD_POLLS):
            return await asyncio.shield(poll)
        await self._loop.pass_time(
            self._troubles.pick(Trouble.DEAD_POLLS).uniform(0, _DROP_WITHIN_S)
        )
        self._trace.step(self._service, "a poll", "", "is cut and goes on")
        raise TransportError(Failure.CONNECTION_LOST, "the poll was cut")

    def _ended(self, poll: asyncio.Task[Response]) -> None:
        self._polls.discard(poll)
        if not poll.cancelled():
            poll.exception()  # nobody may be left to hear of it

    def _ending(self, request: Request) -> Request:
        """The poll, but over when the trouble is: else it may hide hints after that."""
        if self._troubles.is_over:
            return request
        body = _decode(request.body)
        left_s = max(0.1, ENDS_AT_S - self._loop.time())
        wait_s = min(body["WaitTimeSeconds"], left_s)
        return request._replace(body=_encode({**body, "WaitTimeSeconds": wait_s}))

    async def _in_part(self, request: Request) -> Response:
        """A batch, of whose entries some are not taken."""
        body = _decode(request.body)
        happens, pick = self._troubles.happens, self._troubles.pick
        entries: list[dict[str, Any]] = body["Entries"]
        refused = [each for each in entries if happens(Trouble.THROTTLED_ENTRIES)]
        taken = [each for each in entries if each not in refused]
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        if taken:
            content = _encode({**body, "Entries": taken})
            response = await self._inner(request._replace(body=content))
            if response.status != 200 or not refused:
                return response
            answer = _decode(response.body)
        for entry in refused:
            code, is_senders = pick(Trouble.THROTTLED_ENTRIES).choice(_ENTRY_CODES)
            answer["Failed"].append({"Id": entry["Id"], "Code": code, "SenderFault": is_senders})
            self._trace.step(self._service, "an entry", "", code)
        return Response(200, {}, _encode(answer))

    def _refusal(self, status: int, code: str) -> Response:
        self._trace.step(self._service, "a request", "", code)
        return Response(status, {}, _encode({"__type": code, "message": "Slow down, or so."}))


def _is_rewind(item: dict[str, Any]) -> bool:
    """Whether the batch, which is short, is that of a rewind."""
    try:
        return is_rewind(batch_of(item, {}).batch)
    except DamagedDataError:  # its chunks are elsewhere
        return False
