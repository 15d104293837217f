"""The places where what bindings name can be: two kinds of embedded hubs, two stand-ins for AWS.

Use it as a fixture of a `conftest.py`: each test of a binding then runs once in each place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from host.app import RunningHost, running_host
from host.wiring.options import HostOptions, read_settings
from tests.kit.aws_servers import aws_environment

CONNECTION = "Place"
"""The name of the app settings of a place on AWS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingPlace:
    """A place, and the store of the hosts in it."""

    storage: str
    aws_url: str | None = None
    """Where the stand-in for AWS is; None in an embedded hub."""

    @property
    def connection(self) -> str | None:
        """What bindings say as their `connection`; None if they leave it out."""
        return None if self.aws_url is None else CONNECTION

    @asynccontextmanager
    async def serve(self, app: Path) -> AsyncIterator[tuple[RunningHost, aiohttp.ClientSession]]:
        """A host that serves this folder, and a session whose paths begin at its address."""
        options = HostOptions(app_dir=app, port=0, storage=self.storage)
        async with (
            running_host(options, read_settings(options)) as host,
            aiohttp.ClientSession(host.url) as session,
        ):
            yield host, session


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("moto", marks=[pytest.mark.aws, pytest.mark.moto]),
        pytest.param("ministack", marks=pytest.mark.aws),
    ]
)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> BindingPlace:
    """Each place, one after the other."""
    if request.param in {"memory", "sqlite"}:
        return BindingPlace(storage=request.param)
    url: str = request.getfixturevalue(f"{request.param}_url")
    for name, value in aws_environment(url).items():
        if name != "AWS_ENDPOINT_URL":  # the connection says it
            monkeypatch.setenv(name, value)
    monkeypatch.setenv(f"{CONNECTION}__endpoint", url)
    return BindingPlace(storage="memory", aws_url=url)
