"""What only the SQLite store promises: about its file, its threads and its caches."""

import asyncio
import os
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bindings.client import ReusePolicy
from bindings.errors import InstanceNotFoundError, InstanceStateError
from host.core.codec import CodecError
from host.core.records import Effects
from host.errors import StorageError, StorageUnavailableError
from host.storage.protocol import Applied, Created, InstanceFilter
from host.storage.sqlite import heads, search
from host.storage.sqlite.database import connect
from host.storage.sqlite.store import SqliteStore
from tests.contract.builders import (
    NOW,
    RUNNING,
    ManualClock,
    at,
    commit,
    effects,
    finished,
    instance,
    lease,
    message,
)
from tests.kit.recoverable import recoverable
from tests.kit.sqlite_connection import writing_connection

REUSE = ReusePolicy.WHEN_FINISHED


@pytest.fixture
async def make_store() -> AsyncIterator[Callable[[Path], SqliteStore]]:
    """Makes stores, not yet open, and closes them in the end."""
    made: list[SqliteStore] = []

    def make(path: Path) -> SqliteStore:
        made.append(SqliteStore(path, ManualClock().now))
        return made[-1]

    yield make
    for store in made:
        await store.close()


@pytest.fixture
async def store(path: Path, make_store: Callable[[Path], SqliteStore]) -> SqliteStore:
    store = make_store(path)
    await store.open()
    return store


async def test_everything_is_there_after_the_store_was_opened_again(
    store: SqliteStore, path: Path, make_store: Callable[[Path], SqliteStore]
) -> None:
    await store.create(instance(), REUSE)
    await store.create(instance("later", scheduled_start_at=at(60)), REUSE)
    await store.commit(commit(wake_at=at(30), open_activities=1))
    await store.send("i", message())
    before = [await store.load("i"), await store.load("later")]
    await store.close()
    again = make_store(path)
    await again.open()
    assert [await again.load("i"), await again.load("later")] == before
    assert list(await again.read_inbox("i")) == [message()]
    assert await again.next_alarm(NOW) == at(30)
    assert await recoverable(again) == ["i"]
    await again.create(instance("new"), REUSE)
    await again.commit(commit(1, consumed=("m1",)))
    assert [row.instance_id for row in (await again.query(InstanceFilter(), limit=9)).instances]


async def test_leases_are_over_with_the_process_that_owned_the_file(
    store: SqliteStore, path: Path, make_store: Callable[[Path], SqliteStore]
) -> None:
    await store.create(instance(), REUSE)
    await store.commit(commit(leases=(lease(),), wake_at=at(30), open_activities=1))
    await store.close()
    again = make_store(path)
    await again.open()
    snapshot = await again.load("i")
    assert snapshot is not None
    (left,) = snapshot.leases
    assert (left.owner, left.expires_at) == (lease().owner, datetime(1970, 1, 1, tzinfo=UTC))
    assert await recoverable(again) == ["i"]


async def test_opening_and_closing_twice_is_harmless(store: SqliteStore) -> None:
    await store.open()
    await store.close()
    await store.close()
    await store.open()
    assert await store.create(instance(), REUSE) is Created.NEW


async def test_a_closed_store_says_so(store: SqliteStore) -> None:
    await store.close()
    with pytest.raises(StorageUnavailableError, match="not open"):
        await store.create(instance(), REUSE)


async def test_closing_finishes_the_writes_that_were_accepted(
    store: SqliteStore, path: Path
) -> None:
    writes = [asyncio.ensure_future(store.create(instance(f"i{n}"), REUSE)) for n in range(700)]
    await asyncio.sleep(0)
    await store.close()
    assert all([await write for write in writes])
    assert len(sqlite3.connect(path).execute("SELECT * FROM instances").fetchall()) == 700


async def test_writes_that_wait_together_are_done_in_order(store: SqliteStore) -> None:
    await store.create(instance(), REUSE)
    await store.send("i", message())
    await asyncio.gather(
        store.commit(commit(consumed=("m1",))),
        store.send("i", message("m0")),
        store.send("i", message("m1")),
    )
    assert [each.message_id for each in await store.read_inbox("i")] == ["m0", "m1"]
    answers = await asyncio.gather(
        store.send("i", message("m2")),
        store.commit(commit(1, consumed=("gone", "gone too"), row=finished())),
        store.send("i", message("m3")),
        return_exceptions=True,
    )
    assert isinstance(answers[2], InstanceStateError)
    assert list(await store.read_inbox("i")) == []


async def test_a_second_owner_is_refused_and_told_who_has_the_file(
    store: SqliteStore, path: Path, make_store: Callable[[Path], SqliteStore]
) -> None:
    second = make_store(path)
    with pytest.raises(StorageUnavailableError, match=f"process {os.getpid()}"):
        await second.open()
    await store.close()
    await second.open()


async def test_the_files_are_for_their_owner_only(store: SqliteStore, path: Path) -> None:
    await store.create(instance(), REUSE)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 99, b"SQLite format 3\0" + b"x" * 99]
)
async def test_a_file_that_is_no_database_is_refused(
    tmp_path: Path, make_store: Callable[[Path], SqliteStore], content: bytes
) -> None:
    path = tmp_path / "hub.db"
    path.write_bytes(content)
    with pytest.raises(StorageUnavailableError, match=r"hub\.db"):
        await make_store(path).open()
    assert path.read_bytes() == content


async def test_a_damaged_database_is_refused(
    store: SqliteStore, path: Path, make_store: Callable[[Path], SqliteStore]
) -> None:
    await asyncio.gather(*(store.create(instance(f"i{n}"), REUSE) for n in range(100)))
    await store.close()
    _damage(path)
    with pytest.raises(StorageUnavailableError, match="damaged"):
        await make_store(path).open()


def _damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * 3000 + content[3100:])


async def test_a_database_of_another_program_is_refused(
    tmp_path: Path, make_store: Callable[[Path], SqliteStore]
) -> None:
    path = tmp_path / "hub.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE instances (name TEXT)")
    connection.close()
    with pytest.raises(StorageUnavailableError, match="another program"):
        await make_store(path).open()


async def test_a_file_of_a_newer_version_is_refused(
    store: SqliteStore, path: Path, make_store: Callable[[Path], SqliteStore]
) -> None:
    await store.close()
    connection = connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StorageUnavailableError, match="newer"):
        await make_store(path).open()


async def test_a_folder_that_cannot_be_made_is_a_clear_error(
    tmp_path: Path, make_store: Callable[[Path], SqliteStore]
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageUnavailableError, match="cannot be opened"):
        await make_store(tmp_path / "file" / "hub.db").open()


async def test_only_the_guilty_write_of_a_group_fails(store: SqliteStore) -> None:
    broken = "\ud800"  # half a character: SQLite cannot be given it
    answers = await asyncio.gather(
        store.create(instance("a"), REUSE),
        store.send(broken, message()),
        store.create(instance("b"), REUSE),
        store.send("nobody", message()),
        return_exceptions=True,
    )
    assert [answers[0], answers[2]] == [Created.NEW, Created.NEW]
    assert type(answers[1]) is StorageError
    assert type(answers[3]) is InstanceNotFoundError
    assert await store.get("a") == instance("a")


async def test_only_the_guilty_read_of_a_group_fails(store: SqliteStore) -> None:
    await store.create(instance("a"), REUSE)
    await store.commit(commit(instance_id="a"))
    answers = await asyncio.gather(
        store.get("a"), store.get("\ud800"), store.load("\ud800"), return_exceptions=True
    )
    assert answers[0] == instance("a", status=RUNNING)
    assert [type(answer) for answer in answers[1:]] == [StorageError, StorageError]


async def test_text_that_cannot_be_stored_is_refused_before_it_is_written(
    store: SqliteStore,
) -> None:
    with pytest.raises(CodecError):
        await store.create(instance(input='"\ud800"'), REUSE)


async def test_a_full_disk_fails_what_does_not_fit_and_nothing_else(store: SqliteStore) -> None:
    await store.create(instance("small"), REUSE)
    (pages,) = writing_connection(store).execute("PRAGMA page_count").fetchone()
    writing_connection(store).execute(f"PRAGMA max_page_count = {pages + 50}")
    answers = await asyncio.gather(
        store.commit(commit(instance_id="small")),
        store.create(instance("big", input=f'"{"x" * 1_000_000}"'), REUSE),
        return_exceptions=True,
    )
    assert answers[0] == Applied()
    assert isinstance(answers[1], StorageUnavailableError)
    assert "disk is full" in str(answers[1])
    assert await store.get("big") is None
    writing_connection(store).execute("PRAGMA max_page_count = 100000")
    assert await store.create(instance("big", input=f'"{"x" * 1_000_000}"'), REUSE) is Created.NEW


async def test_a_copy_taken_at_any_moment_opens_to_whole_turns(
    store: SqliteStore, path: Path, tmp_path: Path, make_store: Callable[[Path], SqliteStore]
) -> None:
    acknowledged: dict[str, int] = {}

    async def run(name: str) -> None:
        await store.create(instance(name), REUSE)
        for number in range(10):
            row = finished(name) if number == 9 else None
            await store.commit(commit(number, instance_id=name, row=row, wake_at=at(number)))
            acknowledged[name] = number

    chains = [asyncio.ensure_future(run(f"i{n}")) for n in range(40)]
    copies: list[tuple[Path, dict[str, int]]] = []
    while not all(chain.done() for chain in chains):
        await asyncio.wait(chains, timeout=0)
        promised = dict(acknowledged)
        copy = tmp_path / f"copy{len(copies)}"
        if sum(promised.values()) >= 50 * len(copies):
            shutil.copytree(path.parent, copy)
            copies.append((copy, promised))
    await asyncio.gather(*chains)
    assert len(copies) > 3
    for copy, promised in copies:
        await _check_whole_turns(make_store(copy / path.name), promised)


async def _check_whole_turns(store: SqliteStore, promised: dict[str, int]) -> None:
    await store.open()
    for name, number in promised.items():
        snapshot = await store.load(name)
        assert snapshot is not None
        numbers = [stored.number for stored in snapshot.batches]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > number
        assert snapshot.instance.is_finished == (len(numbers) == 10)
        assert snapshot.wake_at == (None if len(numbers) == 10 else at(numbers[-1]))
    await store.close()


async def test_a_page_looks_at_a_bounded_part_and_goes_on(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FEW", 20)
    tags = {"region": "north"}
    rows = [
        instance(f"i{n:02}", created_at=at(n), name="old" if n < 25 else "new", tags=tags)
        for n in range(50)
    ]
    await asyncio.gather(*(store.create(row, REUSE) for row in rows))
    old = InstanceFilter(names=frozenset({"old"}), tags=tags)
    pages: list[list[int]] = []
    token: str | None = None
    while not pages or token is not None:
        page = await store.query(old, limit=15, token=token)
        pages.append([int(row.instance_id[1:]) for row in page.instances])
        token = page.token
    assert [len(page) for page in pages] == [0, 15, 10]
    assert [number for page in pages for number in page] == [*reversed(range(25))]


async def test_heads_that_were_forgotten_are_read_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "MAX_HEADS", 2)
    names = [f"i{n}" for n in range(9)]
    for name in names:
        await store.create(instance(name), REUSE)
    for name in names:
        await store.send(name, message())
        await store.commit(commit(instance_id=name, wake_at=at(9), leases=(lease(),)))
    for name in names:
        assert list(await store.read_inbox(name)) == [message()]
        await store.apply(effects(name, row=finished(name)))
        assert list(await store.read_inbox(name)) == []
    assert await store.next_alarm(NOW) is None


async def test_a_caller_that_gives_up_does_not_harm_its_group(store: SqliteStore) -> None:
    given_up = asyncio.ensure_future(store.create(instance("a"), REUSE))
    kept = asyncio.ensure_future(store.create(instance("b"), REUSE))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await kept is Created.NEW
    assert await store.get("a") == instance("a")


async def test_thousands_of_messages_in_one_group_all_arrive(store: SqliteStore) -> None:
    await store.create(instance(), REUSE)
    messages = [message(f"m{n}") for n in range(1500)]
    await asyncio.gather(*(store.send("i", each) for each in messages))
    assert list(await store.read_inbox("i")) == messages
    consumed = tuple(each.message_id for each in messages[:1499])
    await store.apply(Effects(instance_id="i", consumed=consumed))
    assert list(await store.read_inbox("i")) == messages[1499:]
