"""Hubs for the tests of bugs that peers had."""

from tests.kit.aws_fixtures import aws_url, ministack_url, moto_url
from tests.kit.hub_fixtures import each_hub, hub

__all__ = ["aws_url", "each_hub", "hub", "ministack_url", "moto_url"]
