"""Which files of a folder trigger a function, how often, and what becomes of those it fails on.

The listener, the folder and the store are the host's own, and so are the files. The clock is the
test's: a second passes when the test says so.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from bindings.functions import Binding, Direction
from bindings.kinds.blob_places import BlobEvent
from bindings.kinds.blobs import BlobContainer, BlobRules
from bindings.kinds.resources import NoResources
from host.errors import StorageError
from host.resources.local_blobs import LocalBlobs
from host.storage.memory import MemoryStore
from host.storage.protocol import NamedRecord
from host.triggers.blob_folders import AGAIN_S, FORGET_S, FolderListener
from host.triggers.blobs import blob_listener
from host.triggers.making import HostServices, services_for
from tests.kit.hub import until
from tests.kit.manual_clock import ManualClock
from tests.kit.seams import StoreSeam

Work = Callable[[BlobEvent], Awaitable[None]]


async def nothing(_: BlobEvent) -> None:
    """A function that has nothing to do."""


class Folder(NoResources):
    """The containers of a host."""

    def __init__(self, blobs: LocalBlobs) -> None:
        self._blobs = blobs

    def container(self, name: str, connection: str | None) -> BlobContainer:
        return self._blobs.container(name)


class Function:
    """A blob function. The `TriggeredFunction` of its listener."""

    def __init__(self, path: str) -> None:
        self.name = "Work"
        self.trigger = Binding(
            type="blobTrigger", direction=Direction.IN, name="blob", properties={"path": path}
        )
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.work: Work = nothing

    async def invoke(self, value: object) -> object:
        assert isinstance(value, BlobEvent)
        self.begun.append(value.name)
        try:
            await self.work(value)
        finally:
            self.ended.append(value.name)
        return None

    @property
    def running(self) -> int:
        return len(self.begun) - len(self.ended)


class Host:
    """A host with one blob function, on a hub and a folder that outlive it."""

    def __init__(self, folder: Path, path: str = "things/{name}", **rules: int) -> None:
        self.folder = folder / "things"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.rules = BlobRules(**rules)
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.seam = StoreSeam(self.store)
        self.shown: Mapping[str, str] = {}
        self.blobs = LocalBlobs(folder, self.clock, self.rules)

    async def start(self, work: Work = nothing, *, running: int = 0) -> Function:
        """Listen, by a new listener, as after a start of the host, until so many blobs are run."""
        self.seam = StoreSeam(self.store)
        self.blobs = LocalBlobs(self.folder.parent, self.clock, self.rules)
        self.function = Function(self.path)
        self.function.work = work
        services = HostServices(
            store=self.seam.as_store,
            clock=self.clock,
            host_id="one",
            is_alone=True,
            resources=Folder(self.blobs),
        )
        listener = blob_listener(self.function, services_for(self.function, services, self._show))
        assert isinstance(listener, FolderListener)
        self.listener = listener
        await listener.start()
        await self.rest(running=running)
        return self.function

    async def stop(self) -> None:
        await self.listener.stop()

    async def break_off(self) -> None:
        """Stop, and have no time for what runs."""
        stopping = asyncio.create_task(self.listener.stop())
        await self.clock.until_quiet()
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping

    async def die(self) -> None:
        """End as a process does that is killed: nothing more reaches the hub."""
        self.seam.sever()
        await self.break_off()

    def put(self, name: str, content: str = "x", *, age_s: float = 10.0) -> None:
        """Drop a file by hand, so long ago."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        self.touch(name, age_s=age_s)

    def touch(self, name: str, *, age_s: float = 0.0) -> None:
        at = (self.clock.now() - timedelta(seconds=age_s)).timestamp()
        os.utime(self.folder / name, (at, at))

    async def rest(self, *, running: int = 0) -> None:
        """Let happen what can happen now: until the listener waits for time to pass."""

        async def is_quiet() -> bool:
            await self.clock.until_quiet()
            is_idle = self.function.running == running
            return self.clock.is_waited_for and is_idle

        await until(is_quiet)

    async def pass_s(self, seconds: float = 1.0, *, running: int = 0) -> None:
        """Let time pass, second by second; each one is a look through the folder."""
        for _ in range(round(seconds)):
            self.clock.move(timedelta(seconds=1))
            await self.clock.until_quiet()
            await self.rest(running=running)

    def _show(self, facts: Mapping[str, str]) -> None:
        self.shown = facts


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(tmp_path)
    yield host
    await host.stop()


def failing(*names: str) -> Work:
    """The work of a function that fails for these."""

    async def work(event: BlobEvent) -> None:
        if event.name in names:
            raise ValueError("it does not do")

    return work


async def forever(_: BlobEvent) -> None:
    """The work of a function that never ends."""
    await asyncio.Event().wait()


async def test_what_is_there_and_what_comes_runs_once(host: Host) -> None:
    host.put("a")
    host.put("sub/b")
    function = await host.start()
    assert sorted(function.begun) == ["a", "sub/b"]
    host.put("c")
    await host.pass_s(3)
    assert sorted(function.begun) == ["a", "c", "sub/b"]


async def test_what_was_done_is_not_done_again_by_the_next_host_and_what_changed_is(
    host: Host,
) -> None:
    for name in "abc":
        host.put(name)
    await host.start()
    await host.stop()
    host.put("b", "changed")
    host.touch("c", age_s=5)
    host.put("d")
    (host.folder / "a").unlink()
    function = await host.start()
    await host.pass_s(3)
    assert sorted(function.begun) == ["b", "c", "d"]


async def test_a_file_that_is_being_written_waits_until_it_has_not_changed_for_two_seconds(
    host: Host,
) -> None:
    function = await host.start()
    for _ in range(4):
        host.put("a", "more", age_s=0)
        await host.pass_s()
        assert function.begun == []
    await host.pass_s()
    assert function.begun == ["a"]


async def test_a_file_from_tomorrow_waits_by_the_clock_that_never_jumps(host: Host) -> None:
    function = await host.start()
    host.put("a", age_s=-86_400)
    await host.pass_s(2)
    assert function.begun == []
    await host.pass_s()
    assert function.begun == ["a"]


async def test_hidden_files_links_and_names_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    host = Host(tmp_path, "things/{name}.csv")
    for name in (".a.csv", ".sub/a.csv", "a.txt", "a.csv.part", "sub/.a.csv"):
        host.put(name)
    host.put("b.csv")
    (host.folder / "link.csv").symlink_to(host.folder / "b.csv")
    function = await host.start()
    await host.pass_s(3)
    assert function.begun == ["b.csv"]
    await host.stop()


async def test_what_the_host_writes_runs_at_once_and_each_version_of_it(host: Host) -> None:
    function = await host.start()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    container = host.blobs.container("things")
    for count in (1, 2):
        await container.write("a", pieces())
        await host.rest()
        assert function.begun == ["a"] * count


async def test_a_blob_that_changes_while_it_is_worked_on_runs_again(host: Host) -> None:
    gate = asyncio.Event()
    host.put("a")
    function = await host.start(lambda _: waited(gate), running=1)
    host.put("a", "changed")
    await host.pass_s(3, running=1)
    gate.set()
    await host.pass_s(3)
    assert function.begun == ["a", "a"]


async def waited(gate: asyncio.Event) -> None:
    await gate.wait()


async def test_so_many_blobs_as_may_be_are_worked_on_at_once(tmp_path: Path) -> None:
    host = Host(tmp_path, max_parallel=3)
    for number in range(10):
        host.put(f"{number}")
    gate = asyncio.Event()
    function = await host.start(lambda _: waited(gate), running=3)
    await host.pass_s(3, running=3)
    gate.set()
    await host.pass_s(1)
    assert sorted(function.begun) == [f"{number}" for number in range(10)]
    await host.stop()


async def test_what_fails_is_tried_again_later_and_later_and_is_poison_then(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    host.put("bad")
    host.put("good")
    function = await host.start(failing("bad"))
    assert sorted(function.begun) == ["bad", "good"]
    for number, seconds in enumerate(AGAIN_S):
        await host.pass_s(seconds - 1)
        assert function.begun.count("bad") == number + 1
        await host.pass_s(1)
        assert function.begun.count("bad") == number + 2
    await host.pass_s(100)
    assert function.begun.count("bad") == 5
    assert host.shown == {"poison": "1"}
    assert "'things/bad' is poison for the function 'Work': it was tried 5 times" in caplog.text
    assert host.listener.problems() == []
    host.put("bad", "better")
    function.work = nothing
    await host.pass_s(2)
    assert function.begun.count("bad") == 6
    assert host.shown == {}


async def test_poison_stays_poison_after_a_start(host: Host) -> None:
    host.rules = BlobRules(max_tries=1)
    host.put("bad")
    await host.start(failing("bad"))
    await host.stop()
    function = await host.start()
    await host.pass_s(3)
    assert function.begun == []


async def test_a_blob_that_its_host_dies_of_is_poison_in_the_end(host: Host) -> None:
    host.put("deadly")
    for _ in range(5):
        function = await host.start(forever, running=1)
        assert function.begun == ["deadly"]
        await host.die()
    function = await host.start()
    await host.pass_s(2)
    assert function.begun == []
    assert host.shown == {"poison": "1"}


async def test_what_a_host_died_in_is_run_by_the_next_one(host: Host) -> None:
    host.put("a")
    await host.start(forever, running=1)
    await host.die()
    function = await host.start()
    assert function.begun == ["a"]


async def test_a_run_that_a_stop_breaks_off_was_no_try(host: Host) -> None:
    host.rules = BlobRules(max_tries=1)
    host.put("a")
    await host.start(forever, running=1)
    await host.break_off()
    function = await host.start()
    assert function.begun == ["a"]


async def test_a_stop_waits_for_what_runs_and_begins_nothing(tmp_path: Path) -> None:
    host = Host(tmp_path, max_parallel=1)
    host.put("a")
    host.put("b")
    gate = asyncio.Event()
    first = await host.start(lambda _: waited(gate), running=1)
    stopping = asyncio.create_task(host.stop())
    await host.clock.until_quiet()
    assert not stopping.done()
    gate.set()
    await stopping
    second = await host.start()
    assert len(first.begun) == len(second.begun) == 1
    assert sorted(first.begun + second.begun) == ["a", "b"]
    await host.stop()


async def test_while_the_hub_is_away_nothing_runs_and_then_all_does(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    function = await host.start()
    host.seam.fail("put_record", StorageError("the disk is full"), times=3)
    host.put("a")
    await host.pass_s(2)
    assert function.begun == []
    assert host.listener.problems() == ["the hub does not answer: the disk is full"]
    await host.pass_s(10)
    assert function.begun == ["a"]
    assert host.listener.problems() == []
    assert caplog.text.count("may go unnoticed") == 1


async def test_a_stop_is_not_held_up_by_a_hub_that_is_away(host: Host) -> None:
    function = await host.start()
    host.seam.fail("put_record", StorageError("the disk is full"), times=1000)
    host.put("a")
    await host.pass_s(2)
    stopping = asyncio.create_task(host.stop())
    for _ in range(5):
        host.clock.move(timedelta(seconds=1))
        await host.clock.until_quiet()
    await stopping
    assert function.begun == []


async def test_what_is_gone_is_forgotten_after_a_day_and_not_before(host: Host) -> None:
    host.put("a")
    await host.start()
    (host.folder / "a").unlink()
    await host.pass_s(3)
    assert len(await _records(host)) == 1
    host.clock.move(timedelta(seconds=FORGET_S))
    await host.rest()
    await host.pass_s(2)
    assert await _records(host) == ()


async def _records(host: Host) -> tuple[NamedRecord, ...]:
    return (await host.store.records("trigger.blobTrigger")).records


async def test_a_folder_that_cannot_be_read_is_a_problem_until_it_can(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    function = await host.start()
    host.folder.rmdir()
    host.folder.write_text("a file")
    await host.pass_s(5)
    (problem,) = host.listener.problems()
    assert "cannot be looked through" in problem
    assert caplog.text.count("may go unnoticed") == 1
    host.folder.unlink()
    host.put("a")
    await host.pass_s(2)
    assert function.begun == ["a"]
    assert host.listener.problems() == []


async def test_receipts_that_make_no_sense_are_none(host: Host) -> None:
    host.put("a")
    await host.start()
    await host.stop()
    for record in await _records(host):
        broken = NamedRecord(kind=record.kind, key=record.key, stamp="x", data=b"{}")
        await host.store.put_record(broken)
    function = await host.start()
    assert function.begun == ["a"]
