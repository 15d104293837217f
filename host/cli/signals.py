"""The signals that stop a host: Ctrl-C, SIGTERM, and SIGHUP, which comes when a terminal closes.

Plain handlers and not the loop's: they run even while author code keeps the loop busy. They take
the place of what the app set when it was imported, and call that, too. What it sets later takes
their place, and would make the host deaf: so it is looked at again and again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from host.cli.entry import SIGNALS, end_at_once, is_to_be_ignored
from host.forks import let_go_in_children
from host.logs import HostLog

_logger = HostLog("funchost")

_DISPLACED = (
    "Code of the app set a handler for %s, which took the place of the host's. The host's is back: "
    "it ends the host, and then calls the app's."
)

_NOT_THE_APPS = (end_at_once, signal.default_int_handler)


@contextmanager
def stopping_signals(
    stop: Callable[[], None], leave: Callable[[], NoReturn]
) -> Iterator[Callable[[], None]]:
    """Meanwhile the first signal calls `stop`, the second one `leave`.

    Gives what is to be called now and then, on the main thread: it puts these handlers back where
    the app has set others since. A closed terminal is ignored if `nohup` asked for that. Forked
    children have none of this: a signal ends them.
    """
    seen: list[int] = []
    theirs: dict[int, Any] = {}
    calling: list[FrameType | None] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if frame in calling:  # no second signal: the app's handler calls the one before it
            return
        if seen:
            leave()
        seen.append(number)
        stop()
        calling.append(frame)
        _call(theirs[number], number, frame)
        calling.clear()

    def take(number: int) -> None:
        theirs[number] = signal.getsignal(number)
        signal.signal(number, on_signal)

    def put_back() -> None:
        lost = [number for number in theirs if signal.getsignal(number) is not on_signal]
        for number in lost:
            take(number)
        for number in lost:  # after all of them, for who reads it and sends another one
            _logger.warning(_DISPLACED, signal.Signals(number).name)

    for number in SIGNALS:
        if not is_to_be_ignored(number):
            take(number)
    with let_go_in_children(lambda: _restore_defaults(theirs)):
        yield put_back


def _call(handler: Any, number: int, frame: FrameType | None) -> None:
    """The app's own handler, which may not end the host before its time."""
    if not callable(handler) or handler in _NOT_THE_APPS:
        return
    try:
        handler(number, frame)
    except BaseException as error:
        if not isinstance(error, SystemExit):
            _logger.warning("The app's handler of signal %d failed", number, exc_info=error)


def _restore_defaults(numbers: dict[int, Any]) -> None:
    signal.set_wakeup_fd(-1)
    for number in numbers:
        signal.signal(number, signal.SIG_DFL)
