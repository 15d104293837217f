"""`blobTrigger` in both styles: on folders, and on two servers that stand in for S3 and SQS."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus
from uuid import uuid4

import aiohttp
import pytest

from host.functions.loader import load_app
from host.functions.oddities import odd_triggers
from host.settings import load_settings
from tests.kit.aws_servers import aws_environment, boto3_client
from tests.kit.binding_hosts import Style, Written, hosted, until, write_app

pytestmark = pytest.mark.parametrize("style", list(Style))

CODE = """
from dataclasses import dataclass
from pathlib import Path
from funchost import InputStream, Out

@dataclass
class Order:
    id: str
    amount: int

def main(order: Order, receipt: Out[str], copy: Out[str]) -> None:
    with (Path(__file__).parents[DEPTH] / "runs").open("a") as runs:
        runs.write(order.id + "\\n")
    if order.amount < 0:
        raise ValueError("nobody sells so much")
    receipt.set(f"{order.id}: {order.amount}")
    copy.set("copy")
"""

MOURN = """
from pathlib import Path

def main(message: str) -> None:
    (Path(__file__).parents[DEPTH] / "poison").write_text(message)
"""


@dataclass
class Place:
    """Two containers: what comes in, and what the function writes."""

    app: Path
    incoming: str = "incoming"
    outgoing: str = "outgoing"
    url: str = ""
    queue: str = ""

    def __post_init__(self) -> None:
        if self.url:
            self.s3 = boto3_client("s3", self.url)
            self.sqs = boto3_client("sqs", self.url)
            for bucket in (self.incoming, self.outgoing):
                self.s3.create_bucket(Bucket=bucket)
            for name in (self.queue, f"{self.queue}-poison"):
                self.sqs.create_queue(QueueName=name)

    def drop(self, name: str, content: bytes) -> None:
        """Put a blob there, as somebody who knows nothing of the host."""
        if not self.url:
            path = self._folder(self.incoming) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(content)
            os.utime(part, (0, 0))  # nobody has to wait until it is settled
            part.rename(path)
            return
        self.s3.put_object(Bucket=self.incoming, Key=name, Body=content)
        s3 = {"bucket": {"name": self.incoming}, "object": {"key": quote_plus(name)}}
        self.tell({"Records": [{"eventName": "ObjectCreated:Put", "s3": s3}]})

    def tell(self, said: object) -> None:
        """Send this to the queue of the notifications."""
        body = said if isinstance(said, str) else json.dumps(said)
        self.sqs.send_message(QueueUrl=self._queue_url(self.queue), MessageBody=body)

    def written(self, name: str) -> str | None:
        if not self.url:
            path = self._folder(self.outgoing) / name
            return path.read_text() if path.is_file() else None
        try:
            found = self.s3.get_object(Bucket=self.outgoing, Key=name)["Body"].read().decode()
        except self.s3.exceptions.NoSuchKey:
            return None
        return str(found)

    def runs(self) -> list[str]:
        path = self.app / "runs"
        return path.read_text().splitlines() if path.exists() else []

    def told_of_poison(self) -> str:
        """What the other function was told of blobs that are poison."""
        path = self.app / "poison"
        return path.read_text() if path.exists() else ""

    def poison(self) -> list[dict[str, Any]]:
        """The messages in the poison queue on SQS."""
        found = self.sqs.receive_message(
            QueueUrl=self._queue_url(f"{self.queue}-poison"), MessageAttributeNames=["All"]
        )
        return found.get("Messages", [])  # type: ignore[no-any-return]

    def left(self) -> int:
        """How many notifications are in their queue."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(
            QueueUrl=self._queue_url(self.queue), AttributeNames=names
        )
        return sum(int(found["Attributes"][name]) for name in names)

    def function(self, style: Style, **trigger: Any) -> Written:
        """Has an `Order` of each blob, and writes two."""
        there = {"connection": "STORE"} if self.url else {}
        queue = {"queueName": self.queue} if self.url else {}
        depth = "0" if style is Style.DECORATORS else "1"
        return Written(
            "take",
            CODE.replace("DEPTH", depth),
            [
                {
                    "type": "blobTrigger",
                    "name": "order",
                    "direction": "in",
                    "path": f"{self.incoming}/{{shop}}/{{number}}.json",
                    **there,
                    **queue,
                    **trigger,
                },
                {
                    "type": "blob",
                    "name": "receipt",
                    "direction": "out",
                    "path": f"{self.outgoing}/{{shop}}-{{number}}.txt",
                    **there,
                },
                {
                    "type": "blob",
                    "name": "copy",
                    "direction": "out",
                    "path": f"{self.outgoing}/{{shop}}/{{properties.length}}",
                    **there,
                },
            ],
        )

    def _folder(self, container: str) -> Path:
        return self.app / ".funchost" / "blobs" / container

    def _queue_url(self, name: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=name)["QueueUrl"])


def mourner(depth: int) -> Written:
    """A function that is told of blobs that are poison."""
    queue = {"type": "queueTrigger", "name": "message", "direction": "in"}
    code = MOURN.replace("DEPTH", str(depth))
    return Written("mourn", code, [{**queue, "queueName": "webjobs-blobtrigger-poison"}])


MOURNER = {Style.DECORATORS: mourner(0), Style.FOLDERS: mourner(1)}


@pytest.fixture(
    params=[
        "folder",
        pytest.param("moto", marks=[pytest.mark.aws, pytest.mark.moto]),
        pytest.param("ministack", marks=pytest.mark.aws),
    ]
)
def place(
    request: pytest.FixtureRequest, app_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    if request.param == "folder":
        return Place(app_folder)
    url = request.getfixturevalue(f"{request.param}_url")
    for name, value in aws_environment(url).items():
        if name != "AWS_ENDPOINT_URL":  # the connection says it
            monkeypatch.setenv(name, value)
    mark = uuid4().hex[:12]
    return Place(app_folder, f"in-{mark}", f"out-{mark}", url, f"told-{mark}")


@asynccontextmanager
async def running(
    place: Place, style: Style, extensions: dict[str, Any] | None = None, **trigger: Any
) -> AsyncIterator[aiohttp.ClientSession]:
    write_app(
        place.app,
        style,
        [place.function(style, **trigger), MOURNER[style]],
        values={"STORE": place.url} if place.url else {},
        extensions=extensions,
    )
    async with hosted(place.app) as (_, session):
        yield session


def order(name: str, amount: int) -> bytes:
    return json.dumps({"id": name, "amount": amount}).encode()


async def test_a_function_runs_for_each_new_blob_and_writes_its_outputs(
    place: Place, style: Style
) -> None:
    async with running(place, style):
        place.drop("kiosk/a b+ü.json", order("one", 7))
        place.drop("other.txt", b"not meant")
        place.drop("shop/deep/2.json", order("two", 8))
        assert await until(lambda: place.written("kiosk-a b+ü.txt")) == "one: 7"
        assert await until(lambda: place.written("shop/deep-2.txt")) == "two: 8"
        length = len(order("two", 8))
        assert await until(lambda: place.written(f"shop/deep/{length}")) == "copy"
        if place.url:
            await until(lambda: place.left() == 0)
    assert sorted(place.runs()) == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "reason", "runs"),
    [
        (order("bad", -1), "nobody sells so much", True),
        (b'{"id": 5}', "Field required", False),
        (b"\xff", "is no text in UTF-8", False),
    ],
)
async def test_a_blob_that_fails_too_often_is_poison_and_the_others_go_on(
    place: Place,
    style: Style,
    content: bytes,
    reason: str,
    runs: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    one_try = {"blobs": {"poisonBlobThreshold": 1}}
    async with running(place, style, one_try):
        place.drop("shop/bad.json", content)
        place.drop("shop/good.json", order("good", 1))
        assert await until(lambda: place.written("shop-good.txt")) == "good: 1"
        if place.url:
            (message,) = await until(place.poison)
            assert reason in json.dumps(message)
        else:
            await until(lambda: "is poison for the function 'take'" in caplog.text)
            assert reason in await until(place.told_of_poison)
    assert reason in caplog.text
    assert place.runs().count("bad") == int(runs)
    assert place.written("shop-bad.txt") is None


async def test_an_output_that_fails_fails_the_run(
    place: Place, style: Style, caplog: pytest.LogCaptureFixture
) -> None:
    limits = {"blobs": {"poisonBlobThreshold": 1, "maxValueBytes": 40}}
    name = "x" * 36
    async with running(place, style, limits):
        place.drop("shop/1.json", json.dumps({"id": "a", "amount": 10**6}).encode())
        await until(lambda: place.written("shop-1.txt"))
        place.drop(f"{name}/{name}.json", b'{"id":"b","amount":1}')
        await until(lambda: place.written(f"{name}-{name}.txt"))
        place.drop("shop/2.json", json.dumps({"id": "c" * 15, "amount": 10**9}).encode())
        await until(lambda: "the limit is 40 bytes" in caplog.text)
    assert place.written("shop-2.txt") is None


async def test_a_person_can_run_it_for_a_blob(place: Place, style: Style) -> None:
    async with running(place, style) as session:
        if place.url:
            place.s3.put_object(Bucket=place.incoming, Key="shop/1.json", Body=order("one", 1))
        else:
            place.drop("shop/1.json", order("one", 1))
            await until(lambda: place.written("shop-1.txt"))
        cases = [
            (f"{place.incoming}/shop/1.json", 202),
            (f"{place.incoming}/other.txt", 400),
            (f"{place.outgoing}/shop/1.json", 400),
            (f"{place.incoming}/../x", 400),
            (None, 400),
        ]
        for text, status in cases:
            async with session.post("/admin/functions/take", json={"input": text}) as answer:
                assert answer.status == status, await answer.text()
        await until(lambda: len(place.runs()) == (1 if place.url else 2))


async def test_a_message_that_is_no_notification_is_poison(
    place: Place, style: Style, caplog: pytest.LogCaptureFixture
) -> None:
    if not place.url:
        return  # nobody sends any
    async with running(place, style, {"blobs": {"poisonBlobThreshold": 1}}):
        place.tell("hello")
        place.tell({"Service": "Amazon S3", "Event": "s3:TestEvent"})
        place.drop("shop/1.json", order("one", 1))
        (message,) = await until(place.poison)
        assert message["Body"] == "hello"
        await until(lambda: place.written("shop-1.txt"))
        await until(lambda: place.left() == 0)
    assert "This is no notification of S3: hello" in caplog.text


async def test_on_s3_the_queue_has_to_be_named(
    place: Place, style: Style, caplog: pytest.LogCaptureFixture
) -> None:
    if not place.url:
        return
    async with running(place, style, queueName=None) as session:
        await until(lambda: "is a bucket of S3: name the queue that gets its noti" in caplog.text)
        async with session.get("/readyz") as answer:
            assert answer.status == 503


def test_an_output_that_may_trigger_its_function_is_odd(app_folder: Path, style: Style) -> None:
    def odd(path: str, output: str) -> list[str]:
        function = Written(
            "work",
            "def main(blob, out): ...",
            [
                {"type": "blobTrigger", "name": "blob", "direction": "in", "path": path},
                {"type": "blob", "name": "out", "direction": "out", "path": output},
            ],
        )
        app = write_app(app_folder, style, [function])
        loaded = load_app(app, load_settings(app, {}))
        assert not loaded.broken, loaded.broken
        return [each.text for each in odd_triggers(loaded.functions, is_shared=False)]

    assert "may trigger it again" in odd("things/{name}", "things/{name}.out")[0]
    assert "may trigger it again" in odd("things/{name}.csv", "things/copy-{name}.csv")[0]
    assert odd("things/{name}.csv", "things/{name}.out") == []
    assert odd("things/in/{name}", "things/out/{name}") == []
    assert odd("things/{name}", "others/{name}") == []
    assert odd("things/{name}", "{name}/x") == []
