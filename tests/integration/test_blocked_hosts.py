"""Code that blocks, loggers that raise, output that nobody reads: the host lives all the same.

The functions block for longer than any test takes: that their hosts end it is what is seen here.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiohttp
import pytest

from host.clock import SystemClock
from host.storage.kinds import StorePlace
from host.storage.protocol import InstanceFilter
from host.storage.sqlite.kind import SQLITE
from tests.kit.host_process import REPOSITORY, HostNotListeningError, host_processes

WEBHOOKS = "/runtime/webhooks/durabletask"
APP = """
    import logging
    import time

    from funchost import FunctionApp, HttpRequest, OrchestrationContext

    app = FunctionApp()

    @app.orchestration_trigger()
    async def sleeps(context: OrchestrationContext):
        time.sleep(600)

    @app.orchestration_trigger()
    async def never_gives_in(context: OrchestrationContext):
        while True:
            try:
                time.sleep(600)
            except Exception:
                pass

    @app.orchestration_trigger()
    async def returns(context: OrchestrationContext):
        return "fine"

    @app.route("blocks", auth_level="anonymous")
    async def blocks(req: HttpRequest) -> str:
        time.sleep(600)
        return "never"

    @app.orchestration_trigger()
    async def is_debugged(context: OrchestrationContext, number: int):
        result = number * 2
        breakpoint()
        return result

    @app.activity_trigger()
    def fails():
        raise ValueError("no")

    @app.orchestration_trigger()
    async def calls(context: OrchestrationContext):
        await context.call_activity(fails)
"""


def write_app(folder: Path, app: str = APP, **watchdog: float) -> Path:
    (folder / "function_app.py").write_text(dedent(app), encoding="utf-8")
    document = {"version": "2.0", "funchost": {"watchdog": watchdog}}
    (folder / "host.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@asynccontextmanager
async def session_of(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(30)) as session:
        yield session


async def start(session: aiohttp.ClientSession, name: str, input_: Any = None) -> str:
    url = f"{WEBHOOKS}/orchestrators/{name}"
    async with session.post(url, json=input_) as answer:
        assert answer.status == 202
        return str((await answer.json())["id"])


async def status(session: aiohttp.ClientSession, instance_id: str) -> dict[str, Any]:
    async with session.get(f"{WEBHOOKS}/instances/{instance_id}") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def finished(session: aiohttp.ClientSession, instance_id: str) -> dict[str, Any]:
    while True:
        found = await status(session, instance_id)
        if found["runtimeStatus"] in {"Completed", "Failed"}:
            return found


@pytest.mark.process
async def test_found_a7_one_signal_stops_a_host_while_a_turn_is_stuck(tmp_path: Path) -> None:
    folder = write_app(tmp_path, reportAfterSeconds=0.2)  # broken off only because it is to stop
    async with host_processes() as hosts:
        host = await hosts.start(folder, "--storage", "memory")
        async with session_of(host.url) as session:
            await start(session, "sleeps")
            await host.logged("has kept the event loop busy")
            assert await host.terminate() == 0
        assert "time.sleep(600)" in host.errors
        assert "EndlessTurnError" in host.errors


@pytest.mark.process
async def test_found_h4_an_http_function_that_blocks_is_told_and_broken_off(tmp_path: Path) -> None:
    folder = write_app(tmp_path, reportAfterSeconds=0.2, breakOffAfterSeconds=0.6)
    async with host_processes() as hosts:
        host = await hosts.start(folder, "--storage", "memory")
        async with session_of(host.url) as session:
            async with session.get("/api/blocks") as answer:
                assert answer.status == 500
            assert (await finished(session, await start(session, "returns")))["output"] == "fine"
        assert await host.terminate() == 0
        assert "The function 'blocks' (" in host.errors
        assert "BlockedLoopError" in host.errors


@pytest.mark.process
async def test_found_a8_a_host_that_nothing_frees_ends_and_the_try_is_counted(
    tmp_path: Path,
) -> None:
    folder = write_app(
        tmp_path, reportAfterSeconds=0.1, breakOffAfterSeconds=0.2, endHostAfterSeconds=0.4
    )
    async with host_processes() as hosts:
        host = await hosts.start(folder)
        async with session_of(host.url) as session:
            with pytest.raises(aiohttp.ClientError):
                await finished(session, await start(session, "never_gives_in"))
        assert await host.ended() == 70
        assert "the host ends itself" in host.errors
        assert "time.sleep(600)" in host.errors.partition("the host ends itself")[2]
        try:
            assert await (await hosts.start(folder)).ended() == 70
        except HostNotListeningError as error:
            assert error.exit_code == 70
    place = StorePlace(hub="TestHubName", folder=folder / ".funchost")
    async with SQLITE.opened(place, SystemClock()) as (store, _):
        page = await store.query(InstanceFilter(), limit=10)
        assert [(row.name, row.tries) for row in page.instances] == [("never_gives_in", 1)]


BROKEN_LOGGING = """

    class Refusing(logging.Filter):
        def filter(self, record):
            raise LookupError(record.name)

    class Failing(logging.Handler):
        def emit(self, record):
            raise SystemExit(4)

    logging.getLogger().handlers[0].addFilter(Refusing())
    logging.getLogger().addHandler(Failing())
"""


@pytest.mark.process
async def test_found_h1_logging_that_raises_harms_neither_start_nor_work_nor_stop(
    tmp_path: Path,
) -> None:
    folder = write_app(tmp_path, APP + BROKEN_LOGGING)
    async with host_processes() as hosts:
        for _ in range(2):
            host = await hosts.start(folder, "--verbose")
            async with session_of(host.url) as session:
                found = await finished(session, await start(session, "calls"))
                assert found["runtimeStatus"] == "Failed"
            assert await host.terminate() == 0
            assert "Activity 'fails' of" in host.errors  # said all the same


@asynccontextmanager
async def unread_host(folder: Path, *arguments: str) -> AsyncIterator[tuple[Any, int]]:
    """A host with a standard error that nobody reads, and that pipe."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    try:
        while os.write(writes, b"x" * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(writes, True)  # the pipe is full
    command = [sys.executable, "-m", "host", "start", str(folder), "--port", "0", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stderr=writes
    )
    os.close(writes)
    try:
        yield process, reads
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        os.close(reads)


@pytest.mark.process
async def test_found_g3_a_host_whose_errors_nobody_reads_serves_and_stops(tmp_path: Path) -> None:
    folder = write_app(tmp_path)
    async with unread_host(folder, "--storage", "memory", "--verbose") as (process, _):
        async for line in process.stdout:
            if line.startswith(b"Listening on "):
                url = line.decode().split()[-1]
                break
        async with session_of(url) as session:
            for _ in range(300):
                assert (await session.get("/healthz")).status == 200
            found = await finished(session, await start(session, "calls"))
            assert found["runtimeStatus"] == "Failed"
        process.terminate()
        assert await process.wait() == 0


@pytest.mark.process
async def test_found_g3_a_start_that_fails_ends_though_nobody_reads_why(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{", encoding="utf-8")
    async with unread_host(tmp_path) as (process, _):
        assert await process.wait() == 2


@pytest.mark.process
@pytest.mark.parametrize("arguments", [(), ("--debug",)], ids=["plain", "debug"])
async def test_found_h3_a_breakpoint_in_an_orchestrator_stands_as_long_as_one_likes(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    folder = write_app(
        tmp_path, reportAfterSeconds=0.1, breakOffAfterSeconds=0.1, endHostAfterSeconds=0.3
    )
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "host", "start", str(folder), "--port", "0", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    terminal = Terminal(ours)
    try:
        await terminal.shows("Listening on ")
        url = (await terminal.shows("\n")).partition("\r")[0]
        async with session_of(url) as session:
            instance_id = await start(session, "is_debugged", 21)
            await terminal.shows("(Pdb) ")
            terminal.types("p result")
            await terminal.shows("42")
            terminal.types("import time; time.sleep(1); result = 43")  # longer than all limits
            await terminal.shows("(Pdb) ")
            terminal.types("c")
            assert (await finished(session, instance_id))["output"] == 43
        process.send_signal(signal.SIGINT)  # Ctrl-C is the host's, also after a `c`
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        os.close(ours)


class Terminal:
    """The other side of a host's terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._shown = ""

    async def shows(self, text: str) -> str:
        """Wait until the terminal shows the text; what it shows up to and after that."""
        while text not in self._shown:
            read = await asyncio.to_thread(os.read, self._descriptor, 65536)
            self._shown += read.decode(errors="replace")
        before, _, self._shown = self._shown.partition(text)
        return before

    def types(self, line: str) -> None:
        """Type a line."""
        os.write(self._descriptor, f"{line}\n".encode())
