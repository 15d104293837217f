"""What SQS does not show yet is waited for: no queue silently lacks its dead-letter queue."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from host.errors import StorageUnavailableError
from host.settings.connections import AwsOptions
from host.storage.aws.schema import HubLayout, queue_definitions
from host.storage.aws.setup.provision import Provisioner
from host.storage.aws.setup.queues import SHOWN_WITHIN_S
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.transport import Request, Response, Transport
from tests.kit.aws_servers import aws_environment, boto3_client
from tests.kit.doors import door

pytestmark = pytest.mark.aws

LATE = 3
UNKNOWN = {
    "__type": "com.amazonaws.sqs#QueueDoesNotExist",
    "message": "The specified queue does not exist.",
}


class LateQueues:
    """A way to a server that shows no queue before it was asked for it so many times."""

    def __init__(self, transport: Transport, *, looks: int) -> None:
        self._transport = transport
        self._looks = looks
        self._asked: Counter[str] = Counter()

    async def __call__(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        operation = headers["x-amz-target"].rpartition(".")[2]
        if operation in {"GetQueueUrl", "GetQueueAttributes"}:
            body = json.loads(request.body)
            name = body.get("QueueName") or body["QueueUrl"].rpartition("/")[2]
            self._asked[f"{operation} {name}"] += 1
            if self._asked[f"{operation} {name}"] <= self._looks:
                return Response(400, {}, json.dumps(UNKNOWN).encode())
        return await self._transport(request)


class LingeringQueues:
    """A way to a server that still tells the URLs of queues that are gone, as SQS does at first."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._urls: dict[str, Response] = {}
        self._gone: set[str] = set()

    async def __call__(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        operation, body = headers["x-amz-target"].rpartition(".")[2], json.loads(request.body)
        name = body.get("QueueName") or body.get("QueueUrl", "").rpartition("/")[2]
        if operation == "DeleteQueue":
            if name in self._gone:
                return Response(400, {}, json.dumps(UNKNOWN).encode())
            self._gone.add(name)
        if operation == "GetQueueUrl" and name in self._gone:
            return self._urls[name]
        response = await self._transport(request)
        if operation == "GetQueueUrl":
            self._urls[name] = response
        return response


@pytest.fixture
def layout() -> HubLayout:
    return HubLayout(hub=f"T{uuid4().hex[:12]}", wakeup_queues=2)


@pytest.fixture
def pauses() -> list[float]:
    """How long was waited, each time."""
    return []


@asynccontextmanager
async def late_setup(
    url: str, layout: HubLayout, pauses: list[float], *, looks: int = LATE
) -> AsyncIterator[Provisioner]:
    pool = PooledTransport()
    await pool.open()
    async with door(LateQueues(pool, looks=looks), url) as way:
        yield Provisioner(layout, AwsOptions(endpoint_url=way), pause=pauses.append)
    await pool.close()


async def created(setup: Provisioner) -> list[str]:
    return await asyncio.to_thread(lambda: list(setup.create()))


@pytest.fixture(autouse=True)
def environment(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)
    yield


async def test_found_f9_a_queue_that_sqs_does_not_show_yet_gets_its_dead_letter_queue(
    aws_url: str, layout: HubLayout, pauses: list[float]
) -> None:
    async with late_setup(aws_url, layout, pauses) as setup:
        lines = await created(setup)
    names = [queue.name for queue in queue_definitions(layout)]
    assert lines[-len(names) :] == [f"Created queue {name}." for name in names]
    findings = await asyncio.to_thread(lambda: list(Provisioner(layout, AwsOptions()).status()))
    assert [finding.problem for finding in findings] == [None] * (1 + len(names))
    assert pauses == [1.0] * (2 * LATE)  # for each of both dead-letter queues


async def test_a_queue_that_somebody_else_made_a_moment_ago_is_adopted(
    aws_url: str, layout: HubLayout, pauses: list[float]
) -> None:
    await created(Provisioner(layout, AwsOptions()))
    name = layout.work_queue_name
    await asyncio.to_thread(change, aws_url, name)
    async with late_setup(aws_url, layout, pauses) as setup:
        lines = await created(setup)
    assert f"Queue {name} exists; set VisibilityTimeout." in lines
    findings = await asyncio.to_thread(lambda: list(Provisioner(layout, AwsOptions()).status()))
    assert not any(finding.problem for finding in findings)


async def test_a_dead_letter_queue_that_sqs_never_shows_is_an_error_and_not_left_out(
    aws_url: str, layout: HubLayout, pauses: list[float]
) -> None:
    async with late_setup(aws_url, layout, pauses, looks=10**6) as setup:
        with pytest.raises(StorageUnavailableError, match=r"does not show .*-wakeups-dead\.fifo"):
            await created(setup)
    assert len(pauses) == SHOWN_WITHIN_S


async def test_a_hub_is_deleted_twice_while_sqs_still_tells_of_its_queues(
    aws_url: str, layout: HubLayout
) -> None:
    await created(Provisioner(layout, AwsOptions()))
    pool = PooledTransport()
    await pool.open()
    async with door(LingeringQueues(pool), aws_url) as way:
        options = AwsOptions(endpoint_url=way)
        first = await asyncio.to_thread(lambda: list(Provisioner(layout, options).delete()))
        second = await asyncio.to_thread(lambda: list(Provisioner(layout, options).delete()))
    await pool.close()
    names = [queue.name for queue in reversed(queue_definitions(layout))]
    assert first[1:] == [f"Deleted queue {name}." for name in names]
    assert second[1:] == [f"There is no queue {name}." for name in names]


def change(url: str, name: str) -> None:
    """Give a queue another attribute, by hand."""
    sqs = boto3_client("sqs", url)
    queue = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "5"})
