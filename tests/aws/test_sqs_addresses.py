"""What an author calls a queue on SQS is read as the queue that is meant, or refused with words."""

from __future__ import annotations

import pytest

from bindings.errors import InvalidArgumentError
from bindings.kinds.queues import poison_name
from host.resources.sqs.addresses import QueueAddress, read_address
from host.settings.connections import AwsOptions

ACCOUNT = "123456789012"


@pytest.mark.parametrize(
    "name", ["orders", "Orders_2-x", "orders.fifo", "a" * 80, "a" * 75 + ".fifo"]
)
def test_a_name_is_a_queue_of_the_place_that_the_connection_says(name: str) -> None:
    address = read_address(name)
    assert address == QueueAddress(name=name)
    assert address.is_plain
    assert address.place(AwsOptions(region="eu-west-1")) == AwsOptions(region="eu-west-1")


def test_an_arn_says_region_and_account() -> None:
    address = read_address(f"arn:aws:sqs:eu-north-1:{ACCOUNT}:orders")
    assert address == QueueAddress(name="orders", region="eu-north-1", account=ACCOUNT)
    assert address.place(AwsOptions(region="us-east-1", profile="p")) == AwsOptions(
        region="eu-north-1", profile="p"
    )


def test_an_arn_of_another_partition_is_read() -> None:
    assert read_address(f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:q").region == "cn-north-1"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
        ("sqs-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("eu-west-2.queue.amazonaws.com", "eu-west-2"),
        ("queue.amazonaws.com", "us-east-1"),
        ("sqs.eu-west-1.api.aws", "eu-west-1"),
        ("vpce-1a.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("localhost:4566", None),
        ("sqs.eu-west-1.amazonaws.com.example.org", None),
    ],
)
def test_a_url_of_aws_says_its_region(host: str, region: str | None) -> None:
    url = f"https://{host}/{ACCOUNT}/orders.fifo"
    address = read_address(url)
    assert address == QueueAddress(name="orders.fifo", region=region, account=ACCOUNT, url=url)
    assert address.is_fifo


def test_a_url_without_an_account_is_read() -> None:
    assert read_address("http://localhost:9324/queue/orders").account is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "has space",
        "has/slash",
        "ends.fifo.fifo",
        "dot.ted",
        "größe",
        "a" * 81,
        "arn:aws:sqs:eu-west-1:12:orders",
        "arn:aws:sns:eu-west-1:123456789012:orders",
        "arn:aws:sqs:eu-west-1:123456789012:or ders",
        "ftp://sqs.eu-west-1.amazonaws.com/123456789012/orders",
        "https://sqs.eu-west-1.amazonaws.com",
        "https://sqs.eu-west-1.amazonaws.com/123456789012/orders?Action=DeleteQueue",
        "https://sqs.eu-west-1.amazonaws.com/123456789012/..",
    ],
)
def test_what_names_no_queue_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"queue"):
        read_address(text)


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        ("orders", QueueAddress(name="orders-poison")),
        ("orders.fifo", QueueAddress(name="orders-poison.fifo")),
        (
            f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders",
            QueueAddress(name="orders-poison", region="eu-west-1", account=ACCOUNT),
        ),
        (
            f"http://localhost:4566/{ACCOUNT}/orders",
            QueueAddress(
                name="orders-poison",
                account=ACCOUNT,
                url=f"http://localhost:4566/{ACCOUNT}/orders-poison",
            ),
        ),
    ],
)
def test_the_poison_queue_is_in_the_same_place(text: str, beside: QueueAddress) -> None:
    address = read_address(text)
    assert address.beside(poison_name(address.name)) == beside


def test_a_name_that_is_too_long_for_a_poison_queue_is_said() -> None:
    address = read_address("a" * 80)
    with pytest.raises(InvalidArgumentError, match="80 letters"):
        address.beside(poison_name(address.name))
