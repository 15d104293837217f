"""What SQS does not take is refused before it is sent; what it takes goes as it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings.errors import InvalidArgumentError
from bindings.kinds.queues import OutgoingMessage
from host.resources.sqs.addresses import read_address
from host.resources.sqs.messages import entry_of, raw_attributes

STANDARD, FIFO = read_address("orders"), read_address("orders.fifo")


def fields(message: OutgoingMessage, *, fifo: bool = False) -> dict[str, Any]:
    return entry_of(message, FIFO if fifo else STANDARD).fields


def test_a_message_goes_as_it_is() -> None:
    message = OutgoingMessage(
        body="grüß\n\t\U0001f600", delay_s=1.2, group_id="g", attributes={"kind": "new"}
    )
    assert fields(message) == {
        "MessageBody": "grüß\n\t\U0001f600",
        "DelaySeconds": 2,
        "MessageGroupId": "g",
        "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "new"}},
    }


def test_each_message_for_a_fifo_queue_has_an_id_of_its_own() -> None:
    message = OutgoingMessage(body="x", group_id="g")
    ids = {fields(message, fifo=True)["MessageDeduplicationId"] for _ in range(3)}
    assert len(ids) == 3


def test_a_queue_that_compares_contents_is_left_to_it() -> None:
    message = OutgoingMessage(body="x", group_id="g")
    entry = entry_of(message, FIFO, is_deduplicated=True)
    assert "MessageDeduplicationId" not in entry.fields


def test_an_id_that_sqs_takes_is_sent_as_it_is() -> None:
    message = OutgoingMessage(body="x", group_id="g", deduplication_id="a:1/b")
    assert fields(message, fifo=True)["MessageDeduplicationId"] == "a:1/b"


@pytest.mark.parametrize("name", ["AWS.x", "aws.x", "Amazon.x"])
def test_names_of_attributes_that_are_of_aws_are_refused(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"'{name}' cannot be an attribute's name"):
        fields(OutgoingMessage(body="x", attributes={name: "v"}))


@given(st.text())
def test_any_text_is_sent_or_refused_with_words(body: str) -> None:
    try:
        entry = entry_of(OutgoingMessage(body=body, attributes={"gr": "ü"}), STANDARD)
    except InvalidArgumentError:
        return
    assert entry.fields["MessageBody"] == body
    assert entry.size == len(body.encode()) + len("gr") + len("String") + len("ü".encode())


def test_attributes_of_all_types_can_be_sent_again() -> None:
    received = {
        "MessageAttributes": {
            "n": {"DataType": "Number.int", "StringValue": "1", "StringListValues": []},
            "b": {"DataType": "Binary", "BinaryValue": "AAE=", "BinaryListValues": []},
        }
    }
    assert raw_attributes(received) == {
        "n": {"DataType": "Number.int", "StringValue": "1"},
        "b": {"DataType": "Binary", "BinaryValue": "AAE="},
    }
