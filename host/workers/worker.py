"""A worker process: loads the app as its host does, and runs what it is told.

Rules of this file: the main thread reads orders and does nothing that takes long; calls run in
threads. The process ends when its line does, whatever runs: that is how its host ends it, and what
happens when its host is killed. Signals that end a host do not end it: they come to all processes
of a terminal, and the host decides when its workers are done.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import pickle
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, NoReturn

from bindings.invocation import Out
from host.core.converter import Converter
from host.core.failures import message_of
from host.core.functions import ActivityCall
from host.core.history import Payload
from host.engine.own_context import begin_call
from host.forks import call_without_children, let_go_in_children
from host.functions.catalog import Catalog
from host.functions.loader import load_app
from host.functions.registry import plan_calls
from host.printing import log_what_is_printed
from host.running import RUNNING, InsideFunctions, Running, end_run
from host.settings import HostSettings
from host.workers.boot import HOSTS_SIGNALS, leave_signals_to_the_host
from host.workers.errors import NoWorkerError, ResultStaysError
from host.workers.frames import (
    ORDERS,
    CallFunction,
    Cancel,
    Completed,
    Failed,
    Incoming,
    Loaded,
    Logged,
    NotLoaded,
    Order,
    Report,
    Returned,
    RunActivity,
    Setup,
    framed,
)
from host.workers.travelling import outputs_of, pack, pack_failure, unpack

_READ_BYTES: Final = 256 * 1024
_PR_SET_PDEATHSIG: Final = 1
_OWN_LOGGERS: Final = ("host", "funchost")


def work(line: socket.socket, *, host: int) -> NoReturn:
    """Do what the host says until it says no more. `host` is its process id."""
    _end_with(host)
    faulthandler.enable(all_threads=False)
    if isinstance(sys.stdout, TextIOWrapper):  # what is printed is not lost with the process
        sys.stdout.reconfigure(line_buffering=True)
    with let_go_in_children(lambda: _let_go(line)):
        _follow_orders(line)
    _end(0)


def _follow_orders(line: socket.socket) -> None:
    worker, incoming = _Worker(line), Incoming()
    with suppress(OSError):  # the host has gone
        while piece := line.recv(_READ_BYTES):
            for content in incoming.feed(piece):
                worker.do(ORDERS.decode(content))


class _Worker:
    """What one worker process does."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._writing = threading.Lock()
        self._cancelled: dict[int, threading.Event] = {}
        self._load: _App | None = None
        self._threads = ThreadPoolExecutor(1)

    def do(self, order: Order) -> None:
        match order:
            case Setup():
                self._set_up(order)
            case Cancel():
                cancelled = self._cancelled.get(order.call)
                if cancelled is not None:
                    cancelled.set()
            case RunActivity() | CallFunction():
                assert self._load is not None  # noqa: S101 - the host waits for `Loaded`
                cancelled = self._cancelled[order.call] = threading.Event()
                self._threads.submit(self._run, self._load, order, cancelled)

    def say(self, report: Report) -> None:
        """Tell the host; if it has gone, there is nobody to tell."""
        with self._writing, suppress(OSError):
            self._line.sendall(framed(report))

    def _set_up(self, setup: Setup) -> None:
        handler = _ToHost(self.say)
        logging.basicConfig(level=logging.NOTSET, handlers=[handler], force=True)
        log_what_is_printed(handler)
        for name, level in setup.log_levels.items():
            logging.getLogger(name or None).setLevel(level)
        self._threads = ThreadPoolExecutor(setup.threads, thread_name_prefix="funchost-worker")
        try:
            settings: HostSettings = pickle.loads(setup.settings)  # noqa: S301 - from the host
            self._load = _App(Path(setup.app_dir), settings, setup.functions)
        except BaseException as error:  # noqa: BLE001 - the host says it, and tries again
            self.say(NotLoaded(error=message_of(error) or type(error).__name__))
            _end(1)
        handler.is_loading = False
        leave_signals_to_the_host()  # the app may have set others
        self.say(Loaded(memory_bytes=_memory_bytes()))

    def _run(
        self, app: _App, order: RunActivity | CallFunction, cancelled: threading.Event
    ) -> None:
        report = copy_context().run(_report_of, app, order, cancelled)
        del self._cancelled[order.call]
        self.say(report)


class _App:
    """The app, and how its functions are called. Raises what loading raises."""

    def __init__(self, app_dir: Path, settings: HostSettings, wanted: Iterable[str]) -> None:
        app, _ = plan_calls(load_app(app_dir, settings))
        missing = sorted(set(wanted) - {each.name for each in app.functions})
        if missing:
            reasons = "; ".join(map(str, app.broken)) or "Has its folder changed since the start?"
            raise NoWorkerError(f"'{missing[0]}' is not there, as it is in the host. {reasons}")
        converter = Converter(settings.extensions.durable_task.max_payload_bytes)
        self._catalog = Catalog(app, converter)
        self._functions = {each.name: each.declaration.function for each in app.functions}

    def run_activity(self, order: RunActivity, cancelled: threading.Event) -> Payload:
        """Run it; gives its result. Raises what it raises."""
        activity = self._catalog.activity(order.name)
        if activity is not None and activity.of_call is not None:
            activity = activity.of_call(ActivityCall(key=order.key, cancelled=cancelled))
        assert activity is not None  # noqa: S101 - the host sends
        assert activity.run_in_thread is not None  # noqa: S101 - only such
        return activity.run_in_thread(order.payload)

    def call(
        self, order: CallFunction, cancelled: threading.Event
    ) -> tuple[Any, Mapping[str, Any]]:
        """Call it; gives what it returned, and its outputs by name. Raises what it raises."""
        arguments = unpack(order.arguments, cancelled)
        result = self._functions[order.name](**arguments)
        return result, {name: out.get() for name, out in outputs_of(arguments, Out).items()}


def _report_of(
    app: _App, order: RunActivity | CallFunction, cancelled: threading.Event
) -> Completed | Returned | Failed:
    """Run it, and say what became of it. Never raises: an author's `sys.exit()` ends nothing."""
    running = order.running or Running(order.name)
    RUNNING.set(running)
    begin_call()
    try:
        if isinstance(order, RunActivity):
            payload = _called(lambda: app.run_activity(order, cancelled))
            return Completed(call=order.call, payload=payload)
        result = _called(lambda: app.call(order, cancelled))
    except BaseException as error:  # noqa: BLE001 - see above
        return Failed(call=order.call, failure=pack_failure(error))
    finally:
        end_run(running)
    try:
        return Returned(call=order.call, result=pack(result))
    except BaseException as error:  # noqa: BLE001 - an author's class may raise anything
        stays = ResultStaysError(
            f"What '{order.name}' returned ({type(result[0]).__name__}) cannot leave its worker "
            f"process: {type(error).__name__}: {error}"
        )
        return Failed(call=order.call, failure=pack_failure(stays), stays=True)


def _called(function: Callable[[], Any]) -> Any:
    return call_without_children(lambda _: function(), None)


class _ToHost(logging.Handler):
    """Hands records to the host, which has them written with its own."""

    def __init__(self, say: Callable[[Report], None]) -> None:
        super().__init__()
        self._say = say
        self.addFilter(InsideFunctions())
        self._stacks = logging.Formatter()
        self.is_loading = True
        """Then the host's own loggers say what it has said itself, when it loaded the app."""

    def emit(self, record: logging.LogRecord) -> None:
        if self.is_loading and record.name.partition(".")[0] in _OWN_LOGGERS:
            return
        try:
            message = record.getMessage()
            stack = self._stacks.formatException(record.exc_info) if record.exc_info else ""
        except Exception as error:  # noqa: BLE001 - what an author logs may raise anything
            message, stack = f"(a {type(error).__name__} hides it)", ""
        self._say(
            Logged(
                logger=record.name,
                level=record.levelno,
                message=message,
                stack=stack,
                created=record.created,
                path=record.pathname,
                line=record.lineno,
                running=RUNNING.get(),
            )
        )


def _end_with(host: int) -> None:
    """Have the system end this process with its host, where it can (Linux)."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != host:  # it has gone before that
        _end(0)


def _let_go(line: socket.socket) -> None:
    """What a child that the app forks has nothing to do with."""
    line.close()
    for number in HOSTS_SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def _memory_bytes() -> int:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024


def _end(code: int) -> NoReturn:
    """End now: threads in which functions run are not waited for."""
    with suppress(Exception):
        sys.stdout.flush()
    os._exit(code)
