"""An instant AWS in a process of its own: as much of DynamoDB and SQS as short orchestrations need.

It keeps the row of each unfinished instance, since a session begins by reading it, and a queue of
wake-ups, whose long polls it holds. Every other answer is canned, and every condition holds. It is
there to cost little, so that what is measured is the host.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing.connection import Connection
from typing import Any, TypeAlias, cast

import msgspec
import uvloop

Body: TypeAlias = dict[str, Any]
Answer: TypeAlias = Callable[[bytes], None]

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n"
_TARGET = re.compile(rb"(?i)\r\nx-amz-target: [^.\r]*\.(\w+)")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
_QUEUE_URL = b'{"QueueUrl":"https://queue.amazonaws.com/000000000000/hub-wakeups.fifo"}'
_AT_ONCE = 10
"""How many messages one receive may bring."""

_encode = msgspec.json.Encoder().encode


class _Ids(msgspec.Struct):
    """What is read of an entry of a batch."""

    Id: str
    MessageBody: str = ""


class _Batch(msgspec.Struct):
    Entries: list[_Ids]


class _Put(msgspec.Struct):
    Item: dict[str, Any]


class _Update(msgspec.Struct):
    Key: dict[str, Any]
    UpdateExpression: str


class _Query(msgspec.Struct):
    ExpressionAttributeValues: dict[str, Any]


_read_batch = msgspec.json.Decoder(_Batch).decode
_read_put = msgspec.json.Decoder(_Put).decode
_read_update = msgspec.json.Decoder(_Update).decode
_read_query = msgspec.json.Decoder(_Query).decode


class _Hub:
    """The state of the hub, and an answer for each operation."""

    def __init__(self) -> None:
        self._rows: dict[str, Body] = {}
        self._messages: deque[str] = deque()
        self._polls: deque[Answer] = deque()
        self._numbers = count()
        self._operations: dict[bytes, Callable[[bytes], bytes]] = {
            b"GetQueueUrl": lambda _: _QUEUE_URL,
            b"PutItem": self._put,
            b"UpdateItem": self._update,
            b"Query": self._query,
            b"SendMessageBatch": self._send,
            b"DeleteMessageBatch": _agree,
            b"ChangeMessageVisibilityBatch": _agree,
        }

    def handle(self, operation: bytes, body: bytes, answer: Answer) -> None:
        """Do one operation; a receive is answered when there is something."""
        if operation == b"ReceiveMessage":
            self._polls.append(answer)
        else:
            answer(self._operations.get(operation, _accept)(body))
        self._hand_out()

    def _put(self, body: bytes) -> bytes:
        item = _read_put(body).Item
        if item["sk"]["S"] == "meta":
            self._rows[item["pk"]["S"]] = item
        return b"{}"

    def _update(self, body: bytes) -> bytes:
        """A row that is taken out of the index of unfinished instances is not read again."""
        update = _read_update(body)
        if "#us" in update.UpdateExpression:
            self._rows.pop(update.Key["pk"]["S"], None)
        return b"{}"

    def _query(self, body: bytes) -> bytes:
        """All of an instance is its row; a part of it, or an index, is empty."""
        values = _read_query(body).ExpressionAttributeValues
        row = self._rows.get(values[":pk"]["S"]) if values.keys() == {":pk"} else None
        return b'{"Items":[]}' if row is None else b'{"Items":[%s]}' % _encode(row)

    def _send(self, body: bytes) -> bytes:
        entries = _read_batch(body).Entries
        self._messages.extend(entry.MessageBody for entry in entries)
        return _agreed(entries)

    def _hand_out(self) -> None:
        while self._messages and self._polls:
            taken = [self._messages.popleft() for _ in range(min(_AT_ONCE, len(self._messages)))]
            messages = [
                {"MessageId": "1", "ReceiptHandle": str(next(self._numbers)), "Body": body}
                for body in taken
            ]
            self._polls.popleft()(_encode({"Messages": messages}))


def _accept(_: bytes) -> bytes:
    return b"{}"


def _agree(body: bytes) -> bytes:
    return _agreed(_read_batch(body).Entries)


def _agreed(entries: list[_Ids]) -> bytes:
    return _encode({"Successful": [{"Id": entry.Id} for entry in entries], "Failed": []})


class _Connection(asyncio.Protocol):
    """Reads requests, one after the other; every answer takes its time."""

    def __init__(self, hub: _Hub, delay_s: float) -> None:
        self._hub = hub
        self._delay_s = delay_s
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no `asyncio.WriteTransport`s, though they behave like them.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n") + 4) > 3:
            length, target = _LENGTH.search(self._buffer), _TARGET.search(self._buffer)
            if length is None or target is None:
                self._transport.close()
                return
            whole = end + int(length[1])
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end:whole], self._buffer[whole:]
            self._hub.handle(target[1], body, self._answer)

    def _answer(self, body: bytes) -> None:
        if self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self._write, body)
        else:
            self._write(body)

    def _write(self, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(_HEAD % len(body) + body)


def _serve(ready: Connection, delay_s: float) -> None:
    """The stub's process."""
    _stand_back()

    async def run() -> None:
        hub = _Hub()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(hub, delay_s), "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


def _stand_back() -> None:
    """Never take a processor away from the host: AWS has its own.

    Without this the host's every write wakes the stub, and the stub goes first.
    """
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


@contextmanager
def stub(delay_s: float = 0.0) -> Iterator[str]:
    """A running stub's URL. Each of its answers leaves so much later than it could."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, delay_s), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        process.terminate()
        process.join()
