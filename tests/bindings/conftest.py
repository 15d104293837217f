"""The app folder that the tests of this folder write, and where its bindings lead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.app_folders import make_app
from tests.kit.aws_fixtures import aws_url, ministack_url, moto_url
from tests.kit.binding_places import place

__all__ = ["app_folder", "aws_url", "make_app", "ministack_url", "moto_url", "place"]


@pytest.fixture
def app_folder(make_app: object, tmp_path: Path) -> Iterator[Path]:
    """A folder for an app, whose modules and settings are gone after the test."""
    before = dict(os.environ)
    yield tmp_path / "app"
    os.environ.clear()
    os.environ.update(before)
