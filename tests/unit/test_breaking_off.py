"""A command that is broken off by a signal puts in order what it has begun."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from host.cli.breaking_off import run_in_order

done: list[str] = []


async def works(number: signal.Signals) -> None:
    try:
        os.kill(os.getpid(), number)
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        done.append(number.name)


@pytest.fixture(autouse=True)
def hangup_ends_a_process() -> Iterator[None]:
    """As at a terminal: under nohup the signal is ignored, and commands heed that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_it_put_things_in_order(number: signal.Signals) -> None:
    done.clear()
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        run_in_order(works(number))
    assert done == [number.name]
    assert signal.getsignal(number) is before


def test_without_a_signal_it_gives_what_it_found() -> None:
    async def finds() -> int:
        return 7

    assert run_in_order(finds()) == 7
