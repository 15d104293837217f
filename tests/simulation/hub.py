"""The hub of a run: what hosts share, and the drivers through which each of them sees it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import Protocol

from bindings.client import RuntimeStatus
from host.core.records import Instance, Notice, Snapshot
from host.engine.job_records import Chosen, Job
from host.engine.jobs import JOB
from host.storage.kept_notices import NOTICE
from host.storage.protocol import HubQueues, HubStore, InstanceFilter, InstancePage
from tests.simulation import receivers
from tests.simulation.clerks import MANY, jobs_of
from tests.simulation.clock import SkewedClock
from tests.simulation.lists import problems_of_lists
from tests.simulation.network import Caller, Network
from tests.simulation.queue import Queue
from tests.simulation.queues import SimulatedQueues
from tests.simulation.store import SimulatedStore
from tests.simulation.tables import Tables


class Hub(Protocol):
    """Tables and queues."""

    wakeups: Queue
    work: Queue
    are_all_patient: bool

    def drivers(self, caller: Caller, clock: SkewedClock) -> tuple[HubStore, HubQueues]:
        """The drivers of one life of a host."""

    async def everything(self) -> Sequence[Snapshot]:
        """All that is stored; for the checks."""

    async def jobs(self) -> Sequence[Job]:
        """All jobs."""

    async def notices(self) -> Sequence[Notice]:
        """All notices that are kept."""

    def chosen(self) -> Mapping[str, Collection[Chosen]] | None:
        """Who was on a page of each job; None if nobody has seen that."""

    async def list_problems(self, rows: Sequence[Instance], random: Random) -> Sequence[str]:
        """What lists and counts say of these, which are all that is stored, that is not so."""

    def left_over(self) -> Sequence[str]:
        """What is stored and belongs to no instance, in words."""

    async def purge_all(self) -> Sequence[str]:
        """Purge every instance, when all has come to rest; what that should have removed too."""

    async def repair(self) -> None:
        """Remove what belongs to nobody, hours later."""


class ModelHub:
    """A model of a hub: the writes that every driver over a network makes, and nothing else."""

    def __init__(self, tables: Tables, wakeups: Queue, work: Queue, network: Network) -> None:
        self.wakeups = wakeups
        self.work = work
        self.are_all_patient = False
        self._tables = tables
        self._network = network

    def drivers(self, caller: Caller, clock: SkewedClock) -> tuple[HubStore, HubQueues]:
        """Drivers that make requests of the model."""
        queues = SimulatedQueues(self.wakeups, self.work, self._network, caller, clock)
        return SimulatedStore(self._tables, self._network, caller, clock, queues), queues

    async def everything(self) -> Sequence[Snapshot]:
        """All that is stored."""
        return self._tables.everything()

    async def jobs(self) -> Sequence[Job]:
        """All jobs."""
        return jobs_of(self._tables.records(JOB, "", MANY).records)

    async def notices(self) -> Sequence[Notice]:
        """All notices that are kept."""
        return receivers.notices_of(self._tables.records(NOTICE, "", receivers.MANY).records)

    def chosen(self) -> Mapping[str, Collection[Chosen]]:
        """Who was on a page of each job."""
        return self._tables.chosen

    async def list_problems(self, rows: Sequence[Instance], random: Random) -> Sequence[str]:
        """What lists and counts say that is not so."""

        async def query(filter_: InstanceFilter, limit: int, token: str | None) -> InstancePage:
            return self._tables.query(filter_, limit, token, None)

        async def count(filter_: InstanceFilter) -> Mapping[RuntimeStatus, int]:
            return self._tables.count(filter_)

        return await problems_of_lists(query, count, rows, random)

    def left_over(self) -> Sequence[str]:
        """The model keeps nothing that belongs to no instance."""
        return ()

    async def purge_all(self) -> Sequence[str]:
        """The checks of what is left over are not for the model."""
        return ()

    async def repair(self) -> None:
        """There is nothing to repair."""
