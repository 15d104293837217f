"""The codec: what is written can be read for ever, and what is damaged is recognised."""

from contextlib import suppress
from datetime import datetime
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindings.errors import FailureDetails
from host.core import codec, history
from host.core.codec import CodecError
from host.core.history import EVENT_TYPES, Batch
from host.core.records import Message
from tests.kit import event_strategies
from tests.kit.bench import Bench
from tests.kit.history_builder import START, pending


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_event_type_survives_the_round_trip(kind: type[Any], data: st.DataObject) -> None:
    event = data.draw(event_strategies.event_of(kind))
    decoded = codec.decode_batch(codec.encode(Batch(events=(event,))))
    assert decoded.events == (event,)
    assert type(decoded.events[0]) is kind


def test_tag_numbers_are_those_of_durable_task_and_never_change() -> None:
    tags = {kind.__name__: kind.__struct_config__.tag for kind in EVENT_TYPES}
    assert tags == {
        "ExecutionStarted": 0,
        "ExecutionCompleted": 1,
        "ExecutionTerminated": 3,
        "TaskScheduled": 4,
        "TaskCompleted": 5,
        "TaskFailed": 6,
        "SubOrchestrationInstanceCreated": 7,
        "SubOrchestrationInstanceCompleted": 8,
        "SubOrchestrationInstanceFailed": 9,
        "TimerCreated": 10,
        "TimerFired": 11,
        "OrchestratorStarted": 12,
        "EventSent": 14,
        "EventRaised": 15,
        "ContinueAsNew": 16,
        "ExecutionSuspended": 19,
        "ExecutionResumed": 20,
        "ExecutionRewound": 21,
        "CustomStatusSet": 22,
        "EntityOperationCalled": 30,
        "EntityOperationSignaled": 31,
        "EntityOperationCompleted": 32,
        "EntityOperationFailed": 33,
        "OrchestrationStartSent": 34,
        "EntityCheckpoint": 35,
        "EntityLockRequested": 36,
        "EntityLockGranted": 37,
        "EntityUnlockSent": 38,
    }


def test_the_first_byte_names_the_format() -> None:
    assert codec.encode(Batch(events=())).startswith(b"\x02")


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x03\x80", b"{}"])
def test_an_unknown_format_is_recognised(data: bytes) -> None:
    with pytest.raises(CodecError, match="Unknown format"):
        codec.decode_batch(data)


def test_a_format_of_a_later_version_is_refused_by_its_number() -> None:
    with pytest.raises(CodecError, match=r"format 3, this version knows 1 to 2: a newer version"):
        codec.decode_instance(b"\x03" + codec.encode(pending("x"))[1:])


def test_an_event_that_is_not_known_here_is_of_a_newer_version() -> None:
    class Unheard(msgspec.Struct, tag=99):
        timestamp: datetime

    class ItsBatch(msgspec.Struct):
        events: tuple[Unheard, ...]

    data = codec.encode(cast("Batch", ItsBatch((Unheard(START),))), "key")
    with pytest.raises(CodecError, match=r"99.*newer version.*wrote it.*Upgrade"):
        codec.decode_batch(data, "key")


def test_items_of_the_first_format_are_still_read() -> None:
    batch = Batch(events=(history.EventRaised(timestamp=START, name="e", input='"data"'),))
    assert codec.decode_batch(b"\x01" + msgspec.msgpack.encode(batch), "any key") == batch


def test_any_flipped_bit_is_recognised() -> None:
    data = codec.encode(pending("x", tags={"a": "b"}), "key")
    for place in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(CodecError):
            codec.decode_instance(bytes(flipped), "key")


def test_an_item_under_the_key_of_another_is_recognised() -> None:
    data = codec.encode(Batch(events=()), "i/0")
    with pytest.raises(CodecError, match="not where it belongs"):
        codec.decode_batch(data, "i/1")


def test_truncated_bytes_are_recognised_at_every_length() -> None:
    event = history.EventRaised(timestamp=START, name="e", input='"data"')
    data = codec.encode(Batch(events=(event,), consumed=("m1",)))
    for length in range(len(data)):
        with pytest.raises(CodecError):
            codec.decode_batch(data[:length])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_never_raise_anything_but_codec_error(data: bytes) -> None:
    for decode in (codec.decode_batch, codec.decode_message, codec.decode_instance):
        for format_ in (b"\x01", b"\x02"):
            with suppress(CodecError):
                decode(format_ + data)


def test_fields_of_later_versions_are_ignored() -> None:
    later = {"events": [{"type": 12, "timestamp": START, "novelty": 1}], "novelty": [2]}
    decoded = codec.decode_batch(b"\x01" + msgspec.msgpack.encode(later))
    assert decoded.events == (history.OrchestratorStarted(timestamp=START),)


def test_an_event_of_an_unknown_type_is_recognised() -> None:
    later = {"events": [{"type": 99, "timestamp": START}]}
    with pytest.raises(CodecError):
        codec.decode_batch(b"\x01" + msgspec.msgpack.encode(later))


def test_text_that_is_not_unicode_is_refused_when_written() -> None:
    event = history.EventRaised(timestamp=START, name="\ud800")
    with pytest.raises(CodecError):
        codec.encode(Message(message_id="m", event=event))


def test_a_failure_with_endless_causes_is_refused_when_written() -> None:
    failure = FailureDetails(error_type="X", message="")
    for _ in range(100_000):
        failure = FailureDetails(error_type="X", message="", cause=failure)
    event = history.TaskFailed(timestamp=START, task_id=1, failure=failure)
    with pytest.raises(CodecError):
        codec.encode(Message(message_id="m", event=event))
    while failure.cause is not None:  # let go of it link by link: its destructor recurses
        failure = failure.cause


def test_defaults_cost_no_bytes() -> None:
    row = pending("x")
    assert b"blocked_reason" not in codec.encode(row)
    assert codec.decode_instance(codec.encode(row)) == row


def test_a_whole_orchestration_survives_the_round_trip() -> None:
    def work() -> None:
        raise ValueError("bad")

    async def works(context: Any) -> None:
        await context.call_activity(work)

    bench = Bench(works, activities=[work], tags={"a": "b"}).run()
    assert codec.decode_instance(codec.encode(bench.row)) == bench.row
    for stored in bench.batches:
        assert codec.decode_batch(codec.encode(stored.batch)) == stored.batch
