"""How activities run: so many at a time, cancelled without a trace, ended by all they raise."""

from __future__ import annotations

import asyncio
import sys
import threading
from datetime import timedelta

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus, TaskFailedError, when_all
from host.clock import Clock
from host.core import history
from host.core.functions import ActivityFunction
from host.core.history import Payload
from host.core.records import ActivityKey
from host.engine.activities import ActivityPool, ActivityRun
from host.engine.observer import Observers
from tests.kit.hub import Hub, until


async def test_no_more_activities_run_at_once_than_the_limit_says(hub: Hub) -> None:
    app, running, most = FunctionApp(), 0, 0

    @app.activity_trigger()
    async def works() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1

    @app.orchestration_trigger()
    async def fans_out(context: OrchestrationContext) -> int:
        return len(await when_all([context.call_activity(works) for _ in range(50)]))

    host = await hub.start(app, max_concurrent_activities=4)
    assert (await host.run(fans_out)).output == 50
    assert most == 4


async def test_the_limit_holds_for_threads_and_many_threads_work_at_once(hub: Hub) -> None:
    app, together = FunctionApp(), threading.Barrier(3, timeout=10)

    @app.activity_trigger()
    def meets() -> int:
        together.wait()
        return threading.get_ident()

    @app.orchestration_trigger()
    async def fans_out(context: OrchestrationContext) -> list[int]:
        return await when_all([context.call_activity(meets) for _ in range(6)])

    host = await hub.start(app, max_concurrent_activities=3)
    assert len(set((await host.run(fans_out)).output)) == 3


async def test_an_activity_that_ends_the_program_ends_only_itself(hub: Hub) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def exits_in_thread() -> None:
        sys.exit(3)

    @app.activity_trigger()
    async def exits_on_loop() -> None:
        raise KeyboardInterrupt

    @app.orchestration_trigger()
    async def calls(context: OrchestrationContext) -> list[str]:
        failures = []
        for activity in ("exits_in_thread", "exits_on_loop"):
            try:
                await context.call_activity(activity)
            except TaskFailedError as error:
                failures.append(error.details.error_type)
        return failures

    host = await hub.start(app)
    assert (await host.run(calls)).output == ["SystemExit", "KeyboardInterrupt"]


async def test_what_runs_on_when_the_orchestration_is_over_is_not_heard(hub: Hub) -> None:
    app, gate = FunctionApp(), asyncio.Event()

    @app.activity_trigger()
    async def slow() -> None:
        await gate.wait()

    @app.orchestration_trigger()
    async def leaves(context: OrchestrationContext) -> str:
        context.call_activity(slow)
        await context.create_timer(timedelta(seconds=1))
        return "left"

    host = await hub.start(app)
    instance_id = await host.begin(leaves)
    await until(lambda: len(host.engine.parts.pool) == 1)
    await hub.clock.advance(timedelta(seconds=1))
    assert (await host.finished(instance_id)).output == "left"
    before = await host.history(instance_id)
    gate.set()
    await host.rest()
    assert await host.history(instance_id) == before
    assert await host.status(instance_id) is RuntimeStatus.COMPLETED


class _Counting:
    """An activity that only takes down that it ran."""

    def __init__(self) -> None:
        self.ran = 0
        self.function = ActivityFunction(name="any", run=self._run)

    async def _run(self, payload: Payload) -> Payload:
        self.ran += 1
        return payload


def _run_of(task_id: int, clock: Clock, results: list[object]) -> ActivityRun:
    return ActivityRun(
        ActivityKey("instance", "execution", task_id),
        history.TaskScheduled(timestamp=clock.now(), task_id=task_id, name="any"),
        lambda _, result: results.append(result),
    )


async def test_an_activity_whose_time_is_over_does_not_begin_even_if_there_is_room(
    hub: Hub,
) -> None:
    counting, results = _Counting(), list[object]()
    pool = ActivityPool(hub.clock, 1, Observers())
    late = _run_of(1, hub.clock, results)
    late.may_begin = lambda: False
    pool.start(late, counting.function)
    assert len(pool) == 0
    pool.start(_run_of(2, hub.clock, results), counting.function)
    await until(lambda: len(results) == 1)
    assert counting.ran == 1


async def test_an_activity_cancelled_before_it_began_gives_its_place_free(hub: Hub) -> None:
    counting, results = _Counting(), list[object]()
    pool = ActivityPool(hub.clock, 1, Observers())
    first = _run_of(1, hub.clock, results)
    pool.start(first, counting.function)
    pool.start(_run_of(2, hub.clock, results), counting.function)
    pool.cancel_run(first)
    await until(lambda: len(results) == 1)
    assert counting.ran == 1
    assert len(pool) == 0


async def test_a_cancelled_activity_that_waits_for_a_place_never_runs(hub: Hub) -> None:
    counting, results = _Counting(), list[object]()
    pool = ActivityPool(hub.clock, 1, Observers())
    waiting = _run_of(2, hub.clock, results)
    pool.start(_run_of(1, hub.clock, results), counting.function)
    pool.start(waiting, counting.function)
    pool.cancel_run(waiting)
    pool.start(_run_of(3, hub.clock, results), counting.function)
    await until(lambda: len(results) == 2)
    assert counting.ran == 2
