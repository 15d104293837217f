"""Loads an app anew whenever its files have changed, and have come to rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from host.clock import Clock
from host.errors import ConfigurationError
from host.logs import HostLog
from host.watching.files import MOST_FOLDERS, Seen, Watched
from host.watching.news import News

_logger = HostLog("funchost.app")

QUIET_S = 0.15
"""Who writes a file in several steps does nothing for so long only when he is done."""
PATIENCE_S = 1.0
"""What does not come to rest in so long is loaded as it is."""
_NAMED = 3
_TOO_MANY = (
    "%s is not watched: it has more than %d folders. Keep the app in a folder of its own, or say "
    "--no-watch, and `funchost reload` when the app has changed."
)


class Watch:
    """Looks after the files of one app."""

    def __init__(
        self,
        app_dir: Path,
        *,
        watched: Callable[[], Watched],
        look: Callable[[Watched], Awaitable[Seen]],
        news: News,
        reload: Callable[[], Awaitable[object]],
        clock: Clock,
    ) -> None:
        """`watched` says each time what to look at, since settings that were loaded change that."""
        self._app_dir = app_dir
        self._watched = watched
        self._look = look
        self._news = news
        self._reload = reload
        self._clock = clock

    async def run(self, loaded: Seen) -> None:
        """Watch until this is cancelled, or there is too much to watch.

        `loaded` are the files of which the app was made.
        """
        try:
            while True:
                watched = self._watched()
                now = await self._look(watched)
                if not now.is_all:
                    _logger.warning(_TOO_MANY, self._app_dir, MOST_FOLDERS)
                    return
                if now.files == loaded.files:
                    await self._news.wait(now.folders, watched.may_matter)
                    continue
                now = await self._at_rest(watched, now)
                if changed := now.changed(loaded):
                    await self._load(changed)
                loaded = now
        finally:
            await self._news.close()

    async def _at_rest(self, watched: Watched, now: Seen) -> Seen:
        until = self._clock.monotonic() + PATIENCE_S
        while True:
            await self._clock.sleep(QUIET_S)
            before, now = now, await self._look(watched)
            if now.files == before.files or self._clock.monotonic() >= until:
                return now

    async def _load(self, changed: Sequence[str]) -> None:
        names = [self._shown(each) for each in changed[:_NAMED]]
        more = len(changed) - len(names)
        rest = f" and {more} more" if more else ""
        _logger.info("Changed: %s%s. The app is loaded anew.", ", ".join(names), rest)
        try:
            await self._reload()
        except ConfigurationError:
            return  # it was said, and the next change may mend it
        except Exception:
            _logger.exception("The app could not be loaded anew; it stays as it was")

    def _shown(self, file: str) -> str:
        path = Path(file)
        is_inside = path.is_relative_to(self._app_dir)
        return str(path.relative_to(self._app_dir)) if is_inside else file


@asynccontextmanager
async def watching(watch: Watch, loaded: Seen) -> AsyncIterator[None]:
    """Watch meanwhile."""
    task = asyncio.create_task(watch.run(loaded), name="funchost-watch")
    task.add_done_callback(_tell_end)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _tell_end(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _logger.error(
            "The app is not watched any more; `funchost reload` loads it anew", exc_info=error
        )
