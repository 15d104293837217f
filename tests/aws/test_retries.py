"""What the client tries again, when, and what a caller learns of attempts that may have landed."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.errors import StorageUnavailableError
from host.settings.connections import AwsOptions
from host.storage.aws.table.keys import key_of
from host.storage.aws.table.table import MAX_BATCH_ATTEMPTS, Table
from host.storage.aws.wire.credentials import LOOK_AGAIN_S
from host.storage.aws.wire.endpoints import resolve
from host.storage.aws.wire.errors import (
    AwsError,
    AwsUnavailableError,
    ConditionFailedError,
    ThrottledError,
)
from host.storage.aws.wire.problems import Kind, read_entry
from host.storage.aws.wire.retries import RetryRules, is_final
from host.storage.aws.wire.signing import Keys
from host.storage.aws.wire.transport import Failure, Response
from tests.kit.scripted_transport import LeapingClock, ScriptedAws, Step, answer, broken, refusal

LOST = broken(Failure.CONNECTION_LOST)
THROTTLED = refusal("ProvisionedThroughputExceededException")
FAILING = refusal("InternalServerError", status=500)
META = key_of("i", "meta")
CONDITION_FAILED = refusal("ConditionalCheckFailedException")


def cancelled(*reasons: str) -> Step:
    """The answer to a transaction that was not done, with a reason for each of its items."""
    text = f"please refer cancellation reasons for specific reasons [{', '.join(reasons)}]"
    return refusal("TransactionCanceledException", f"Transaction cancelled, {text}")


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(broken(Failure.NOT_CONNECTED), id="not connected"),
        pytest.param(LOST, id="connection lost"),
        pytest.param(broken(Failure.TIMED_OUT), id="timed out"),
        pytest.param(FAILING, id="500"),
        pytest.param(refusal("ServiceUnavailable", status=503), id="503"),
        pytest.param(Response(502, {}, b"<html>Bad gateway</html>"), id="502 of a proxy"),
        pytest.param(Response(429, {}, b""), id="429"),
        pytest.param(refusal("InternalFailure"), id="a service's error with status 400"),
        pytest.param(refusal("ThrottlingException"), id="throttled"),
        pytest.param(refusal("RequestThrottled", status=403), id="throttled by SQS"),
        pytest.param(refusal("OverLimit", status=403), id="too many messages are held"),
        pytest.param(refusal("KmsThrottled"), id="its key is throttled"),
        pytest.param(refusal("KMS.ThrottlingException"), id="its key is throttled, older code"),
        pytest.param(refusal("AWS.SimpleQueueService.RequestThrottled"), id="code with a service"),
        pytest.param(refusal("UnrecognizedClientException"), id="keys not known for a moment"),
        pytest.param(refusal("TransactionConflictException"), id="conflicting"),
        pytest.param(cancelled("None", "TransactionConflict"), id="a transaction conflicts"),
        pytest.param(cancelled("ThrottlingError", "None"), id="a transaction is throttled"),
        pytest.param(refusal("RequestTimeTooSkewed", status=403), id="skewed"),
        pytest.param(Response(200, {}, b'{"cut off'), id="half an answer"),
    ],
)
async def test_an_attempt_that_may_go_better_is_tried_again(step: Step) -> None:
    aws = ScriptedAws(step, answer({"done": True}))
    assert await aws.call() == {"done": True}
    assert aws.attempts == 2


async def test_each_attempt_is_signed_anew_and_sends_the_same_body() -> None:
    aws = ScriptedAws(THROTTLED, THROTTLED, answer(), rules=RetryRules(throttled_base_s=2))
    await aws.call(TableName="hub")
    dates = {request.headers["x-amz-date"] for request in aws.requests}
    assert dates == {"20260101T000000Z", "20260101T000002Z", "20260101T000006Z"}
    assert len({request.headers["authorization"] for request in aws.requests}) == 3
    assert len({request.body for request in aws.requests}) == 1


async def test_a_request_that_got_old_while_the_process_was_stopped_is_signed_again() -> None:
    old = "Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z"
    aws = ScriptedAws(refusal("InvalidSignatureException", old), answer({"done": True}))
    assert await aws.call() == {"done": True}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidSignatureException", "Signature not yet current: …"),
        ("SignatureDoesNotMatch", "Signature expired: …"),
        ("RequestExpired", ""),
        ("RequestInTheFuture", ""),
    ],
)
async def test_a_clock_that_stays_wrong_is_named(code: str, message: str) -> None:
    old = refusal(code, message)
    with pytest.raises(AwsUnavailableError, match="Check this machine's clock"):
        await ScriptedAws(*[old] * 8).call()


async def test_a_broken_connection_is_tried_again_at_once_but_only_once() -> None:
    aws = ScriptedAws(LOST, LOST, answer())
    await aws.call()
    assert aws.sleeps == [0, 0.1]


async def test_the_bound_of_the_wait_doubles_up_to_a_cap() -> None:
    rules = RetryRules(base_s=1, cap_s=5, attempts=6)
    aws = ScriptedAws(*[FAILING] * 5, answer(), rules=rules)
    await aws.call()
    assert aws.sleeps == [1, 2, 4, 5, 5]


async def test_after_throttling_the_wait_is_longer_than_after_a_failure() -> None:
    throttled, failing = ScriptedAws(THROTTLED, answer()), ScriptedAws(FAILING, answer())
    await throttled.call()
    await failing.call()
    assert throttled.sleeps > failing.sleeps


def test_the_wait_is_a_random_part_of_the_bound() -> None:
    rules = RetryRules(base_s=1, cap_s=5)
    assert [rules.back_off_s(3, rules.base_s, jitter) for jitter in (0, 0.25, 1)] == [0, 1, 4]


async def test_after_the_last_attempt_the_error_says_what_was_wrong() -> None:
    aws = ScriptedAws(*[THROTTLED] * 3, rules=RetryRules(attempts=3))
    with pytest.raises(ThrottledError) as caught:
        await aws.call()
    assert caught.value.code == "ProvisionedThroughputExceededException"
    assert aws.attempts == 3


async def test_a_condition_of_a_transaction_that_does_not_hold_is_one_that_failed() -> None:
    with pytest.raises(ConditionFailedError):
        await ScriptedAws(cancelled("None", "ConditionalCheckFailed")).call()


async def test_a_transaction_that_is_not_done_for_another_reason_is_an_error() -> None:
    with pytest.raises(AwsError, match="ValidationError"):
        await ScriptedAws(cancelled("ValidationError", "None")).call()


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "TransactionConflictException"]
)
async def test_a_service_that_is_too_busy_for_a_call_is_unavailable_for_now(code: str) -> None:
    with pytest.raises(StorageUnavailableError, match=code):
        await ScriptedAws(*[refusal(code)] * 8).call()


async def test_a_table_that_leaves_writes_undone_is_unavailable_for_now() -> None:
    undone = {"UnprocessedItems": {"hub": [{"DeleteRequest": {"Key": META}}]}}
    aws = ScriptedAws(*[answer(undone)] * MAX_BATCH_ATTEMPTS)
    with pytest.raises(StorageUnavailableError, match="hub takes no more writes"):
        await Table(aws.client, "hub").write_all(deletes=[META])
    assert aws.attempts == MAX_BATCH_ATTEMPTS


async def test_a_service_that_goes_on_failing_is_unavailable() -> None:
    aws = ScriptedAws(*[FAILING] * 8)
    with pytest.raises(AwsUnavailableError):
        await aws.call()
    assert aws.attempts == 8


async def test_no_attempt_begins_after_the_patience_is_over() -> None:
    aws = ScriptedAws(*[broken(Failure.TIMED_OUT)] * 8, seconds_each=10)
    with pytest.raises(StorageUnavailableError, match="timed out"):
        await aws.call()
    assert aws.attempts == 3


async def test_a_refusal_after_a_retry_ends_the_call() -> None:
    aws = ScriptedAws(FAILING, refusal("ValidationException"))
    with pytest.raises(AwsError, match="ValidationException"):
        await aws.call()
    assert aws.attempts == 2


@pytest.mark.parametrize(
    ("earlier", "may_be_own"),
    [
        pytest.param([], False, id="no attempt before"),
        pytest.param([LOST], True, id="an answer lost"),
        pytest.param([broken(Failure.TIMED_OUT)], True, id="no answer in time"),
        pytest.param([FAILING], True, id="a service's own error"),
        pytest.param([Response(504, {}, b"")], True, id="a gateway's error"),
        pytest.param([broken(Failure.NOT_CONNECTED)], False, id="never connected"),
        pytest.param([THROTTLED], False, id="throttled"),
        pytest.param([LOST, THROTTLED], True, id="an answer lost, then throttled"),
    ],
)
async def test_a_condition_that_fails_after_an_uncertain_attempt_may_be_its_own(
    earlier: list[Step], may_be_own: bool
) -> None:
    aws = ScriptedAws(*earlier, CONDITION_FAILED)
    with pytest.raises(ConditionFailedError) as caught:
        await aws.call()
    assert caught.value.may_be_own is may_be_own


async def test_calls_know_nothing_of_each_others_attempts() -> None:
    aws = ScriptedAws(LOST, answer(), CONDITION_FAILED)
    await aws.client.call("PutItem", {})
    with pytest.raises(ConditionFailedError) as caught:
        await aws.call()
    assert not caught.value.may_be_own


async def test_leftovers_of_a_batch_are_backed_off_like_throttling() -> None:
    aws = ScriptedAws(rules=RetryRules(throttled_base_s=1, cap_s=5))
    for attempt in range(1, 6):
        await aws.client.back_off(attempt)
    assert aws.sleeps == [1, 2, 4, 5, 5]


class _RenewableKeys:
    def __init__(self) -> None:
        self.refused: list[Keys] = []

    async def keys(self) -> Keys:
        return Keys(f"AK{len(self.refused)}", "secret")

    async def renew(self, refused: Keys) -> None:
        self.refused.append(refused)


KEYS_ARE_REFUSED = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
]


@pytest.mark.parametrize("code", KEYS_ARE_REFUSED)
async def test_found_f2_refused_keys_are_renewed_and_the_call_repeated(code: str) -> None:
    credentials = _RenewableKeys()
    aws = ScriptedAws(refusal(code), answer(), credentials=credentials)
    await aws.call()
    assert credentials.refused == [Keys("AK0", "secret")]
    assert "Credential=AK1/" in aws.requests[1].headers["authorization"]


@pytest.mark.parametrize("code", KEYS_ARE_REFUSED)
async def test_keys_that_stay_refused_are_an_error_after_a_few_tries(code: str) -> None:
    aws = ScriptedAws(*[refusal(code, "No such keys.")] * 4)
    with pytest.raises(
        AwsUnavailableError, match=rf"{code}.*No such keys.*(Renew|Check) the AWS credentials"
    ):
        await aws.call()
    assert aws.attempts == 4


async def test_found_f2_keys_that_changed_in_the_shared_file_are_taken_up_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    _write_keys(shared, "AKOLD")
    clock = LeapingClock()
    credentials = resolve(AwsOptions(region="eu-central-1"), clock).credentials
    refused = refusal("UnrecognizedClientException")
    aws = ScriptedAws(answer(), refused, answer(), credentials=credentials)
    await aws.client.call("PutItem", {})

    _write_keys(shared, "AKNEW")
    clock.pass_time(LOOK_AGAIN_S)
    await aws.call()

    signed_with = [request.headers["authorization"].split("/")[0] for request in aws.requests]
    assert [each.rpartition("=")[2] for each in signed_with] == ["AKOLD", "AKOLD", "AKNEW"]


def _write_keys(shared: Path, access_key: str) -> None:
    shared.write_text(
        f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = secret\n"
    )


@pytest.mark.parametrize(
    ("code", "is_sender_fault", "kind"),
    [
        pytest.param("RequestThrottled", True, Kind.THROTTLED, id="throttled, as our fault"),
        pytest.param("KmsThrottled", True, Kind.THROTTLED, id="its key is throttled"),
        pytest.param("InternalError", True, Kind.FAILING, id="its own error, as our fault"),
        pytest.param("InternalError", False, Kind.FAILING, id="its own error"),
        pytest.param("KmsDisabled", True, Kind.UNREADABLE, id="the key is disabled"),
        pytest.param("ReceiptHandleIsInvalid", True, Kind.REFUSED, id="our fault"),
        pytest.param("SomethingNew", False, Kind.FAILING, id="unknown, not our fault"),
        pytest.param("SomethingNew", True, Kind.REFUSED, id="unknown, our fault"),
        pytest.param("", None, Kind.FAILING, id="nothing said"),
    ],
)
def test_an_entry_of_a_batch_is_judged_by_its_code(
    code: str, is_sender_fault: bool | None, kind: Kind
) -> None:
    problem = read_entry({"Id": "0", "Code": code, "SenderFault": is_sender_fault, "Message": "No"})
    assert (problem.kind, problem.code, problem.message) == (kind, code, "No")
    assert is_final(kind) is (kind in (Kind.REFUSED, Kind.UNREADABLE))
