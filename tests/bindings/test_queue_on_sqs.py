"""The same functions on two servers that stand in for SQS, by a connection; in both styles."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from bindings.kinds.queues import OutgoingMessage, ReceivedMessage
from host.clock import SystemClock
from host.storage.aws.wire.connections import PooledTransport
from tests.kit.aws_servers import ACCESS_KEY, REGION, SECRET_KEY
from tests.kit.queue_apps import queue_app
from tests.kit.queues_on_sqs import HostOnSqs
from tests.kit.served_app import served

MakeApp = Callable[[Mapping[str, str]], Path]
QUEUES = ("orders", "orders-poison", "taken-se", "work.fifo")


@dataclass
class OnSqs:
    """A host with these functions, and what the test does by hand."""

    session: aiohttp.ClientSession
    sqs: HostOnSqs
    prefix: str

    async def post(self, path: str, body: str | bytes, status: int = 200) -> str:
        async with self.session.post(path, data=body) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return text

    async def send(self, queue: str, *bodies: str) -> None:
        await self.sqs.queue(self.prefix + queue).send(
            [OutgoingMessage(body=each) for each in bodies]
        )

    async def take(self, queue: str, count: int) -> list[ReceivedMessage]:
        """So many messages of a queue, which are gone then."""
        source = self.sqs.queue_source(self.prefix + queue)
        await source.facts()
        taken: list[ReceivedMessage] = []
        while len(taken) < count:
            taken += (some := await source.receive(10))
            await source.delete(some)
        await source.close()
        return taken


@pytest.fixture(
    params=["ministack", pytest.param("moto", marks=pytest.mark.moto)],
)
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@asynccontextmanager
async def by_hand(url: str) -> AsyncIterator[HostOnSqs]:
    transport = PooledTransport()
    await transport.open()
    try:
        sqs = HostOnSqs(transport, SystemClock(), url=url)
        yield sqs
        await sqs.driver.close()
    finally:
        await transport.close()


@pytest.fixture(params=[True, False], ids=["decorated", "function.json"])
async def host(
    request: pytest.FixtureRequest, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, url: str
) -> AsyncIterator[OnSqs]:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    for name, value in {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "shop__endpoint": url,
        "shop__region": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    prefix = f"q{uuid4().hex[:8]}-"
    async with by_hand(url) as sqs:
        for name in QUEUES:
            fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
            await sqs.call("CreateQueue", QueueName=prefix + name, Attributes=fifo)
        app = make_app(queue_app(is_decorated=request.param, prefix=prefix, connection="shop"))
        async with served(app) as (_, session):
            yield OnSqs(session, sqs, prefix)


@pytest.mark.aws
async def test_functions_take_and_send_and_what_fails_is_poisoned(host: OnSqs) -> None:
    good = {"id": "2", "total": 3, "country": "se"}
    lost = {"id": "1", "total": 2}  # its output names a country, and it has none
    await host.post("/api/send", json.dumps([good, lost]))
    bad = ["no JSON", '{"id": "1"}', '{"id": "1", "total": -1, "country": "se"}']
    await host.send("orders", *bad)
    (taken,) = await host.take("taken-se", 1)
    assert taken.body == '{"taken":"2"}'
    poisoned = {each.body: each.attributes for each in await host.take("orders-poison", 4)}
    errors = {body: said["funchost-error"] for body, said in poisoned.items()}
    assert errors.keys() == {*bad, '{"id":"1","total":2}'}
    assert errors[bad[2]] == "ValueError: a negative total"
    assert "does not fit" in errors[bad[0]]
    assert "does not fit" in errors[bad[1]]
    assert "No value for named parameter 'country'" in errors['{"id":"1","total":2}']
    assert {said["funchost-tries"] for said in poisoned.values()} == {"5"}


@pytest.mark.aws
async def test_messages_of_fifo_queues_have_their_group(host: OnSqs) -> None:
    await host.post("/api/ordered?group=a", b"one")
    assert "need a group" not in await host.post("/api/ordered?group=a", b"two")
    await host.post("/api/ordered", b"three", status=400)
    await host.post("/api/ordered?group=a", b"\x00", status=400)
    messages = await host.take("work.fifo", 2)
    assert [(each.body, each.group_id) for each in messages] == [("one", "a"), ("two", "a")]
