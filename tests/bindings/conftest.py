"""The app folder that the tests of this folder write."""

from tests.kit.app_folders import make_app

__all__ = ["make_app"]
