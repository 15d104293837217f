"""Messages and hosts that are killed: each is run at least once, and in order where that is said.

`FUNCHOST_QUEUE_MESSAGES=100000` makes it longer.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bindings.kinds.queues import OutgoingMessage
from host.clock import SystemClock
from host.resources.embedded.queues import EmbeddedQueues
from tests.kit.app_folders import make_app
from tests.kit.host_process import HostProcess, host_processes
from tests.kit.message_queues import embedded_queues

__all__ = ["make_app"]

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

MESSAGES = int(os.environ.get("FUNCHOST_QUEUE_MESSAGES", "10000"))
ORDERED = MESSAGES // 10
GROUPS = 20
BAD = {f"{number}" for number in range(0, MESSAGES - ORDERED, 1000)}
KILLS = 5
SENT_TOGETHER = 500
REPEATED = 200
"""How many messages a kill may have run again, at most: those in work, and those to be deleted."""

APP = """
import os
from funchost import FunctionApp, QueueMessage

app = FunctionApp()
log = os.open(os.environ["RUNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

@app.queue_trigger(arg_name="order", queue_name="orders")
async def take(order: str) -> None:
    os.write(log, f"{order}\\n".encode())
    if order in os.environ["BAD"].split():
        raise ValueError(f"{order} is bad")

@app.queue_trigger(arg_name="message", queue_name="work.fifo")
async def work(message: QueueMessage) -> None:
    os.write(log, f"{message.group_id}:{message.get_text()}\\n".encode())
"""

MakeApp = Callable[[Mapping[str, str]], Path]


async def send(queues: EmbeddedQueues) -> None:
    orders = [OutgoingMessage(body=str(number)) for number in range(MESSAGES - ORDERED)]
    work = [
        OutgoingMessage(body=str(number), group_id=f"g{number % GROUPS}")
        for number in range(ORDERED)
    ]
    for name, messages in (("orders", orders), ("work.fifo", work)):
        for start in range(0, len(messages), SENT_TOGETHER):
            await queues.queue(name).send(messages[start : start + SENT_TOGETHER])


async def queues_of(host: HostProcess) -> dict[str, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{host.url}/admin/queues") as found:
        return {each["name"]: each for each in await found.json()}


def runs_in(log: Path) -> int:
    """How many runs have begun."""
    return log.read_bytes().count(b"\n") if log.exists() else 0


async def until_runs(host: HostProcess, log: Path, count: int) -> None:
    """Wait until so many runs have begun."""
    while runs_in(log) < count:
        await queues_of(host)


async def until_empty(host: HostProcess) -> dict[str, dict[str, Any]]:
    """What is said of the queues when nothing is left to do."""
    while True:
        found = await queues_of(host)
        if not any(each["messages"] for each in found.values()):
            return found


async def test_killed_hosts_lose_no_message(make_app: MakeApp, tmp_path: Path) -> None:
    log, data = tmp_path / "runs", tmp_path / "data"
    app = make_app({"function_app.py": APP})
    async with embedded_queues("sqlite", data, SystemClock()) as queues:
        await send(queues)
    chance = random.Random(13)
    environment = {"RUNS": str(log), "BAD": " ".join(BAD), "WEBSITE_HOSTNAME": ""}
    begun = 0
    async with host_processes() as hosts:
        for _ in range(KILLS):
            host = await hosts.start(
                app, "--hub", "hub", "--data", str(data), environment=environment
            )
            begun += chance.randrange(MESSAGES // (2 * KILLS), MESSAGES // KILLS)
            await until_runs(host, log, begun)
            await host.kill9()
            begun = runs_in(log)
        host = await hosts.start(app, "--hub", "hub", "--data", str(data), environment=environment)
        found = await until_empty(host)
        assert found["orders"]["poisoned"] == len(BAD)
        assert await host.terminate() == 0
    check_runs(log)
    async with embedded_queues("sqlite", data, SystemClock()) as queues:
        poisoned = await queues.peek("orders-poison", len(BAD) + 1)
    assert {each.body for each in poisoned} == BAD
    assert {each.attributes["funchost-error"] for each in poisoned} == {
        f"ValueError: {each} is bad" for each in BAD
    }


def check_runs(log: Path) -> None:
    runs = log.read_text().splitlines()
    check_orders([each for each in runs if ":" not in each])
    check_groups([each for each in runs if ":" in each])


def check_orders(runs: list[str]) -> None:
    counts = Counter(runs)
    assert counts.keys() == {str(number) for number in range(MESSAGES - ORDERED)}
    repeated = sum(count - 1 for order, count in counts.items() if order not in BAD)
    assert repeated <= KILLS * REPEATED, json.dumps(counts.most_common(10))


def check_groups(runs: list[str]) -> None:
    groups: dict[str, list[int]] = defaultdict(list)
    for run in runs:
        group, _, number = run.partition(":")
        groups[group].append(int(number))
    assert len(groups) == GROUPS
    for numbers in groups.values():
        assert numbers == sorted(numbers), "a message was run before one that was sent before it"
    assert sorted({number for numbers in groups.values() for number in numbers}) == [
        *range(ORDERED)
    ]
