"""The event loop of the process goes on when code of the app would end it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

import pytest
import uvloop

from host.clock import SystemClock
from host.engine.main_loop import run_to_its_end
from host.engine.store_watch import StoreWatch
from host.engine.supervisor import Supervisor

LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
EXITS = pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])


@pytest.fixture
def _own_handler() -> object:
    """A host has a handler of its own for Ctrl-C."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    yield
    signal.signal(signal.SIGINT, before)


pytestmark = pytest.mark.usefixtures("_own_handler")


def run(main: Callable[[], object], new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    loop = new_loop()
    try:
        run_to_its_end(main(), loop)  # type: ignore[arg-type]
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with suppress(BaseException):
                loop.run_until_complete(task)
        loop.close()


@LOOPS
@EXITS
def test_found_h9_what_a_task_raises_reaches_whoever_waits_for_it_and_ends_nothing(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    kind: type[BaseException],
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[object] = []

    async def exits() -> None:
        raise kind("from the app")

    async def main() -> None:
        for _ in range(3):
            with suppress(kind):
                await asyncio.gather(exits(), asyncio.sleep(0))
                seen.append("not raised")
        forgotten = asyncio.create_task(exits())
        await asyncio.wait([forgotten])
        seen.append(type(forgotten.exception()))
        await asyncio.to_thread(seen.append, "thread")

    run(main, new_loop)
    assert seen == [kind, "thread"]
    assert f"raised {kind.__name__}: from the app" in caplog.text


@LOOPS
def test_found_h9_what_was_ready_beside_a_callback_that_raises_still_runs(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    seen: list[int] = []

    def note(number: int) -> None:
        seen.append(number)
        if number in {2, 4}:
            raise SystemExit(number)

    async def main() -> None:
        for number in range(6):
            asyncio.get_running_loop().call_soon(note, number)
        all_seen = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.001, note, 6)
        asyncio.get_running_loop().call_later(0.001, all_seen.set_result, None)
        await all_seen

    run(main, new_loop)
    assert sorted(seen) == [0, 1, 2, 3, 4, 5, 6]


@LOOPS
def test_found_h9_what_raises_just_as_the_host_ends_does_not_end_it_otherwise(
    new_loop: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    def leave() -> None:
        raise SystemExit("from the app")

    async def main() -> None:
        asyncio.get_running_loop().call_soon(leave)

    run(main, new_loop)
    assert "raised SystemExit: from the app" in caplog.text


@LOOPS
@EXITS
def test_what_the_host_itself_raises_ends_it(
    new_loop: Callable[[], asyncio.AbstractEventLoop], kind: type[BaseException]
) -> None:
    async def main() -> None:
        raise kind

    with pytest.raises(kind):
        run(main, new_loop)


@LOOPS
def test_ctrl_c_ends_a_host_in_which_an_app_put_pythons_handler_back(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        await asyncio.gather(interrupted())

    with pytest.raises(KeyboardInterrupt):
        run(main, new_loop)


@LOOPS
def test_found_h9_an_app_that_stops_the_loop_ends_nothing(
    new_loop: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    async def main() -> None:
        for number in range(3):
            asyncio.get_running_loop().stop()
            await asyncio.sleep(0)
            seen.append(number)

    run(main, new_loop)
    assert seen == [0, 1, 2]
    assert "stopped the event loop" in caplog.text


@LOOPS
def test_found_h9_an_app_that_cancels_all_tasks_finds_none_of_the_host(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    seen: list[object] = []

    async def clean_up() -> None:
        mine = asyncio.create_task(asyncio.sleep(60))
        apps = asyncio.create_task(apps_own())
        others = asyncio.all_tasks() - {asyncio.current_task()}
        seen.append(len(others))
        for task in others:
            task.cancel()
        await asyncio.wait([apps])
        seen.append((apps.cancelled(), mine.done()))
        mine.cancel()

    async def apps_own() -> None:
        await asyncio.sleep(60)

    all_tasks = asyncio.all_tasks
    hosts = Supervisor(SystemClock(), StoreWatch(SystemClock()))

    async def main() -> None:
        hosts.run("work", asyncio.get_running_loop().create_future)
        await clean_up()
        seen.append(len(hosts.problems(of_store=False)))
        await hosts.stop()

    run(main, new_loop)
    assert asyncio.all_tasks is all_tasks
    assert seen == [1, (True, False), 0]
