"""The plugin of pytest: the fixture `funchost_env`, by the entry point group `pytest11`.

Rules of this file: every run of pytest imports it wherever funchost is installed, so it imports
nothing of the host before a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from host.testing.making import EnvironmentMaker


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option `funchost_app`."""
    parser.addini(
        "funchost_app",
        "the folder of the app that funchost_env loads, from the rootdir",
        default=".",
    )


@pytest.fixture
def funchost_env(pytestconfig: pytest.Config) -> EnvironmentMaker:
    """What makes environments of the app that these tests are for."""
    from host.testing.making import EnvironmentMaker  # noqa: PLC0415 - see the rules

    return EnvironmentMaker(pytestconfig.rootpath / pytestconfig.getini("funchost_app"))
