"""Loads the app anew while the host serves, and lets the new version count.

Loading is done in a thread, one version at a time. What follows, the swap and all that must be seen
together with it, is one step on the event loop: nobody sees half of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from host.clock import Clock
from host.engine.pauses import first_of
from host.errors import ConfigurationError
from host.functions.model import App, BrokenFunction, Oddity
from host.functions.registry import FunctionRegistry
from host.logs import HostLog
from host.watching.apart import in_thread
from host.watching.source import AppSource, Loaded

R = TypeVar("R")

_logger = HostLog("funchost.app")

FIT_S = 10.0
"""How long an answer waits for what is not needed to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What became of the app. Functions are named with their version, if they are for one only."""

    functions: int
    """How many there are now."""
    added: tuple[str, ...]
    removed: tuple[str, ...]
    broken: tuple[BrokenFunction, ...]
    """What does not load now."""
    remarks: tuple[str, ...]
    """What was changed and does not count yet, in sentences."""
    on_former: Mapping[str, Sequence[str]] | None = None
    """The instances that go on with a former version, by orchestrator; None if that is not known
    yet."""


class Reloader(Generic[R]):
    """Loads the app of a running host anew. For the event loop's thread."""

    def __init__(
        self,
        source: AppSource[R],
        registry: FunctionRegistry[R],
        clock: Clock,
        *,
        swap: Callable[[Loaded[R]], None],
        fitted: Callable[[], Awaitable[Mapping[str, Sequence[str]]]],
    ) -> None:
        """`swap` lets a version count, with its settings; it waits for nothing.

        `fitted` waits until it is known which instances go on with former code.
        """
        self._source = source
        self._registry = registry
        self._clock = clock
        self._swap = swap
        self._fitted = fitted
        self._turn = asyncio.Lock()
        self.settings = source.settings
        """Those that the app was loaded with."""

    async def reload(self) -> Reloaded:
        """Load the app and let it count, whatever of it is broken; one after the other.

        Raises `ConfigurationError` if its settings cannot be read: then all stays as it was.
        """
        async with self._turn:
            return await self._reload()

    async def reload_and_fit(self) -> Reloaded:
        """The same, and say who goes on with a former version, if that is known soon."""
        found = await self.reload()
        fitted = asyncio.ensure_future(self._fitted())
        await first_of(self._clock.sleep(FIT_S), asyncio.wait([fitted]))
        if fitted.done():
            return replace(found, on_former=fitted.result())
        fitted.cancel()
        return found

    async def _reload(self) -> Reloaded:
        began_s = self._clock.monotonic()
        former = self._registry.version
        try:
            loaded = await in_thread(lambda: self._source.load(former), "funchost-loading")
        except ConfigurationError as error:
            for problem in error.problems:
                _logger.error("The app stays as it was: %s", problem)
            raise
        self.settings = loaded.settings
        self._swap(loaded)
        found = _compared(former.app, loaded)
        _tell(found, former.app, loaded.version.app, self._clock.monotonic() - began_s)
        return found


def _compared(former: App, loaded: Loaded[R]) -> Reloaded:
    app = loaded.version.app
    before, now = _labels(former), _labels(app)
    return Reloaded(
        functions=len(app.functions),
        added=tuple(now[label] for label in now if label not in before),
        removed=tuple(before[label] for label in before if label not in now),
        broken=app.broken,
        remarks=loaded.remarks,
    )


def counted_functions(count: int) -> str:
    """A number of functions, in words."""
    return "1 function" if count == 1 else f"{count} functions"


def _labels(app: App) -> dict[str, str]:
    return {each.label.lower(): each.label for each in app.functions}


def _tell(found: Reloaded, former: App, app: App, seconds: float) -> None:
    changes = [
        f"{what} {', '.join(names)}"
        for what, names in (("added", found.added), ("removed", found.removed))
        if names
    ]
    _logger.info(
        "The app was loaded anew in %.2f s: %s%s.",
        seconds,
        counted_functions(found.functions),
        f"; {'; '.join(changes)}" if changes else "",
    )
    for each in found.broken:
        text = f"\n{each.traceback.rstrip()}" if each.traceback else ""
        _logger.error("%s%s", each, text)
    for oddity in _new(former.oddities, app.oddities):
        _logger.warning("Odd: %s", oddity)
    for remark in found.remarks:
        _logger.warning("%s", remark)


def _new(before: Iterable[Oddity], now: Sequence[Oddity]) -> Iterable[Oddity]:
    known = set(before)
    return (each for each in now if each not in known)
