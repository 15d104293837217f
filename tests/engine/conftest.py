"""Hubs for the engine's tests."""

from tests.kit.hub_fixtures import each_hub, hub

__all__ = ["each_hub", "hub"]
