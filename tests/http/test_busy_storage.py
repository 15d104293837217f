"""AWS was asked too much: that is no fault of the host's, and who asks again later is served."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from host.clock import SystemClock
from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.transport import Request, Response, Transport
from tests.http.hosting import Host, running_host
from tests.kit.aws_engine import POLL_S, AwsHub, aws_hub

pytestmark = pytest.mark.aws

LONG = "".join(chr(0x4E00 + (n * 7919) % 20_000) for n in range(20_000))
"""So long, and so hard to compress, that it lies in items of its own."""


class Busy:
    """A way to the server on which calls of the operation `overdone` are too many."""

    def __init__(self, transport: Transport) -> None:
        self.overdone = ""
        self._transport = transport

    async def __call__(self, request: Request) -> Response:
        if self.overdone != request.headers["x-amz-target"].rpartition(".")[2]:
            return await self._transport(request)
        body = json.loads(request.body)
        if "RequestItems" in body:
            return _answer({"UnprocessedItems": body["RequestItems"]})
        if "Entries" in body:
            failed = [{"Id": entry["Id"], "SenderFault": False} for entry in body["Entries"]]
            return _answer({"Failed": failed})
        return _answer({"__type": "aws#ProvisionedThroughputExceededException"}, 400)


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    return Response(status, {}, json.dumps(body).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyHost:
    """A host, and its way to AWS."""

    host: Host
    way: Busy


@pytest.fixture
async def busy(moto_url: str) -> AsyncIterator[BusyHost]:
    """A host on AWS."""
    async with aws_hub(moto_url) as hub:
        way = Busy(hub.pool)
        store, queues = _storage(hub, way)
        await store.open()
        await queues.open()
        async with running_host(storage=(store, queues)) as host:
            yield BusyHost(host=host, way=way)
            way.overdone = ""
        await queues.close()
        await store.close()


def _storage(hub: AwsHub, way: Transport) -> tuple[DynamoStore, SqsQueues]:
    clock = SystemClock()
    queues = SqsQueues(
        hub.layout.wakeup_queue_names,
        hub.layout.work_queue_name,
        client=hub.client("sqs", way),
        clock=clock,
        poll_s=POLL_S,
    )
    return DynamoStore(hub.client("dynamodb", way), hub.layout.table_name, clock.now), queues


@pytest.mark.parametrize(
    ("overdone", "method", "path", "content"),
    [
        pytest.param("PutItem", "POST", "orchestrators/echo", 1, id="a put is throttled"),
        pytest.param("GetItem", "GET", "instances/it", None, id="a get is throttled"),
        pytest.param("Query", "GET", "instances", None, id="a query is throttled"),
        pytest.param(
            "BatchWriteItem", "POST", "orchestrators/echo", LONG, id="items are left undone"
        ),
        pytest.param("PutItem", "POST", "/api/start/echo", 1, id="in a function"),
    ],
)
async def test_a_request_that_was_too_much_for_aws_is_to_be_made_again_later(
    busy: BusyHost,
    caplog: pytest.LogCaptureFixture,
    overdone: str,
    method: str,
    path: str,
    content: Any,
) -> None:
    busy.way.overdone = overdone
    with caplog.at_level(logging.WARNING):
        response = await busy.host.call(method, path, json=content)
    assert (response.status, response.headers["Retry-After"]) == (503, "5")
    assert "try again later" in (await response.json())["Message"]
    told = [record for record in caplog.records if record.name.startswith(("host", "funchost"))]
    assert [(record.name, record.exc_info) for record in told] == [("funchost.engine", None)]
    busy.way.overdone = ""
    assert (await busy.host.call(method, path, json=content)).status in {200, 202, 404}


@pytest.mark.parametrize("path", ["orchestrators/echo", "/api/start/echo"])
async def test_found_a16_a_start_that_is_stored_is_accepted_though_the_queue_is_busy(
    busy: BusyHost, path: str
) -> None:
    busy.way.overdone = "SendMessageBatch"
    response = await busy.host.call("POST", path, json=1)
    assert response.status in {200, 202}
    busy.way.overdone = ""
    page = await busy.host.hub.query_instances()
    assert len(page.items) == 1
    state = await busy.host.hub.wait_for_instance_completion(page.items[0].instance_id)
    assert state.output == 1
