"""Runs a function for each new or changed blob of a container that is a folder of this machine.

Rules of this file: the folder is the truth, and it is looked through again and again, so nothing is
missed that was dropped while no host was there. What is found is run once it is whole: a blob that
this host wrote at once, any other file when it has not changed for a while. Each try is written
down before it begins, so a blob that ends its host is poison after some tries, too.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from bindings.errors import BlobNotFoundError, FunchostError
from bindings.kinds.blob_places import BlobEvent, BlobSource
from bindings.kinds.blobs import BlobContainer, BlobFolder, SeenBlob
from bindings.kinds.queues import OutgoingMessage
from bindings.kinds.records import TriggeredFunction
from bindings.kinds.services import ListenerServices
from host.core.failures import caught, in_words
from host.errors import StorageError
from host.logs import HostLog
from host.triggers.blob_receipts import Outcome, Receipt, Receipts

LOOK_S: Final = 1.0
"""How often the folder is looked through; less often where that takes long."""
SHARE: Final = 20
"""Looking takes at most one part in so many of the time."""
SETTLED_S: Final = 2.0
"""A file that has not changed for so long is whole."""
AGAIN_S: Final = (1.0, 4.0, 16.0, 64.0)
"""After so long what failed is tried again; the last one counts for all further tries."""
FORGET_S: Final = 86_400.0
"""What is known of a blob is kept for so long when it is gone: its folder may be away."""
PAUSE_S: Final = 2.0
"""Before what the hub refused is tried again."""
LEAVE_S: Final = 1.0
"""How long a stop tries to write down that a run was broken off: the hub may be away."""
POISON_QUEUE: Final = "webjobs-blobtrigger-poison"

T = TypeVar("T")

_log = HostLog(__name__)
_FOLDER, _HUB, _SELF = "folder", "hub", "self"
"""What may be in trouble."""
_DIED: Final = "the host did not live to the end of any try"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a look through the folder gave."""

    open: list[SeenBlob]
    """The blobs that there is something to do about."""
    gone: set[str]
    """The names of blobs that there are receipts of, and no files."""


class FolderListener:
    """Runs one blob function. A `TriggerListener`."""

    def __init__(
        self,
        function: TriggeredFunction,
        services: ListenerServices,
        source: BlobSource,
        container: BlobContainer,
        folder: BlobFolder,
    ) -> None:
        self._function = function
        self._services = services
        self._clock = services.clock
        self._source = source
        self._container = container
        self._folder = folder
        self._receipts = Receipts(services.records, function.name, container.name)
        self._ready: deque[SeenBlob] = deque()
        self._busy: set[str] = set()
        """The names of blobs that are ready or being run."""
        self._runs: set[asyncio.Task[None]] = set()
        self._since: dict[str, tuple[str, float]] = {}
        """Which version of a file was seen first when, of those that may not be whole."""
        self._again_at: dict[str, tuple[str, float]] = {}
        """When which version of what failed is tried again."""
        self._gone_since: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._troubles: dict[str, str] = {}
        self._leading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; the folder and the hub are looked at in the background."""
        self._leading = asyncio.create_task(self._lead())

    async def stop(self) -> None:
        """Begin no run, and wait for those that go on. If cancelled, they are run again."""
        self._is_stopping = True
        self._wake.set()
        tasks = {*self._runs, *([self._leading] if self._leading else [])}
        try:
            if tasks:
                await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=3 * LEAVE_S)
            raise

    def problems(self) -> list[str]:
        """Why blobs may go unnoticed."""
        return list(self._troubles.values())

    # ---- looking -------------------------------------------------------------------------------

    async def _lead(self) -> None:
        unfollow = self._folder.follow(self._written)
        try:
            await self._patiently(self._receipts.load)
            while not self._is_stopping:
                rest_until = await self._look()
                while not self._is_stopping and (left := rest_until - self._clock.monotonic()) > 0:
                    self._begin_runs()
                    await self._rest(left)
        except _HostStopsError:
            pass
        except Exception as error:  # noqa: BLE001 - a defect: it is shown, and other functions go on
            self._troubles[_SELF] = f"it has stopped: {in_words(error)}"
            _log.exception("The blob function '%s' runs no more", self._function.name)
        finally:
            unfollow()

    async def _look(self) -> float:
        """Look through the folder; gives when to do so again."""
        began = self._clock.monotonic()
        try:
            found = await asyncio.to_thread(self._look_now)
        except FunchostError as error:
            self._tell(_FOLDER, str(error))
        else:
            self._tell(_FOLDER, None)
            for seen in found.open:
                self._judge(seen)
            await self._forget(found)
            self._show()
        ended = self._clock.monotonic()
        return ended + max(LOOK_S, (ended - began) * SHARE)

    def _look_now(self) -> _Found:
        """In a thread: there may be many blobs, and most of them are done."""
        seen = self._folder.look(lambda name: self._source.pattern.match(name) is not None)
        names = {each.name for each in seen}
        return _Found(
            open=[each for each in seen if not self._receipts.is_final(each.name, each.etag)],
            gone=set(self._receipts.names()) - names,
        )

    def _written(self, seen: SeenBlob) -> None:
        """A blob that this host has written is whole."""
        if self._source.pattern.match(seen.name) is not None:
            self._since[seen.name] = (seen.etag, -SETTLED_S)
            self._judge(seen)
            self._wake.set()

    def _judge(self, seen: SeenBlob) -> None:
        """Have the blob run if there is something to do and it is time."""
        etag, again_at = self._again_at.get(seen.name, (seen.etag, 0.0))
        is_early = etag == seen.etag and again_at > self._clock.monotonic()
        if seen.name in self._busy or is_early or not self._is_whole(seen):
            return
        self._busy.add(seen.name)
        self._ready.append(seen)

    def _is_whole(self, seen: SeenBlob) -> bool:
        """Whether nobody writes on it, as far as that can be told: it has been so for a while.

        By the wall clock, or where that cannot be (a file from tomorrow), since it was seen first.
        """
        changed = datetime.fromtimestamp(seen.changed_ns / 1e9, UTC)
        if self._clock.now() - changed >= timedelta(seconds=SETTLED_S):
            return True
        now = self._clock.monotonic()
        etag, since = self._since.get(seen.name, ("", 0.0))
        if etag != seen.etag:
            self._since[seen.name] = (seen.etag, now)
            return False
        return now - since >= SETTLED_S

    async def _forget(self, found: _Found) -> None:
        """Forget what is over, and the receipts of blobs that were not seen for long."""
        now = self._clock.monotonic()
        gone = found.gone - self._busy
        self._gone_since = {name: self._gone_since.get(name, now) for name in gone}
        for name in [name for name, since in self._gone_since.items() if now - since >= FORGET_S]:
            await self._patiently(partial(self._receipts.forget, name))
            del self._gone_since[name]
        still = {each.name for each in found.open} | self._busy
        for memory in (self._since, self._again_at):
            for name in memory.keys() - still:
                del memory[name]

    # ---- running -------------------------------------------------------------------------------

    def _begin_runs(self) -> None:
        while self._ready and len(self._runs) < self._container.rules.max_parallel:
            seen = self._ready.popleft()
            run = asyncio.create_task(self._run(seen))
            self._runs.add(run)
            run.add_done_callback(partial(self._ended, seen.name))

    def _ended(self, name: str, run: asyncio.Task[None]) -> None:
        self._runs.discard(run)
        self._busy.discard(name)
        self._wake.set()
        error = None if run.cancelled() else run.exception()
        if error is not None and not isinstance(error, _HostStopsError):
            _log.error("A run of the blob function '%s' broke off", name, exc_info=error)

    async def _run(self, seen: SeenBlob) -> None:
        """Run the function for one blob, and write down what became of it."""
        event = self._source.event(seen.name)
        before = self._receipts.get(seen.name, seen.etag)
        tries = 0 if before is None else before.tries
        if event is None:
            return
        if tries >= self._container.rules.max_tries:
            await self._poison(event, seen, tries, _DIED)
            return
        begun = Receipt(seen.etag, Outcome.TRIED, tries + 1)
        await self._put(seen, begun)
        try:
            await self._function.invoke(event)
        except asyncio.CancelledError:
            await self._give_back(seen, begun)
            raise
        except Exception as error:  # noqa: BLE001 - an author's function may raise anything
            if not (isinstance(error, BlobNotFoundError) and error.path == event.path):
                await self._failed(event, seen, begun.tries, error)
        else:
            await self._put(seen, Receipt(seen.etag, Outcome.DONE, begun.tries))

    async def _failed(self, event: BlobEvent, seen: SeenBlob, tries: int, error: Exception) -> None:
        if tries >= self._container.rules.max_tries:
            failed = caught(error)
            _log.error(
                "The function '%s' failed for '%s': %s",
                self._function.name,
                event.path,
                failed,
                exc_info=failed.exc_info,
            )
            await self._poison(event, seen, tries, in_words(error))
            return
        pause_s = AGAIN_S[min(tries, len(AGAIN_S)) - 1]
        self._again_at[seen.name] = (seen.etag, self._clock.monotonic() + pause_s)
        _log.warning(
            "The function '%s' failed for '%s': try %d of %d, the next one in %g s: %s",
            self._function.name,
            event.path,
            tries,
            self._container.rules.max_tries,
            pause_s,
            in_words(error),
        )

    async def _poison(self, event: BlobEvent, seen: SeenBlob, tries: int, reason: str) -> None:
        """Give the blob up: a message says so, and it is run again only when it has changed."""
        _log.error(
            "'%s' is poison for the function '%s': it was tried %d times (%s). It runs again when "
            "the blob has changed",
            event.path,
            self._function.name,
            tries,
            reason,
        )
        said = {
            "FunctionName": self._function.name,
            "ContainerName": event.container,
            "BlobName": event.name,
            "ETag": seen.etag,
            "Tries": tries,
            "Reason": reason,
        }
        message = OutgoingMessage(body=json.dumps(said, ensure_ascii=False))
        await self._patiently(lambda: self._send(message))
        await self._put(seen, Receipt(seen.etag, Outcome.POISON, tries))

    async def _send(self, message: OutgoingMessage) -> None:
        try:
            queue = self._services.resources.queue(POISON_QUEUE, None)
            await queue.send([message])
        except StorageError:
            raise
        except FunchostError as error:
            _log.error("No message about it is in the queue '%s': %s", POISON_QUEUE, error)

    async def _give_back(self, seen: SeenBlob, begun: Receipt) -> None:
        """The host stops: that was no try."""
        before = Receipt(seen.etag, Outcome.TRIED, begun.tries - 1)
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._receipts.put(seen.name, before)
        except (FunchostError, TimeoutError) as error:
            _log.debug("The broken off run for '%s' counts as a try: %s", seen.name, error)

    # ---- the hub and the clock -----------------------------------------------------------------

    async def _put(self, seen: SeenBlob, receipt: Receipt) -> None:
        await self._patiently(lambda: self._receipts.put(seen.name, receipt))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the hub until it answers. Raises `_HostStopsError` if the host stops before."""
        while True:
            try:
                answer = await ask()
            except StorageError as error:
                self._tell(_HUB, f"the hub does not answer: {error}")
                if self._is_stopping:
                    raise _HostStopsError from error
                await self._clock.sleep(PAUSE_S)
            else:
                self._tell(_HUB, None)
                return answer

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until there is something to do."""
        nap = asyncio.ensure_future(self._clock.sleep(seconds))
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({nap, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            woken.cancel()
            self._wake.clear()

    def _tell(self, of: str, trouble: str | None) -> None:
        """What is wrong with the folder or the hub; None if nothing is."""
        if trouble is None:
            self._troubles.pop(of, None)
            return
        if of not in self._troubles:
            _log.warning("Blobs for '%s' may go unnoticed: %s", self._function.name, trouble)
        self._troubles[of] = trouble

    def _show(self) -> None:
        waiting = len(self._ready) + len(self._runs) + len(self._again_at)
        poison = self._receipts.count(Outcome.POISON)
        facts = {"waiting": waiting, "poison": poison}
        self._services.show({name: str(count) for name, count in facts.items() if count})


class _HostStopsError(Exception):
    """The host stops, and the hub does not answer."""
