"""The servers that stand in for AWS."""

from tests.kit.aws_fixtures import aws_url, ministack_url, moto_url

__all__ = ["aws_url", "ministack_url", "moto_url"]
