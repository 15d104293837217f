"""How long a host believes in its holds: never longer than SQS does."""

from __future__ import annotations

import pytest

from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.wire.errors import ThrottledError
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.transport import Failure, Request
from tests.kit.scripted_transport import ScriptedAws, Step, answer, broken

HOLD_S = 30


def _queues(*script: Step, takes_s: float, hold_s: int = HOLD_S) -> tuple[SqsQueues, ScriptedAws]:
    url = answer({"QueueUrl": "q"})
    rules = RetryRules(attempts=3)
    aws = ScriptedAws(url, *script, service="sqs", rules=rules, seconds_each=takes_s)
    return SqsQueues(["q.fifo"], "w", client=aws.client, clock=aws.clock, hold_s=hold_s), aws


def _message() -> Step:
    return answer({"Messages": [{"Body": '{"id":"i"}', "ReceiptHandle": "r"}]})


def _held() -> Step:
    return answer({"Successful": [{"Id": "0"}]})


async def test_found_a19_a_hold_is_reckoned_from_when_its_hint_was_asked_for() -> None:
    """A host that stood still while the answer lay there must not believe in it for longer."""
    queues, aws = _queues(_message(), takes_s=20)
    (wakeup,) = await queues.receive_wakeups(1)
    assert queues.is_held(wakeup)
    aws.clock.pass_time(9.9)
    assert queues.is_held(wakeup)
    aws.clock.pass_time(0.1)
    assert not queues.is_held(wakeup)


async def test_found_a19_attempts_that_failed_before_do_not_count() -> None:
    lost = broken(Failure.TIMED_OUT)
    queues, aws = _queues(lost, _message(), takes_s=5)
    (wakeup,) = await queues.receive_wakeups(1)
    aws.clock.pass_time(HOLD_S - 5.1)
    assert queues.is_held(wakeup)


async def test_found_a19_a_hold_is_made_longer_from_before_the_first_attempt() -> None:
    lost = broken(Failure.TIMED_OUT)
    queues, aws = _queues(_message(), lost, lost, _held(), takes_s=5)
    (wakeup,) = await queues.receive_wakeups(1)
    begun = aws.clock.monotonic()
    await queues.extend([wakeup])
    aws.clock.pass_time(begun + HOLD_S - aws.clock.monotonic() - 0.1)
    assert queues.is_held(wakeup)
    aws.clock.pass_time(0.2)
    assert not queues.is_held(wakeup)


@pytest.mark.parametrize("ends", ["finish", "release"])
async def test_found_a19_what_was_finished_or_given_back_is_not_held(ends: str) -> None:
    queues, _ = _queues(_message(), _held(), takes_s=0)
    (wakeup,) = await queues.receive_wakeups(1)
    await getattr(queues, ends)([wakeup])
    assert not queues.is_held(wakeup)


async def test_found_a19_who_is_refused_holds_no_longer() -> None:
    refused = answer(
        {"Failed": [{"Id": "0", "Code": "InvalidParameterValue", "SenderFault": True}]}
    )
    queues, _ = _queues(_message(), refused, takes_s=0)
    (wakeup,) = await queues.receive_wakeups(1)
    await queues.extend([wakeup])
    assert not queues.is_held(wakeup)


def _target(request: Request) -> bytes:
    return request.headers["x-amz-target"].encode()


def _failed(code: str) -> Step:
    return answer({"Failed": [{"Id": "0", "Code": code, "SenderFault": True}]})


async def test_found_f2_a_throttled_extension_is_tried_again_and_the_hold_stays_good() -> None:
    queues, aws = _queues(
        _message(), _failed("RequestThrottled"), _failed("KmsThrottled"), _held(), takes_s=0
    )
    (wakeup,) = await queues.receive_wakeups(1)
    await queues.extend([wakeup])
    aws.clock.pass_time(HOLD_S - 2)
    assert queues.is_held(wakeup)


async def test_a_hold_whose_extensions_are_throttled_is_good_until_its_time_is_over() -> None:
    throttled = [_failed("RequestThrottled")] * 3
    queues, aws = _queues(_message(), *throttled, _held(), takes_s=0)
    (wakeup,) = await queues.receive_wakeups(1)
    with pytest.raises(ThrottledError):
        await queues.extend([wakeup])
    assert queues.is_held(wakeup)
    await queues.extend([wakeup])
    aws.clock.pass_time(HOLD_S - 1)
    assert queues.is_held(wakeup)


async def test_a_throttled_delete_is_tried_again() -> None:
    queues, aws = _queues(
        _message(), _failed("RequestThrottled"), _failed("RequestThrottled"), _held(), takes_s=0
    )
    (wakeup,) = await queues.receive_wakeups(1)
    await queues.finish([wakeup])
    deletes = [each for each in aws.requests if b"DeleteMessageBatch" in _target(each)]
    assert len(deletes) == 3


async def test_a_hint_is_deleted_after_its_extensions_were_throttled() -> None:
    throttled = [_failed("RequestThrottled")] * 3
    queues, aws = _queues(_message(), *throttled, _held(), takes_s=0)
    (wakeup,) = await queues.receive_wakeups(1)
    with pytest.raises(ThrottledError):
        await queues.extend([wakeup])
    await queues.finish([wakeup])
    assert b"DeleteMessageBatch" in _target(aws.requests[-1])


async def test_a_throttled_send_is_tried_again() -> None:
    queues, aws = _queues(_failed("RequestThrottled"), _held(), takes_s=0)
    await queues.send_wakeups(["i"])
    bodies = {each.body for each in aws.requests if b"SendMessageBatch" in _target(each)}
    assert len(bodies) == 1  # with the id of the first, so that it is one message, come what may
    assert aws.attempts == 3


@pytest.mark.parametrize(("hold_s", "wait_s"), [(HOLD_S, 20), (15, 5), (12, 2), (11, 1), (3, 1)])
async def test_found_a19_a_poll_is_short_beside_the_hold(hold_s: int, wait_s: int) -> None:
    queues, aws = _queues(_message(), takes_s=0, hold_s=hold_s)
    await queues.receive_wakeups(1)
    assert f'"WaitTimeSeconds":{wait_s},'.encode() in aws.requests[-1].body


def test_found_a19_no_hold_is_as_short_as_a_poll() -> None:
    with pytest.raises(ValueError, match="held for 3 s or longer"):
        _queues(takes_s=0, hold_s=2)
