"""One worker process, as its host sees it: its start, what it is asked, its end.

Rules of this file: a call is over when the worker has answered it, or is gone. Who asked may be
gone before: then the call goes on, and still counts as one that runs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Final, cast

from host.clock import Clock
from host.forks import let_go_in_children
from host.logs import HostLog
from host.running import mark
from host.settings import HostSettings
from host.workers import boot
from host.workers.errors import NoWorkerError, WorkerLostError
from host.workers.frames import (
    REPORTS,
    Answer,
    CallFunction,
    Cancel,
    Incoming,
    Loaded,
    Logged,
    NotLoaded,
    RunActivity,
    Setup,
    framed,
    framed_bytes,
)

END_S: Final = 1.0
"""How long a worker has for its end, before it is killed. It waits for nothing."""

_log = HostLog(__name__)


def setup_of(
    app_dir: Path, settings: HostSettings, *, functions: Iterable[str], threads: int
) -> Setup:
    """What a worker is to load."""
    return Setup(
        app_dir=str(app_dir),
        settings=pickle.dumps(settings),
        functions=tuple(functions),
        log_levels=_log_levels(),
        threads=threads,
    )


class WorkerLink:
    """A worker process that has been started, until it is gone."""

    def __init__(self, clock: Clock, on_overdue: Callable[[WorkerLink, str], None]) -> None:
        """`on_overdue` is told the name of a function that does not end though it is to."""
        self.pid = 0
        self.was_asked = False
        """Whether any function ran in it."""
        loop = asyncio.get_running_loop()
        self.loaded: asyncio.Future[Loaded] = loop.create_future()
        self.left: asyncio.Future[None] = loop.create_future()
        """Done once it is to end."""
        self.gone: asyncio.Future[str] = loop.create_future()
        """How it ended, in words."""
        self._clock = clock
        self._on_overdue = on_overdue
        self._numbers = count(1)
        self._calls: dict[int, _Call] = {}
        self._is_ending = False
        self._line = _Line(self._on_frame, self._line_is_closed)
        self._let_go = ExitStack()
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether it can be asked: nothing is known of its end yet."""
        return not self._line.closed.is_set()

    @property
    def busy_with(self) -> int:
        """How many calls run in it."""
        return len(self._calls)

    async def start(self, setup: Setup) -> None:
        """Start the process and have it load the app; `loaded` says when it has. Raises OSError."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            with theirs:
                process = self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", str(boot.__file__)),
                    *(str(theirs.fileno()), str(os.getpid())),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            descriptor = ours.fileno()
            self._let_go.enter_context(let_go_in_children(lambda: os.close(descriptor)))
            await loop.create_unix_connection(lambda: self._line, sock=ours)
        except BaseException:
            self._let_go.close()
            ours.close()
            self._kill()
            raise
        self.pid = process.pid
        self._line.send(framed_bytes(json.dumps(sys.path).encode()))
        self._line.send(framed(setup))
        self._watching = self._run(self._watch(process))

    async def ask(
        self,
        order: Callable[[int], RunActivity | CallFunction],
        name: str,
        end_after: Callable[[], float | None],
    ) -> Answer:
        """What the worker answers. `order` is given the number of the call.

        If nobody waits any more, the function is told; `end_after` says for how many seconds it
        may go on then, and None for as long as it likes. Raises `WorkerLostError`.
        """
        self.was_asked = True
        number = next(self._numbers)
        call = _Call(name, asyncio.get_running_loop().create_future())
        self._calls[number] = call
        self._line.send(framed(order(number)))
        try:
            return await call.answer
        except asyncio.CancelledError:
            if number in self._calls:
                self._line.send(framed(Cancel(call=number)))
                seconds = end_after()
                if seconds is not None:
                    self._run(self._wait_for_end(number, call, seconds))
            raise

    def end(self) -> None:
        """Have it end when the calls that run in it have, but for those that are overdue."""
        self._is_ending = True
        if not self.left.done():
            self.left.set_result(None)
        self._end_if_idle()

    async def stop(self) -> None:
        """End it now, and see it go."""
        self._is_ending = True
        self._line.close()
        if self._watching is not None:
            await asyncio.wait([self._watching])

    # ---- what comes --------------------------------------------------------------------------

    def _on_frame(self, content: bytes) -> None:
        match REPORTS.decode(content):
            case Loaded() as loaded:
                if not self.loaded.done():
                    self.loaded.set_result(loaded)
            case NotLoaded() as report:
                self._fail_loading(NoWorkerError(report.error))
            case Logged() as logged:
                _log_here(logged)
            case answer:
                call = self._calls.pop(answer.call, None)
                if call is not None and not call.answer.done():
                    call.answer.set_result(answer)
                self._end_if_idle()

    def _fail_loading(self, error: Exception) -> None:
        if not self.loaded.done():
            self.loaded.set_exception(error)
            self.loaded.exception()  # it may be that nobody asks

    async def _wait_for_end(self, number: int, call: _Call, seconds: float) -> None:
        await self._clock.sleep(seconds)
        if number not in self._calls or self.gone.done():
            return
        call.is_overdue = True
        self._on_overdue(self, call.name)
        self._end_if_idle()

    # ---- its end -----------------------------------------------------------------------------

    def _end_if_idle(self) -> None:
        if not self._is_ending or not all(each.is_overdue for each in self._calls.values()):
            return
        if self._calls:
            self._kill()
        else:
            self._line.close()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def _line_is_closed(self) -> None:
        """The next socket may have the number of this one: children must not close that."""
        self._let_go.close()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        closed = asyncio.ensure_future(self._line.closed.wait())
        code = asyncio.ensure_future(process.wait())
        await asyncio.wait([closed, code], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([closed, code], timeout=END_S, return_when=asyncio.ALL_COMPLETED)
        self._kill()
        self._line.close()
        how = _how_it_ended(await code)
        await closed
        for call in self._calls.values():
            if not call.answer.done():
                call.answer.set_exception(
                    WorkerLostError(f"The worker process that ran '{call.name}' ended: {how}.")
                )
                call.answer.exception()  # it may be that nobody asks
        self._fail_loading(
            WorkerLostError(f"A worker process ended while it loaded the app: {how}")
        )
        self.gone.set_result(how)

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Call:
    """One call in a worker."""

    def __init__(self, name: str, answer: asyncio.Future[Answer]) -> None:
        self.name = name
        self.answer = answer
        self.is_overdue = False


class _Line(asyncio.Protocol):
    """The socket to a worker."""

    def __init__(self, on_frame: Callable[[bytes], None], on_close: Callable[[], None]) -> None:
        """`on_close` is called while its descriptor is still open."""
        self.closed = asyncio.Event()
        self._on_frame = on_frame
        self._on_close = on_close
        self._incoming = Incoming()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for content in self._incoming.feed(data):
            self._on_frame(content)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._on_close()
        self.closed.set()

    def send(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _log_levels() -> dict[str, int]:
    loggers = {"": logging.root} | {
        name: each
        for name, each in logging.root.manager.loggerDict.items()
        if isinstance(each, logging.Logger)
    }
    return {name: each.level for name, each in loggers.items() if each.level or not name}


def _log_here(logged: Logged) -> None:
    """Have the record written as one of this process."""
    logger = logging.getLogger(logged.logger)
    try:
        if not logger.isEnabledFor(logged.level):
            return
        record = logger.makeRecord(
            logged.logger, logged.level, logged.path, logged.line, logged.message, (), None
        )
        record.created, record.exc_text = logged.created, logged.stack or None
        if logged.running is not None:
            mark(record, logged.running)
        logger.handle(record)
    except Exception:  # noqa: BLE001 - the app's logging may raise anything
        _log.warning("What a worker process logged is lost: %s", logged.message)
