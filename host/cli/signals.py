"""The signals that stop a host: Ctrl-C, SIGTERM, and SIGHUP, which comes when a terminal closes.

Plain handlers and not the loop's: they run even while author code keeps the loop busy. They take
the place of what the app set when it was imported, and call that, too.
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

_NOT_THE_APPS = (end_at_once, signal.default_int_handler)


@contextmanager
def stopping_signals(stop: Callable[[], None], leave: Callable[[], NoReturn]) -> Iterator[None]:
    """Meanwhile the first signal calls `stop`, the second one `leave`.

    A closed terminal is ignored if `nohup` asked for that. Forked children have none of
    this: a signal ends them.
    """
    seen: list[int] = []
    theirs: dict[int, Any] = {}

    def on_signal(number: int, frame: FrameType | None) -> None:
        if seen:
            leave()
        seen.append(number)
        stop()
        _call(theirs[number], number, frame)

    for number in SIGNALS:
        if not is_to_be_ignored(number):
            theirs[number] = signal.getsignal(number)
            signal.signal(number, on_signal)
    with let_go_in_children(lambda: _restore_defaults(theirs)):
        yield


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
