"""What slots of limits cost on AWS, as docs/how-to/limits.md says: two writes each at most."""

from __future__ import annotations

from datetime import timedelta

from host.core.limits import Limit, Rate
from host.engine.limits.desks import Desks
from host.engine.limits.slots import Slot
from host.engine.limits.waiting import Waiter
from host.engine.store_watch import StoreWatch
from tests.kit.aws_bill import Meter
from tests.kit.manual_clock import ManualClock
from tests.kit.simulated_dynamo import LAYOUT, SimulatedDynamo

MOMENT = timedelta(seconds=0.25)
LEASE_S = 60.0


class Metered:
    """Hosts with one limit on one simulated table."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.clock = ManualClock()
        self._meters: list[Meter] = []
        self._table = SimulatedDynamo(now=self.clock.now)

    async def host(self, name: str = "h") -> Desks:
        store = self._table.store(wrap=self._measured)
        await store.open()
        self.spent()
        return Desks(
            {"few": self.limit},
            store=store,
            clock=self.clock,
            host_id=name,
            is_alone=False,
            lease_s=LEASE_S,
            store_watch=StoreWatch(self.clock),
        )

    def _measured(self, transport: object) -> Meter:
        self._meters.append(Meter(transport, LAYOUT, self._table.client()))  # type: ignore[arg-type]
        return self._meters[-1]

    def spent(self) -> tuple[int, float]:
        """Write and read units since this was asked last."""
        bills = [meter.bill() for meter in self._meters]
        for meter in self._meters:
            meter.reset()
        return sum(x.write_units for x in bills), sum(x.read_units for x in bills)

    async def wanted(self, desks: Desks, count: int = 1) -> list[Slot]:
        """Ask for so many; those that there are."""
        slots: list[Slot] = []

        def grant(slot: Slot | None) -> None:
            assert slot is not None
            slots.append(slot)

        for _ in range(count):
            since = self.clock.now().timestamp()
            desks.desk("few", "").wait(Waiter(key="", priority=0, since=since, grant=grant))
        await self.clock.until_quiet()
        return slots


async def test_a_slot_costs_two_writes_and_a_read() -> None:
    hub = Metered(Limit(concurrency=2))
    desks = await hub.host()
    for _ in range(5):
        (slot,) = await hub.wanted(desks)
        assert hub.spent()[0] == 1
        slot.give_back()
        await hub.clock.pass_time(4 * MOMENT)
        assert hub.spent()[0] == 1


async def test_slots_one_right_after_another_cost_two_writes_together() -> None:
    hub = Metered(Limit(concurrency=2))
    desks = await hub.host()
    for _ in range(20):
        (slot,) = await hub.wanted(desks)
        slot.give_back()
    await hub.clock.pass_time(4 * MOMENT)
    assert hub.spent()[0] == 2


async def test_those_that_wait_together_are_let_in_by_one_write() -> None:
    hub = Metered(Limit(concurrency=50))
    desks = await hub.host()
    slots = await hub.wanted(desks, count=50)
    assert len(slots) == 50
    assert hub.spent()[0] <= 2  # the first one had its turn before the others came
    for slot in slots:
        slot.give_back()
    await hub.clock.pass_time(4 * MOMENT)
    assert hub.spent()[0] == 1


async def test_a_slot_of_an_hour_is_renewed_each_30_seconds_whatever_it_is_of() -> None:
    hub = Metered(Limit(concurrency=50))
    desks = await hub.host()
    slots = await hub.wanted(desks, count=50)
    hub.spent()
    await hub.clock.pass_time(timedelta(hours=1))
    assert hub.spent()[0] <= 2 * 3600 / LEASE_S + 1
    for slot in slots:
        slot.give_back()


async def test_with_a_rate_it_is_the_same() -> None:
    hub = Metered(Limit(concurrency=2, rate=Rate(1000, 1.0)))
    desks = await hub.host()
    (slot,) = await hub.wanted(desks)
    slot.give_back()
    await hub.clock.pass_time(timedelta(seconds=3))
    assert hub.spent()[0] <= 3  # what began is forgotten by one write more, when nobody came since


async def test_waiting_for_other_hosts_costs_a_read_a_second() -> None:
    hub = Metered(Limit(concurrency=1))
    one, two = await hub.host("one"), await hub.host("two")
    (slot,) = await hub.wanted(one)
    assert not await hub.wanted(two)
    await hub.clock.pass_time(timedelta(seconds=3))
    hub.spent()
    await hub.clock.pass_time(timedelta(seconds=60))
    writes, reads = hub.spent()
    assert writes <= 2 * 2 + 1
    assert reads <= 75
    slot.give_back()
    await two.leave()
    await one.leave()
