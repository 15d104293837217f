"""Drives a mix of orchestrations from start to end, and says what must be true of them then."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest

from tests.integration.crash.activity_log import Run
from tests.integration.crash.surviving_client import Sent, SurvivingClient
from tests.integration.crash.workload import BONUS, ITEMS, STOP, Job

BELL_RINGS_AFTER = timedelta(seconds=1.5)
SHOWN = 10
"""How many of the stuck instances are described."""
Statuses = dict[str, dict[str, Any]]


class Drive:
    """A client's view of many orchestrations."""

    def __init__(self, client: SurvivingClient, jobs: list[Job]) -> None:
        self._client = client
        self._jobs = jobs
        self._sent: dict[str, Sent] = {}
        self._bells: dict[str, datetime] = {}

    async def start_all(self) -> None:
        """Start all."""
        await asyncio.gather(*map(self.start, self._jobs))

    async def lead_on_all(self) -> None:
        """Send every event that they wait for."""
        await asyncio.gather(*map(self.lead_on, self._jobs))

    async def all_finished(self, patience_s: float) -> Statuses:
        """Every status in the end. Fails with those that never come to an end.

        The patience is for each after the one before it: a slow machine makes all of them late, and
        a stuck one stays so however long the others take.
        """
        statuses: Statuses = {}
        for job in self._jobs:
            try:
                async with asyncio.timeout(patience_s):
                    statuses[job.instance_id] = await self._client.finished(job.instance_id)
            except TimeoutError:
                await self._fail_stuck()
        assert await self._unfinished() == []
        return statuses

    def assert_right(self, statuses: Statuses, log: dict[str, list[Run]], most_runs: int) -> None:
        """Results are right, no event is lost or doubled, every step ran, none without end."""
        assert [s for s in statuses.values() if s["runtimeStatus"] != "Completed"] == []
        for job in self._jobs:
            output = statuses[job.instance_id]["output"]
            steps = Counter(run.step for run in log.get(job.instance_id, ()))
            assert not steps or max(steps.values()) <= most_runs, (job, steps)
            if job.is_fed_by_client:
                self._assert_events(job, output, steps)
                continue
            assert set(steps) == set(job.steps), (job, steps)
            if job.function == "alarm":
                assert datetime.fromisoformat(output) >= self._bells[job.instance_id], job
            else:
                assert output == job.expected, job

    def _assert_events(self, job: Job, seen: list[int], steps: Counter[str]) -> None:
        """What was accepted was seen once and in order; what nobody knows of, at most once.

        What a dead host had sent to the store may have come there after later events.
        """
        sent = self._sent[job.instance_id]
        assert [number for number in seen if number in sent.accepted] == sent.accepted, job
        assert len(seen) == len(set(seen)), job
        assert set(sent.accepted) <= set(seen) <= {*sent.accepted, *sent.unsure}, (job, sent, seen)
        assert set(steps) == {f"item-{number}" for number in seen}, job

    async def start(self, job: Job) -> None:
        """Start one."""
        await self._client.start(job.function, job.instance_id, job.input)

    async def lead_on(self, job: Job) -> None:
        """Send every event that one waits for."""
        client, instance_id = self._client, job.instance_id
        if job.is_fed_by_client:
            numbers = list(range(ITEMS))
            self._sent[instance_id] = await client.feed(instance_id, "item", numbers, STOP)
        elif job.function == "alarm":
            bell = self._bells[instance_id] = datetime.now(UTC) + BELL_RINGS_AFTER
            await client.signal(instance_id, "go", bell.isoformat())
        elif job.function != "collector":
            if job.function == "countdown":
                await client.signal(instance_id, "bonus", BONUS)
            await client.signal(instance_id, "go")

    async def _fail_stuck(self) -> NoReturn:
        """Name those that are not finished, and how far some of them came."""
        stuck = await self._unfinished()
        lines = [f"{each}: {await self._client.last_events(each)}" for each in stuck[:SHOWN]]
        pytest.fail("\n".join([f"{len(stuck)} instances are stuck, among them:", *lines]))

    async def _unfinished(self) -> list[str]:
        listed = await self._client.list_instances("&runtimeStatus=Pending,Running,Suspended")
        return [status["instanceId"] for status in listed]
