"""The worker processes of a host, real ones, on a clock that tests move."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.core.records import ActivityKey
from host.settings import HostSettings
from host.workers.errors import NoWorkerError, WorkerLostError
from host.workers.frames import Completed, RunActivity, Setup
from host.workers.link import setup_of
from host.workers.pool import FIRST_PAUSE_S, MAX_PAUSE_S, WorkerPool
from tests.kit.app_folders import make_app
from tests.kit.hub import until
from tests.kit.manual_clock import ManualClock

__all__ = ["make_app"]

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.name != "posix", reason="no processes")]

MakeApp = Callable[[Mapping[str, str]], Path]
SECOND = timedelta(seconds=1)

APP = """
import os
from pathlib import Path

from funchost import FunctionApp

app = FunctionApp()


@app.activity_trigger()
def where() -> int:
    return os.getpid()


@app.activity_trigger()
def dies() -> None:
    os._exit(4)


@app.activity_trigger()
def endless(marker: str) -> None:
    Path(marker).touch()
    while True:
        pass


@app.activity_trigger()
def until_gone(marker: str) -> int:
    Path(marker).touch()
    while Path(marker).exists():
        pass
    return os.getpid()
"""


class Asking:
    """A pool with one worker, and what it is asked."""

    def __init__(self, app: Path, *names: str) -> None:
        self.clock = ManualClock()
        self.starts = 0
        self._app = app
        self._names = names
        self.pool = WorkerPool(1, self._setup, self.clock)

    def _setup(self) -> Setup:
        self.starts += 1
        return setup_of(self._app, HostSettings(), functions=self._names, threads=4)

    async def ready(self) -> None:
        await until(lambda: not self.pool.problems())

    def ask(self, name: str, payload: str | None = None, **options: Any) -> asyncio.Task[Any]:
        key = ActivityKey(instance_id="i", execution_id="e", task_id=1)
        given = {"end_after": lambda: 10.0, **options}
        return asyncio.create_task(
            self.pool.ask(
                lambda number: RunActivity(call=number, name=name, key=key, payload=payload),
                name,
                **given,
            )
        )

    async def pid(self) -> int:
        answer = await self.ask("where")
        assert isinstance(answer, Completed)
        return int(answer.payload or 0)


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_a_worker_whose_function_does_not_end_is_replaced_and_ended_when_it_is_alone(
    make_app: MakeApp, tmp_path: Path
) -> None:
    asking = Asking(make_app({"function_app.py": APP}), "where", "endless")
    stuck, beside = tmp_path / "stuck", tmp_path / "beside"
    async with asking.pool.running():
        await asking.ready()
        first = await asking.pid()
        task, other = asking.ask("endless", f'"{stuck}"'), asking.ask("until_gone", f'"{beside}"')
        await until(lambda: stuck.exists() and beside.exists())
        await cancelled(task)
        await asking.clock.advance(9 * SECOND)
        assert await asking.pid() == first

        await asking.clock.advance(2 * SECOND)
        second = await asking.pid()
        assert second != first
        assert is_alive(first)
        beside.unlink()
        assert (await other).payload == str(first)
        await until(lambda: not is_alive(first))
        assert await asking.pid() == second


async def test_without_a_limit_a_function_goes_on_when_nobody_waits_for_it(
    make_app: MakeApp, tmp_path: Path
) -> None:
    asking = Asking(make_app({"function_app.py": APP}), "where")
    marker = tmp_path / "runs"
    async with asking.pool.running():
        await asking.ready()
        first = await asking.pid()
        task = asking.ask("until_gone", f'"{marker}"', end_after=lambda: None)
        await until(marker.exists)
        await cancelled(task)
        await asking.clock.advance(24 * 3600 * SECOND)
        assert await asking.pid() == first


async def test_a_function_that_ends_its_process_keeps_others_waiting_for_no_pause(
    make_app: MakeApp,
) -> None:
    asking = Asking(make_app({"function_app.py": APP}), "where")
    async with asking.pool.running():
        for _ in range(2):
            with pytest.raises(WorkerLostError, match="exit code 4"):
                await asking.ask("dies", is_patient=True)
        assert await asking.ask("where", is_patient=True)
    assert asking.starts == 3


async def test_a_worker_that_does_not_load_is_tried_again_after_longer_and_longer(
    make_app: MakeApp,
) -> None:
    asking = Asking(make_app({"function_app.py": APP}), "where", "not_there")
    async with asking.pool.running():
        await until(lambda: "does not load" in asking.pool.problems()[0])
        (problem,) = asking.pool.problems()
        assert "'not_there' is not there, as it is in the host" in problem
        with pytest.raises(NoWorkerError, match="not_there"):
            await asking.ask("where")
        waits = asking.ask("where", is_patient=True)
        assert FIRST_PAUSE_S < MAX_PAUSE_S
        await asking.clock.advance(timedelta(seconds=FIRST_PAUSE_S))
        await until(lambda: asking.starts == 2)
        assert not waits.done()
        await cancelled(waits)
