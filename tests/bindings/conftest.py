"""The app folder that the tests of this folder write, and where its bindings lead."""

from tests.kit.app_folders import make_app
from tests.kit.aws_fixtures import ministack_url, moto_url
from tests.kit.binding_places import place

__all__ = ["make_app", "ministack_url", "moto_url", "place"]
