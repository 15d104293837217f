"""Hosts that share a queue on SQS, and die: each message runs at least once, groups in order."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest

from bindings.kinds.queues import OutgoingMessage, QueueOptions, poison_name
from host.triggers.queue_work import NEVER_ENDED
from tests.kit.faulty_transport import FaultyTransport
from tests.kit.manual_clock import ManualClock
from tests.kit.queues_on_sqs import HostOnSqs
from tests.kit.simulated_sqs import QueueState, SimulatedSqs
from tests.kit.sqs_hosts import QueueFunction, QueueHost, QueueRun, Work, queue_trigger

COUNT = int(os.environ.get("QUEUE_MESSAGES", "500"))
GROUPS = 20
HOSTS = 3
MOST_SECONDS = 10_000


@dataclass
class Fleet:
    """Hosts, one of which dies now and then."""

    clock: ManualClock
    sqs: SimulatedSqs
    name: str
    runs: list[QueueRun] = field(default_factory=list)
    hosts: list[QueueHost] = field(default_factory=list)
    begun: int = 0

    async def start(self, work: Work, options: QueueOptions | None = None) -> QueueHost:
        self.begun += 1
        transport = FaultyTransport(self.sqs, seed=self.begun, rate=0.05)

        def function(host: str) -> QueueFunction:
            return QueueFunction("take", queue_trigger(self.name), host, self.runs, work)

        host = QueueHost(f"h{self.begun}", transport, self.clock, function, options)
        self.hosts.append(host)
        await host.listener.start()
        return host

    async def send(self, bodies: Sequence[str]) -> None:
        messages = [OutgoingMessage(body=each, group_id=group_of(each)) for each in bodies]
        await self.done(HostOnSqs(self.sqs, self.clock).queue(self.name).send(messages))

    async def done(
        self, doing: Awaitable[object], *, within: timedelta = timedelta(minutes=5)
    ) -> None:
        task = asyncio.ensure_future(doing)
        end = self.clock.now() + within
        while not task.done() and self.clock.now() < end:
            await self.clock.pass_time(timedelta(seconds=0.1))
        await asyncio.wait_for(task, 1)

    @property
    def poison(self) -> QueueState:
        return self.sqs.queue(poison_name(self.name))

    @property
    def left(self) -> int:
        return len(self.sqs.queue(self.name).messages)


@pytest.fixture
async def fleet(name: str) -> AsyncIterator[Fleet]:
    """A queue of this name, and no hosts."""
    clock = ManualClock()
    sqs = SimulatedSqs(clock)
    sqs.add(name)
    yield Fleet(clock, sqs, name)
    await sqs.close()


def group_of(body: str) -> str:
    """Bodies are `number.group`, with an `x` before those that fail each time."""
    return body.partition(".")[2]


def in_groups(bodies: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for body in dict.fromkeys(bodies):
        found[group_of(body)].append(body)
    return found


async def lead(fleet: Fleet, work: Work) -> None:
    """Have three hosts work until nothing is left; each fifth of the way one goes."""
    for _ in range(HOSTS):
        await fleet.start(work)
    lives = list(fleet.hosts)
    left = COUNT
    for _ in range(MOST_SECONDS):
        await fleet.clock.pass_time(timedelta(seconds=1))
        if not fleet.left:
            break
        if fleet.left < left - COUNT / 5:
            left = fleet.left
            gone = lives.pop(0)
            if fleet.begun == HOSTS + 1:
                await fleet.done(gone.stop())
            else:
                gone.kill()
            lives.append(await fleet.start(work))
    for host in lives:
        await fleet.done(host.stop())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["orders", "orders.fifo"])
async def test_hosts_that_die_lose_no_message(fleet: Fleet) -> None:
    """Requests are throttled, answers are lost, three hosts are killed and one is stopped."""
    random = Random(1)
    bodies = [f"{'x' if n % 97 == 13 else ''}{n:05}.{n % GROUPS}" for n in range(COUNT)]
    bad = [each for each in bodies if each.startswith("x")]
    await fleet.send(bodies)

    async def work(run: QueueRun) -> None:
        await fleet.clock.sleep(random.uniform(0.01, 0.4))
        if run.body in bad:
            raise ValueError(f"no good: {run.body}")

    await lead(fleet, work)
    assert fleet.left == 0
    assert fleet.begun >= HOSTS + 3
    completed = [run.body for run in fleet.runs if run.end == "done"]
    assert set(completed) == set(bodies) - set(bad)
    assert sorted(set(fleet.poison.bodies)) == sorted(bad)
    for each in fleet.poison.messages:
        said = {name: value["StringValue"] for name, value in each.attributes.items()}
        assert said["funchost-function"] == "take"
        assert said["funchost-error"] in {f"ValueError: no good: {each.body}", NEVER_ENDED}
    if fleet.name.endswith(".fifo"):
        groups = in_groups(completed)
        assert len(groups) == GROUPS
        assert all(group == sorted(group) for group in groups.values())


@pytest.mark.parametrize("name", ["orders.fifo"])
async def test_who_waits_behind_poison_is_not_poisoned_with_it(fleet: Fleet) -> None:
    """SQS counts what is given back untried as a try, and no host knows what others gave back."""
    bodies = [*(f"x{n}.a" for n in range(6)), *(f"y{n}.a" for n in range(6))]
    await fleet.send(bodies)
    tried: set[str] = set()

    async def work(run: QueueRun) -> None:
        await fleet.clock.sleep(0.1)
        is_first = run.body not in tried
        tried.add(run.body)
        if run.body.startswith("x") or is_first:
            raise ValueError("no good")

    for _ in range(HOSTS):
        await fleet.start(work)
    for _ in range(120):
        await fleet.clock.pass_time(timedelta(seconds=1))
    assert fleet.poison.bodies == bodies[:6]
    assert [run.body for run in fleet.runs if run.end == "done"] == bodies[6:]
    assert [run.message.dequeue_count for run in fleet.runs if run.body == "x5.a"] == [
        1,
        2,
        3,
        4,
        5,
    ]
    for host in fleet.hosts:
        await fleet.done(host.stop())


@pytest.mark.parametrize("name", ["orders"])
async def test_a_queue_that_is_denied_is_a_problem_until_it_is_not(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    """No message has to come for that; and the log says it once."""

    async def work(_: QueueRun) -> None:
        pass

    caplog.set_level(logging.INFO, logger="host.triggers")
    fleet.sqs.denied = {"ReceiveMessage"}
    host = await fleet.start(work)
    await fleet.clock.pass_time(timedelta(minutes=3))
    (problem,) = host.listener.problems()
    assert "Allow sqs:ReceiveMessage on it to this host's role" in problem
    fleet.sqs.denied = set()
    await fleet.clock.pass_time(timedelta(minutes=1))
    assert host.listener.problems() == []
    said = [each.levelname for each in caplog.records if each.name.startswith("host.triggers")]
    assert said == ["WARNING", "INFO"]
    await fleet.done(host.stop())
