"""What timers cost on AWS, as docs/performance.md says: nothing between their due times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit.aws_bill import USD_PER_MILLION, Meter
from tests.kit.manual_clock import ManualClock
from tests.kit.simulated_dynamo import LAYOUT, SimulatedDynamo
from tests.kit.timer_hosts import TimerHost, TimerRun, timer_trigger

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
HOUR = timedelta(hours=1)


class Metered:
    """Hosts with an hourly timer on one simulated table."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.meters: list[Meter] = []
        self.runs: list[TimerRun] = []
        self.hosts: list[TimerHost] = []
        self._table = SimulatedDynamo(now=self.clock.now)

    async def start(self) -> None:
        store = self._table.store(wrap=self._measured)
        await store.open()
        host = TimerHost(f"h{len(self.hosts)}", store, self.clock, self.runs)
        self.hosts.append(host)
        await host.start({"tick": timer_trigger("0 0 * * * *")})
        await self.clock.until_quiet()

    def _measured(self, transport: object) -> Meter:
        self.meters.append(Meter(transport, LAYOUT, self._table.client()))  # type: ignore[arg-type]
        return self.meters[-1]

    def units(self) -> tuple[int, float]:
        bills = [meter.bill() for meter in self.meters]
        found = sum(x.write_units for x in bills), sum(x.read_units for x in bills)
        for meter in self.meters:
            meter.reset()
        return found


async def units_of_a_run(hosts: int) -> tuple[int, float]:
    """What one due time costs, when nothing happens to any host."""
    hub = Metered()
    for _ in range(hosts):
        await hub.start()
    await hub.clock.pass_time(1.5 * HOUR)
    hub.units()
    await hub.clock.pass_time(0.4 * HOUR)
    assert hub.units() == (0, 0)  # nothing between due times
    await hub.clock.pass_time(1 * HOUR)
    assert len(hub.runs) == 2
    found = hub.units()
    for host in hub.hosts:
        await host.stop()
    return found


def usd(units: Sequence[float]) -> float:
    return units[0] * USD_PER_MILLION["write unit"] + units[1] * USD_PER_MILLION["read unit"]


@pytest.mark.parametrize(("hosts", "reads"), [(1, 0), (3, 2 * 2)])
async def test_a_run_costs_two_writes_and_two_reads_of_each_other_host(
    hosts: int, reads: float
) -> None:
    units = await units_of_a_run(hosts)
    assert units == (2, reads)
    what = f"a million runs of a timer on {hosts} host{'s' if hosts > 1 else ''}"
    row = f"| {what} | {usd(units):.2f} |"
    assert row in DOCUMENT.read_text(encoding="utf-8")
