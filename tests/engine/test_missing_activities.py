"""Activities whose function a host does not have: they wait, or a host that has it runs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    OrchestrationContext,
    RetryPolicy,
    RuntimeStatus,
    TaskFailedError,
    when_all,
    when_any,
)
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from host.storage.protocol import Hint, WorkItem
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RememberingWork

SECOND = timedelta(seconds=1)
SHARES: dict[str, Any] = {"max_backlog_s": 10.0}


class Functions:
    """Orchestrators and activities, of which each host gets some."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()

    def app(self, *lacking: str) -> FunctionApp:
        """An app without those that are named; an orchestrator calls activities by name."""
        app = FunctionApp()
        for function in (self.calls, self.races, self.tries, self.leaves):
            if function.__name__ not in lacking:
                app.orchestration_trigger()(function)
        for name in {"known", "new"}.difference(lacking):
            app.activity_trigger()(self._activity(name))
        if "once" not in lacking:
            app.activity_trigger(at_most_once=True)(self._activity("once"))
        return app

    def _activity(self, name: str) -> Any:
        async def runs(place: str) -> str:
            self.runs[name] += 1
            return f"{name} {place}"

        runs.__name__ = name
        return runs

    @staticmethod
    async def calls(context: OrchestrationContext, names: list[str]) -> list[str]:
        return await when_all([context.call_activity(name, "here") for name in names])

    @staticmethod
    async def races(context: OrchestrationContext) -> str:
        work = context.call_activity("new", "late")
        timer = context.create_timer(timedelta(seconds=100))
        first = await when_any([work, timer])
        context.set_custom_status("rang" if first is timer else "ran")
        return str(await context.wait_for_external_event("go"))

    @staticmethod
    async def tries(context: OrchestrationContext) -> str:
        policy = RetryPolicy(timedelta(seconds=1), 3)
        try:
            return str(await context.call_activity("new", "again", retry_policy=policy))
        except TaskFailedError as error:
            return f"failed: {error}"

    @staticmethod
    async def leaves(context: OrchestrationContext, name: str) -> str:
        context.call_activity(name, "left")
        return "left"


async def _reason(host: Host, instance_id: str) -> str:
    """Wait until the instance says why it does not go on."""
    reasons: list[str] = []

    async def has_reason() -> bool:
        state = await host.client.get_instance(instance_id)
        reasons[:] = [state.blocked_reason] if state and state.blocked_reason else []
        return bool(reasons)

    await until(has_reason)
    return reasons[0]


async def _finished(hub: Hub, host: Host, instance_id: str, steps: int = 200) -> Any:
    """Move the clock on until the instance has ended; its output."""
    for _ in range(steps):
        state = await host.client.get_instance(instance_id)
        if state is not None and state.runtime_status.is_finished:
            assert state.blocked_reason is None
            return state.output
        await hub.clock.advance(SECOND)
    raise AssertionError("it does not end")


# ---- one host ---------------------------------------------------------------------------------


async def test_found_a5_an_activity_waits_for_its_function_and_says_so(each_hub: Hub) -> None:
    code = Functions()
    first = await each_hub.start(code.app("new"))
    instance_id = await first.begin(code.calls, ["known", "new", "known"])
    reason = await _reason(first, instance_id)
    assert "waits for the activity function 'new', which is missing" in reason
    assert await first.status(instance_id) is RuntimeStatus.RUNNING
    await until(lambda: code.runs["known"] == 2)
    await first.stop()

    second = await each_hub.start(code.app())
    state = await second.finished(instance_id)
    assert state.output == ["known here", "new here", "known here"]
    assert state.blocked_reason is None
    assert code.runs == {"known": 2, "new": 1}


async def test_found_a5_what_waits_for_a_function_costs_nothing(each_hub: Hub) -> None:
    code = Functions()
    host = await each_hub.start(code.app("new"))
    instance_id = await host.begin(code.calls, ["new"])
    await _reason(host, instance_id)
    await host.rest()
    calls = host.store.calls.copy()
    await each_hub.clock.advance(timedelta(minutes=5), steps=10)
    await host.rest()
    more = host.store.calls - calls
    assert not {"load", "apply", "commit", "take_lease", "claim_lease"} & more.keys()


async def test_found_a5_events_timers_and_orders_go_on_meanwhile(each_hub: Hub) -> None:
    code = Functions()
    host = await each_hub.start(code.app("new"))
    instance_id = await host.begin(code.races)
    await _reason(host, instance_id)
    await host.client.suspend_instance(instance_id)
    await until(lambda: _is(host, instance_id, RuntimeStatus.SUSPENDED))
    assert "'new'" in await _reason(host, instance_id)
    await host.client.resume_instance(instance_id)
    await until(lambda: _is(host, instance_id, RuntimeStatus.RUNNING))
    await each_hub.clock.advance(SECOND, steps=101)
    await host.shows(instance_id, "rang")
    assert "'new'" in await _reason(host, instance_id)
    await host.client.raise_event(instance_id, "go", "gone")
    state = await host.finished(instance_id)
    assert (state.output, state.blocked_reason) == ("gone", None)


async def test_found_a5_one_that_waits_can_be_terminated(each_hub: Hub) -> None:
    code = Functions()
    host = await each_hub.start(code.app("new"))
    instance_id = await host.begin(code.calls, ["new"])
    await _reason(host, instance_id)
    await host.client.terminate_instance(instance_id, "enough")
    state = await host.finished(instance_id)
    assert (state.runtime_status, state.blocked_reason) == (RuntimeStatus.TERMINATED, None)


async def test_found_a5_a_missing_function_uses_up_no_tries(each_hub: Hub) -> None:
    code = Functions()
    for _ in range(8):
        host = await each_hub.start(code.app("new"))
        if not code.runs["begun"]:
            instance_id = await host.begin(code.tries)
            code.runs["begun"] += 1
        assert "'new'" in await _reason(host, instance_id)
        await host.rest()
        await host.stop()
    last = await each_hub.start(code.app())
    assert (await last.finished(instance_id)).output == "new again"


@pytest.mark.parametrize("name", ["new", "once"])
async def test_found_a5_what_is_left_unawaited_waits_too(each_hub: Hub, name: str) -> None:
    code = Functions()
    first = await each_hub.start(code.app(name))
    assert (await first.run(code.leaves, name)).output == "left"
    await first.rest()
    await first.stop()
    await each_hub.clock.advance(SECOND, steps=40)
    second = await each_hub.start(code.app())
    await until(lambda: code.runs[name] == 1)
    await second.rest()


async def test_found_a5_one_that_may_begin_once_begins_when_the_function_is_back(
    each_hub: Hub,
) -> None:
    code = Functions()
    first = await each_hub.start(code.app("once"))
    instance_id = await first.begin(code.calls, ["once"])
    await _reason(first, instance_id)
    await first.stop()
    second = await each_hub.start(code.app())
    assert (await second.finished(instance_id)).output == ["once here"]


# ---- several hosts ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["new", "once"])
async def test_found_a5_hosts_share_work_by_what_they_know(hub: Hub, name: str) -> None:
    code, queues = Functions(), LocalQueues()
    old = await hub.start(code.app(name), queues=queues, **SHARES)
    instance_id = await old.begin(code.calls, [name, "known", name])
    await until(lambda: code.runs["known"] == 1)
    new = await hub.start(code.app("calls"), queues=queues, **SHARES)
    output = await _finished(hub, new, instance_id)
    assert output == [f"{name} here", "known here", f"{name} here"]
    assert code.runs == {"known": 1, name: 2}


async def test_found_a5_where_nobody_knows_it_the_instance_says_so_and_goes_on_later(
    hub: Hub,
) -> None:
    code, queues = Functions(), LocalQueues()
    first = await hub.start(code.app("new"), queues=queues, **SHARES)
    await hub.start(code.app("new"), queues=queues, **SHARES)
    instance_id = await first.begin(code.calls, ["new"])
    await first.started(instance_id)
    await hub.clock.advance(SECOND, steps=40)  # nobody took it in a lease's time
    assert "'new'" in await _reason(first, instance_id)
    await hub.start(code.app(), queues=queues, **SHARES)
    assert await _finished(hub, first, instance_id) == ["new here"]


async def test_found_a5_work_that_nobody_knows_does_not_spin(hub: Hub) -> None:
    code, queues = Functions(), CountingWork()
    host = await hub.start(code.app("new"), queues=queues, **SHARES)
    instance_id = await host.begin(code.calls, ["new"])
    await host.started(instance_id)
    await hub.clock.advance(SECOND, steps=600)
    assert queues.sent < 200
    assert queues.counts().work_waiting + queues.counts().work_held <= 3
    row = await hub.store.get(instance_id)
    assert row is not None
    assert row.tries == 0


async def test_found_a5_copies_of_work_that_nobody_knows_do_not_become_more(hub: Hub) -> None:
    code, queues = Functions(), DoublingWork()
    host = await hub.start(code.app("new"), queues=queues, **SHARES)
    instance_id = await host.begin(code.calls, ["new"])
    await host.started(instance_id)
    await hub.clock.advance(SECOND, steps=60)
    assert queues.counts().work_waiting + queues.counts().work_held <= 3


async def test_found_a5_what_was_begun_once_is_lost_whoever_leads(hub: Hub) -> None:
    code, queues = Functions(), RememberingWork()
    old = await hub.start(code.app("once"), queues=queues, **SHARES)
    new = await hub.start(code.app("calls"), queues=queues, **SHARES)
    new.store.fail("finish_lease", StorageError("the table is away"), times=1000)
    instance_id = await old.begin(code.calls, ["once"])
    await hub.clock.advance(SECOND, steps=3)
    await until(lambda: new.store.calls["finish_lease"] >= 1)
    items = queues.held_work()
    await new.crash()
    await queues.release(items)
    await hub.clock.advance(SECOND, steps=40)
    await hub.start(code.app("calls"), queues=queues, **SHARES)
    await _finished(hub, old, instance_id, 400)
    state = await old.client.get_instance(instance_id)
    assert state is not None
    assert state.failure_details is not None
    assert "at_most_once" in state.failure_details.message
    assert code.runs["once"] == 1


async def test_found_a5_a_host_that_stops_gives_back_at_once_what_it_does_not_know(
    hub: Hub,
) -> None:
    code, queues = Functions(), LocalQueues()
    old = await hub.start(code.app("new"), queues=queues, **SHARES)
    instance_id = await old.begin(code.calls, ["new"])
    await until(lambda: queues.counts().work_held == 1)
    await old.stop()
    assert (queues.counts().work_held, queues.counts().work_waiting) == (0, 1)
    new = await hub.start(code.app(), queues=queues, **SHARES)
    assert (await new.finished(instance_id)).output == ["new here"]


async def test_found_a5_what_is_held_for_others_is_held_as_long_as_it_takes(hub: Hub) -> None:
    code, queues = Functions(), ExtendingQueues()
    old = await hub.start(code.app("new"), queues=queues, hold_s=0.3, **SHARES)
    await old.begin(code.calls, ["new"])
    await until(lambda: queues.counts().work_held == 1)
    for _ in range(4):
        await hub.clock.advance(timedelta(seconds=0.09))
    assert "new" in queues.extended


async def test_found_a5_in_a_rolling_deploy_old_hosts_disturb_no_new_instance(
    hub: Hub,
) -> None:
    code, queues = Functions(), LocalQueues()
    old = await hub.start(code.app("calls", "new"), queues=queues, **SHARES)
    new = await hub.start(code.app(), queues=queues, **SHARES)
    ids = [await new.begin(code.calls, ["new", "known"]) for _ in range(10)]
    for instance_id in ids:
        assert await _finished(hub, new, instance_id) == ["new here", "known here"]
    assert code.runs == {"known": 10, "new": 10}
    assert not {"apply", "commit", "change_row"} & old.store.calls.keys()


async def test_found_a5_an_orchestrator_that_no_host_knows_blocks_after_a_while(
    hub: Hub,
) -> None:
    code, queues = Functions(), LocalQueues()
    starts = await hub.start(code.app(), queues=queues, **SHARES)
    instance_id = await starts.begin(code.races)
    await starts.started(instance_id)
    await starts.stop()
    old = await hub.start(code.app("races"), queues=queues, **SHARES)
    await old.client.raise_event(instance_id, "go", "gone")
    await hub.clock.advance(SECOND, steps=20)
    assert "orchestrator function 'races' is missing" in await _reason(old, instance_id)
    await old.client.terminate_instance(instance_id)
    state = await old.finished(instance_id)
    assert state.runtime_status is RuntimeStatus.TERMINATED


class ExtendingQueues(LocalQueues):
    """Notes which work is held longer."""

    def __init__(self) -> None:
        super().__init__()
        self.extended: set[str] = set()

    def hold_left_s(self, hint: Hint) -> float:
        return 0.1

    async def extend(self, hints: Sequence[Hint]) -> None:
        items = [each for each in hints if isinstance(each, WorkItem)]
        self.extended |= {each.scheduled.name for each in items if each.scheduled is not None}


class DoublingWork(LocalQueues):
    """Every work item comes twice."""

    async def send_work(self, items: Sequence[WorkItem]) -> None:
        await super().send_work([*items, *items])


class CountingWork(LocalQueues):
    """Counts the work items that are sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    async def send_work(self, items: Any) -> None:
        self.sent += len(items)
        await super().send_work(items)


async def _is(host: Host, instance_id: str, status: RuntimeStatus) -> bool:
    return await host.status(instance_id) is status
