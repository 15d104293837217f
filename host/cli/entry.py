"""Where the process begins: before anything that takes time, a signal ends it, in silence.

Python's own way is a traceback through whatever was just being imported; as process 1 of a
container a signal without a handler does nothing at all. `funchost start` puts handlers of its own
in place once there is something to stop.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def run() -> None:
    """The command `funchost`."""
    for number in SIGNALS:
        if not is_to_be_ignored(number):
            signal.signal(number, end_at_once)
    from host.cli.main import main  # noqa: PLC0415 - see the head of this file

    try:
        main(prog_name="funchost")
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _leave_full(error)


def _leave_full(error: OSError) -> NoReturn:
    """Say that the output has no room, and end: at a usual end it would be tried once more."""
    from host.os_words import error_in_words  # noqa: PLC0415 - see the head of this file

    with suppress(OSError):
        sys.stderr.write(f"Error: Not all could be written: {error_in_words(error)}\n")
        sys.stderr.flush()
    os._exit(1)


def is_to_be_ignored(number: int) -> bool:
    """Whether whoever began this process asked for that: `nohup`, of a terminal that closes.

    A shell that begins a program in the background has it ignore Ctrl-C, too, which is meant for
    the terminal only: a signal that is sent to the process itself counts all the same.
    """
    is_hang_up = signal.Signals(number).name == "SIGHUP"
    return is_hang_up and signal.getsignal(number) is signal.SIG_IGN


def end_at_once(number: int, _: FrameType | None) -> None:
    """End the process: nothing has begun that would have to be finished."""
    os._exit(128 + number)
