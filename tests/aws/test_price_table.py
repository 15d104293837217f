"""The table in docs/performance.md of what a hub at rest costs: counted, and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.storage.aws.schema import LONG_POLL_S
from tests.aws.test_hub_price import MINUTE_S, WAITING, Waits, hosts_of
from tests.kit.shared_hub import shared_hub

pytestmark = pytest.mark.timeout(300)  # hours pass, in many steps

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
FIFO_USD, STANDARD_USD = 0.50e-6, 0.40e-6
"""Of one request to a queue, in us-east-1."""

# ---- the table in docs/performance.md -----------------------------------------------------------

HOURS = 720
POLLS_USD = (HOURS * 3600 / LONG_POLL_S) * (FIFO_USD + STANDARD_USD)
"""The long polls of a month, one after the other, of a FIFO queue and of the one of work items."""


async def usd_of_an_hour(hosts: int) -> float:
    """What the table costs in an hour in which nothing happens."""
    waits = Waits()
    async with shared_hub() as hub:
        await hosts_of(hub, waits, hosts)
        await hub.pass_time(1200, step_s=5)
        hub.reset()
        await hub.pass_time(3600, step_s=5)
        return hub.usd


async def test_an_idle_host_costs_at_most_a_fifth_of_a_dollar_a_month_as_the_table_says() -> None:
    one, two = await usd_of_an_hour(1), await usd_of_an_hour(2)
    first = one * HOURS + POLLS_USD
    other = (two - one) * HOURS + POLLS_USD
    assert first <= 0.20
    assert is_documented("hosts that have nothing to do", first, first + 49 * other)


async def usd_of_sweeps(waiting: int) -> float:
    """What six hours cost while so many wait: sweeps, of which one is full."""
    waits = Waits()
    async with shared_hub() as hub:
        host = await hub.start(waits.app, cached_instances=waiting)
        for number in range(waiting):
            await host.begin(waits.listens, instance_id=f"order-{number:08}")
        await hub.pass_time(600, step_s=5)
        hub.reset()
        await hub.pass_time(6 * 3600, step_s=20)
        return hub.usd


async def test_the_table_says_what_a_hundred_thousand_cost_that_wait() -> None:
    some, none = await usd_of_sweeps(WAITING), await usd_of_sweeps(0)
    month = (some - none) / WAITING * 100_000 * HOURS / 6
    assert is_documented("100,000 instances that wait for an event", month, month)


async def usd_of_a_timer(hosts: int, *, is_set: bool) -> float:
    """What so many hosts cost for ten minutes, in which one timer is set and waited for, or none.

    It is set by continue-as-new, again and again; three times here.
    """
    waits, rounds = Waits(), 3
    async with shared_hub() as hub:
        started = await hosts_of(hub, waits, hosts)
        if is_set:
            await started[0].begin(waits.ticks, 600.0, instance_id="it")
        await hub.pass_time(30)
        hub.reset()
        await hub.pass_time(600.0 * rounds)
        return hub.usd / rounds


async def test_the_table_says_what_a_timer_costs() -> None:
    one, more = [
        await usd_of_a_timer(hosts, is_set=True) - await usd_of_a_timer(hosts, is_set=False)
        for hosts in (1, 2)
    ]
    name = "a million timers of ten minutes, each followed by continue-as-new"
    assert is_documented(name, one * 1e6, more * 1e6)


async def usd_of_long_work(hosts: int, *, is_begun: bool) -> float:
    """What so many hosts cost for ten minutes, in which one activity runs, or none."""
    waits = Waits()
    async with shared_hub() as hub:
        started = await hosts_of(hub, waits, hosts)
        await hub.pass_time(60)
        hub.reset()
        if is_begun:
            await started[0].begin(waits.works, instance_id="it")
        await hub.pass_time(10 * MINUTE_S)
        waits.gate.set()
        await hub.pass_time(10)
        return hub.usd


async def test_the_table_says_what_an_activity_of_ten_minutes_costs() -> None:
    one, more = [
        await usd_of_long_work(hosts, is_begun=True) - await usd_of_long_work(hosts, is_begun=False)
        for hosts in (1, 2)
    ]
    assert is_documented("a million activities of ten minutes", one * 1e6, more * 1e6)


def is_documented(name: str, one: float, many: float) -> bool:
    """Whether docs/performance.md says just this of one host, and of more."""
    row = f"| {name} | {one:,.2f} | {many:,.2f} |"
    found = row in DOCUMENT.read_text(encoding="utf-8").splitlines()
    assert found, row
    return found
