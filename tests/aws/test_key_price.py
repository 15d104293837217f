"""What following a hub's keys costs on AWS, as docs/performance.md says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from host.http.hub_keys import HubKeys
from host.http.key_ring import KeySet, Put
from host.http.keys import KeyKind, digest, open_keys
from tests.kit.aws_bill import USD_PER_MILLION, Meter
from tests.kit.manual_clock import ManualClock
from tests.kit.simulated_dynamo import LAYOUT, SimulatedDynamo

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
HOURS_OF_A_MONTH = 24 * 30


async def test_a_host_with_keys_pays_a_read_unit_each_eight_seconds(tmp_path: Path) -> None:
    clock, meters = ManualClock(), list[Meter]()
    table = SimulatedDynamo(now=clock.now)

    def measured(transport: object) -> Meter:
        meters.append(Meter(transport, LAYOUT, table.client()))  # type: ignore[arg-type]
        return meters[-1]

    store = table.store(wrap=measured)
    await store.open()
    file, _ = open_keys(tmp_path / "keys.json")
    host = HubKeys(file, store, clock)
    async with host.followed():
        wanted = Put(name="ci", sha256=digest("x"), role=None)
        system = KeySet(kind=KeyKind.SYSTEM)
        await host.change(lambda ring, now: ring.put(system, wanted, now))
        for meter in meters:
            meter.reset()
        await clock.pass_time(timedelta(hours=1))
        bills = [meter.bill() for meter in meters]
    assert sum(each.write_units for each in bills) == 0
    read_units = sum(each.read_units for each in bills)
    assert read_units == 450
    usd = read_units * HOURS_OF_A_MONTH * USD_PER_MILLION["read unit"] / 1e6
    assert f"A host with keys pays {usd:.2f} USD a month more" in DOCUMENT.read_text("utf-8")
