"""Activities that run at most once: their start is on record before it happens."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RetryPolicy, TaskFailedError
from host.core.records import Lease
from host.errors import StorageError, StorageUnavailableError
from host.storage.local_queues import LocalQueues
from tests.engine.late_claims import LateClaim
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import StoreSeam

SECOND = timedelta(seconds=1)
AWAY = StorageUnavailableError("the table is away")


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
    assert output.startswith("ActivityLostError: The host that had the activity 'pays' gave no")
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


# From here on in memory: a clock that a test moves would outrun leases while a disk is written to.


class Outage:
    """The store goes away at a call of `begins_at`, which is carried out first if `is_landed`."""

    def __init__(self, host: Host, begins_at: str, *, is_landed: bool = False) -> None:
        self.host, self.begins_at, self.is_landed = host, begins_at, is_landed
        self.is_on = False
        host.store.before = self

    async def __call__(self, name: str, args: tuple[Any, ...]) -> None:
        if not self.is_on and name == self.begins_at:
            self.is_on = True
            if self.is_landed:
                await getattr(self.host.store.inner, name)(*args)
        if self.is_on:
            raise AWAY

    def end(self) -> None:
        self.host.store.before = None


@pytest.mark.parametrize(
    ("begins_at", "is_landed"),
    [
        pytest.param("claim_lease", True, id="the claim's answer is lost"),
        pytest.param("claim_lease", False, id="the claim does not arrive"),
        pytest.param("apply", False, id="claimed, and then nothing"),
    ],
)
@pytest.mark.parametrize("others", [0, 2])
async def test_found_f13_what_an_outage_kept_from_beginning_is_begun_after_it(
    hub: Hub, begins_at: str, is_landed: bool, others: int
) -> None:
    payment, queues = Payment(), LocalQueues()
    payment.gate.set()
    host = await hub.start(payment.app, queues=queues)
    outage = Outage(host, begins_at, is_landed=is_landed)
    instance_id = await host.begin(payment.buys)
    await until(lambda: outage.is_on)
    await hub.clock.advance(SECOND, steps=20)
    for _ in range(others):
        await hub.start(payment.app, queues=queues)
    outage.end()
    await hub.clock.advance(SECOND, steps=40)
    assert (await host.finished(instance_id)).output == "paid 7"
    assert payment.runs == 1


async def test_found_f13_an_outage_longer_than_the_lease_loses_nothing_that_never_began(
    hub: Hub,
) -> None:
    payment = Payment()
    payment.gate.set()
    host = await hub.start(payment.app)
    outage = Outage(host, "apply")
    instance_id = await host.begin(payment.buys)
    await until(lambda: outage.is_on)
    await hub.clock.advance(SECOND, steps=100)
    outage.end()
    await hub.clock.advance(SECOND, steps=20)
    assert (await host.finished(instance_id)).output == "paid 7"
    assert payment.runs == 1


async def test_found_f13_what_waits_for_room_while_its_lease_runs_out_begins_later(
    hub: Hub,
) -> None:
    payment, gate = Payment(), asyncio.Event()

    @payment.app.activity_trigger()
    async def fills() -> None:
        await gate.wait()

    @payment.app.orchestration_trigger()
    async def takes_the_place(context: OrchestrationContext) -> None:
        await context.call_activity(fills)

    host = await hub.start(payment.app, max_concurrent_activities=1)
    first = await host.begin(takes_the_place)
    await host.started(first)
    instance_id = await host.begin(payment.buys)
    await until(lambda: len(host.engine.parts.pool) == 2)
    host.store.fail("renew_lease", AWAY, times=100)
    await hub.clock.advance(SECOND, steps=40)
    gate.set()
    payment.gate.set()
    await host.finished(first)
    assert payment.runs == 0
    while host.store.pending_faults("renew_lease"):
        await hub.clock.advance(SECOND)
    await hub.clock.advance(SECOND, steps=10)
    assert (await host.finished(instance_id)).output == "paid 7"
    assert payment.runs == 1


async def test_a_stop_hands_over_what_was_claimed_and_has_not_begun(hub: Hub) -> None:
    payment, gate = Payment(), asyncio.Event()

    @payment.app.activity_trigger()
    async def fills() -> None:
        await gate.wait()

    @payment.app.orchestration_trigger()
    async def takes_the_place(context: OrchestrationContext) -> None:
        await context.call_activity(fills)

    queues = LocalQueues()
    host = await hub.start(payment.app, queues=queues, max_concurrent_activities=1)
    await host.started(await host.begin(takes_the_place))
    instance_id = await host.begin(payment.buys)
    await until(lambda: len(host.engine.parts.pool) == 2)
    await host.stop()
    payment.gate.set()
    following = await hub.start(payment.app, queues=queues)
    assert (await following.finished(instance_id)).output == "paid 7"
    assert payment.runs == 1


async def test_what_a_late_request_gives_back_is_not_what_was_begun_meanwhile(hub: Hub) -> None:
    payment = Payment()
    host = await hub.start(payment.app)
    owners: list[str] = []

    async def fail_the_first(name: str, args: tuple[Any, ...]) -> None:
        if name == "claim_lease":
            owners.append(args[0].owner)
            if len(owners) == 1:
                raise AWAY

    host.store.before = fail_the_first
    instance_id = await host.begin(payment.buys)
    await hub.clock.advance(SECOND, steps=5)
    await until(lambda: payment.runs == 1)
    assert len(set(owners)) == len(owners) == 2
    payment.gate.set()
    assert (await host.finished(instance_id)).output == "paid 7"


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


async def test_what_a_late_request_claims_that_was_given_back_is_given_back_again(
    hub: Hub,
) -> None:
    payment = Payment()
    payment.gate.set()
    host = await hub.start(payment.app)
    late = LateClaim(host, "claim_lease")
    instance_id = await host.begin(payment.buys)
    await hub.clock.advance(SECOND, steps=40)
    assert late.has_landed
    assert (await host.finished(instance_id)).output == "paid 7"
    assert payment.runs == 1


class LeavingStore(StoreSeam):
    """Leaves the lease of the first claim behind, though it is refused: others know more."""

    async def claim_lease(self, lease: Lease, number: int) -> bool:
        await self._arrive("claim_lease", (lease, number))
        is_claimed = await self.inner.claim_lease(lease, number)
        return is_claimed and self.calls["claim_lease"] > 1


async def test_what_a_refused_claim_left_behind_keeps_nobody_from_beginning(hub: Hub) -> None:
    payment = Payment()
    payment.gate.set()
    hub.store = LeavingStore(hub.store).as_store
    host = await hub.start(payment.app)
    instance_id = await host.begin(payment.buys)
    await hub.clock.advance(SECOND, steps=40)
    assert (await host.finished(instance_id)).output == "paid 7"
    assert payment.runs == 1
