"""An executor that takes its time: the session waits for it, and nothing is lost by it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from host.core.converter import Converter
from host.core.executors import AwaitedCode, TurnInput, TurnOutput
from host.core.functions import FunctionCatalog
from host.core.history import ExecutionStarted
from host.core.replay.in_process import InProcessExecutor
from host.storage.local_queues import LocalQueues
from host.storage.protocol import Hint
from tests.kit.far_executor import FarExecutor
from tests.kit.hub import Host, Hub, until
from tests.kit.manual_clock import PATIENCE_S
from tests.kit.worker import Worker

TICK = timedelta(seconds=0.25)
SECOND = timedelta(seconds=1)
ANSWER_S = 20.0


class Far:
    """A worker, and a line to it that can be slow, dead, or talk nonsense."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0
        self.failures: list[BaseException] = []
        """What the next questions end with."""
        self._worker: Worker | None = None
        self._catalog: FunctionCatalog | None = None

    def executor(self, catalog: FunctionCatalog) -> FarExecutor:
        """The executor of a host; what `Hub.start` takes."""
        self._catalog = catalog
        self.restart()
        return FarExecutor(self, self.names)

    def restart(self) -> None:
        """A new worker, which knows nothing of what the one before was asked."""
        assert self._catalog is not None
        self._worker = Worker(self._catalog)

    async def ask(self, question: bytes) -> bytes:
        self.asked += 1
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        assert self._worker is not None
        return self._worker.answer(question)

    def tell(self, question: bytes) -> None:
        asyncio.get_running_loop().call_soon(lambda: self._worker and self._worker.answer(question))


class Work:
    """Orchestrators of all sorts."""

    def __init__(self) -> None:
        self.app = app = FunctionApp()
        self.runs: Counter[int] = Counter()

        @app.activity_trigger()
        async def works(number: int) -> int:
            self.runs[number] += 1
            return number

        @app.orchestration_trigger()
        async def child(context: OrchestrationContext, number: int) -> int:
            return await context.call_activity(works, number)

        @app.orchestration_trigger()
        async def chain(context: OrchestrationContext) -> list[int]:
            return [await context.call_activity(works, number) for number in range(3)]

        @app.orchestration_trigger()
        async def hears(context: OrchestrationContext) -> Any:
            return await context.wait_for_external_event("go")

        @app.orchestration_trigger()
        async def fails(context: OrchestrationContext) -> None:
            raise ValueError("its own fault")

        @app.orchestration_trigger()
        async def rounds(context: OrchestrationContext, left: int) -> list[int]:
            context.set_custom_status(left)
            await context.create_timer(SECOND)
            if left:
                context.continue_as_new(left - 1)
                return []
            return [await context.call_sub_orchestrator(child, number) for number in (7, 8)]

        self.chain, self.hears, self.fails, self.rounds = chain, hears, fails, rounds

    def far(self) -> Far:
        """A line to a worker that runs them all."""
        return Far("child", "chain", "hears", "fails", "rounds")


async def ended(hub: Hub, host: Host, instance_id: str, step: timedelta = SECOND) -> Any:
    """The state at its end, for which the clock is moved."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            state = await host.client.get_instance(instance_id)
            if state is not None and state.runtime_status.is_finished:
                return state
            await hub.clock.advance(step)


async def test_it_leads_instances_to_the_same_as_the_executor_of_this_process(
    each_hub: Hub,
) -> None:
    work = Work()
    host = await each_hub.start(work.app, executor=work.far().executor)
    rounds = await ended(each_hub, host, await host.begin(work.rounds, 2))
    assert (rounds.output, rounds.custom_status) == ([7, 8], 0)
    chain = await host.begin(work.chain)
    assert (await host.finished(chain)).output == [0, 1, 2]
    elsewhere = await host.history(chain)
    await host.stop()
    here = await each_hub.start(work.app)
    chain = await here.begin(work.chain)
    assert (await here.finished(chain)).output == [0, 1, 2]
    assert await here.history(chain) == elsewhere


async def test_that_its_code_fails_is_an_answer(hub: Hub) -> None:
    work = Work()
    host = await hub.start(work.app, executor=work.far().executor)
    state = await host.finished(await host.begin(work.fails))
    assert state.runtime_status is RuntimeStatus.FAILED
    assert state.failure_details is not None
    assert "its own fault" in state.failure_details.message


async def test_nobody_else_waits_for_it(hub: Hub) -> None:
    work, far = Work(), Far("chain")
    mixed: Callable[[FunctionCatalog], Any] = lambda catalog: Mixed(far, catalog)  # noqa: E731
    host = await hub.start(work.app, executor=mixed)
    far.gate.clear()
    slow = await host.begin(work.chain)
    await until(lambda: far.asked > 0)
    quick = await host.begin(work.fails)
    assert (await host.finished(quick)).runtime_status is RuntimeStatus.FAILED
    assert await host.status(slow) is RuntimeStatus.PENDING
    far.gate.set()
    assert (await host.finished(slow)).output == [0, 1, 2]


@pytest.mark.parametrize(
    "error",
    [ConnectionError("gone"), KeyError("a defect of it"), asyncio.CancelledError()],
    ids=["died", "defect", "broke off"],
)
async def test_however_often_it_fails_the_instance_is_not_to_blame(
    each_hub: Hub, error: BaseException
) -> None:
    work = Work()
    far = work.far()
    host = await each_hub.start(work.app, executor=far.executor, max_deliveries=2)
    far.failures = [error] * 9
    state = await ended(each_hub, host, await host.begin(work.chain), timedelta(seconds=5))
    assert state.output == [0, 1, 2]
    row = await each_hub.store.get(state.instance_id)
    assert row is not None
    assert not (row.tries or row.is_quarantined or row.blocked_reason)


async def test_results_that_came_meanwhile_are_told_when_it_is_back(hub: Hub) -> None:
    work = Work()
    far = work.far()
    host = await hub.start(work.app, executor=far.executor)
    chain = await host.begin(work.chain)
    far.failures = [ConnectionError("gone")] * 3
    await ended(hub, host, chain)
    assert work.runs == {0: 1, 1: 1, 2: 1}


async def test_a_worker_that_forgot_everything_is_told_it_again(hub: Hub) -> None:
    work = Work()
    far = work.far()
    host = await hub.start(work.app, executor=far.executor)
    hears = await host.begin(work.hears)
    await host.rest()
    far.restart()
    await host.client.raise_event(hears, "go", 5)
    assert (await ended(hub, host, hears)).output == 5


async def test_what_is_not_answered_in_time_is_asked_again(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work()
    far = work.far()
    host = await hub.start(work.app, executor=far.executor, executor_patience_s=ANSWER_S)
    far.gate.clear()
    chain = await host.begin(work.chain)
    await until(lambda: far.asked == 1)
    for _ in range(int(ANSWER_S) + 8):
        await hub.clock.advance(SECOND)
    assert far.asked > 1
    assert "takes too long" in caplog.text
    far.gate.set()
    assert (await ended(hub, host, chain)).output == [0, 1, 2]
    assert work.runs == {0: 1, 1: 1, 2: 1}


async def test_nonsense_is_asked_again_and_never_stored(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    work, odd = Work(), Odd()
    host = await hub.start(work.app, executor=odd.on)
    state = await ended(hub, host, await host.begin(work.chain))
    assert state.output == [0, 1, 2]
    assert odd.left == 0
    assert "The executor gave" in caplog.text


class Lapsing(LocalQueues):
    """Queues whose holds can be over."""

    is_over = False

    def is_held(self, hint: Hint) -> bool:
        return not self.is_over and super().is_held(hint)


async def test_an_answer_that_comes_after_the_hold_is_no_turn(hub: Hub) -> None:
    work, queues = Work(), Lapsing()
    far = work.far()
    host = await hub.start(work.app, queues=queues, executor=far.executor)
    far.gate.clear()
    chain = await host.begin(work.chain)
    await until(lambda: far.asked == 1)
    queues.is_over = True
    far.gate.set()
    await hub.clock.advance(TICK)
    assert host.store.calls["commit"] == 0
    queues.is_over = False
    await queues.send_wakeups([chain], is_recovery=True)
    assert (await ended(hub, host, chain)).output == [0, 1, 2]


async def test_a_hold_that_is_over_is_not_waited_on(hub: Hub) -> None:
    work, queues = Work(), Lapsing()
    far = work.far()
    host = await hub.start(work.app, queues=queues, executor=far.executor)
    far.gate.clear()
    await host.begin(work.chain)
    await until(lambda: far.asked == 1)
    queues.is_over = True
    await hub.clock.advance(SECOND)
    assert host.engine.busy_with() == "nothing at work"


@pytest.mark.parametrize("is_dead", [False, True], ids=["says nothing", "is dead"])
@pytest.mark.parametrize("has_begun", [False, True], ids=["at the start", "later on"])
async def test_who_terminates_an_instance_needs_no_word_of_its_executor(
    each_hub: Hub, is_dead: bool, has_begun: bool
) -> None:
    work = Work()
    far = work.far()
    host = await each_hub.start(work.app, executor=far.executor)
    hears = await host.begin(work.hears)
    if has_begun:
        await host.started(hears)
        await host.rest()
        host.engine.parts.cache.clear()
    before = far.asked
    far.failures = [ConnectionError("gone")] * 1000
    if not is_dead:
        far.gate.clear()
    if has_begun:
        await host.client.raise_event(hears, "go", 1)
    await until(lambda: far.asked > before)
    await host.client.terminate_instance(hears, "enough")
    state = await ended(each_hub, host, hears)
    assert state.runtime_status is RuntimeStatus.TERMINATED
    assert state.output == "enough"


async def test_a_stop_does_not_wait_for_it_and_another_host_goes_on(hub: Hub) -> None:
    work, queues = Work(), LocalQueues()
    far = work.far()
    host = await hub.start(work.app, queues=queues, executor=far.executor)
    far.gate.clear()
    chain = await host.begin(work.chain)
    await until(lambda: far.asked == 1)
    await host.stop()
    other = await hub.start(work.app, queues=LocalQueues())
    assert (await other.finished(chain)).output == [0, 1, 2]
    row = await hub.store.get(chain)
    assert row is not None
    assert row.tries == 0


class Mixed:
    """Of what the far one does not know the code runs here."""

    def __init__(self, far: Far, catalog: FunctionCatalog) -> None:
        self._far = far.executor(catalog)
        self._here = InProcessExecutor(catalog, Converter())

    def knows(self, name: str, version: str | None, /) -> bool:
        return self._far.knows(name, version) or self._here.knows(name, version)

    def begin(self, instance_id: str, started: ExecutionStarted) -> Any:
        return self._far.begin(instance_id, started) or self._here.begin(instance_id, started)


class Odd:
    """An executor whose every second answer is nonsense, a few times."""

    def __init__(self) -> None:
        self.left = 4
        self._executor: FarExecutor | None = None

    def on(self, catalog: FunctionCatalog) -> Odd:
        self._executor = Far("chain").executor(catalog)
        return self

    def knows(self, name: str, version: str | None, /) -> bool:
        assert self._executor is not None
        return self._executor.knows(name, version)

    def begin(self, instance_id: str, started: ExecutionStarted) -> AwaitedCode | None:
        assert self._executor is not None
        code = self._executor.begin(instance_id, started)
        return None if code is None else _OddCode(self, code)


class _OddCode(AwaitedCode):
    def __init__(self, odd: Odd, code: AwaitedCode) -> None:
        self._odd = odd
        self._code = code

    async def replay(self, past: Any) -> TurnOutput:
        return await self._code.replay(past)

    async def turn(self, new: TurnInput) -> TurnOutput:
        output = await self._code.turn(new)
        if self._odd.left % 2 == 0 and self._odd.left:
            self._odd.left -= 1
            return TurnOutput(output.custom_status, taken=output.taken, consumed=["unknown"])
        self._odd.left -= bool(self._odd.left)
        return output

    def close(self) -> None:
        self._code.close()
