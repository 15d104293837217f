"""Makes environments of one app: what the fixture `funchost_env` gives."""

from __future__ import annotations

from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, NoReturn

from host.testing.environment import PATIENCE_S, FakesByName, TestEnvironment
from host.testing.loading import TestedApp
from host.testing.manual_clock import START


class EnvironmentMaker:
    """Gives a `TestEnvironment` of the app of these tests: `async with funchost_env() as env`."""

    def __init__(self, app: str | PathLike[str]) -> None:
        self._app = app

    def __call__(
        self,
        app: TestedApp | None = None,
        *,
        fakes: FakesByName | None = None,
        start: datetime = START,
        patience_s: float = PATIENCE_S,
    ) -> TestEnvironment:
        """As `TestEnvironment`, whose `app` may be left out."""
        given = self._app if app is None else app
        return TestEnvironment(given, fakes=fakes, start=start, patience_s=patience_s)

    if not TYPE_CHECKING:  # a checker says by itself what is missing

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"funchost_env has no '{name}': it makes environments. Write `async with "
                "funchost_env() as env:` and use env."
            )
