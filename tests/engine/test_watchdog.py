"""What keeps the event loop is told by name and broken off: that turn or call, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from math import inf
from types import FrameType
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus, when_all
from host.engine import interrupt
from host.engine.watchdog import Limits, LoopWatch
from tests.kit.hub import Host, Hub, until

FOR_LONG_S = 600.0


class Listener(logging.Handler):
    """Lets code that blocks the event loop wait for reports from another thread."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []
        self._reported = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._reported:
            self.texts.append(record.getMessage())
            self._reported.notify_all()

    def wait_for(self, count: int) -> bool:
        with self._reported:
            return self._reported.wait_for(lambda: len(self.texts) >= count, 20)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener, logger = Listener(), logging.getLogger("funchost.engine")
    logger.addHandler(listener)
    yield listener
    logger.removeHandler(listener)


async def test_a_stuck_turn_is_reported_by_name_and_with_its_stack(
    hub: Hub, listener: Listener
) -> None:
    app, problems = FunctionApp(), list[str]()
    hosts: list[Host] = []

    @app.orchestration_trigger()
    async def blocks(context: OrchestrationContext) -> bool:
        is_told = listener.wait_for(1)
        problems.extend(hosts[0].engine.problems())
        return is_told

    hosts.append(await hub.start(app, stuck_turn_s=0.01))
    state = await hosts[0].run(blocks, instance_id="stuck-one")
    assert state.output is True
    assert problems == ["The orchestrator 'blocks' (stuck-one) keeps the event loop busy"]
    assert "The orchestrator 'blocks' (stuck-one)" in listener.texts[0]
    assert "listener.wait_for(1)" in listener.texts[0]
    assert hosts[0].engine.problems() == []


async def test_found_a8_a_turn_that_blocks_is_reported_again_and_again(
    hub: Hub, listener: Listener
) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def blocks(context: OrchestrationContext) -> bool:
        return listener.wait_for(4)

    host = await hub.start(app, stuck_turn_s=0.01)
    assert (await host.run(blocks)).output is True


def spin() -> None:
    while True:
        pass


def read_from_a_socket() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.recv(1)


def read_from_a_pipe() -> None:
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as reader, os.fdopen(writes, "wb"):
        reader.read()


def wait_for_a_process() -> None:
    with subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({FOR_LONG_S})"]) as long:
        try:
            long.wait()
        finally:
            long.kill()


def wait_for_a_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


class Wakeful:
    """Code that lets nothing end it but what comes a hundred times."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        while self.times < 5:
            try:
                spin()
            except Exception:  # noqa: BLE001 - that is the point
                self.times += 1
        spin()


BLOCKING: dict[str, Callable[[], Any]] = {
    "an endless loop": spin,
    "a sleep": lambda: time.sleep(FOR_LONG_S),
    "a socket": read_from_a_socket,
    "a pipe": read_from_a_pipe,
    "a process": wait_for_a_process,
    "a lock": wait_for_a_lock,
    "an event": lambda: threading.Event().wait(FOR_LONG_S),
    "a select": lambda: select.select([], [], [], FOR_LONG_S),
    "a loop that catches errors": Wakeful(),
}


@pytest.mark.parametrize("call", BLOCKING)
async def test_found_a8_a_turn_that_blocks_is_broken_off_and_the_others_go_on(
    hub: Hub, call: str
) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def blocks(context: OrchestrationContext) -> None:
        BLOCKING[call]()

    @app.orchestration_trigger()
    async def returns(context: OrchestrationContext) -> str:
        return "fine"

    host = await hub.start(app, stuck_turn_s=0.05, break_off_turn_s=0.2)
    state = await host.run(blocks)
    assert state.runtime_status is RuntimeStatus.FAILED
    assert state.failure_details is not None
    assert state.failure_details.error_type == "EndlessTurnError"
    assert (await host.run(returns)).output == "fine"


async def test_found_a8_a_regular_expression_without_end_is_broken_off(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the interpreter: no other thread runs, were it not for a pulse (a fast one here)."""
    monkeypatch.setattr(interrupt, "PULSE_S", 0.02)
    app = FunctionApp()

    @app.orchestration_trigger()
    async def matches(context: OrchestrationContext) -> None:
        re.match(r"(a+)+$", "a" * 80 + "b")

    host = await hub.start(app, stuck_turn_s=0.2, break_off_turn_s=0.4)
    state = await host.run(matches)
    assert state.failure_details is not None
    assert state.failure_details.error_type == "EndlessTurnError"


@pytest.mark.parametrize("call", ["an endless loop", "a sleep", "a socket"])
async def test_found_h4_a_coroutine_that_blocks_the_loop_is_reported_and_broken_off(
    hub: Hub, listener: Listener, call: str
) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    async def forgets_to_await() -> None:
        await asyncio.sleep(0)
        BLOCKING[call]()

    @app.orchestration_trigger()
    async def calls(context: OrchestrationContext) -> None:
        await context.call_activity(forgets_to_await)

    host = await hub.start(app, stuck_turn_s=0.05, break_off_turn_s=0.2)
    state = await host.run(calls)
    assert state.failure_details is not None
    assert state.failure_details.is_caused_by("BlockedLoopError")
    report = listener.texts[0]
    line = forgets_to_await.__code__.co_firstlineno
    assert report.startswith(f"The function '{forgets_to_await.__qualname__}' ({__file__}:{line})")
    assert "BLOCKING[call]()" in report
    assert "plain def" in report


async def test_found_h4_a_task_of_the_authors_own_is_found_too(
    hub: Hub, listener: Listener
) -> None:
    app = FunctionApp()

    async def blocks() -> None:
        spin()

    @app.activity_trigger()
    async def begins_a_task() -> str:
        try:
            await asyncio.create_task(blocks())
        except Exception as error:  # noqa: BLE001 - any would do
            return type(error).__name__
        return "nothing"

    @app.orchestration_trigger()
    async def calls(context: OrchestrationContext) -> str:
        return await context.call_activity(begins_a_task)

    host = await hub.start(app, stuck_turn_s=0.05, break_off_turn_s=0.2)
    assert (await host.run(calls)).output == "BlockedLoopError"
    assert "blocks" in listener.texts[0]


async def test_found_h4_many_short_steps_are_not_one_long_one(hub: Hub, listener: Listener) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    async def steps_often() -> int:
        watch, looks, steps = host.engine.parts.watch, set[float](), 0
        while len(looks) < 20:
            looks.add(watch._looked_at)
            steps += 1
            await asyncio.sleep(0)
        return steps

    @app.orchestration_trigger()
    async def calls(context: OrchestrationContext) -> int:
        return await context.call_activity(steps_often)

    host = await hub.start(app, stuck_turn_s=0.2, break_off_turn_s=0.2)
    assert (await host.run(calls)).runtime_status is RuntimeStatus.COMPLETED
    assert not [each for each in listener.texts if "steps_often" in each]


async def test_found_a7_an_error_lands_only_in_the_code_that_it_is_for(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    """Turns that end just when they are broken off, many times: none harms another, or the host."""
    app, entropy = FunctionApp(), random.Random(7)

    @app.orchestration_trigger()
    async def spins_a_while(context: OrchestrationContext, seconds: float) -> str:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            context.new_uuid()
            for _ in range(200):
                pass
        return "done"

    @app.orchestration_trigger()
    async def gathers(context: OrchestrationContext) -> int:
        return len(await when_all([context.call_activity(does_nothing) for _ in range(20)]))

    @app.activity_trigger()
    async def does_nothing() -> None:
        await asyncio.sleep(0)

    host = await hub.start(app, stuck_turn_s=0.05, break_off_turn_s=0.1)
    spells = [entropy.uniform(0.0, 0.3) for _ in range(12)]
    started = [await host.begin(spins_a_while, spell) for spell in [*spells, FOR_LONG_S]]
    between = [await host.begin(gathers) for _ in range(10)]
    ends = [await host.finished(each) for each in started]
    errors = [each.failure_details.error_type for each in ends if each.failure_details]
    assert set(errors) == {"EndlessTurnError"}
    assert [(await host.finished(each)).output for each in between] == [20] * 10
    assert not [each for each in caplog.records if "A turn of" in each.getMessage()]
    assert not [each for each in caplog.records if each.name == "asyncio"]


async def test_found_a7_a_signal_that_comes_while_a_turn_is_broken_off_is_not_lost(
    hub: Hub,
) -> None:
    app, came, sent = FunctionApp(), list[int](), threading.Semaphore(0)
    is_spinning, main = threading.Event(), threading.get_ident()

    def send_often() -> None:
        for _ in range(10):
            is_spinning.wait()
            is_spinning.clear()
            signal.pthread_kill(main, signal.SIGWINCH)
            sent.release()

    @app.orchestration_trigger()
    async def spins(context: OrchestrationContext) -> None:
        is_spinning.set()
        spin()

    host = await hub.start(app, stuck_turn_s=0.05, break_off_turn_s=0.05)
    before = signal.signal(signal.SIGWINCH, lambda number, _: came.append(number))
    sender = threading.Thread(target=send_often)
    sender.start()
    try:
        for count in range(1, 11):
            await host.run(spins)
            sent.acquire()
            await until(lambda: bool(came[count - 1 :]))  # noqa: B023 - awaited here
            assert len(came) == count
    finally:
        sender.join()
        signal.signal(signal.SIGWINCH, before)


def tracer(frame: FrameType, event: str, argument: Any) -> Any:
    return tracer


async def test_found_h3_nothing_is_broken_off_while_a_debugger_traces_it(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def is_stepped_through(context: OrchestrationContext) -> str:
        before = sys.gettrace()
        sys.settrace(tracer)
        watch, looks = host.engine.parts.watch, set[float]()
        while len(looks) < 20:
            looks.add(watch._looked_at)
        sys.settrace(before)
        return "at leisure"

    host = await hub.start(app, stuck_turn_s=0.05, break_off_turn_s=0.05)
    assert (await host.run(is_stepped_through)).output == "at leisure"


async def test_the_handler_that_an_app_had_is_called_and_comes_back() -> None:
    came: list[int] = []

    def apps(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(signal.SIGURG, apps)
    first, second = (LoopWatch(Limits(1.0, inf)) for _ in range(2))
    try:
        first.start()
        second.start()
        first.stop()
        signal.raise_signal(signal.SIGURG)
        assert came == [signal.SIGURG]
        second.stop()
        assert signal.getsignal(signal.SIGURG) is apps
    finally:
        signal.signal(signal.SIGURG, before)
