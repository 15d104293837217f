"""Activities that run at most once: their start is on record before it happens."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext, RetryPolicy, TaskFailedError
from host.errors import StorageError
from tests.kit.hub import Hub, until

SECOND = timedelta(seconds=1)


class Payment:
    """An activity that must not run twice, and an orchestrator that retries it all the same."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs = 0

        @self.app.activity_trigger(at_most_once=True)
        async def pays(amount: int) -> str:
            self.runs += 1
            await self.gate.wait()
            return f"paid {amount}"

        @self.app.orchestration_trigger()
        async def buys(context: OrchestrationContext) -> str:
            policy = RetryPolicy(first_retry_interval=SECOND, max_number_of_attempts=3)
            try:
                return await context.call_activity(pays, 7, retry_policy=policy)
            except TaskFailedError as error:
                return f"{error.details.error_type}: {error.details.message}"

        self.buys = buys


async def test_it_runs_and_its_result_arrives(each_hub: Hub) -> None:
    payment = Payment()
    payment.gate.set()
    host = await each_hub.start(payment.app)
    instance_id = await host.begin(payment.buys)
    assert (await host.finished(instance_id)).output == "paid 7"
    snapshot = await each_hub.store.load(instance_id)
    assert snapshot is not None
    assert (snapshot.leases, snapshot.inbox, snapshot.wake_at) == ((), (), None)


async def test_its_start_is_on_record_before_it_runs(hub: Hub) -> None:
    payment = Payment()
    host = await hub.start(payment.app)
    claimed: list[int] = []

    async def note(name: str, _: tuple[Any, ...]) -> None:
        if name == "claim_lease":
            claimed.append(payment.runs)

    host.store.before = note
    await host.begin(payment.buys)
    await until(lambda: payment.runs == 1)
    assert claimed == [0]


async def test_after_a_crash_it_fails_instead_of_running_again(each_hub: Hub) -> None:
    payment = Payment()
    first = await each_hub.start(payment.app)
    instance_id = await first.begin(payment.buys)
    await until(lambda: payment.runs == 1)
    await first.crash()
    second = await each_hub.start(payment.app)
    await each_hub.clock.advance(SECOND, steps=31)
    output = (await second.finished(instance_id)).output
    assert output.startswith("ActivityLostError: The host that ran the activity 'pays' ended")
    assert payment.runs == 1


async def test_it_survives_a_renewal_that_is_late(hub: Hub) -> None:
    payment = Payment()
    host = await hub.start(payment.app)
    instance_id = await host.begin(payment.buys)
    await until(lambda: payment.runs == 1)
    await hub.clock.advance(SECOND, steps=100)
    payment.gate.set()
    assert (await host.finished(instance_id)).output == "paid 7"
    assert payment.runs == 1


async def test_of_two_hosts_that_both_lead_only_one_begins_it(hub: Hub) -> None:
    payment = Payment()
    first, second = await hub.start(payment.app), await hub.start(payment.app)
    instance_id = await first.begin(payment.buys)
    await until(lambda: payment.runs == 1)
    await second.engine.wake([instance_id])
    await second.rest()
    assert payment.runs == 1
    payment.gate.set()
    assert (await first.finished(instance_id)).output == "paid 7"
    assert payment.runs == 1


async def test_a_start_that_is_not_recorded_does_not_happen(hub: Hub) -> None:
    payment = Payment()
    host = await hub.start(payment.app)
    host.store.fail("claim_lease", StorageError("no"))
    instance_id = await host.begin(payment.buys)
    await until(lambda: not host.store.pending_faults("claim_lease"))
    assert payment.runs == 0
    await hub.clock.advance(SECOND, steps=2)
    payment.gate.set()
    assert (await host.finished(instance_id)).output == "paid 7"
    assert payment.runs == 1


async def test_an_activity_without_the_mark_runs_again_after_a_crash(hub: Hub) -> None:
    app, gate, runs = FunctionApp(), asyncio.Event(), list[int]()

    @app.activity_trigger()
    async def works() -> str:
        runs.append(1)
        await gate.wait()
        return "done"

    @app.orchestration_trigger()
    async def leads(context: OrchestrationContext) -> Any:
        return await context.call_activity(works)

    first = await hub.start(app)
    instance_id = await first.begin(leads)
    await until(lambda: len(runs) == 1)
    await first.crash()
    gate.set()
    second = await hub.start(app)
    assert (await second.finished(instance_id)).output == "done"
    assert len(runs) == 2
