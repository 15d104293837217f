"""Hosts follow the keys of their hub: how soon, at which price, and while the store is away."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from host.errors import StorageUnavailableError
from host.http import kept_keys
from host.http.hub_keys import EACH_S, HubKeys, KeysUnchangedError
from host.http.kept_keys import KeptKey, KeptKeys
from host.http.key_ring import KeyRing, KeySet, Put
from host.http.keys import KeyFile, KeyKind, KeyRole, digest, new_value, open_keys
from host.storage.memory import MemoryStore
from host.storage.protocol import NamedRecord
from tests.kit.manual_clock import ManualClock
from tests.kit.seams import StoreSeam

SYSTEM = KeySet(kind=KeyKind.SYSTEM)
AWAY = StorageUnavailableError("away")


class HeldReads(MemoryStore):
    """A store from which an answer can be on its way for a while."""

    _hold: tuple[asyncio.Event, asyncio.Event] | None = None

    def held(self) -> tuple[asyncio.Event, asyncio.Event]:
        """Hold the next answer: when it was read, and when it may arrive."""
        self._hold = asyncio.Event(), asyncio.Event()
        return self._hold

    async def record(self, kind: str, key: str) -> NamedRecord | None:
        found = await super().record(kind, key)
        if self._hold is not None:
            (read, go_on), self._hold = self._hold, None
            read.set()
            await go_on.wait()
        return found


class Shared:
    """A store that hosts share, which counts what it is asked and can be taken away."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.file, new = open_keys(folder / "keys.json")
        self.values = {key.kind: key.value for key in new}
        self.memory = HeldReads(self.clock.now)
        self._seam = StoreSeam(self.memory)
        self._seam.before = self._before
        self.asked: Counter[str] = Counter()
        self.is_away = False

    async def _before(self, name: str, _: tuple[Any, ...]) -> None:
        self.asked[name] += 1
        if self.is_away:
            raise AWAY

    def host(self, file: KeyFile | None = None) -> HubKeys:
        return HubKeys(file or self.file, self._seam.as_store, self.clock)

    @property
    def store(self) -> Any:
        return self._seam.as_store


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


async def make(host: HubKeys, name: str, role: KeyRole = KeyRole.READ) -> str:
    """Make a key, or give it a new value."""
    value = new_value()

    def change(ring: KeyRing, now: datetime) -> KeptKeys:
        return ring.put(SYSTEM, Put(name=name, sha256=digest(value), role=role), now)

    await host.change(change)
    return value


async def test_a_key_that_was_just_made_elsewhere_opens_at_once(shared: Shared) -> None:
    one, other = shared.host(), shared.host()
    async with one.followed(), other.followed():
        value = await make(one, "ci")
        for host in (one, other):
            found = await host.find(value)
            assert found is not None
            assert (found.name, found.role) == ("ci", KeyRole.READ)


async def test_a_key_that_was_deleted_elsewhere_opens_nothing_within_seconds(
    shared: Shared,
) -> None:
    one, other = shared.host(), shared.host()
    async with one.followed(), other.followed():
        value = await make(one, "ci")
        assert await other.find(value)
        await one.change(lambda ring, now: ring.without(SYSTEM, "ci", now))
        assert await one.find(value) is None
        await shared.clock.pass_time(timedelta(seconds=EACH_S))
        assert await other.find(value) is None


async def test_guessing_costs_the_store_one_look_a_second(shared: Shared) -> None:
    host = shared.host()
    async with host.followed():
        shared.asked.clear()
        for _ in range(10):
            await asyncio.gather(*(host.find(new_value()) for _ in range(100)))
        assert shared.asked["record"] == 1
        await shared.clock.pass_time(timedelta(seconds=1))
        await asyncio.gather(*(host.find(new_value()) for _ in range(100)))
        assert shared.asked["record"] == 2


@pytest.mark.parametrize("presented", ["", "short", "x" * 31, "x" * 257, "link2." + "x" * 60])
async def test_what_can_be_no_key_is_not_looked_for(shared: Shared, presented: str) -> None:
    host = shared.host()
    async with host.followed():
        shared.asked.clear()
        assert await host.find(presented) is None
        assert shared.asked["record"] == 0


async def test_known_keys_are_found_without_asking_the_store(shared: Shared) -> None:
    host = shared.host()
    async with host.followed():
        value = await make(host, "ci")
        shared.asked.clear()
        for _ in range(100):
            assert await host.find(value)
            assert await host.find(shared.values[KeyKind.FUNCTION])
        assert shared.asked["record"] == 0


async def test_while_the_store_is_away_known_keys_open_and_others_do_not(shared: Shared) -> None:
    host = shared.host()
    async with host.followed():
        value = await make(host, "ci")
        shared.is_away = True
        await shared.clock.pass_time(timedelta(minutes=10))
        assert await host.find(value)
        assert await host.find(new_value()) is None
        with pytest.raises(StorageUnavailableError):
            await make(host, "other")
        shared.is_away = False
        assert await host.find(await make(host, "other"))


async def test_a_start_without_the_store_takes_the_master_key_until_it_is_back(
    shared: Shared,
) -> None:
    function, master = shared.values[KeyKind.FUNCTION], shared.values[KeyKind.MASTER]
    host = shared.host()
    shared.is_away = True
    async with host.followed():
        assert await host.find(master)
        assert await host.find(function) is None
        shared.is_away = False
        await shared.clock.pass_time(timedelta(seconds=EACH_S))
        assert await host.find(function)


async def test_a_look_that_began_before_a_change_does_not_undo_it(shared: Shared) -> None:
    host = shared.host()
    async with host.followed():
        value = await make(host, "ci")
        read, go_on = shared.memory.held()
        looking = asyncio.create_task(host.find(new_value()))
        await read.wait()
        await host.change(lambda ring, now: ring.without(SYSTEM, "ci", now))
        go_on.set()
        await looking
        assert await host.find(value) is None


async def test_of_changes_at_once_none_is_lost(shared: Shared) -> None:
    hosts = [shared.host() for _ in range(3)]
    made = await asyncio.gather(
        *(make(host, f"{name}{number}") for number, host in enumerate(hosts) for name in "ab")
    )
    async with hosts[0].followed():
        assert all([await hosts[0].find(value) for value in made])


@pytest.mark.parametrize("data", [b"?", b'{"format": 2, "more": "of a newer version"}'])
async def test_a_record_that_cannot_be_read_takes_no_known_key_away_and_is_not_overwritten(
    shared: Shared, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    host = shared.host()
    async with host.followed():
        value = await make(host, "ci")
        wrong = NamedRecord(kind=kept_keys.KIND, key=kept_keys.KEY, stamp="x", data=data)
        await shared.store.put_record(wrong)
        await shared.clock.pass_time(timedelta(seconds=EACH_S))
        assert await host.find(value)
        with pytest.raises(KeysUnchangedError, match="Their record in the hub"):
            await make(host, "other")
        assert await shared.store.record(kept_keys.KIND, kept_keys.KEY) == wrong
    assert "those that are known stay" in caplog.text


async def test_a_hub_has_room_for_hundreds_of_keys_and_says_when_it_is_full(
    shared: Shared,
) -> None:
    host = shared.host()

    def keys(count: int) -> KeptKeys:
        now = shared.clock.now()
        one = KeptKey(kind=KeyKind.SYSTEM, name="", sha256=digest(""), made_at=now, changed_at=now)
        return KeptKeys(
            keys=tuple(
                msgspec.structs.replace(one, name=f"key-{number}") for number in range(count)
            )
        )

    await host.change(lambda *_: keys(600))
    with pytest.raises(KeysUnchangedError, match="Delete some"):
        await host.change(lambda *_: keys(2000))
