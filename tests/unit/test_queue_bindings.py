"""Queue bindings as they are declared, what functions get of messages, and what outputs send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    FunctionDefinitionError,
    OutgoingQueueMessage,
    QueueMessage,
    SerializationError,
)
from bindings.errors import InvalidArgumentError
from bindings.expressions import BindingData
from bindings.functions import Binding, Direction
from bindings.kinds.queue import QUEUE_TRIGGER, queue_trigger_of
from bindings.kinds.queue_output import QUEUE
from bindings.kinds.queues import MessageEncoding, QueueOptions
from bindings.kinds.records import Call, Output, Place
from bindings.queues import UnfitMessages
from host.core.converter import Converter
from host.resources.host_resources import HostResources
from host.settings.queues import QueueSettings
from host.settings.values import AppSettings
from host.storage.kinds import Home
from host.storage.memory_messages import MemoryMessages
from host.storage.messages import StoredMessage
from tests.kit.manual_clock import ManualClock

NOW = datetime(2026, 3, 4, tzinfo=UTC)


@dataclass
class Order:
    id: str
    total: float


def trigger(**properties: Any) -> Binding:
    given = {"queueName": "orders", **properties}
    return Binding(type="queueTrigger", direction=Direction.IN, name="order", properties=given)


def read(hint: Any, value: object, **properties: Any) -> object:
    assert QUEUE_TRIGGER.trigger is not None
    assert QUEUE_TRIGGER.trigger.read is not None
    place = Place(binding=trigger(**properties), function_name="f", annotation=hint)
    reader = QUEUE_TRIGGER.trigger.read(place)
    assert reader is not None
    return reader(value, Sender().call())


class Sender:
    """A host's queues, and outputs that send to them."""

    def __init__(self, **settings: Any) -> None:
        self.messages = MemoryMessages()
        self.resources = HostResources(
            AppSettings({}),
            Home(messages=self.messages),
            ManualClock(),
            queues=QueueSettings.model_validate(settings),
        )

    def call(self, data: Mapping[str, object] | None = None, repeat_id: str | None = None) -> Call:
        return Call(
            client=None,  # type: ignore[arg-type]  # no binding here asks for it
            json=Converter(),
            resources=self.resources,
            data=BindingData(lambda: data or {}, function_name="f", now=lambda: NOW),
            repeat_id=repeat_id,
        )

    async def send(self, value: object, call: Call | None = None, **properties: Any) -> None:
        given = {"queueName": "out", **properties}
        output = Binding(type="queue", direction=Direction.OUT, name="out", properties=given)
        assert isinstance(QUEUE.output, Output)
        take = QUEUE.output.take(Place(binding=output, function_name="f"))
        sending = take(value, call or self.call())
        if sending is not None:
            await sending

    async def sent(self, queue: str = "out") -> list[StoredMessage]:
        return list(await self.messages.peek(queue, 100))

    async def bodies(self, queue: str = "out") -> list[str]:
        return [each.body for each in await self.sent(queue)]


MESSAGE = QueueMessage(body=b'{"id": "1", "total": 2}', id="m1")


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (None, MESSAGE),
        (QueueMessage, MESSAGE),
        (QueueMessage | None, MESSAGE),
        (str, '{"id": "1", "total": 2}'),
        (bytes, b'{"id": "1", "total": 2}'),
        (dict, {"id": "1", "total": 2}),
        (dict[str, Any], {"id": "1", "total": 2}),
        (Order, Order("1", 2.0)),
    ],
)
def test_the_annotation_says_what_a_function_gets(hint: Any, value: object) -> None:
    assert read(hint, MESSAGE) == value
    many = None if hint is None else list[hint]
    assert read(many, [MESSAGE, MESSAGE], cardinality="many") == [value, value]


@pytest.mark.parametrize("hint", [Order, int, list[int]])
def test_a_message_that_does_not_fit_says_why(hint: Any) -> None:
    with pytest.raises(SerializationError, match="A message for 'order' does not fit"):
        read(hint, QueueMessage(body=b'{"id": "1"}'))
    with pytest.raises(SerializationError, match="is no text: it is not UTF-8"):
        read(hint, QueueMessage(body=b"\xff"))


def test_of_a_batch_those_that_do_not_fit_are_named() -> None:
    bad = [QueueMessage(body=b"x", id="b1"), QueueMessage(body=b"\xff", id="b2")]
    with pytest.raises(UnfitMessages, match="does not fit") as caught:
        read(list[Order], [MESSAGE, *bad], cardinality="many")
    assert caught.value.failed_ids == ("b1", "b2")


def test_a_batch_needs_a_list() -> None:
    with pytest.raises(FunctionDefinitionError, match="gets a batch, since its cardinality is"):
        read(Order, [MESSAGE], cardinality="many")


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ({"queueName": None}, "'queueName' is missing"),
        ({"queueName": " "}, "'queueName' is missing"),
        ({"queueName": 5}, "'queueName' is missing: name the queue, such as 'orders', not 5"),
        ({"queueName": "a b"}, "cannot be a queue's name"),
        ({"queueName": "orders-{id}"}, "cannot be a queue's name"),
        ({"connection": 5}, "'connection' must be a text"),
        ({"cardinality": "some"}, "'cardinality' must be one or many, not 'some'"),
        ({"messageEncoding": "rot13"}, "'messageEncoding' must be none or base64"),
        ({"batchSize": 0}, "'batchSize' must be a number from 1 to 1000, not 0"),
        ({"batchSize": True}, "'batchSize' must be a number"),
        ({"newBatchThreshold": -1}, "'newBatchThreshold' must be a number from 0"),
        ({"maxDequeueCount": "many"}, "'maxDequeueCount' must be a number"),
        ({"visibilityTimeout": "soon"}, "'visibilityTimeout' is no duration"),
        ({"visibilityTimeout": "13:00:00"}, "'visibilityTimeout' is 12 hours at most"),
    ],
)
def test_a_wrong_trigger_is_told_what_would_be_right(
    properties: Mapping[str, Any], why: str
) -> None:
    app = FunctionApp()

    @app.generic_trigger("order", "queueTrigger", **{"queueName": "orders", **properties})
    def takes(order: object) -> None: ...

    with pytest.raises(FunctionDefinitionError) as caught:
        app.get_functions()
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ({"queueName": None}, "'queueName' is missing"),
        ({"queueName": "orders-{id"}, "has a brace without its other half"),
        ({"messageGroupId": 5}, "'messageGroupId' must be a text"),
        ({"messageEncoding": 64}, "'messageEncoding' must be none or base64"),
    ],
)
def test_a_wrong_output_is_told_what_would_be_right(
    properties: Mapping[str, Any], why: str
) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    @app.generic_output_binding("$return", "queue", **{"queueName": "orders", **properties})
    def sends(order: object) -> None: ...

    with pytest.raises(FunctionDefinitionError) as caught:
        app.get_functions()
    assert why in str(caught.value)


def test_what_a_trigger_does_not_say_goes_for_all_queues() -> None:
    of_all = QueueOptions(
        encoding=MessageEncoding.BASE64,
        batch_size=8,
        new_batch_threshold=3,
        max_dequeue_count=2,
        visibility_timeout_s=10.0,
    )
    assert queue_trigger_of(trigger()).options(of_all) == of_all
    own = trigger(
        batchSize="20", maxDequeueCount=7, visibilityTimeout="00:01:00", messageEncoding="None"
    )
    assert queue_trigger_of(own).options(of_all) == QueueOptions(
        encoding=MessageEncoding.NONE,
        batch_size=20,
        new_batch_threshold=None,
        max_dequeue_count=7,
        visibility_timeout_s=60.0,
    )


@pytest.mark.parametrize(
    ("value", "bodies"),
    [
        (None, []),
        ([], []),
        ([None], []),
        ("text", ["text"]),
        ('{"a": 1}', ['{"a": 1}']),
        (b"bytes", ["bytes"]),
        ({"a": [1, None]}, ['{"a":[1,null]}']),
        (Order("1", 2.5), ['{"id":"1","total":2.5}']),
        (5, ["5"]),
        (True, ["true"]),
        (["a", {"b": 1}, b"c"], ["a", '{"b":1}', "c"]),
        (OutgoingQueueMessage(body=[1, 2]), ["[1,2]"]),
        (QueueMessage(body=b"again", id="old"), ["again"]),
    ],
)
async def test_what_an_output_sends(value: object, bodies: list[str]) -> None:
    sender = Sender()
    await sender.send(value)
    assert await sender.bodies() == bodies


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"group_id": 7}, "its group id is 7"),
        ({"deduplication_id": b"x"}, "its deduplication id is b'x'"),
        ({"delay": "10"}, "its delay is '10'"),
        ({"delay": None}, "its delay is None"),
        ({"delay": True}, "its delay is True"),
        ({"delay": float("nan")}, "its delay is nan"),
        ({"attributes": ["a"]}, "its attributes are \\['a'\\]"),
        ({"attributes": {"a": 1}}, "its attribute 'a' is 1"),
        ({"attributes": {1: "a"}}, "its attribute 1 is 'a'"),
        ({"attributes": None}, "its attributes are None"),
    ],
)
async def test_a_record_with_fields_of_other_types_is_refused_in_words(
    fields: dict[str, Any], why: str
) -> None:
    sender = Sender()
    with pytest.raises(InvalidArgumentError, match=why):
        await sender.send(["first", OutgoingQueueMessage(body="a", **fields)])
    assert await sender.bodies() == []


async def test_a_record_says_more_than_a_body() -> None:
    sender = Sender()
    record = OutgoingQueueMessage(
        body="a", group_id="g", deduplication_id="1", attributes={"kind": "new"}
    )
    await sender.send([record, record], queueName="out.fifo", messageGroupId="others")
    (message,) = await sender.sent("out.fifo")
    assert (message.group_id, message.attributes) == ("g", {"kind": "new"})
    await sender.send(OutgoingQueueMessage(body="late", delay=timedelta(minutes=1)))
    (state, _) = await sender.messages.states()
    assert state.delayed == 1


async def test_names_and_groups_may_have_expressions() -> None:
    sender = Sender()
    call = sender.call({"country": "no", "customer": 7})
    given = {"queueName": "orders-{country}.fifo", "messageGroupId": "c{customer}"}
    await sender.send("a", call, **given)
    (message,) = await sender.sent("orders-no.fifo")
    assert message.group_id == "c7"
    with pytest.raises(InvalidArgumentError, match="No value for named parameter 'country'"):
        await sender.send("a", None, **given)


async def test_what_an_activity_sends_again_is_sent_once() -> None:
    sender = Sender()
    for _ in range(2):
        await sender.send(["a", "a"], sender.call(repeat_id="i/e/1"))
    assert await sender.bodies() == ["a", "a"]
    await sender.send(["a"], sender.call(repeat_id="i/e/2"))
    assert len(await sender.bodies()) == 3


async def test_bodies_are_written_as_the_encoding_says() -> None:
    sender = Sender(messageEncoding="Base64")
    await sender.send([b"\xff\x00", "text"])
    await sender.send("plain", messageEncoding="none")
    assert await sender.bodies() == ["/wA=", "dGV4dA==", "plain"]
    with pytest.raises(
        InvalidArgumentError, match=r"is not UTF-8 .* use the messageEncoding base64"
    ):
        await sender.send(b"\xff", messageEncoding="none")


async def test_if_one_message_is_refused_none_is_sent() -> None:
    sender = Sender()
    with pytest.raises(InvalidArgumentError, match="it is empty"):
        await sender.send(["a", ""])
    assert await sender.bodies() == []


def test_expressions_name_what_a_message_says_and_then_what_is_said_of_it() -> None:
    assert QUEUE_TRIGGER.trigger is not None
    find = QUEUE_TRIGGER.trigger.data
    assert find is not None
    message = QueueMessage(body=b'{"ID": 7, "a": {"b": 1}}', id="m1", insertion_time=NOW)
    data = BindingData(lambda: find(message), function_name="f", now=lambda: NOW)
    assert data.text_of("id") == "7"
    assert data.text_of("a.b") == "1"
    assert data.text_of("queuetrigger") == '{"ID": 7, "a": {"b": 1}}'
    assert data.text_of("InsertionTime", "yyyy") == "2026"
    assert data.text_of("DequeueCount") == "1"
    text = BindingData(
        lambda: find(QueueMessage(body=b"hello", id="m1")), function_name="f", now=lambda: NOW
    )
    assert (text.text_of("queueTrigger"), text.text_of("Id")) == ("hello", "m1")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"batchSize": 0}, "greater than or equal to 1"),
        ({"visibilityTimeout": "13:00:00"}, "12 hours at most"),
        ({"retention": "00:00:01"}, "1 minute at least"),
        ({"messageEncoding": "rot13"}, "'none' or 'base64'"),
    ],
)
def test_wrong_settings_of_all_queues_are_refused(settings: Mapping[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        QueueSettings.model_validate(settings)
