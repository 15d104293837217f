"""Critical sections: entities that one orchestration at a time has, until it ends in any way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bindings import (
    DurableTask,
    Entity,
    EntityId,
    FunctionApp,
    LockLostError,
    OrchestrationContext,
    ReusePolicy,
    RuntimeStatus,
    TaskFailedError,
    when_all,
    when_any,
)
from host.core.entities.holders import unlocks_left_by
from host.core.history import EntityCheckpoint
from host.engine.entity_obstacles import MAX_LOOKS
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues

A, B, C = (EntityId("Account", key) for key in "abc")


class Account(Entity[int]):
    initial_state = 100

    def get(self) -> int:
        return self.state

    def set(self, value: int) -> None:
        self.state = value

    def add(self, value: int) -> int:
        self.state += value
        return self.state

    def fail(self) -> None:
        raise ValueError("no")


def accounts() -> FunctionApp:
    """Accounts, and orchestrations that lock them."""
    app = FunctionApp()

    app.entity_trigger()(Account)

    @app.activity_trigger()
    async def look_away(text: str) -> str:
        await asyncio.sleep(0)
        return text

    @app.orchestration_trigger()
    async def transfer(context: OrchestrationContext, order: list[Any]) -> list[int]:
        source, target, amount = order
        one, other = context.entity(Account, source), context.entity(Account, target)
        async with context.lock_entities(
            EntityId("account", source), EntityId("Account", target)
        ) as section:
            assert len(section.entities) == 2
            left, there = await when_all([one.get(), other.get()])
            await context.call_activity(look_away, "x")
            await one.set(left - amount)
            await other.set(there + amount)
        return [left, there]

    @app.orchestration_trigger()
    def old_style(context: OrchestrationContext) -> Generator[DurableTask[Any], Any, Any]:
        with (yield context.lock_entities([A, B])):
            value = yield context.call_entity(A, "get")
            yield context.call_entity(A, "set", value + 1)
            was_locked = context.is_locked
        return [value, was_locked, context.is_locked]

    @app.orchestration_trigger()
    async def look_twice(context: OrchestrationContext) -> str:
        await context.call_activity(look_away, "x")
        return await context.call_activity(look_away, "y")

    @app.orchestration_trigger()
    async def keep(context: OrchestrationContext, how: str) -> Any:
        section = await context.lock_entities(A, B)
        if how == "forget":
            return "left"
        if how == "again" and context.get_input() == "again":
            context.continue_as_new("forget")
            return None
        if how == "fail":
            raise ValueError("as planned")
        await context.wait_for_external_event("go")
        section.release()
        section.release()
        return "released"

    return app


async def state_of(host: Host, entity_id: EntityId) -> Any:
    found = await host.client.get_entity(entity_id)
    return None if found is None or not found.has_state else found.state


async def holder_of(host: Host, entity_id: EntityId) -> str | None:
    snapshot = await host.store.load(str(entity_id))
    assert snapshot is not None
    if not snapshot.batches:
        return None
    checkpoint = snapshot.batches[-1].batch.events[-1]
    assert isinstance(checkpoint, EntityCheckpoint)
    return None if checkpoint.lock is None else checkpoint.lock.holder.instance_id


async def is_free(host: Host, *entities: EntityId) -> None:
    async def are_unlocked() -> bool:
        return not any([await holder_of(host, each) for each in entities])

    await until(are_unlocked)


async def test_what_is_read_in_a_section_is_true_until_its_end(each_hub: Hub) -> None:
    hosts = [await each_hub.start(accounts()) for _ in range(2)]
    keys = "abcd"
    orders = [(keys[n % 4], keys[(n + 1 + n % 3) % 4], n) for n in range(24)]
    ids = [await hosts[n % 2].begin("transfer", [*order]) for n, order in enumerate(orders)]
    for each in ids:
        state = await hosts[0].finished(each)
        assert state.runtime_status is RuntimeStatus.COMPLETED, state.output
    entities = [EntityId("account", key) for key in keys]
    await is_free(hosts[0], *entities)
    assert sum([await state_of(hosts[0], each) for each in entities]) == 400
    moved = dict.fromkeys(keys, 100)
    for source, target, amount in orders:
        moved[source] -= amount
        moved[target] += amount
    assert {each.key: await state_of(hosts[0], each) for each in entities} == moved


async def test_a_generator_locks_with_yield(each_hub: Hub) -> None:
    host = await each_hub.start(accounts())
    assert (await host.run("old_style")).output == [100, True, False]
    assert await state_of(host, A) == 101
    await is_free(host, A, B)


async def test_an_entity_is_named_by_what_its_context_gives_too(each_hub: Hub) -> None:
    app = accounts()

    @app.orchestration_trigger()
    async def by_calls(context: OrchestrationContext) -> list[Any]:
        one, other = context.entity(Account, "a"), context.entity(Account, "b")
        async with context.lock_entities(one, [other, A]) as section:
            await one.add(1)
            await context.call_entity(other, "add", 2)
        context.signal_entity(one, "add", 10)
        return [str(each) for each in section.entities]

    @app.orchestration_trigger()
    def by_yield(context: OrchestrationContext) -> Generator[DurableTask[Any], Any, Any]:
        one = context.entity(Account, "a")
        with (yield context.lock_entities(one)):
            yield one.add(100)

    host = await each_hub.start(app)
    assert (await host.run(by_calls)).output == [str(A), str(B)]
    await host.run(by_yield)
    await host.rest()
    assert (await state_of(host, A), await state_of(host, B)) == (211, 102)


async def test_others_wait_until_the_section_is_over(each_hub: Hub) -> None:
    app = accounts()

    @app.orchestration_trigger()
    async def ask(context: OrchestrationContext) -> Any:
        return await context.call_entity(B, "add", 1)

    host = await each_hub.start(app)
    holder = await host.begin("keep", "wait")
    await until(lambda: _has(host, B, holder))
    asking = await host.begin(ask)
    await host.client.signal_entity(B, "add", 5)
    await host.rest()
    assert await state_of(host, B) is None
    (waits,) = await host.client.why(asking)
    assert "waits for the operation 'add'" in waits.in_words()
    assert f"; '{holder}' has locked @account@b since 2026-" in waits.in_words()
    locked = await host.client.get_entity_lock(B)
    assert locked is not None
    assert [(x.instance_id, x.operation) for x in locked.waiters] == [(asking, "add")]
    assert locked.waiting_signals == 1
    found = await host.client.get_entity(B)  # a look needs no lock
    assert found is not None
    await host.client.raise_event(holder, "go")
    assert (await host.finished(holder)).output == "released"
    assert (await host.finished(asking)).output in {101, 106}
    await host.rest()
    assert await state_of(host, B) == 106


async def test_what_calls_thousands_is_explained_for_the_first_of_them(each_hub: Hub) -> None:
    app, others = accounts(), [EntityId("Account", f"{n:03}") for n in range(MAX_LOOKS + 5)]

    @app.orchestration_trigger()
    async def keep_all(context: OrchestrationContext) -> None:
        async with context.lock_entities(*others):
            await context.wait_for_external_event("go")

    @app.orchestration_trigger()
    async def ask_all(context: OrchestrationContext) -> None:
        await when_all([context.call_entity(each, "get") for each in others])

    host = await each_hub.start(app)
    holder = await host.begin(keep_all)
    await until(lambda: _has(host, others[-1], holder))
    asking = await host.begin(ask_all)
    await host.rest()
    waits = await host.client.why(asking)
    assert len(waits) == len(others)
    assert [each.reason is not None for each in waits] == [n < MAX_LOOKS for n in range(len(waits))]


async def _has(host: Host, entity_id: EntityId, holder: str) -> bool:
    snapshot = await host.store.load(str(entity_id))
    return snapshot is not None and await holder_of(host, entity_id) == holder


@pytest.mark.parametrize("how", ["forget", "fail", "again", "terminate", "crash"])
async def test_every_end_of_the_orchestration_unlocks(each_hub: Hub, how: str) -> None:
    host = await each_hub.start(accounts())
    holder = await host.begin("keep", how)
    if how in {"terminate", "crash"}:
        await until(lambda: _has(host, B, holder))
        if how == "crash":
            await host.crash()
            host = await each_hub.start(accounts())
        await host.client.terminate_instance(holder, "enough")
    await host.finished(holder)
    await is_free(host, A, B)
    assert (await host.run("old_style")).output[0] == 100


async def test_one_that_waits_for_its_lock_is_ended_and_others_go_on(each_hub: Hub) -> None:
    app = accounts()

    @app.orchestration_trigger()
    async def wide(context: OrchestrationContext) -> Any:
        async with context.lock_entities(A, B, C):
            return "has all"

    host = await each_hub.start(app)
    holder = await host.begin("keep", "wait")
    await until(lambda: _has(host, B, holder))
    waiting = await host.begin(wide)
    await host.rest()
    (waits,) = await host.client.why(waiting)
    assert "the lock of @account@a, @account@b, @account@c" in waits.in_words()
    first = waits.instance_id
    assert first in {str(A), str(B)}
    assert f"'{holder}' has locked {first} since 2026-" in waits.in_words()
    await host.client.terminate_instance(waiting, "enough")
    await host.finished(waiting)
    await host.client.raise_event(holder, "go")
    await host.finished(holder)
    await is_free(host, A, B)
    assert (await host.run(wide)).output == "has all"
    await is_free(host, A, B, C)


async def test_who_waits_too_long_takes_the_request_back(each_hub: Hub) -> None:
    app = accounts()

    @app.orchestration_trigger()
    async def impatient(context: OrchestrationContext) -> Any:
        lock = context.lock_entities(B, C)
        timer = context.create_timer(timedelta(seconds=5))
        if await when_any([lock, timer]) is timer:
            assert lock.cancel()
            assert not lock.cancel()
            return await context.call_entity(C, "get")
        return "has it"

    host = await each_hub.start(app)
    holder = await host.begin("keep", "wait")
    await until(lambda: _has(host, B, holder))
    waiting = await host.begin(impatient)
    await host.rest()
    await each_hub.clock.advance(timedelta(seconds=6))
    assert (await host.finished(waiting)).output == 100
    await host.client.raise_event(holder, "go")
    await host.finished(holder)
    await host.rest()
    await is_free(host, A, B, C)


_BEFORE: dict[str, Callable[[OrchestrationContext], object]] = {
    "none": lambda context: context.lock_entities(),
    "text": lambda context: context.lock_entities("@account@a"),  # type: ignore[arg-type]
    "asked twice": lambda context: (context.lock_entities(B), context.lock_entities(A)),
}
_WITHIN: dict[str, Callable[[OrchestrationContext], object]] = {
    "nested": lambda context: context.lock_entities(C),
    "child": lambda context: context.call_sub_orchestrator("old_style"),
    "signal": lambda context: context.signal_entity(A, "add", 1),
    "other": lambda context: context.call_entity(C, "get"),
}


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("nested", "is in a critical section already"),
        ("asked twice", "waits for a critical section already"),
        ("child", "No sub-orchestration is started within a critical section"),
        ("signal", "a signal would wait until its end"),
        ("other", "only locked entities are called, and '@account@c' is not"),
        ("none", "takes 1 to 100 entities, not 0"),
        ("text", "What names an entity is an EntityId, not '@account@a'"),
    ],
)
async def test_what_could_wait_for_itself_is_refused_with_the_rule(
    hub: Hub, what: str, says: str
) -> None:
    app = accounts()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        if before := _BEFORE.get(what):
            before(context)
        async with context.lock_entities(A, B):
            _WITHIN[what](context)
        return "done"

    host = await hub.start(app)
    state = await host.run(lead)
    assert state.runtime_status is RuntimeStatus.FAILED
    assert says in str(state.output)
    await host.rest()
    for each in (A, B):
        if await host.client.get_entity(each) is not None:
            await is_free(host, each)


async def test_within_a_section_others_are_signalled_and_activities_run(hub: Hub) -> None:
    app = accounts()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        async with context.lock_entities(A, A):
            context.signal_entity(C, "add", 1)
            await context.create_timer(timedelta(seconds=1))
            return await context.call_activity("look_away", "seen")

    host = await hub.start(app)
    instance_id = await host.begin(lead)
    await host.rest()
    await hub.clock.advance(timedelta(seconds=2))
    assert (await host.finished(instance_id)).output == "seen"
    await host.rest()
    assert await state_of(host, C) == 101


async def test_found_peer_bug_35_an_error_leaves_the_section_also_on_replay(each_hub: Hub) -> None:
    app = accounts()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        try:
            async with context.lock_entities(A, B):
                await context.call_entity(A, "fail")
        except TaskFailedError as error:
            heard = error.details.error_type
        await context.wait_for_external_event("go")
        return [heard, await context.call_entity(A, "add", 1)]

    host = await each_hub.start(app)
    instance_id = await host.begin(lead)
    await host.rest()
    await is_free(host, A, B)
    await host.crash()
    host = await each_hub.start(app)
    await host.client.raise_event(instance_id, "go")
    assert (await host.finished(instance_id)).output == ["ValueError", 101]
    await is_free(host, A, B)


async def test_found_peer_bug_36_a_host_that_dies_in_a_section_keeps_nobody_out(
    each_hub: Hub,
) -> None:
    host = await each_hub.start(accounts())
    holder = await host.begin("keep", "wait")
    await until(lambda: _has(host, B, holder))
    await host.crash()
    host = await each_hub.start(accounts())
    waiting = await host.begin("old_style")
    await host.client.raise_event(holder, "go")
    assert (await host.finished(holder)).output == "released"
    assert (await host.finished(waiting)).output[0] == 100


async def test_found_peer_bug_37_a_client_reads_a_locked_entity(each_hub: Hub) -> None:
    host = await each_hub.start(accounts())
    await host.client.signal_entity(A, "add", 1)
    holder = await host.begin("keep", "wait")
    await until(lambda: _has(host, B, holder))
    assert await state_of(host, A) == 101


async def test_a_rewound_section_has_its_locks_again_before_its_code_goes_on(
    each_hub: Hub,
) -> None:
    app, fails = accounts(), [True]

    @app.activity_trigger()
    def judge(text: str) -> str:
        if fails:
            raise ValueError("not yet")
        return text

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        async with context.lock_entities(A, B):
            value = await context.call_entity(A, "get")
            await context.call_activity(judge, "x")
            await context.call_entity(A, "set", value + 1)
        return await context.call_entity(B, "get")

    host = await each_hub.start(app)
    instance_id = await host.begin(lead)
    assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.FAILED
    await is_free(host, A, B)
    other = await host.begin("keep", "wait")
    await until(lambda: _has(host, B, other))
    fails.clear()
    await host.client.rewind_instance(instance_id, "again")
    await host.rest()
    assert await holder_of(host, A) == other
    await host.crash()
    host = await each_hub.start(app)
    await host.client.raise_event(other, "go")
    state = await host.finished(instance_id)
    assert (state.runtime_status, state.output) == (RuntimeStatus.COMPLETED, 100)
    await is_free(host, A, B)
    assert await state_of(host, A) == 101


@pytest.mark.parametrize("how", ["rewind", "crash", "fork"])
async def test_what_failed_in_a_section_runs_again_once_it_has_its_locks(
    each_hub: Hub, how: str
) -> None:
    app, fails, runs = accounts(), [True], Counter[str]()

    @app.activity_trigger()
    def judge(text: str) -> str:
        runs[text] += 1
        if text == "first" or not fails:
            return text
        raise ValueError("not yet")

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        before = context.call_activity(judge, "first")
        async with context.lock_entities(A, B):
            value = await context.call_entity(A, "add", 1)
            second = await context.call_activity(judge, "second")
        return [await before, second, value]

    host = await each_hub.start(app)
    instance_id = await host.begin(lead)
    assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.FAILED
    await is_free(host, A, B)
    other = await host.begin("keep", "wait")
    await until(lambda: _has(host, B, other))
    fails.clear()
    if how == "fork":
        forked = await host.client.fork_instance(instance_id)
    else:
        await host.client.rewind_instance(instance_id, "again")
    await host.rest()
    if how == "crash":
        await host.crash()
        host = await each_hub.start(app)
        await host.rest()
    assert runs == {"first": 1, "second": 1}
    await host.client.raise_event(other, "go")
    state = await host.finished(forked if how == "fork" else instance_id)
    assert (state.runtime_status, state.output) == (
        RuntimeStatus.COMPLETED,
        ["first", "second", 101],
    )
    assert runs == {"first": 1, "second": 2}
    await is_free(host, A, B)
    await host.crash()
    host = await each_hub.start(app)
    assert await host.status(instance_id if how != "fork" else forked) is RuntimeStatus.COMPLETED


async def test_a_rewound_section_makes_its_failed_call_again(each_hub: Hub) -> None:
    app, fails = accounts(), [True]

    @app.entity_trigger()
    class Judge(Entity[int]):
        initial_state = 0

        def decide(self) -> int:
            if fails:
                raise ValueError("not yet")
            self.state += 1
            return self.state

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        async with context.lock_entities(A, EntityId("judge", "x")):
            return await context.call_entity(EntityId("judge", "x"), "decide")

    host = await each_hub.start(app)
    instance_id = await host.begin(lead)
    assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.FAILED
    fails.clear()
    await host.client.rewind_instance(instance_id, "again")
    state = await host.finished(instance_id)
    assert (state.runtime_status, state.output) == (RuntimeStatus.COMPLETED, 1)
    await is_free(host, A, EntityId("judge", "x"))


async def test_a_fork_of_a_section_has_locks_of_its_own(each_hub: Hub) -> None:
    app = accounts()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        async with context.lock_entities(A, B):
            value = await context.call_entity(A, "get")
            await context.wait_for_external_event("go")
            await context.call_entity(A, "set", value + 1)
        return context.instance_id

    host = await each_hub.start(app)
    origin = await host.begin(lead)
    await host.rest()
    history = await host.client.get_instance_history(origin)
    await host.client.fork_instance(origin, new_instance_id="copy", after_event=len(history))
    await host.rest()
    assert await holder_of(host, A) == origin
    await host.client.raise_event("copy", "go")
    await host.rest()
    assert await holder_of(host, A) == origin
    await host.client.raise_event(origin, "go")
    assert (await host.finished(origin)).output == origin
    assert (await host.finished("copy")).output == "copy"
    await is_free(host, A, B)


async def test_a_section_that_has_lost_its_lock_hears_it(each_hub: Hub) -> None:
    app = accounts()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        async with context.lock_entities(A, B):
            await context.wait_for_external_event("go")
            try:
                await context.call_entity(A, "add", 1)
            except LockLostError as error:
                return [str(error), await context.call_entity(B, "add", 1)]

    host = await each_hub.start(app)
    instance_id = await host.begin(lead)
    await until(lambda: _has(host, B, instance_id))
    await host.client.unlock_entity(A)
    await is_free(host, A)
    await host.client.raise_event(instance_id, "go")
    said, there = (await host.finished(instance_id)).output
    assert "has no longer locked '@account@a'" in said
    assert there == 101
    await is_free(host, A, B)
    assert await state_of(host, A) is None


@pytest.mark.parametrize("torn", range(9))
async def test_found_peer_bug_34_whatever_batch_a_crash_tears_no_lock_is_left_behind(
    hub: Hub, torn: int
) -> None:
    """The host dies when a batch is stored and nothing that follows from it is done."""
    queues, app, turns = RedeliveringQueues(), accounts(), 0
    first = await hub.start(app, queues=queues)

    async def tear_one(name: str, _: tuple[Any, ...]) -> None:
        nonlocal turns
        if name == "commit":
            first.store.tears_commits = turns == torn
            turns += 1

    first.store.before = tear_one
    instance_id = await first.begin("old_style")
    await until(lambda: first.store.is_severed)
    await first.crash()
    await queues.redeliver()
    await hub.clock.until_quiet()
    second = await hub.start(app, queues=queues)
    assert (await second.finished(instance_id)).output == [100, True, False]
    await is_free(second, A, B)
    assert (await second.run("old_style")).output == [101, True, False]
    await is_free(second, A, B)
    assert await state_of(second, A) == 102


async def test_what_a_section_of_two_entities_costs(hub: Hub) -> None:
    """Beside the calls within: decision 73 says it in words."""
    app = accounts()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> None:
        async with context.lock_entities(A, B):
            pass

    host = await hub.start(app)
    await host.run(lead)
    await is_free(host, A, B)
    await host.rest()
    entities = [each for each in host.store.commits if each.instance_id.startswith("@")]
    others = [each for each in host.store.commits if each not in entities]
    assert (len(entities), len(others)) == (4, 2)
    assert sum(each.effects.row is not None for each in entities) == 4
    assert sum(len(each.effects.messages) for each in host.store.commits) == 5


async def test_a_cleaning_leaves_what_is_locked(each_hub: Hub) -> None:
    host = await each_hub.start(accounts())
    holder = await host.begin("keep", "wait")
    await until(lambda: _has(host, B, holder))
    await host.rest()
    await each_hub.clock.advance(timedelta(minutes=1))
    cleaned = await host.client.clean_entity_storage(idle_for=timedelta(0))
    assert cleaned.empty_entities_removed == 0
    assert await holder_of(host, B) == holder
    await host.client.raise_event(holder, "go")
    await host.finished(holder)
    await is_free(host, A, B)
    await host.rest()
    await each_hub.clock.advance(timedelta(minutes=1))
    cleaned = await host.client.clean_entity_storage(idle_for=timedelta(0))
    assert cleaned.empty_entities_removed == 2


async def test_a_run_that_is_replaced_leaves_no_lock(each_hub: Hub) -> None:
    host = await each_hub.start(accounts())
    holder = await host.begin("keep", "wait")
    await until(lambda: _has(host, B, holder))
    waiting = await host.begin("keep", "wait")
    await host.rest()
    for instance_id in (waiting, holder):
        await host.client.schedule_new_orchestration(
            "look_twice", instance_id=instance_id, reuse=ReusePolicy.REPLACE
        )
    await host.finished(waiting)
    await host.finished(holder)
    await is_free(host, A, B)
    assert (await host.run("old_style")).output[0] == 100


@pytest.mark.parametrize("how", ["leave", "end"])
async def test_a_run_that_died_before_it_told_and_is_replaced_leaves_no_lock(
    each_hub: Hub, how: str
) -> None:
    """Its history says that it has unlocked, and nobody has sent that yet."""
    app = accounts()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> None:
        section = await context.lock_entities(A, B)
        await context.wait_for_external_event("go")
        if how == "leave":
            section.release()
            await context.wait_for_external_event("more")

    host = await each_hub.start(app)
    holder = await host.begin(lead)
    await until(lambda: _has(host, B, holder))
    await host.rest()

    async def tear(_: str, __: tuple[Any, ...]) -> None:
        host.store.tears_commits = True

    host.store.before = tear
    await host.client.raise_event(holder, "go")
    await until(lambda: host.store.is_severed)
    await host.crash()
    snapshot = await each_hub.store.load(holder)
    assert snapshot is not None
    told = unlocks_left_by(snapshot, each_hub.clock.now())
    assert [each.instance_id for each in told] == [str(A), str(B)]
    host = await each_hub.start(accounts())
    for each in told:
        await host.store.send(each.instance_id, each.message)
    await is_free(host, A, B)


async def test_a_cleaning_releases_a_lock_that_nobody_is_in_the_section_of(each_hub: Hub) -> None:
    """As a crash leaves it, after a run was replaced and before that was seen to."""
    host = await each_hub.start(accounts())
    holder = await host.begin("keep", "wait")
    kept = await host.begin("keep", "wait", instance_id="still-there")
    await until(lambda: _has(host, B, holder))
    snapshot = await host.store.load(holder)
    assert snapshot is not None
    row = msgspec.structs.replace(snapshot.instance, execution_id="f" * 32, name="look_twice")
    await host.store.create(row, ReusePolicy.REPLACE)
    await each_hub.clock.advance(timedelta(minutes=1))
    assert await holder_of(host, A) == holder
    cleaned = await host.client.clean_entity_storage(idle_for=timedelta(0))
    assert cleaned.orphaned_locks_released == 2
    await until(lambda: _has(host, B, kept))
    await each_hub.clock.advance(timedelta(minutes=1))
    cleaned = await host.client.clean_entity_storage(idle_for=timedelta(0))
    assert cleaned.orphaned_locks_released == 0
    await host.client.raise_event(kept, "go")
    assert (await host.finished(kept)).output == "released"
    await is_free(host, A, B)
