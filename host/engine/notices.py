"""Notices on their way out of the hub: each is posted until the receiver has taken it.

What a turn of this host tells is posted at once. It stays in the store until it is taken, so what a
host leaves is found by whoever has the duty `notices`. He alone goes on with what is refused for
long; others leave it to him. So two may post the same notice, under the same id, but rarely do.

A notice waits only for its own receiver's answer: at most `AT_ONCE` are on their way, those of one
instance one after the other, and no turn waits for any. What was refused is posted again after 1 s,
then after twice as long each time, up to ten minutes; who was refused for a day is dropped, unless
the host has hardly tried since it is there.

What was refused waits apart, with ways of its own (`notice_rooms.py`): however much of it there is,
what is new goes out at once. When there is no room for all, each that was tried `TRIES` times makes
room for others, and begins anew when its turn comes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from typing import Any, TypeAlias
from uuid import uuid4

import msgspec

from host.clock import Clock
from host.core.records import Notice, NoticeKind
from host.engine.duties import Duty
from host.engine.notice_rooms import Room, Waiting
from host.engine.repeated import RepeatedLines
from host.engine.store_watch import StoreWatch
from host.errors import DamagedDataError, StorageError
from host.logs import HostLog
from host.storage.kept_notices import NOTICE, KeptNotice, kept_record, key_of, notice_in
from host.storage.protocol import HubStore

NOTICES = "notices"
AT_ONCE = 32
"""So many are on their way at once: a receiver that takes a second gets so many a second."""
AGAIN_AT_ONCE = 16
"""So many besides, of those that were refused before."""
MAX_WAITING = 10_000
"""So many new ones wait in memory; what comes then is read from the store when there is room."""
READ_AHEAD = 1000
"""So many that are in the store are taken up at once."""
MAX_REFUSED = 1000
"""So many that were refused wait in memory; the others in the store."""
MAX_CHANGED = 10_000
"""More change while a page is read on no store that works: they would be sent twice."""
TRIES = 10
"""So often a host tries, which takes some eight minutes, before it gives a notice up for others, or
altogether: of the day in which it was refused, hosts may have been away for the most part."""
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
        self._new = Room(at_once=AT_ONCE, read_ahead=READ_AHEAD, page=_PAGE)
        self._refused = Room(at_once=AGAIN_AT_ONCE, read_ahead=MAX_REFUSED, page=_PAGE)
        self._rooms = (self._new, self._refused)
        self._behind: dict[str, deque[str]] = {}
        """By instance of which one is on its way, those that are to follow it."""
        self._posts: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._space = asyncio.Event()
        """Set when there may be room for what waits in the store."""
        self._changed: deque[str] = deque(maxlen=MAX_CHANGED)
        """What was sent or changed since a page was asked for: the page may have it as it was."""
        self._look_at = -inf
        self._is_over = False

    @property
    def is_at_work(self) -> bool:
        """Whether a notice is on its way, or is to be posted now."""
        return bool(self._posts) or self._next_due <= self._clock.monotonic()

    @property
    def waiting(self) -> int:
        """How many wait in memory."""
        return sum(len(room.waiting) for room in self._rooms)

    def waiting_in_words(self) -> str | None:
        """What waits still, and for whom, in words; None if nothing does that this host knows."""
        count, has_more = self.waiting, any(room.has_more for room in self._rooms)
        if not (count or has_more):
            return None
        found = "1 notice waits" if count == 1 else f"{count} notices wait"
        more = ", and perhaps more in the store" if has_more else ""
        return f"{found}{more}; {'the next start sends' if self._is_alone else 'others send'} them."

    def offer(self, notices: Sequence[Notice]) -> None:
        """Send these, which are in the store."""
        for notice in notices:
            # Where older ones wait in the store, they come first.
            room = READ_AHEAD if self._new.has_more else MAX_WAITING
            if len(self._new.waiting) < room:
                self._take_up(KeptNotice(notice=notice), notice.notice_id)
            else:
                self._leave(self._new, key_of(notice))

    async def send(self) -> None:
        """Post what is due, then wait until more is. To be called again and again."""
        self._news.clear()
        now = self._clock.monotonic()
        for room in self._rooms:
            while not self._is_over and room.next_due <= now:
                self._begin(room.next_one())
        await self._until(self._news, self._next_due)

    async def look(self) -> None:
        """Take up what waits in the store, as far as there is room. Raises `StorageError`.

        What others left is looked for now and then, if that is this host's duty. To be called again
        and again, after `pause`, and apart from `send`: no new notice is to wait for that.
        """
        self._space.clear()
        now = self._clock.monotonic()
        if self._look_at <= now:
            if self._is_alone or await self._duty.take():
                for room in self._rooms:
                    room.leave("")
            self._look_at = now + LOOK_S
        while reading := [room for room in self._rooms if room.reads_on]:
            await self._read(reading)

    async def pause(self) -> None:
        """Wait until there is something to `look` for."""
        await self._until(self._space, self._look_at)

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
        each = self._find(key)
        if each is None:
            return
        instance_id = each.kept.notice.instance_id
        if instance_id in self._behind:
            self._behind[instance_id].append(key)
            return
        self._behind[instance_id] = deque()
        room = self._room_of(each.kept)
        room.on_their_way += 1
        post = asyncio.create_task(self._see_to(key, each), name=f"notice {key}")
        self._posts.add(post)
        post.add_done_callback(self._posts.discard)
        post.add_done_callback(lambda _: self._ended(instance_id, room))

    def _ended(self, instance_id: str, room: Room) -> None:
        room.on_their_way -= 1
        now = self._clock.monotonic()
        for key in self._behind.pop(instance_id, ()):
            each = self._find(key)
            if each is not None:
                self._room_of(each.kept).is_due(key, now)
        self._news.set()

    async def _see_to(self, key: str, each: Waiting) -> None:
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
            each = self._find(key) or each
            instance_id = each.kept.notice.instance_id
            text = "A notice of '%s' waits for the store: %s"
            self._watch.failed(text, instance_id, error, part=_POSTS)
            self._again(key, each)
        except Exception:
            _logger.exception("A notice could not be sent; it is sent again later: %s", key)
            self._again(key, self._find(key) or each)

    async def _try(self, key: str, each: Waiting) -> None:
        """Post it. Raises `StorageError`."""
        answer = await self._post(each.kept.notice)
        if answer.problem is None:
            self._keep(key, replace(each, is_taken=True))
            await self._remove(key)
        else:
            await self._on_refusal(key, each, answer.problem, answer.retry_after_s)

    async def _on_refusal(
        self, key: str, each: Waiting, problem: str, retry_after_s: float
    ) -> None:
        now, notice = self._clock.now(), each.kept.notice
        if each.kept.failed_at is None:
            noted = await self._note(each, now)
            if noted is None:  # another host has sent it, or sees to it
                self._forget(key)
                return
            each = noted
        each = replace(each, refusals=each.refusals + 1)
        tried_for = now - (each.kept.failed_at or now)
        if tried_for >= TRIED_FOR and each.refusals >= TRIES:
            text = "What '%s' had to tell (%s, %s) is dropped: nobody took it for a day. %s"
            _logger.error(text, notice.instance_id, notice.kind, notice.notice_id, problem)
            await self._remove(key)
            return
        if tried_for >= LEFT_AFTER and not self._sees_to_all:
            self._forget(key)
            return
        text = "A notice of '%s' is not taken, and is sent again: %s"
        self._lines.warn(text, notice.instance_id, problem)
        if self._may_stay(key, each):
            self._again(key, each, at_least_s=min(retry_after_s, LONGEST_PAUSE_S))
        else:
            self._forget(key)
            if self._sees_to_all:
                self._leave(self._refused, key)

    def _may_stay(self, key: str, each: Waiting) -> bool:
        """Whether it may wait in memory: others are to have their turn, too."""
        if key in self._refused.waiting:
            return each.refusals < TRIES or not self._refused.has_more
        return len(self._refused.waiting) < MAX_REFUSED

    @property
    def _sees_to_all(self) -> bool:
        """Whether what is in the store is this host's to send, whoever told it."""
        return self._is_alone or self._duty.is_held

    async def _note(self, each: Waiting, now: datetime) -> Waiting | None:
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

    def _again(self, key: str, each: Waiting, *, at_least_s: float = 0.0) -> None:
        failures = each.failures + 1
        room = self._keep(key, replace(each, failures=failures))
        pause_s = min(FIRST_PAUSE_S * 2 ** min(failures - 1, 30), LONGEST_PAUSE_S)
        room.is_due(key, self._clock.monotonic() + max(pause_s, at_least_s))

    async def _remove(self, key: str) -> None:
        await self._store.remove_record(NOTICE, key)
        self._watch.worked(_POSTS)
        self._forget(key)

    # ---- all of them ----------------------------------------------------------------------

    def _room_of(self, kept: KeptNotice) -> Room:
        return self._new if kept.failed_at is None else self._refused

    def _find(self, key: str) -> Waiting | None:
        return self._new.waiting.get(key) or self._refused.waiting.get(key)

    def _keep(self, key: str, each: Waiting) -> Room:
        """Put it into its room, which may be another than before."""
        self._forget(key)
        room = self._room_of(each.kept)
        room.waiting[key] = each
        return room

    def _forget(self, key: str) -> None:
        self._changed.append(key)
        for room in self._rooms:
            room.waiting.pop(key, None)
            if room.reads_on:
                self._space.set()

    def _leave(self, room: Room, key: str) -> None:
        room.leave(key)
        if room.reads_on:
            self._space.set()

    def _take_up(self, kept: KeptNotice, stamp: str) -> None:
        key = key_of(kept.notice)
        if self._find(key) is None:
            room = self._keep(key, Waiting(kept=kept, stamp=stamp))
            room.is_due(key, self._clock.monotonic())
            self._news.set()

    async def _read(self, rooms: Iterable[Room]) -> None:
        """Take up a page of what is in the store. Raises `StorageError`."""
        places = [(room, room.next_page()) for room in rooms]
        after = places[0][1]
        served = [room for room, place in places if place == after]
        self._changed.clear()
        page = await self._store.records(NOTICE, after=after or "", limit=_PAGE)
        changed = set(self._changed)
        for record in page.records:
            kept = notice_in(record)
            if kept is None or record.key in changed:
                continue
            if self._room_of(kept) in served and self._is_ours(kept):
                self._take_up(kept, record.stamp)
        for room in served:
            room.after = page.rest

    def _is_ours(self, kept: KeptNotice) -> bool:
        since = self._clock.now() - (kept.failed_at or kept.notice.at)
        return self._is_alone or since >= SEEN_TO_FOR

    @property
    def _next_due(self) -> float:
        """When there is something to do, if no post ends before that."""
        return inf if self._is_over else min(room.next_due for room in self._rooms)

    async def _until(self, event: asyncio.Event, at: float) -> None:
        """Wait for the event, and no longer than until that time."""
        pause_s = at - self._clock.monotonic()
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(event.wait())]
        if pause_s < inf:
            waits.append(asyncio.ensure_future(self._clock.sleep(max(pause_s, 0.0))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
