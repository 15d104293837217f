"""What does a call to AWS cost in CPU: the lean client beside boto3, against an instant stub?

The stub is a process of its own that answers each operation with canned bytes, so what is counted
is the client's own work. Plain HTTP, rows of 1 KB, messages in batches of ten.
"""

from __future__ import annotations

import asyncio
import base64
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, cast

import boto3
import uvloop
from botocore.config import Config

from host.clock import SystemClock
from host.storage.aws.wire.client import AwsClient, Service
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.endpoints import Endpoint
from host.storage.aws.wire.signing import Keys, StaticCredentials

OUTSTANDING = 32
LEAN_CALLS = 6000
BOTO3_CALLS = 1500
WARM_UP = 300
REGION = "us-east-1"
KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")

DATA = b"x" * 1000
ENCODED = base64.b64encode(DATA).decode()
QUEUE = "https://queue.amazonaws.com/000000000000/hub-wakeups.fifo"
ID = "0123456789abcdef0123456789abcdef"

Call = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: what is asked, and what the stub answers. `method` is boto3's name of it."""

    service: Service
    name: str
    method: str
    body: dict[str, Any]
    answer: dict[str, Any]


OPERATIONS = (
    Operation(
        service="dynamodb",
        name="PutItem",
        method="put_item",
        body={
            "TableName": "hub",
            "Item": {"pk": {"S": f"h#{ID}"}, "sk": {"S": "0000000001"}, "data": {"B": DATA}},
            "ConditionExpression": "attribute_not_exists(pk)",
        },
        answer={},
    ),
    Operation(
        service="dynamodb",
        name="Query",
        method="query",
        body={
            "TableName": "hub",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": f"h#{ID}"}},
            "ConsistentRead": True,
        },
        answer={
            "Count": 10,
            "ScannedCount": 10,
            "Items": [
                {"pk": {"S": f"h#{ID}"}, "sk": {"S": f"{number:010}"}, "data": {"B": ENCODED}}
                for number in range(10)
            ],
        },
    ),
    Operation(
        service="sqs",
        name="SendMessageBatch",
        method="send_message_batch",
        body={
            "QueueUrl": QUEUE,
            "Entries": [
                {
                    "Id": str(number),
                    "MessageBody": json.dumps({"id": ID}),
                    "MessageGroupId": ID,
                    "MessageDeduplicationId": f"{ID}{number}",
                }
                for number in range(10)
            ],
        },
        answer={
            "Successful": [
                {"Id": str(number), "MessageId": ID, "MD5OfMessageBody": ID} for number in range(10)
            ],
            "Failed": [],
        },
    ),
    Operation(
        service="sqs",
        name="ReceiveMessage",
        method="receive_message",
        body={"QueueUrl": QUEUE, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20},
        answer={
            "Messages": [
                {"MessageId": ID, "ReceiptHandle": ID * 5, "Body": json.dumps({"id": ID})}
                for _ in range(10)
            ]
        },
    ),
)


ANSWERS = {
    f".{each.name}".lower().encode(): (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(answer), answer)
    )
    for each in OPERATIONS
    for answer in [json.dumps(each.answer).encode()]
}


class Stub(asyncio.Protocol):
    """Answers each request on a connection by the operation that its target names."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no `asyncio.WriteTransport`s, though they behave like them.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            length = int(headers[b"content-length"])
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            target = headers[b"x-amz-target"]
            self._transport.write(ANSWERS[target[target.index(b".") :]])


def serve(ready: Connection) -> None:
    """The stub's process."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


@contextmanager
def stub() -> Iterator[str]:
    """A running stub's URL."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=serve, args=(sender,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        process.terminate()
        process.join()


async def lean(url: str, operation: Operation) -> float:
    """Microseconds of CPU for each call of the lean client."""
    transport = PooledTransport()
    await transport.open()
    client = AwsClient(
        service=operation.service,
        endpoint=Endpoint(url=url, region=REGION),
        credentials=StaticCredentials(KEYS),
        transport=transport,
        clock=SystemClock(),
    )
    try:
        call = partial(client.call, operation.name, operation.body)
        await many(call, WARM_UP)
        began = time.process_time()
        await many(call, LEAN_CALLS)
        return (time.process_time() - began) / LEAN_CALLS * 1e6
    finally:
        await transport.close()


async def many(call: Call, count: int) -> None:
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(work() for _ in range(OUTSTANDING)))


def boto(url: str, operation: Operation) -> float:
    """Microseconds of CPU for each call of boto3's client."""
    client = boto3.client(
        operation.service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key,
        config=Config(max_pool_connections=OUTSTANDING),
    )
    method = getattr(client, operation.method)

    def measure(pool: ThreadPoolExecutor, count: int) -> None:
        for _ in pool.map(lambda _: method(**operation.body), range(count)):
            pass

    with ThreadPoolExecutor(OUTSTANDING) as pool:
        measure(pool, WARM_UP)
        began = time.process_time()
        measure(pool, BOTO3_CALLS)
        return (time.process_time() - began) / BOTO3_CALLS * 1e6


def main() -> None:
    with stub() as url:
        for operation in OPERATIONS:
            figures = {
                "lean": uvloop.run(lean(url, operation)),
                "lean_without_uvloop": asyncio.run(lean(url, operation)),
                "boto3": boto(url, operation),
            }
            cpu_us = {name: round(figure) for name, figure in figures.items()}
            print(json.dumps({"benchmark": f"aws {operation.name}", "cpu_us": cpu_us}), flush=True)


if __name__ == "__main__":
    main()
