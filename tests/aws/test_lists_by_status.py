"""What a page and a count of unfinished instances ask of a hub with the indexes of older versions.

Nothing of those that ended.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import msgspec
import pytest

from bindings.client import ListOrder, ReusePolicy, RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.storage.aws.table import by_creation, listing
from host.storage.aws.table.hub_format import FORMAT_1, LAST_BY_CREATION, HubFormat, new_format
from host.storage.aws.table.store import DynamoStore
from host.storage.protocol import InstanceFilter
from tests.contract.builders import COMPLETED, PENDING, RUNNING, commit, effects, instance
from tests.kit.simulated_dynamo import SimulatedDynamo

SUSPENDED = RuntimeStatus.SUSPENDED
UNFINISHED = InstanceFilter(statuses=frozenset({PENDING, RUNNING, SUSPENDED}))
OLD = 6
OLDER = new_format(version=LAST_BY_CREATION)
FORMATS = [FORMAT_1, *(new_format(n, version=LAST_BY_CREATION) for n in (1, 7)), new_format(7)]


class Hub:
    """Six old unfinished instances, and others that completed since then."""

    def __init__(self, completed: int, format_: HubFormat | None = None) -> None:
        self._completed = completed
        self.dynamo = SimulatedDynamo(format_ or OLDER)
        self.requests: Counter[str] = Counter()
        self.store: DynamoStore = self.dynamo.store(self._note)

    def _note(self, operation: str, body: dict[str, object]) -> None:
        self.requests.update([str(body.get("IndexName", operation))])

    async def fill(self) -> None:
        await self.store.open()
        for number in range(OLD):
            await self._start(f"old{number}")
        for number, status in ((1, RUNNING), (2, SUSPENDED), (3, SUSPENDED)):
            await self._put(f"old{number}", status)
        await self.store.commit(commit(instance_id="old5", execution_id="old5"))
        for number in range(self._completed):
            await self._start(f"new{number}")
            await self._put(f"new{number}", COMPLETED)
        self.requests.clear()

    async def _start(self, instance_id: str) -> None:
        self.dynamo.pass_time(timedelta(milliseconds=1))
        now = self.dynamo.clock.now()
        row = instance(instance_id, instance_id, created_at=now, updated_at=now)
        await self.store.create(row, ReusePolicy.NEVER)

    async def _put(self, instance_id: str, status: RuntimeStatus) -> None:
        row = await self.store.get(instance_id)
        assert row is not None
        now = self.dynamo.clock.now()
        new = msgspec.structs.replace(row, status=status, updated_at=now)
        await self.store.apply(effects(instance_id, row=new))

    async def pages(self, filter_: InstanceFilter, limit: int) -> list[list[str]]:
        pages: list[list[str]] = []
        token: str | None = None
        while not pages or token is not None:
            page = await self.store.query(filter_, limit=limit, token=token)
            pages.append([row.instance_id for row in page.instances])
            token = page.token
        return pages


async def hub_of(completed: int, format_: HubFormat | None = None) -> Hub:
    hub = Hub(completed, format_)
    await hub.fill()
    return hub


@pytest.mark.parametrize("format_", FORMATS)
async def test_the_unfinished_are_listed_in_order_whoever_ended_since(format_: HubFormat) -> None:
    hub = await hub_of(20, format_)
    assert await hub.pages(UNFINISHED, 4) == [["old5", "old4", "old3", "old2"], ["old1", "old0"]]
    for status, expected in (
        (SUSPENDED, ["old3", "old2"]),
        (RUNNING, ["old5", "old1"]),
        (PENDING, ["old4", "old0"]),
    ):
        filter_ = InstanceFilter(statuses=frozenset({status}))
        assert await hub.pages(filter_, 9) == [expected]
        assert await hub.store.count(filter_) == {status: 2}


async def test_a_page_of_unfinished_ones_costs_the_same_however_many_ended() -> None:
    asked = []
    for completed in (0, 300):
        hub = await hub_of(completed)
        await hub.store.query(UNFINISHED, limit=2)
        await hub.store.count(UNFINISHED)
        asked.append(hub.requests)
    assert asked[0] == asked[1]
    assert asked[0]["unfinished"] == 8
    assert asked[0]["listing"] == 4


async def test_if_too_many_are_unfinished_all_are_walked_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(by_creation, "FEW_UNFINISHED", OLD - 1)
    hub = await hub_of(20)
    assert await hub.pages(UNFINISHED, 9) == [[f"old{n}" for n in reversed(range(OLD))]]
    assert await hub.store.count(UNFINISHED) == {PENDING: 2, RUNNING: 2, SUSPENDED: 2}


async def test_too_many_are_not_put_into_order_of_their_last_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "MAX_ORDERED", 10)
    hub = await hub_of(20)
    with pytest.raises(InvalidArgumentError, match="restrict by status, name or time"):
        await hub.store.query(InstanceFilter(order=ListOrder.UPDATED), limit=2)
    few = InstanceFilter(order=ListOrder.UPDATED, statuses=frozenset({SUSPENDED}))
    assert len((await hub.pages(few, 9))[0]) == 2
