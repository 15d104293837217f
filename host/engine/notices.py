"""Notices on their way out of the hub: each is posted until the receiver has taken it.

What a turn of this host tells is posted at once. It stays in the store until it is taken, so what a
host leaves is found by whoever has the duty `notices`. He alone goes on with what is refused for
long; others leave it to him. So two may post the same notice, under the same id, but rarely do.

A notice waits only for its own receiver's answer: at most `AT_ONCE` are on their way, those of one
instance one after the other, and no turn waits for any. What was refused is posted again after 1 s,
then after twice as long each time, up to ten minutes; who was refused for a day is dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from math import inf
from typing import Any, TypeAlias
from uuid import uuid4

import msgspec

from host.clock import Clock
from host.core.records import Notice, NoticeKind
from host.engine.duties import Duty
from host.engine.repeated import RepeatedLines
from host.engine.store_watch import StoreWatch
from host.errors import DamagedDataError, StorageError
from host.logs import HostLog
from host.storage.kept_notices import NOTICE, KeptNotice, kept_record, key_of, notice_in
from host.storage.protocol import HubStore, NamedRecord

NOTICES = "notices"
AT_ONCE = 32
"""So many are on their way at once: a receiver that takes a second gets so many a second."""
MAX_WAITING = 10_000
"""So many wait in memory; what comes then is read from the store when there is room."""
READ_AHEAD = 1000
"""So many that others left are taken up at once."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 600.0
TRIED_FOR = timedelta(days=1)
LEFT_AFTER = timedelta(seconds=120)
"""What was refused for so long is left to whoever has the duty."""
SEEN_TO_FOR = timedelta(seconds=180)
"""So long whoever has the duty leaves a notice to the host that told it."""
NEVER_HAPPENED = timedelta(hours=1)
"""What the row does not say by then never happened: its host ended before it wrote the row."""
LOOK_S = 300.0
"""How often it is looked for what others left."""
_PAGE = 100
_POSTS = "posts of notices"

_logger = HostLog("funchost.engine")


class Answer(msgspec.Struct, frozen=True):
    """What became of a post: `problem` says why the notice is not taken, None that it is."""

    problem: str | None = None
    retry_after_s: float = 0.0
    """For how long the receiver wants to be left alone."""


TAKEN = Answer()

Post: TypeAlias = Callable[[Notice], Awaitable[Answer]]
"""Posts a notice and gives the answer. It raises nothing, and ends within a bounded time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifications:
    """What is to be told outside of the hub, and how."""

    wanted: frozenset[NoticeKind]
    post: Post


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A notice that waits for its next post. It was taken, and only its record is left."""

    kept: KeptNotice
    stamp: str
    failures: int = 0
    is_taken: bool = False


class NoticeSender:
    """One host's part in sending what its hub has to tell."""

    def __init__(
        self,
        store: HubStore,
        clock: Clock,
        post: Post,
        *,
        host_id: str,
        is_alone: bool,
        lines: RepeatedLines,
        watch: StoreWatch,
    ) -> None:
        """`is_alone`: no other host has the hub, so what is in the store is this host's to send."""
        self._store = store
        self._clock = clock
        self._post = post
        self._is_alone = is_alone
        self._lines = lines
        self._watch = watch
        self._duty = Duty(store, clock, name=NOTICES, owner=host_id, hold_s=LOOK_S * 1.2)
        self._waiting: dict[str, _Waiting] = {}
        self._due: list[tuple[float, str]] = []
        """A heap of when to post which."""
        self._behind: dict[str, deque[str]] = {}
        """By instance of which one is on its way, those that are to follow it."""
        self._posts: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._is_over = False
        self._has_more = False
        """Whether there is more in the store than there was room for."""

    @property
    def is_at_work(self) -> bool:
        """Whether a notice is on its way, or is to be posted now."""
        return bool(self._posts) or self._next_due <= self._clock.monotonic()

    def offer(self, notices: Sequence[Notice]) -> None:
        """Send these, which are in the store."""
        for notice in notices:
            self._take_up(KeptNotice(notice=notice), notice.notice_id, MAX_WAITING)

    async def send(self) -> None:
        """Post what is due, then wait until more is. To be called again and again."""
        self._news.clear()
        now = self._clock.monotonic()
        while self._next_due <= now:
            self._begin(heappop(self._due)[1])
        if self._has_more and len(self._waiting) < READ_AHEAD // 2:
            await self._read()
        else:
            await self._rest()

    async def look(self) -> None:
        """Take up what others left, if that is this host's duty now. Raises `StorageError`."""
        if self._is_alone or await self._duty.take():
            await self._read()

    async def rest(self) -> None:
        """Wait until nothing is on its way, once what is due could set out."""
        await asyncio.sleep(0)
        while self._posts:
            await asyncio.wait(self._posts)

    async def stop(self) -> None:
        """Post no more. What is on its way is let go of: it may arrive, and be sent again."""
        self._is_over = True
        for post in self._posts:
            post.cancel()
        await self.rest()

    async def leave(self) -> None:
        """The host ends in order: others need not wait."""
        await self._duty.let_go()

    # ---- one notice -----------------------------------------------------------------------

    def _begin(self, key: str) -> None:
        each = self._waiting.get(key)
        if each is None:
            return
        instance_id = each.kept.notice.instance_id
        if instance_id in self._behind:
            self._behind[instance_id].append(key)
            return
        self._behind[instance_id] = deque()
        post = asyncio.create_task(self._see_to(key, each), name=f"notice {key}")
        self._posts.add(post)
        post.add_done_callback(self._posts.discard)
        post.add_done_callback(lambda _: self._ended(instance_id))

    def _ended(self, instance_id: str) -> None:
        now = self._clock.monotonic()
        for key in self._behind.pop(instance_id, ()):
            heappush(self._due, (now, key))
        self._news.set()

    async def _see_to(self, key: str, each: _Waiting) -> None:
        """One post, and what follows from its answer."""
        try:
            if each.is_taken:
                await self._remove(key)
            elif await self._has_happened(each.kept.notice):
                await self._try(key, each)
            elif self._clock.now() - each.kept.notice.at >= NEVER_HAPPENED:
                await self._remove(key)
            else:
                self._again(key, each)
        except StorageError as error:
            each = self._waiting[key]
            instance_id = each.kept.notice.instance_id
            text = "A notice of '%s' waits for the store: %s"
            self._watch.failed(text, instance_id, error, part=_POSTS)
            self._again(key, each)
        except Exception:
            _logger.exception("A notice could not be sent; it is sent again later: %s", key)
            self._again(key, self._waiting.get(key, each))

    async def _try(self, key: str, each: _Waiting) -> None:
        """Post it. Raises `StorageError`."""
        answer = await self._post(each.kept.notice)
        if answer.problem is None:
            self._waiting[key] = replace(each, is_taken=True)
            await self._remove(key)
        else:
            await self._refused(key, each, answer.problem, answer.retry_after_s)

    async def _refused(self, key: str, each: _Waiting, problem: str, retry_after_s: float) -> None:
        now, notice = self._clock.now(), each.kept.notice
        if each.kept.failed_at is None:
            noted = await self._note(each, now)
            if noted is None:  # another host has sent it, or sees to it
                self._waiting.pop(key, None)
                return
            each = noted
        tried_for = now - (each.kept.failed_at or now)
        if tried_for >= TRIED_FOR:
            text = "What '%s' had to tell (%s, %s) is dropped: nobody took it for a day. %s"
            _logger.error(text, notice.instance_id, notice.kind, notice.notice_id, problem)
            await self._remove(key)
        elif tried_for >= LEFT_AFTER and not (self._is_alone or self._duty.is_held):
            self._waiting.pop(key, None)
        else:
            text = "A notice of '%s' is not taken, and is sent again: %s"
            self._lines.warn(text, notice.instance_id, problem)
            self._again(key, each, at_least_s=min(retry_after_s, LONGEST_PAUSE_S))

    async def _note(self, each: _Waiting, now: datetime) -> _Waiting | None:
        """Write down when it was refused first; None if the record is another by now, or gone."""
        kept = KeptNotice(notice=each.kept.notice, failed_at=now)
        stamp = uuid4().hex
        record = kept_record(kept, stamp=stamp)
        if not await self._store.change_record(record, after=each.stamp):
            return None
        return replace(each, kept=kept, stamp=stamp)

    async def _has_happened(self, notice: Notice) -> bool:
        """Whether the row says so, or more: some stores keep the notice before the row.

        Raises `StorageError`.
        """
        if notice.kind is not NoticeKind.QUARANTINED:
            return True  # its turn is stored
        try:
            row = await self._store.get(notice.instance_id)
        except DamagedDataError:
            return True
        return row is None or row.updated_at >= notice.at

    def _again(self, key: str, each: _Waiting, *, at_least_s: float = 0.0) -> None:
        failures = each.failures + 1
        self._waiting[key] = replace(each, failures=failures)
        pause_s = min(FIRST_PAUSE_S * 2 ** min(failures - 1, 30), LONGEST_PAUSE_S)
        heappush(self._due, (self._clock.monotonic() + max(pause_s, at_least_s), key))

    async def _remove(self, key: str) -> None:
        await self._store.remove_record(NOTICE, key)
        self._watch.worked(_POSTS)
        self._waiting.pop(key, None)

    # ---- all of them ----------------------------------------------------------------------

    def _take_up(self, kept: KeptNotice, stamp: str, room: int) -> None:
        key = key_of(kept.notice)
        if key in self._waiting:
            return
        if len(self._waiting) >= room:
            self._has_more = True
            return
        self._waiting[key] = _Waiting(kept=kept, stamp=stamp)
        heappush(self._due, (self._clock.monotonic(), key))
        self._news.set()

    async def _read(self) -> None:
        """Take up what is in the store, as far as there is room. Raises `StorageError`."""
        after: str | None = ""
        while after is not None:
            page = await self._store.records(NOTICE, after=after, limit=_PAGE)
            self._has_more = False
            for record in page.records:
                self._take_over(record)
            after = None if self._has_more else page.rest

    def _take_over(self, record: NamedRecord) -> None:
        kept = notice_in(record)
        if kept is None:
            return
        since = self._clock.now() - (kept.failed_at or kept.notice.at)
        if self._is_alone or since >= SEEN_TO_FOR:
            self._take_up(kept, record.stamp, READ_AHEAD)

    @property
    def _next_due(self) -> float:
        """When there is something to do, if no post ends before that."""
        if self._is_over or not self._due or len(self._posts) >= AT_ONCE:
            return inf
        return self._due[0][0]

    async def _rest(self) -> None:
        """Wait until something is due, or a post ended, or there is news."""
        pause_s = self._next_due - self._clock.monotonic()
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._news.wait())]
        if pause_s < inf:
            waits.append(asyncio.ensure_future(self._clock.sleep(max(pause_s, 0.0))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
