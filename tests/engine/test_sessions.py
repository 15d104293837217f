"""What one session costs and does: turns at one write each, no replay while in memory."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus, when_all, when_any
from host.core.records import Commit
from host.storage.local_queues import LocalQueues
from host.storage.protocol import Hint, WakeUp
from tests.kit.hub import Hub, until

CITIES = ["Tokyo", "Seattle", "London", "Paris", "Lima"]


def hello_app() -> tuple[FunctionApp, Any, list[bool]]:
    """Five activities in a row; the list takes down what the code saw of `is_replaying`."""
    app, replays = FunctionApp(), list[bool]()

    @app.activity_trigger()
    async def say_hello(city: str) -> str:
        return f"Hello {city}!"

    @app.orchestration_trigger()
    async def hello(context: OrchestrationContext) -> list[str]:
        greetings = []
        for city in CITIES:
            replays.append(context.is_replaying)
            greetings.append(await context.call_activity(say_hello, city))
        return greetings

    return app, hello, replays


async def test_five_activities_cost_one_create_and_six_commits_one_of_them_with_the_row(
    each_hub: Hub,
) -> None:
    app, hello, _ = hello_app()
    host = await each_hub.start(app)
    host.store.calls.clear()  # what the host's own start cost
    instance_id = await host.begin(hello)
    await host.rest()

    calls = {name: host.store.calls[name] for name in ("create", "commit", "load", "apply", "send")}
    assert calls == {"create": 1, "commit": 6, "load": 1, "apply": 0, "send": 0}
    assert [commit.effects.row is not None for commit in host.store.commits] == [False] * 5 + [True]
    assert host.store.calls["read_inbox"] <= 1
    state = await host.finished(instance_id)
    assert state.output == [f"Hello {city}!" for city in CITIES]


async def test_a_chain_in_one_session_is_never_replayed(hub: Hub) -> None:
    app, hello, replays = hello_app()
    host = await hub.start(app)
    await host.run(hello)
    assert replays == [False] * 5


async def test_an_instance_in_the_cache_goes_on_without_load_or_replay(each_hub: Hub) -> None:
    app, replays = FunctionApp(), list[bool]()

    @app.orchestration_trigger()
    async def collects(context: OrchestrationContext) -> list[int]:
        found = []
        for number in range(3):
            replays.append(context.is_replaying)
            context.set_custom_status(number)
            found.append(await context.wait_for_external_event("number"))
        return found

    host = await each_hub.start(app)
    instance_id = await host.begin(collects)
    for number in range(3):
        await host.shows(instance_id, number)
        await host.rest()
        await host.client.raise_event(instance_id, "number", number)
    state = await host.finished(instance_id)
    assert state.output == [0, 1, 2]
    assert replays == [False] * 3
    assert host.store.calls["load"] == 1


async def test_an_instance_that_left_the_cache_is_replayed_and_goes_on(hub: Hub) -> None:
    app, replays = FunctionApp(), list[bool]()

    @app.orchestration_trigger()
    async def waits(context: OrchestrationContext) -> str:
        replays.append(context.is_replaying)
        answer: str = await context.wait_for_external_event("go")
        return answer

    host = await hub.start(app, cached_instances=1)
    first = await host.begin(waits)
    await host.started(first)
    second = await host.begin(waits)
    await host.started(second)
    await host.rest()
    await host.client.raise_event(first, "go", "on")
    assert (await host.finished(first)).output == "on"
    assert replays == [False, False, True]


async def test_an_event_does_not_wait_for_a_running_activity(hub: Hub) -> None:
    app, gate = FunctionApp(), asyncio.Event()

    @app.activity_trigger()
    async def long_work() -> str:
        await gate.wait()
        return "work"

    @app.orchestration_trigger()
    async def races(context: OrchestrationContext) -> str:
        work = context.call_activity(long_work)
        event = context.wait_for_external_event("now")
        winner = await when_any([work, event])
        return "event" if winner is event else "work"

    host = await hub.start(app)
    instance_id = await host.begin(races)
    await until(lambda: len(host.engine.parts.pool) == 1)
    await host.client.raise_event(instance_id, "now")
    assert (await host.finished(instance_id)).output == "event"
    gate.set()


async def test_a_conflict_drops_the_turn_and_the_instance_goes_on_from_what_is_stored(
    each_hub: Hub,
) -> None:
    app, hello, _ = hello_app()
    host = await each_hub.start(app)
    taken: list[Commit] = []

    async def take_the_third_turn(name: str, args: tuple[Any, ...]) -> None:
        if name == "commit" and args[0].number == 2 and not taken:
            taken.append(args[0])
            await each_hub.store.commit(args[0])  # another host was first

    host.store.before = take_the_third_turn
    state = await host.run(hello)
    assert state.output == [f"Hello {city}!" for city in CITIES]
    assert host.store.calls["load"] == 2
    history = await host.history(state.instance_id)
    assert history.count("TaskCompleted") == history.count("TaskScheduled") == 5


async def test_results_that_come_together_are_taken_in_one_turn(hub: Hub) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    async def double(number: int) -> int:
        return 2 * number

    @app.orchestration_trigger()
    async def fans_out(context: OrchestrationContext) -> int:
        return sum(await when_all([context.call_activity(double, n) for n in range(500)]))

    host = await hub.start(app)
    assert (await host.run(fans_out)).output == sum(2 * n for n in range(500))
    assert host.store.calls["commit"] < 20


async def test_plain_functions_run_in_threads_and_coroutines_on_the_loop(hub: Hub) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def in_thread() -> str:
        return threading.current_thread().name

    @app.activity_trigger()
    async def on_loop() -> str:
        return threading.current_thread().name

    @app.orchestration_trigger()
    async def asks(context: OrchestrationContext) -> list[str]:
        return await when_all([context.call_activity(in_thread), context.call_activity(on_loop)])

    host = await hub.start(app)
    first, second = (await host.run(asks)).output
    assert first.startswith("funchost-activity")
    assert second == threading.current_thread().name


async def test_continue_as_new_starts_over_with_an_empty_history(each_hub: Hub) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    async def increment(number: int) -> int:
        return number + 1

    @app.orchestration_trigger()
    async def counts(context: OrchestrationContext, number: int) -> int:
        number = await context.call_activity(increment, number)
        if number < 5:
            context.continue_as_new(number)
        return number

    host = await each_hub.start(app)
    state = await host.run(counts, 0)
    assert state.output == 5
    assert state.input == 4
    assert (await host.history(state.instance_id)).count("TaskScheduled") == 1


async def test_a_running_instance_shows_running_although_its_row_was_not_written(
    each_hub: Hub,
) -> None:
    app, gate = FunctionApp(), asyncio.Event()

    @app.activity_trigger()
    async def waits() -> None:
        await gate.wait()

    @app.orchestration_trigger()
    async def works(context: OrchestrationContext) -> None:
        await context.call_activity(waits)

    host = await each_hub.start(app)
    instance_id = await host.begin(works)
    assert (await host.started(instance_id)).runtime_status is RuntimeStatus.RUNNING
    assert await host.status(instance_id) is RuntimeStatus.RUNNING
    gate.set()
    assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.COMPLETED


async def test_an_open_session_finds_mail_that_came_without_a_hint(hub: Hub) -> None:
    app, gate = FunctionApp(), asyncio.Event()

    @app.activity_trigger()
    async def waits() -> None:
        await gate.wait()

    @app.orchestration_trigger()
    async def listens(context: OrchestrationContext) -> str:
        context.call_activity(waits)
        answer: str = await context.wait_for_external_event("go")
        return answer

    host = await hub.start(app, park_after_s=1000.0)
    silent = await hub.start(app)  # its hints reach only itself
    await silent.stop()
    instance_id = await host.begin(listens)
    await until(lambda: len(host.engine.parts.pool) == 1)
    await silent.client.raise_event(instance_id, "go", "heard")
    await hub.clock.advance(timedelta(seconds=1), steps=2)
    assert (await host.finished(instance_id)).output == "heard"
    gate.set()


class LeisurelyQueues(LocalQueues):
    """Queues that take a while to say that a hint is finished, as those over a network do."""

    async def finish(self, hints: Sequence[Hint]) -> None:
        """The hints were seen to."""
        await super().finish(hints)
        for _ in range(20):
            await asyncio.sleep(0)


async def test_the_next_hint_may_come_while_the_last_is_being_finished(hub: Hub) -> None:
    app, errors = FunctionApp(), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))

    @app.orchestration_trigger()
    async def collects(context: OrchestrationContext) -> list[int]:
        return [await context.wait_for_external_event("number") for _ in range(20)]

    host = await hub.start(app, queues=LeisurelyQueues())
    instance_id = await host.begin(collects)
    for number in range(20):
        await host.client.raise_event(instance_id, "number", number)
        for _ in range(number):
            await asyncio.sleep(0)
    assert (await host.finished(instance_id)).output == list(range(20))
    await host.rest()
    gc.collect()
    assert errors == []


class TwiceQueues(LocalQueues):
    """Queues that hand every hint out twice, as a queue does whose hold was over too soon."""

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        """Each hint, and a copy of it."""
        found = await super().receive_wakeups(limit)
        return [copy for wakeup in found for copy in (wakeup, wakeup)]

    def is_held(self, hint: Hint) -> bool:
        """Each copy seems to be held."""
        return True


async def test_a_host_never_has_two_sessions_of_one_instance(hub: Hub) -> None:
    app, may_load = FunctionApp(), asyncio.Event()

    @app.orchestration_trigger()
    async def answers(context: OrchestrationContext) -> str:
        return "done"

    host = await hub.start(app, queues=TwiceQueues())

    async def hold(name: str, _: tuple[Any, ...]) -> None:
        if name == "load":
            await may_load.wait()

    host.store.before = hold
    instance_id = await host.begin(answers)
    await hub.clock.until_quiet()
    assert host.store.calls["load"] == 1
    may_load.set()
    assert (await host.finished(instance_id)).output == "done"
    await until(lambda: host.store.calls["load"] == 2)
