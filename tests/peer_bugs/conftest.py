"""Hubs for the tests of bugs that peers had."""

from tests.kit.hub_fixtures import each_hub, hub

__all__ = ["each_hub", "hub"]
