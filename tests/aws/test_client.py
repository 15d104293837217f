"""The lean client: what it sends, what it makes of answers, which errors it raises."""

from __future__ import annotations

import base64
import json

import pytest

from host.errors import StorageUnavailableError, StoreAwayError
from host.storage.aws.wire.endpoints import Endpoint
from host.storage.aws.wire.errors import (
    AwsError,
    AwsUnavailableError,
    ConditionFailedError,
    ResourceMissingError,
)
from host.storage.aws.wire.signing import Keys, StaticCredentials
from host.storage.aws.wire.transport import Failure, Response
from tests.kit.scripted_transport import ScriptedAws, answer, broken, refusal


async def test_a_call_posts_json_to_the_endpoint_and_returns_the_answer() -> None:
    aws = ScriptedAws(answer({"Count": 0}))

    assert await aws.call("Query", TableName="hub") == {"Count": 0}

    (request,) = aws.requests
    assert (request.method, request.url) == (
        "POST",
        "https://dynamodb.eu-central-1.amazonaws.com/",
    )
    assert json.loads(request.body) == {"TableName": "hub"}
    assert request.headers["x-amz-target"] == "DynamoDB_20120810.Query"
    assert request.headers["content-type"] == "application/x-amz-json-1.0"


async def test_sqs_has_its_own_target() -> None:
    aws = ScriptedAws(answer(), service="sqs")
    await aws.call("SendMessage", QueueUrl="q")
    assert aws.requests[0].headers["x-amz-target"] == "AmazonSQS.SendMessage"


async def test_an_endpoint_may_have_a_path() -> None:
    endpoint = Endpoint(url="http://localhost:4566/aws", region="eu-central-1")
    aws = ScriptedAws(answer(), endpoint=endpoint)
    await aws.call()
    assert aws.requests[0].url == "http://localhost:4566/aws/"


async def test_bytes_are_sent_as_base64() -> None:
    aws = ScriptedAws(answer())
    await aws.call("PutItem", Item={"data": {"B": b"\x00\xff data"}})
    sent = json.loads(aws.requests[0].body)
    assert base64.b64decode(sent["Item"]["data"]["B"]) == b"\x00\xff data"


async def test_text_in_any_script_is_sent_and_read_as_it_is() -> None:
    text = 'Grüße, 世界 "\u0000"'
    aws = ScriptedAws(answer({"Item": {"name": {"S": text}}}))
    result = await aws.call("GetItem", Key={"pk": {"S": text}})
    assert result["Item"]["name"]["S"] == text
    assert json.loads(aws.requests[0].body)["Key"]["pk"]["S"] == text


async def test_an_empty_answer_is_an_empty_dict() -> None:
    assert await ScriptedAws(Response(200, {}, b"")).call("DeleteMessage") == {}


async def test_temporary_keys_send_their_token() -> None:
    aws = ScriptedAws(answer(), credentials=StaticCredentials(Keys("AK", "secret", "the token")))
    await aws.call()
    assert aws.requests[0].headers["x-amz-security-token"] == "the token"


async def test_a_long_poll_is_given_the_time_it_waits_for_messages() -> None:
    aws = ScriptedAws(answer(), answer(), service="sqs")
    await aws.client.call("ReceiveMessage", {"WaitTimeSeconds": 20})
    await aws.client.call("DeleteMessage", {})
    assert [request.timeout_s for request in aws.requests] == [30, 10]


async def test_a_failed_condition_is_an_error_of_its_own_and_not_tried_again() -> None:
    aws = ScriptedAws(refusal("ConditionalCheckFailedException", "The conditional request failed"))
    with pytest.raises(ConditionFailedError) as caught:
        await aws.call()
    assert caught.value.code == "ConditionalCheckFailedException"
    assert caught.value.status == 400
    assert caught.value.operation == "PutItem"
    assert not caught.value.may_be_own
    assert caught.value.item is None
    assert aws.attempts == 1


async def test_a_failed_condition_shows_the_item_that_was_in_the_way_if_asked() -> None:
    item = {"data": {"B": "AAEC"}}
    aws = ScriptedAws(refusal("ConditionalCheckFailedException", Item=item))
    with pytest.raises(ConditionFailedError) as caught:
        await aws.call(ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert caught.value.item == item


@pytest.mark.parametrize(
    "code",
    [
        "ResourceNotFoundException",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    ],
)
async def test_a_missing_table_or_queue_says_how_to_create_it(code: str) -> None:
    with pytest.raises(ResourceMissingError, match="funchost hub create") as caught:
        await ScriptedAws(refusal(code)).call()
    assert isinstance(caught.value, StorageUnavailableError)  # requests are answered 503
    assert not isinstance(caught.value, StoreAwayError)  # and a start waits for none of it


async def test_any_other_refusal_carries_the_services_code_and_message() -> None:
    aws = ScriptedAws(refusal("ValidationException", "Item size has exceeded the maximum"))
    with pytest.raises(AwsError) as caught:
        await aws.call()
    assert str(caught.value) == (
        "PutItem failed: ValidationException (400): Item size has exceeded the maximum"
    )
    assert caught.value.message == "Item size has exceeded the maximum"
    assert aws.attempts == 1


async def test_refusals_are_read_in_every_form_the_services_use() -> None:
    bodies = [
        b'{"__type": "com.amazonaws.sqs#InvalidAttributeName", "message": "No."}',
        b'{"__type": "InvalidAttributeName", "Message": "No."}',
        b'{"__type": "InvalidAttributeName", "message": "No.", "Item": null, "unknown": [1]}',
    ]
    for body in bodies:
        with pytest.raises(AwsError) as caught:
            await ScriptedAws(Response(400, {}, body), service="sqs").call()
        assert (caught.value.code, caught.value.message) == ("InvalidAttributeName", "No.")


DEEP = b'{"__type": "A", "Item": ' + b'{"a": ' * 50_000
NO_TEXT = b'{"message": "\xff"}'


@pytest.mark.parametrize(
    "body", [b"", b"<html>Forbidden</html>", b"[]", b'{"__type": 5}', DEEP, NO_TEXT]
)
async def test_a_refusal_that_no_service_wrote_is_an_error_with_its_status(body: bytes) -> None:
    with pytest.raises(AwsError) as caught:
        await ScriptedAws(Response(403, {}, body)).call()
    assert caught.value.status == 403


async def test_denied_access_says_where_the_policy_comes_from() -> None:
    message = "User is not authorized to perform: dynamodb:PutItem"
    aws = ScriptedAws(refusal("AccessDeniedException", message))
    with pytest.raises(AwsUnavailableError, match="funchost hub iam-policy"):
        await aws.call()
    assert aws.attempts == 1


@pytest.mark.parametrize("body", [b"", b"<html>Down for maintenance</html>", b"{}"])
async def test_a_failure_without_a_reason_is_named_as_what_it_is(body: bytes) -> None:
    with pytest.raises(AwsUnavailableError) as caught:
        await ScriptedAws(*[Response(503, {}, body)] * 8).call()
    assert str(caught.value) == "PutItem failed: AWS answered 503 without a reason"


async def test_what_a_gateway_says_is_quoted() -> None:
    body = b'{"message": "The upstream is away."}'
    with pytest.raises(AwsUnavailableError, match="AWS answered 502: The upstream is away"):
        await ScriptedAws(*[Response(502, {}, body)] * 8).call()


async def test_a_page_instead_of_a_refusal_asks_about_the_endpoint() -> None:
    with pytest.raises(AwsError, match=r"AWS answered 404 without a reason.*right endpoint"):
        await ScriptedAws(Response(404, {}, b"<html>Nothing here</html>")).call()


@pytest.mark.parametrize(
    "code", ["KmsDisabled", "KmsAccessDenied", "KMS.DisabledException", "KmsInvalidState"]
)
async def test_a_kms_key_that_cannot_be_used_is_told_as_that(code: str) -> None:
    aws = ScriptedAws(refusal(code, "The key is disabled."), service="sqs")
    with pytest.raises(AwsUnavailableError, match=r"The key is disabled\. - .* KMS key .* enabled"):
        await aws.call()
    assert aws.attempts == 1


async def test_access_denied_to_the_key_of_the_table_is_told_as_that() -> None:
    message = "KMS key access denied: User is not authorized to perform kms:Decrypt"
    aws = ScriptedAws(refusal("AccessDeniedException", message))
    with pytest.raises(AwsUnavailableError, match="encrypted with a KMS key"):
        await aws.call()
    assert aws.attempts == 1


async def test_an_unreachable_endpoint_is_named_in_one_clear_message() -> None:
    aws = ScriptedAws(*[broken(Failure.NOT_CONNECTED)] * 8)
    with pytest.raises(StorageUnavailableError) as caught:
        await aws.call()
    assert str(caught.value) == (
        "PutItem failed: AWS cannot be reached at https://dynamodb.eu-central-1.amazonaws.com/: "
        "not connected. Check the network, the region and the endpoint URL."
    )


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", DEEP, NO_TEXT])
async def test_an_answer_that_is_not_json_asks_about_the_endpoint(body: bytes) -> None:
    aws = ScriptedAws(*[Response(200, {}, body)] * 8)
    with pytest.raises(AwsUnavailableError, match="right endpoint"):
        await aws.call()


@pytest.mark.parametrize(
    ("date", "told"),
    [
        pytest.param("Thu, 01 Jan 2026 00:00:00 GMT", None, id="the same second"),
        pytest.param("Thu, 01 Jan 2026 00:00:01 GMT", None, id="a second later"),
        pytest.param("Wed, 31 Dec 2025 23:59:58 GMT", None, id="perhaps a second earlier"),
        pytest.param("Thu, 01 Jan 2026 00:02:00 GMT", "120 s behind AWS's", id="later"),
        pytest.param("Wed, 31 Dec 2025 23:59:30 GMT", "29 s ahead of AWS's", id="earlier"),
        pytest.param("yesterday", None, id="no date"),
        pytest.param("Thu, 01 Jan 2026 00:02:00 -0000", None, id="no zone"),
    ],
)
async def test_a_clock_that_is_wrong_is_told_of_once(
    date: str, told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    aws = ScriptedAws(Response(200, {"date": date}, b"{}"), Response(200, {"date": date}, b"{}"))
    await aws.client.call("GetItem", {})
    await aws.call()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == (told is not None)
    assert told is None or told in lines[0]
