"""Real hosts, each in a process of its own, that tests may kill.

Nothing here waits by the clock: reads end when output comes, and waits end when the process does.
What a host writes is read all the time, so no full pipe ever holds it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LISTENING = "Listening on "


class HostNotListeningError(Exception):
    """The host ended before it listened."""

    def __init__(self, exit_code: int, errors: str) -> None:
        super().__init__(f"The host did not start (exit code {exit_code}):\n{errors}")
        self.exit_code = exit_code
        self.errors = errors


class HostProcess:
    """One `funchost start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.url = ""
        self._process = process
        self._errors = ""
        self._errors_grew = asyncio.Condition()
        self._listening = asyncio.get_running_loop().create_future()
        self._readers = asyncio.gather(self._read_output(), self._read_errors())

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def errors(self) -> str:
        """All that the host wrote to standard error so far."""
        return self._errors

    async def listen(self) -> None:
        """Wait until the host serves. Raises `HostNotListeningError` if it ends instead."""
        if not await self._listening:
            raise HostNotListeningError(await self.ended(), self._errors)

    async def logged(self, text: str) -> None:
        """Wait until standard error holds the text; if the host ends without it, that is wrong."""
        async with self._errors_grew:
            await self._errors_grew.wait_for(lambda: text in self._errors or self._is_read)
        assert text in self._errors, self._errors

    async def kill9(self) -> None:
        """End the process as a power cut does. Fails if it had ended by itself."""
        self._process.kill()
        assert await self.ended() == -signal.SIGKILL, self._errors

    def freeze(self) -> None:
        """Stop the process where it is (SIGSTOP), as a machine that hangs."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on: it does not know that time went by."""
        self._process.send_signal(signal.SIGCONT)

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def hang_up(self) -> None:
        """Send SIGHUP, as a terminal that is closed does."""
        self._process.send_signal(signal.SIGHUP)

    async def terminate(self) -> int:
        """Send SIGTERM; the exit code."""
        self.ask_to_stop()
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end, and for all output; the exit code."""
        await asyncio.shield(self._readers)
        return await self._process.wait()

    async def clean_up(self) -> None:
        """Leave nothing behind, however the test ended."""
        if self._process.returncode is None:
            self._process.kill()
        await self.ended()

    async def _read_output(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode().strip()
            if text.startswith(LISTENING) and not self._listening.done():
                self.url = text.removeprefix(LISTENING)
                self._listening.set_result(True)
        if not self._listening.done():
            self._listening.set_result(False)

    async def _read_errors(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(65536):
            async with self._errors_grew:
                self._errors += chunk.decode(errors="replace")
                self._errors_grew.notify_all()
        async with self._errors_grew:
            self._errors_grew.notify_all()

    @property
    def _is_read(self) -> bool:
        return self._process.stderr is None or self._process.stderr.at_eof()


class HostProcesses:
    """The hosts that one test started, in order."""

    def __init__(self) -> None:
        self.all: list[HostProcess] = []

    async def start(
        self, app: Path, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> HostProcess:
        """Start a host on a free port and wait until it serves.

        Raises `HostNotListeningError` if it ends before that.
        """
        command = [sys.executable, "-m", "host", "start", str(app), "--port", "0", *arguments]
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=REPOSITORY,
            env={**os.environ, **(environment or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        host = HostProcess(process)
        self.all.append(host)
        await host.listen()
        return host


@asynccontextmanager
async def host_processes() -> AsyncIterator[HostProcesses]:
    """Starts hosts, and ends all that are left."""
    hosts = HostProcesses()
    try:
        yield hosts
    finally:
        for host in hosts.all:
            await host.clean_up()
