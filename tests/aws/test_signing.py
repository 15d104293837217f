"""Signatures, held against botocore's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from host.storage.aws.wire.signing import Keys, Signer

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
URL = "https://dynamodb.eu-central-1.amazonaws.com/"


class _AuthAt(botocore.auth.SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signature, at a time of our choice."""

    def __init__(self, timestamp: str, keys: Keys, service: str, region: str) -> None:
        super().__init__(ReadOnlyCredentials(*keys), service, region)
        self._timestamp = timestamp

    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = self._timestamp
        super()._modify_request_before_signing(request)


def botocore_signs(
    url: str, service: str, region: str, headers: dict[str, str], body: bytes, keys: Keys
) -> str:
    """What botocore writes into the header `Authorization` of a request with these headers."""
    unsigned = {name: headers[name] for name in ("content-type", "host", "x-amz-target")}
    request = AWSRequest(method="POST", url=url, headers=unsigned, data=body)
    _AuthAt(headers["x-amz-date"], keys, service, region).add_auth(request)
    return str(request.headers["Authorization"])


def a_signer(url: str = URL, service: str = "dynamodb", region: str = "eu-central-1") -> Signer:
    return Signer(service=service, region=region, url=url, target_prefix="DynamoDB_20120810")


def is_valid(headers: dict[str, str], body: bytes = b"{}", keys: Keys = KEYS) -> bool:
    expected = botocore_signs(URL, "dynamodb", "eu-central-1", headers, body, keys)
    return headers["authorization"] == expected


@pytest.mark.parametrize("keys", [KEYS, KEYS._replace(token="FwoGZXIvYXdzEBY=")])
@pytest.mark.parametrize(
    ("url", "service", "region"),
    [
        (URL, "dynamodb", "eu-central-1"),
        ("https://sqs.us-gov-west-1.amazonaws.com/", "sqs", "us-gov-west-1"),
        ("https://dynamodb.cn-north-1.amazonaws.com.cn/", "dynamodb", "cn-north-1"),
        ("http://127.0.0.1:8000/", "dynamodb", "us-east-1"),
        ("http://[::1]:8000/", "dynamodb", "us-east-1"),
        ("http://localhost:4566/some/path/", "sqs", "us-east-1"),
        ("http://localhost:4566/a%20path~/", "sqs", "us-east-1"),
    ],
)
def test_the_signature_is_botocores_for_every_endpoint_and_kind_of_keys(
    url: str, service: str, region: str, keys: Keys
) -> None:
    headers = a_signer(url, service, region).headers("PutItem", b'{"a": 1}', keys, NOW)
    expected = botocore_signs(url, service, region, headers, b'{"a": 1}', keys)
    assert headers["authorization"] == expected


@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["PutItem", "Query"]),
            st.binary(max_size=50),
            st.sampled_from([KEYS, Keys("AK2", "other secret", "a token")]),
            st.just(datetime(2026, 3, 4))
            | st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),
        ),
        max_size=6,
    )
)
def test_what_a_signer_keeps_from_call_to_call_never_shows(
    calls: list[tuple[str, bytes, Keys, datetime]],
) -> None:
    signer = a_signer()
    for operation, body, keys, time in calls:
        headers = signer.headers(operation, body, keys, time.replace(tzinfo=UTC))
        assert headers["x-amz-date"] == time.strftime("%Y%m%dT%H%M%SZ")
        assert is_valid(headers, body, keys)


def test_the_day_of_the_signing_key_changes_at_midnight_in_utc() -> None:
    signer = a_signer()
    before = datetime(2026, 3, 4, 23, 59, 59, 999999, tzinfo=UTC)
    for time in (before, before + timedelta(microseconds=1), before):
        assert is_valid(signer.headers("PutItem", b"{}", KEYS, time))


def test_a_time_in_another_zone_is_signed_in_utc() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    headers = a_signer().headers("PutItem", b"{}", KEYS, NOW.astimezone(east))
    assert headers["x-amz-date"] == "20260304T050607Z"
    assert is_valid(headers)


def test_new_keys_with_an_old_secret_are_told_apart() -> None:
    signer = a_signer()
    for keys in (KEYS, KEYS._replace(access_key="AK2"), KEYS._replace(token="t"), KEYS):
        assert is_valid(signer.headers("PutItem", b"{}", keys, NOW), keys=keys)
