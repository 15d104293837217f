"""Entities on a host: operations one at a time, all of what one does or nothing, kept for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import current_thread
from typing import Any, ClassVar, cast

import pytest

from bindings import (
    Entity,
    EntityContext,
    EntityId,
    EntityQuery,
    EntityState,
    FunctionApp,
    OrchestrationContext,
    RuntimeStatus,
    TaskFailedError,
    when_all,
)
from bindings.entity_calls import EntityCalls
from bindings.errors import (
    InstanceNotFoundError,
    InstanceStateError,
    InvalidArgumentError,
    SerializationError,
)
from host.core.history import EntityCheckpoint
from host.engine.damaged import quarantine
from tests.kit.hub import Host, Hub, until

A = EntityId("Counter", "a")
B = EntityId("Counter", "b")


def counters() -> FunctionApp:  # noqa: C901 - an app of many functions
    """Counters, as a class and as a function."""
    app = FunctionApp()

    @app.entity_trigger()
    class Counter(Entity[int]):
        initial_state = 0

        def add(self, number: int = 1) -> int:
            self.state += number
            return self.state

        def get(self) -> int:
            return self.state

        def fail(self) -> None:
            self.state = 99
            self.context.signal_entity(B, "add", 99)
            self.context.start_new_orchestration("add_twice", instance_id="never")
            raise ValueError("no")

        def pass_on(self, number: int) -> None:
            self.context.signal_entity(B, "add", number)

        def begin(self, instance_id: str | None = None) -> str:
            return self.context.start_new_orchestration("add_twice", "a", instance_id=instance_id)

        def set(self, value: Any) -> None:
            self.state = value

    @app.entity_trigger(entity_name="tally")
    def count_up(context: EntityContext) -> None:
        number = context.get_state(lambda: 0)
        if context.operation_name == "add":
            number += context.get_input(int)
            context.set_state(number)
        if context.operation_name == "forget":
            context.delete_state()
        context.set_result(number)

    @app.entity_trigger()
    async def slow(context: EntityContext) -> str:
        await asyncio.sleep(0)
        context.set_state([*context.get_state(list), context.operation_name])
        return context.entity_key

    @app.orchestration_trigger()
    async def add_twice(context: OrchestrationContext, key: str) -> list[Any]:
        one = await context.call_entity(EntityId("counter", key), "add", 5)
        return [one, await context.call_entity(EntityId("counter", key), "add", 7)]

    return app


async def state_of(host: Host, entity_id: EntityId) -> Any:
    found = await host.client.get_entity(entity_id)
    return None if found is None or not found.has_state else found.state


async def shows(host: Host, entity_id: EntityId, state: Any) -> None:
    """Wait until the entity has this state."""

    async def is_there() -> bool:
        return bool(await state_of(host, entity_id) == state)

    await until(is_there)


async def test_calls_are_answered_and_signals_are_done(each_hub: Hub) -> None:
    host = await each_hub.start(counters())
    state = await host.run("add_twice", "a")
    assert (state.runtime_status, state.output) == (RuntimeStatus.COMPLETED, [5, 12])
    await host.client.signal_entity(A, "add", 30)
    await shows(host, A, 42)


async def test_names_have_no_case_and_keys_have(hub: Hub) -> None:
    host = await hub.start(counters())
    await host.client.signal_entity(EntityId("COUNTER", "Key"), "add", 1)
    await shows(host, EntityId("counter", "Key"), 1)
    assert await host.client.get_entity(EntityId("counter", "key")) is None


async def test_operations_of_a_class_are_found_in_any_case_and_read_their_inputs(hub: Hub) -> None:
    app = FunctionApp()

    @app.entity_trigger()
    class Account(Entity[dict[str, int]]):
        def initial_state(self) -> dict[str, int]:
            return {"sum": 0}

        async def Move(  # noqa: N802 - as of an app that comes from elsewhere
            self, amount: int, times: int = 1
        ) -> dict[str, int]:
            self.state["sum"] += amount * times
            return self.state

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> list[Any]:
        account = EntityId("account", "x")
        await context.call_entity(account, "move", [2, 3])
        await context.call_entity(account, "MOVE", {"amount": 4})
        return [await context.call_entity(account, "Move", 1)]

    host = await hub.start(app)
    assert (await host.run(lead)).output == [{"sum": 11}]


async def test_an_operation_that_fails_has_done_nothing_and_the_batch_goes_on(
    each_hub: Hub,
) -> None:
    app = counters()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> list[Any]:
        calls = [
            context.call_entity(A, "add", 1),
            context.call_entity(A, "fail"),
            context.call_entity(A, "add", 1),
            context.call_entity(A, "no such thing"),
            context.call_entity(A, "add", "a text"),
        ]
        with suppress(TaskFailedError):
            await when_all(calls)
        return [
            str(each.get_exception()) if each.is_failed else each.get_result() for each in calls
        ]

    host = await each_hub.start(app)
    one, failed, two, unknown, misfit = (await host.run(lead)).output
    assert (one, two) == (1, 2)
    assert failed == "Operation 'fail' of entity '@counter@a' failed: no"
    assert "has no operation 'no such thing': it has add, begin, delete, fail" in unknown
    assert "The input of operation 'add' of entity 'Counter' does not fit" in misfit
    assert await state_of(host, A) == 2
    await host.rest()
    assert await host.client.get_entity(B) is None
    assert await host.client.get_instance("never") is None


@pytest.mark.parametrize("value", [0, "", [], {}, None, False, "null"], ids=repr)
async def test_found_peer_bug_38_a_state_is_exactly_what_was_set(each_hub: Hub, value: Any) -> None:
    app = FunctionApp()

    @app.entity_trigger()
    def kept(context: EntityContext) -> Any:
        if context.operation_name == "set":
            context.set_state(context.get_input())
        return context.get_state(lambda: "nothing")

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        return await context.call_entity(EntityId("kept", "x"), "get")

    host = await each_hub.start(app)
    await host.client.signal_entity(EntityId("kept", "x"), "set", value)
    assert (await host.run(lead)).output == value
    found = await host.client.get_entity(EntityId("kept", "x"))
    assert found is not None
    assert (found.has_state, found.state) == (True, value)


async def test_without_a_state_an_entity_is_not_listed(each_hub: Hub) -> None:
    host = await each_hub.start(counters())
    await host.client.signal_entity(EntityId("tally", "x"), "add", 3)
    await shows(host, EntityId("tally", "x"), 3)
    await host.client.signal_entity(A, "add", 1)
    await shows(host, A, 1)
    page = await host.client.query_entities()
    assert {str(each.entity_id) for each in page.items} == {"@counter@a", "@tally@x"}
    await host.client.signal_entity(EntityId("tally", "x"), "forget")
    await host.client.signal_entity(A, "delete")
    await host.rest()
    assert (await host.client.query_entities()).items == []
    page = await host.client.query_entities(EntityQuery(name="Counter", include_without_state=True))
    assert [(str(each.entity_id), each.has_state) for each in page.items] == [("@counter@a", False)]


async def test_what_is_only_looked_at_gets_no_state(hub: Hub) -> None:
    host = await hub.start(counters())
    await host.client.signal_entity(A, "get")
    await host.rest()
    found = await host.client.get_entity(A)
    assert found is not None
    assert not found.has_state


async def test_signals_of_one_sender_are_done_in_order(each_hub: Hub) -> None:
    app = counters()
    names = [f"do {n}" for n in range(40)]

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> None:
        for name in names[:-1]:
            context.signal_entity(EntityId("slow", "x"), name)
        await context.call_entity(EntityId("slow", "x"), names[-1])

    host = await each_hub.start(app)
    await host.run(lead)
    assert await state_of(host, EntityId("slow", "x")) == names


async def test_many_operations_are_one_write_and_their_cost_does_not_grow(each_hub: Hub) -> None:
    host = await each_hub.start(counters())
    for _ in range(5):
        await asyncio.gather(*(host.client.signal_entity(A, "add", 1) for _ in range(100)))
        await host.rest()
    commits = [each for each in host.store.commits if each.instance_id == str(A)]
    assert len(commits) <= 50
    assert all(each.is_whole for each in commits)
    assert await state_of(host, A) == 500
    snapshot = await host.store.load(str(A))
    assert snapshot is not None
    (batch,) = snapshot.batches
    assert not snapshot.inbox
    checkpoint = batch.batch.events[-1]
    assert isinstance(checkpoint, EntityCheckpoint)
    assert len(checkpoint.recent) <= 200


async def test_a_signal_for_later_waits_for_its_time(each_hub: Hub) -> None:
    host = await each_hub.start(counters())
    await host.client.signal_entity(A, "add", 10, signal_time=timedelta(hours=2))
    await host.client.signal_entity(A, "add", 1, signal_time=timedelta(hours=1))
    await host.client.signal_entity(A, "add", 100)
    await shows(host, A, 100)
    await host.rest()
    await each_hub.clock.advance(timedelta(seconds=3601))
    await shows(host, A, 101)
    await host.crash()
    other = await each_hub.start(counters())
    await each_hub.clock.advance(timedelta(seconds=3601))
    await shows(other, A, 111)


async def test_orchestrations_send_signals_for_later(hub: Hub) -> None:
    app = counters()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> None:
        at = context.current_utc_datetime + timedelta(minutes=5)
        context.signal_entity(A, "add", 1, signal_time=at)
        context.signal_entity(A, "add", 2, signal_time=timedelta(minutes=10))

    host = await hub.start(app)
    await host.run(lead)
    await host.rest()
    assert await state_of(host, A) is None
    await hub.clock.advance(timedelta(seconds=301))
    await shows(host, A, 1)
    await hub.clock.advance(timedelta(seconds=301))
    await shows(host, A, 3)


async def test_entities_signal_entities_and_start_orchestrations(each_hub: Hub) -> None:
    host = await each_hub.start(counters())
    await host.client.signal_entity(A, "pass_on", 4)
    await shows(host, B, 4)
    await host.client.signal_entity(A, "begin", "chosen")
    assert (await until_finished(host, "chosen")).output == [5, 12]
    await host.client.signal_entity(A, "begin", "chosen")  # a finished one is replaced
    await shows(host, A, 24)


async def until_finished(host: Host, instance_id: str) -> Any:
    async def is_there() -> bool:
        return await host.client.get_instance(instance_id) is not None

    await until(is_there)
    return await host.finished(instance_id)


async def test_operations_wait_while_the_function_is_missing(each_hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        return await context.call_entity(A, "add", 3)

    host = await each_hub.start(app)
    instance_id = await host.begin(lead)
    await host.client.signal_entity(A, "add", 1)
    await host.rest()
    page = await host.client.query_entities(EntityQuery(include_without_state=True))
    (waiting,) = page.items
    assert waiting.waiting_reason is not None
    assert "'counter' is missing or broken on this host" in waiting.waiting_reason
    waits = await host.client.why(instance_id)
    assert (
        waits[0]
        .in_words()
        .startswith("It waits for the operation 'add' of the entity '@counter@a' (task 1)")
    )
    assert "'counter' is missing or broken on this host" in waits[0].in_words()
    whole = counters()
    whole.orchestration_trigger()(lead)
    host.swap(whole)
    host.engine.functions_changed()
    state = await host.finished(instance_id)
    assert state.output in {3, 4}
    await shows(host, A, 4)
    page = await host.client.query_entities()
    assert [each.waiting_reason for each in page.items] == [None]


async def test_a_crash_in_the_midst_of_an_operation_has_it_done_again_and_once(
    each_hub: Hub,
) -> None:
    app, began, may_end = FunctionApp(), asyncio.Event(), asyncio.Event()

    @app.entity_trigger()
    class Counter(Entity[int]):
        initial_state = 0

        async def add(self, number: int) -> int:
            self.state += number
            began.set()
            await may_end.wait()
            return self.state

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        return await context.call_entity(A, "add", 5)

    first = await each_hub.start(app)
    instance_id = await first.begin(lead)
    await began.wait()
    await first.crash()
    may_end.set()
    second = await each_hub.start(app)
    assert (await second.finished(instance_id)).output == 5
    assert await state_of(second, A) == 5


async def test_a_late_copy_of_a_message_is_not_done_again(each_hub: Hub) -> None:
    host = await each_hub.start(counters())
    entities = host.engine.instances.entities
    for _ in range(3):
        await entities.signal(A, "add", "5", message_id="the-same")
        await host.rest()
    await host.crash()
    other = await each_hub.start(counters())
    await other.engine.instances.entities.signal(A, "add", "5", message_id="the-same")
    await other.client.signal_entity(A, "add", 1)
    await shows(other, A, 6)


async def test_a_rewind_asks_entities_again_that_failed(hub: Hub) -> None:
    app, is_broken = FunctionApp(), [True]

    @app.entity_trigger()
    class Counter(Entity[int]):
        initial_state = 0

        def add(self, number: int) -> int:
            self.state += number
            if is_broken[0] and number == 2:
                raise ValueError("broken")
            return self.state

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> list[Any]:
        one = await context.call_entity(A, "add", 1)
        return [one, await context.call_entity(A, "add", 2)]

    host = await hub.start(app)
    instance_id = await host.begin(lead)
    assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.FAILED
    is_broken[0] = False
    await host.client.rewind_instance(instance_id)

    async def is_done() -> bool:
        return await host.status(instance_id) is RuntimeStatus.COMPLETED

    await until(is_done)
    assert (await host.finished(instance_id)).output == [1, 3]


async def test_a_fork_makes_the_calls_anew_that_are_open(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        return await context.call_entity(A, "add", 1)

    host = await hub.start(app)
    instance_id = await host.begin(lead)
    await host.rest()
    fork_id = await host.client.fork_instance(instance_id, after_event=3)
    whole = counters()
    whole.orchestration_trigger()(lead)
    host.swap(whole)
    host.engine.functions_changed()
    outputs = [(await host.finished(each)).output for each in (instance_id, fork_id)]
    assert sorted(outputs) == [1, 2]


async def test_entities_are_no_instances(hub: Hub) -> None:
    host = await hub.start(counters())
    await host.client.signal_entity(A, "add", 1)
    await shows(host, A, 1)
    assert (await host.client.query_instances()).items == []
    assert await host.client.count_instances() == {}
    for order in (
        host.client.raise_event(str(A), "go"),
        host.client.terminate_instance(str(A)),
        host.client.suspend_instance(str(A)),
        host.client.purge_instance(str(A)),
        host.client.rewind_instance(str(A)),
        host.client.why(str(A)),
        host.client.get_instance_history(str(A)),
    ):
        with pytest.raises(InstanceNotFoundError):
            await order


async def test_what_is_no_json_fails_its_operation_only(hub: Hub) -> None:
    app = FunctionApp()

    @app.entity_trigger()
    def odd(context: EntityContext) -> None:
        if context.operation_name == "bad":
            with pytest.raises(SerializationError):
                context.set_state(object())
            context.set_state({1, 2, float("nan")})
        context.set_state("good")

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> str:
        try:
            await context.call_entity(EntityId("odd", "x"), "bad")
        except TaskFailedError as error:
            return error.details.error_type
        return "none"

    host = await hub.start(app)
    assert (await host.run(lead)).output == "SerializationError"
    await host.client.signal_entity(EntityId("odd", "x"), "good")
    await shows(host, EntityId("odd", "x"), "good")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("", "a"),
        ("a@b", "c"),
        ("a", "b/c"),
        ("a", "\n"),
        ("a", "b" * 300),
        ("a", "."),
        ("a", ".."),
        (".", "a"),
        ("..", ""),
    ],
)
def test_what_cannot_name_an_entity_is_refused(name: str, key: str) -> None:
    with pytest.raises(InvalidArgumentError):
        EntityId(name, key)


@pytest.mark.parametrize("key", ["", "a", "@", "a@b", "é", "A b.c:d"])
def test_an_id_is_read_back(key: str) -> None:
    assert EntityId.parse(str(EntityId("Counter", key))) == EntityId("counter", key)


@pytest.mark.parametrize("key", [".", ".."])
async def test_what_is_stored_under_a_key_that_means_a_folder_is_read_and_deleted(
    hub: Hub, key: str
) -> None:
    """Older versions took such keys; URLs cannot name them."""
    host = await hub.start(counters())
    stored = EntityId.parse(f"@counter@{key}")
    await host.client.signal_entity(stored, "add", 2)
    await host.client.signal_entity(A, "add", 1)
    await shows(host, stored, 2)
    await shows(host, A, 1)
    page = await host.client.query_entities(EntityQuery(name="Counter"))
    assert {str(each.entity_id) for each in page.items} == {str(A), str(stored)}
    await host.client.signal_entity(stored, "delete")
    await shows(host, stored, None)


async def test_states_are_known_to_all_hosts(hub: Hub) -> None:
    one, other = await hub.start(counters()), await hub.start(counters())
    await one.client.signal_entity(A, "add", 1)
    await shows(one, A, 1)
    await other.client.signal_entity(A, "add", 2)
    await shows(one, A, 3)
    found = await other.client.get_entity(A)
    assert isinstance(found, EntityState)
    assert found.state == 3


@dataclass
class Entry:
    what: str
    amount: int


class Book(Entity[list[Entry]]):
    def initial_state(self) -> list[Entry]:
        return []

    def enter(self, entry: Entry) -> Entry:
        self.state.append(entry)
        return entry

    async def note(self, what: str, amount: int = 7) -> int:
        self.state.append(Entry(what, amount))
        return len(self.state)

    def total(self) -> int:
        return sum(each.amount for each in self.state)

    @staticmethod
    def helper() -> None:
        raise AssertionError


async def test_operations_are_called_like_methods(hub: Hub) -> None:
    app = FunctionApp()
    app.entity_trigger(entity_name="Ledger")(Book)

    @app.orchestration_trigger()
    async def writes(context: OrchestrationContext) -> list[Any]:
        book = context.entity(Book, "one")
        entered = await book.enter(Entry("tea", 3))
        counts = [await book.note("milk"), await book.note(what="jam", amount=10)]
        return [type(entered).__name__, counts, await book.total(), await book.delete()]

    host = await hub.start(app)
    assert (await host.run(writes)).output == ["Entry", [2, 3], 20, None]


WRONG_CALLS: dict[str, Callable[[OrchestrationContext, EntityCalls], object]] = {
    "'total' cannot be called so: too many": lambda _, book: book.total(1),
    "missing a required argument: 'what'": lambda _, book: book.note(amount=1),
    "no operation 'helper': it has delete, enter, note, total": lambda _, book: book.helper(),
    "takes a class derived from Entity": lambda context, _: context.entity(cast("Any", len), "k"),
    "'Ledger' is an entity: use call_entity": lambda context, _: context.call_activity(
        cast("Any", Book), 1
    ),
}


@pytest.mark.parametrize("said", WRONG_CALLS)
async def test_what_is_no_call_of_an_operation_is_refused_at_once(hub: Hub, said: str) -> None:
    app = FunctionApp()
    app.entity_trigger(entity_name="Ledger")(Book)

    @app.orchestration_trigger()
    async def writes(context: OrchestrationContext) -> None:
        WRONG_CALLS[said](context, context.entity(Book, "one"))

    host = await hub.start(app)
    state = await host.run(writes)
    assert said in str(state.output)
    assert await host.client.get_entity(EntityId("Ledger", "one")) is None


class Cart(Entity[list[str]]):
    initial_state: ClassVar[list[str]] = []

    def put_in_vain(self, what: str) -> None:
        self.state.append(what)
        raise ValueError("refused")

    def put(self, what: str) -> None:
        self.state.append(what)

    def show(self) -> list[str]:
        return self.state

    def begin_anew(self, what: Any) -> None:
        self.state = what

    def empty(self) -> None:
        self.delete()
        self.state = ["new"]

    async def give_up(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    def where(self) -> str:
        return current_thread().name


async def calls_of_carts(host: Host, *calls: tuple[Any, ...]) -> list[Any]:
    """Do the operations, one after the other; what each gave, or how it failed."""
    found: list[Any] = (await host.run("calls_carts", calls)).output
    return found


class Numbers(Entity[list[int]]):
    initial_state: ClassVar[list[int]] = []
    begin_anew = Cart.begin_anew

    def show(self) -> list[int]:
        return self.state


def carts(made: type[Entity[Any]] = Cart) -> FunctionApp:
    app = FunctionApp()
    app.entity_trigger(entity_name="Cart")(made)

    @app.orchestration_trigger()
    async def calls_carts(context: OrchestrationContext, calls: list[list[Any]]) -> list[Any]:
        found: list[Any] = []
        for key, operation, *given in calls:
            try:
                found.append(await context.call_entity(EntityId("Cart", key), operation, *given))
            except TaskFailedError as error:
                found.append(error.details.error_type.rpartition(".")[2])
        return found

    return app


async def test_a_list_in_the_class_is_no_state_of_any_key(hub: Hub) -> None:
    host = await hub.start(carts())
    said = await calls_of_carts(
        host,
        ("ada", "put_in_vain", "secret"),
        ("bob", "show"),
        ("bob", "put", "tea"),
        ("eve", "show"),
        ("bob", "show"),
    )
    assert said == ["ValueError", [], None, [], ["tea"]]
    assert Cart.initial_state == []


async def test_a_state_that_no_one_could_read_again_is_refused(hub: Hub) -> None:
    host = await hub.start(carts())
    calls = [("k", "put", "tea"), ("k", "begin_anew", 7), ("k", "show")]
    assert await calls_of_carts(host, *calls) == [None, "SerializationError", ["tea"]]


@pytest.mark.parametrize(("heals", "then"), [(("delete",), []), (("begin_anew", [1]), [1])])
async def test_an_old_state_that_fits_no_more_can_be_deleted_and_replaced(
    hub: Hub, heals: tuple[Any, ...], then: list[int]
) -> None:
    host = await hub.start(carts())
    await calls_of_carts(host, ("k", "begin_anew", ["old"]))
    await host.change(carts(Numbers))
    said = await calls_of_carts(host, ("k", "show"), ("k", *heals), ("k", "show"))
    assert said == ["SerializationError", None, then]


async def test_what_is_assigned_after_a_delete_is_the_state(hub: Hub) -> None:
    host = await hub.start(carts())
    calls = [("k", "put", "tea"), ("k", "empty"), ("k", "show")]
    assert await calls_of_carts(host, *calls) == [None, None, ["new"]]


async def test_an_operation_that_cancels_its_task_fails_alone(hub: Hub) -> None:
    host = await hub.start(carts())
    calls = [("k", "put", "tea"), ("k", "give_up"), ("k", "show")]
    assert await calls_of_carts(host, *calls) == [None, "CancelledError", ["tea"]]


async def test_a_plain_operation_beside_coroutines_blocks_nobody(hub: Hub) -> None:
    host = await hub.start(carts())
    assert await calls_of_carts(host, ("k", "where")) != [current_thread().name]


async def test_an_entity_that_has_done_nothing_yet_is_found_with_its_reason(hub: Hub) -> None:
    host = await hub.start(FunctionApp())
    nobody = EntityId("Nobody", "k")
    await host.client.signal_entity(nobody, "work")

    async def waits() -> bool:
        found = await host.client.get_entity(nobody)
        return found is not None and "missing" in (found.waiting_reason or "")

    await until(waits)
    query = EntityQuery(name="Nobody", key="k", include_without_state=True)
    assert [x.has_state for x in (await host.client.query_entities(query)).items] == [False]


def test_the_key_that_urls_have_for_the_empty_one_is_no_key() -> None:
    with pytest.raises(InvalidArgumentError, match="stands for the empty key in URLs"):
        EntityId("Counter", "$")


async def test_one_in_quarantine_goes_on_when_it_is_redriven(each_hub: Hub) -> None:
    host = await each_hub.start(counters())
    await host.client.signal_entity(A, "add", 1)
    await host.rest()
    await quarantine(host.engine.parts, str(A), "as a test wants it")
    host.engine.parts.cache.clear()  # who died of it has no copy
    await host.client.signal_entity(A, "add", 2)
    await host.rest()
    assert await state_of(host, A) == 1
    instance_id = await host.begin("add_twice", "a")
    await host.rest()
    (waits,) = await host.client.why(instance_id)
    assert "as a test wants it" in waits.in_words()
    await host.client.redrive_instance(str(A))
    await host.finished(instance_id)
    await host.rest()
    assert await state_of(host, A) == 15
    with pytest.raises(InstanceStateError, match="not quarantined"):
        await host.client.redrive_instance(str(A))
    with pytest.raises(InstanceNotFoundError):
        await host.client.redrive_instance(str(B))
