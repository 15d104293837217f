"""Breaking off a command that must not end just anywhere."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from host.cli.entry import SIGNALS, is_to_be_ignored

EXIT_BROKEN_OFF = 130


@contextmanager
def broken_off_in_order() -> Iterator[None]:
    """A signal raises `KeyboardInterrupt` within, so that what was begun can be put in order.

    A second one does it again: it breaks off the putting in order.
    """

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        if not is_to_be_ignored(number):
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
