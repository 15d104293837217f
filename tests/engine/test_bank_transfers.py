"""The accounts sample: whatever hosts die of, no money is made or lost, and no lock is left behind.

`FUNCHOST_TRANSFERS=10000` makes so many transfers instead of a few.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from bindings import EntityId, FunctionApp, RuntimeStatus
from tests.kit.hub import Host, Hub

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "accounts" / "function_app.py"
NAMES = [f"account{number}" for number in range(8)]
FIRST = 100
TRANSFERS = int(os.environ.get("FUNCHOST_TRANSFERS", "60"))
LIVES = max(6, TRANSFERS // 50)
"""How many hosts die, one after the other; each gets its part of the transfers."""


@pytest.fixture(scope="module")
def app() -> FunctionApp:
    """The app of the sample."""
    spec = importlib.util.spec_from_file_location("accounts_sample", SAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found = module.app
    assert isinstance(found, FunctionApp)
    return found


@pytest.mark.timeout(60 + TRANSFERS // 5)
async def test_no_money_is_made_or_lost_and_no_lock_left(each_hub: Hub, app: FunctionApp) -> None:
    random = Random(TRANSFERS)
    orders = {f"t{number}": _order(random) for number in range(TRANSFERS)}
    host = await each_hub.start(app)
    for name in NAMES:
        await host.client.signal_entity(EntityId("Account", name), "deposit", FIRST)
    await host.rest()
    ids = list(orders)
    for life in range(LIVES):
        part = ids[life::LIVES]
        await asyncio.gather(*(_start(host, each, orders[each]) for each in part))
        for _ in range(random.randint(0, 40 * len(part))):
            await asyncio.sleep(0)
        await host.crash()
        host = await each_hub.start(app)
    expected = Counter(dict.fromkeys(NAMES, FIRST))
    outcomes: Counter[RuntimeStatus] = Counter()
    for instance_id, order in orders.items():
        state = await host.client.wait_for_instance_completion(instance_id)
        outcomes[state.runtime_status] += 1
        if state.runtime_status is RuntimeStatus.COMPLETED:
            expected[str(order["source"])] -= int(order["amount"])
            expected[str(order["target"])] += int(order["amount"])
        else:
            assert "cannot be taken from" in str(state.output)
    await host.rest()
    balances = {name: await _balance(host, name) for name in NAMES}
    assert balances == expected
    assert sum(balances.values()) == FIRST * len(NAMES)
    assert min(balances.values()) >= 0
    assert outcomes[RuntimeStatus.COMPLETED] > TRANSFERS / 2
    for name in NAMES:
        lock = await host.client.get_entity_lock(EntityId("Account", name))
        assert lock is not None
        assert (lock.holder, lock.waiters) == (None, [])


def _order(random: Random) -> dict[str, str | int]:
    source, target = random.sample(NAMES, 2)
    return {"source": source, "target": target, "amount": random.randint(1, 60)}


async def _start(host: Host, instance_id: str, order: dict[str, str | int]) -> None:
    await host.begin("transfer", order, instance_id=instance_id)


async def _balance(host: Host, name: str) -> int:
    found = await host.client.get_entity(EntityId("Account", name))
    assert found is not None
    return int(found.state)
