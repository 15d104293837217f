"""What notifications of S3 say, in all their forms, and which blobs a function runs for then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bindings.errors import BlobNotFoundError, InvalidArgumentError
from bindings.functions import Binding, Direction
from bindings.kinds.blob_places import BlobEvent, source_of
from bindings.kinds.blobs import BlobRules
from bindings.kinds.queue import queue_trigger_of
from bindings.queues import QueueMessage
from host.triggers.blob_notifications import NotifiedFunction
from host.triggers.s3_events import created_objects


def record(key: str, event: str = "ObjectCreated:Put", bucket: str = "in-box") -> dict[str, Any]:
    """As S3 says it."""
    s3 = {"bucket": {"name": bucket}, "object": {"key": key, "size": 1, "eTag": "x"}}
    return {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": event, "s3": s3}


def records(*keys: str) -> dict[str, Any]:
    return {"Records": [record(key) for key in keys]}


def by_event_bridge(key: str, kind: str = "Object Created") -> dict[str, Any]:
    detail = {"bucket": {"name": "in-box"}, "object": {"key": key, "size": 1}}
    return {"version": "0", "source": "aws.s3", "detail-type": kind, "detail": detail}


def by_sns(said: object) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": "arn", "Message": json.dumps(said)}


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (records("a"), ["a"]),
        (records("a", "b", "a"), ["a", "b"]),
        (records("a+b%2Fc%2B%C3%A9.txt"), ["a b/c+é.txt"]),
        ({"Records": []}, []),
        ({"Records": [record("a", "s3:ObjectCreated:CompleteMultipartUpload")]}, ["a"]),
        ({"Records": [record("a", "ObjectRemoved:Delete"), record("b")]}, ["b"]),
        ({"Records": [record("a", "ObjectTagging:Put")]}, []),
        ({"Records": [record("a", bucket="other"), record("b")]}, ["b"]),
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "in-box"}, []),
        (by_event_bridge("a+b%2F.txt"), ["a+b%2F.txt"]),
        (by_event_bridge("a", "Object Deleted"), []),
        (by_sns(records("a%20b")), ["a b"]),
        (by_sns(by_event_bridge("a")), ["a"]),
        (by_sns({"Service": "Amazon S3", "Event": "s3:TestEvent"}), []),
    ],
)
def test_what_a_notification_says(said: object, names: list[str]) -> None:
    assert created_objects(json.dumps(said), "in-box") == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "{}",
        "1",
        pytest.param("[" * 100_000, id="deep"),
        '{"Records":[{}]}',
        '{"Records":[1]}',
        '{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"a"}}}]}',
        '{"source":"aws.s3","detail-type":"Object Created","detail":{}}',
        '{"Type":"Notification","Message":"hello"}',
        '{"Type":"Notification","Message":{}}',
        json.dumps(by_sns(by_sns(by_sns(by_sns(records("a")))))),
    ],
)
def test_what_is_no_notification_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="This is no notification of S3: "):
        created_objects(text, "in-box")


class Function:
    """A blob function. A `TriggeredFunction`."""

    name = "work"

    def __init__(self, **properties: Any) -> None:
        given = {"path": "in-box/{name}.csv", "queueName": "told", **properties}
        self.trigger = Binding(
            type="blobTrigger", direction=Direction.IN, name="blob", properties=given
        )
        self.ran: list[str] = []
        self.fails: dict[str, Exception] = {}

    async def invoke(self, value: object) -> object:
        assert isinstance(value, BlobEvent)
        assert value.captures == {"name": value.name.removesuffix(".csv")}
        self.ran.append(value.name)
        if value.name in self.fails:
            raise self.fails.pop(value.name)
        return None

    def notified(self, **rules: int) -> NotifiedFunction:
        return NotifiedFunction(self, source_of(self.trigger), "told", BlobRules(**rules))


def message(said: object, id_: str = "1") -> QueueMessage:
    return QueueMessage(body=json.dumps(said).encode(), id=id_)


async def test_a_function_runs_for_each_blob_that_is_meant() -> None:
    function = Function()
    said = records("a.csv", "sub/b.csv", "c.txt", "folder/", "..%2Fd.csv", "e%00.csv")
    await function.notified().invoke(message(said))
    assert function.ran == ["a.csv", "sub/b.csv"]


async def test_of_a_message_that_comes_again_only_what_failed_is_run() -> None:
    function = Function()
    notified = function.notified()
    function.fails = {"a.csv": OSError("a"), "c.csv": OSError("c")}
    said = message(records("a.csv", "b.csv", "c.csv"))
    with pytest.raises(OSError, match="a"):
        await notified.invoke(said)
    assert function.ran == ["a.csv", "b.csv", "c.csv"]
    await notified.invoke(said)
    assert function.ran[3:] == ["a.csv", "c.csv"]
    await notified.invoke(said)
    assert function.ran[5:] == ["a.csv", "b.csv", "c.csv"]


async def test_a_blob_that_is_gone_is_no_failure_and_another_one_that_is_missing_is() -> None:
    function = Function()
    notified = function.notified()
    function.fails = {"a.csv": BlobNotFoundError("in-box/a.csv")}
    await notified.invoke(message(records("a.csv", "b.csv")))
    assert function.ran == ["a.csv", "b.csv"]
    function.fails = {"a.csv": BlobNotFoundError("rates/today.json")}
    with pytest.raises(BlobNotFoundError):
        await notified.invoke(message(records("a.csv")))


async def test_what_is_no_notification_fails_its_message() -> None:
    function = Function()
    for body in (b"hello", b"\xff", b""):
        with pytest.raises(InvalidArgumentError, match="This is no notification of S3"):
            await function.notified().invoke(QueueMessage(body=body, id="1"))
    assert function.ran == []


@pytest.mark.parametrize("max_parallel", [1, 2, 7, 5000])
def test_as_many_messages_are_in_work_as_blobs_may_be(max_parallel: int) -> None:
    function = Function(connection="STORE")
    found = queue_trigger_of(function.notified(max_parallel=max_parallel, max_tries=3).trigger)
    assert (found.queue, found.connection, found.max_dequeue_count) == ("told", "STORE", 3)
    assert found.batch_size is not None
    assert found.new_batch_threshold is not None
    assert found.batch_size + found.new_batch_threshold == min(max_parallel, 2000)
