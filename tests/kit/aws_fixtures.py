"""The servers that stand in for AWS, once a session: import these fixtures in a conftest.py."""

from collections.abc import Iterator

import pytest

from tests.kit.aws_servers import ministack_server, moto_server
from tests.kit.service_files import remember_service_files


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The URL of a moto server."""
    remember_service_files()
    with moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def ministack_url() -> Iterator[str]:
    """The URL of a ministack server."""
    remember_service_files()
    with ministack_server() as url:
        yield url


@pytest.fixture(
    params=[
        pytest.param("moto", marks=[pytest.mark.aws, pytest.mark.moto]),
        pytest.param("ministack", marks=pytest.mark.aws),
    ]
)
def aws_url(request: pytest.FixtureRequest) -> str:
    """The URL of each server, one after the other."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
