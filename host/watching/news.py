"""When something happens in folders, as the system tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from host.clock import Clock
from host.logs import HostLog

_logger = HostLog("funchost.app")

_REGISTERED_S = 0.05
"""So long after the first step of a watch, nothing is missed."""
_TOGETHER_MS = 200
_STEP_MS = 50
_LOOK_S = 1.0
"""How often files are looked at where the system does not tell."""


class News(Protocol):
    """Tells when it is time to look."""

    async def wait(self, folders: frozenset[str], may_matter: Callable[[str], bool]) -> None:
        """Wait until something may have happened in these folders since the last look.

        With other folders than the last time it returns at once when it is sure to hear of what
        happens from then on.
        """

    async def close(self) -> None:
        """Hear nothing any more."""


class SystemNews:
    """Asks the system, for these folders and none below them: a store's files change all the time.

    Where that is not possible it is time to look once a second.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._folders: frozenset[str] = frozenset()
        self._events: AsyncGenerator[object, None] | None = None
        self._next: asyncio.Task[object] | None = None
        self._is_deaf = False

    async def wait(self, folders: frozenset[str], may_matter: Callable[[str], bool]) -> None:
        """See `News`."""
        if self._is_deaf:
            await self._clock.sleep(_LOOK_S)
        elif folders != self._folders or self._next is None:
            await self._listen(folders, may_matter)
        else:
            await self._heard(self._next)

    async def close(self) -> None:
        """See `News`."""
        coming, self._next = self._next, None
        if coming is not None:
            coming.cancel()
            await asyncio.wait([coming])
        events, self._events = self._events, None
        if events is not None:
            await events.aclose()

    async def _listen(self, folders: frozenset[str], may_matter: Callable[[str], bool]) -> None:
        from watchfiles import awatch  # noqa: PLC0415 - most hosts watch nothing

        await self.close()
        self._folders = folders
        self._events = awatch(
            *sorted(folders),
            watch_filter=lambda _, path: may_matter(path),
            debounce=_TOGETHER_MS,
            step=_STEP_MS,
            recursive=False,
            ignore_permission_denied=True,
        )
        self._begin_next()
        await self._clock.sleep(_REGISTERED_S)

    async def _heard(self, coming: asyncio.Task[object]) -> None:
        await asyncio.wait([coming])
        self._next = None
        try:
            coming.result()
        except (FileNotFoundError, StopAsyncIteration):
            await self._clock.sleep(_REGISTERED_S)  # a folder went just then: look again
        except Exception as error:  # noqa: BLE001 - the library has errors of its own
            self._is_deaf = True
            _logger.warning(
                "The system does not tell of changes (%s): the files are looked at each second.",
                error,
            )
        else:
            self._begin_next()

    def _begin_next(self) -> None:
        if self._events is not None:
            self._next = asyncio.ensure_future(anext(self._events))
