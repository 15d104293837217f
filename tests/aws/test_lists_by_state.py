"""What pages and counts cost on a hub of format 3: nothing for those that do not match.

And where its indexes have an instance, whatever it goes through.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from host.core.records import Instance, Snapshot
from host.storage.aws.table import by_state
from host.storage.aws.table.hub_format import LAST_BY_CREATION, HubFormat, new_format
from host.storage.aws.table.keys import Item
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.transport import Request, Response, Transport
from host.storage.protocol import InstanceFilter
from tests.contract.builders import (
    COMPLETED,
    PENDING,
    RUNNING,
    at,
    commit,
    effects,
    instance,
    unawaited,
)
from tests.kit.aws_bill import units_read
from tests.kit.simulated_dynamo import SimulatedDynamo, at_once

FAILED, TERMINATED = RuntimeStatus.FAILED, RuntimeStatus.TERMINATED
SUSPENDED = RuntimeStatus.SUSPENDED
RARE = 12
FEW, MANY = 100, 2000


def asked_for(*statuses: RuntimeStatus, name: str | None = None) -> InstanceFilter:
    names = frozenset() if name is None else frozenset({name})
    return InstanceFilter(statuses=frozenset(statuses), names=names)


class Hub:
    """A hub, and what is asked of its table."""

    def __init__(self, format_: HubFormat | None = None) -> None:
        self.dynamo = SimulatedDynamo(format_ or new_format())
        self.requests: Counter[str] = Counter()
        self.units = 0.0
        self.before: Callable[[str], object] = lambda _: None
        self.store = self.dynamo.store(self._ahead, self._measured)

    def reset(self) -> None:
        self.requests.clear()
        self.units = 0.0

    def _ahead(self, operation: str, body: dict[str, Any]) -> None:
        where = str(body.get("IndexName", operation))
        self.requests.update([where])
        self.before(where)

    def _measured(self, transport: Transport) -> Transport:
        async def send(request: Request) -> Response:
            response = await transport(request)
            answer, asked = msgspec.json.decode(response.body), msgspec.json.decode(request.body)
            self.units += units_read(answer, is_index="IndexName" in asked)
            return response

        return send

    async def add(
        self, instance_id: str, status: RuntimeStatus = PENDING, *, name: str = "common"
    ) -> None:
        self.dynamo.pass_time(timedelta(milliseconds=1))
        now = self.dynamo.clock.now()
        new = instance(instance_id, instance_id, name=name, created_at=now, updated_at=now)
        await self.store.create(new, ReusePolicy.NEVER)
        if status is not PENDING:
            row = msgspec.structs.replace(new, status=status)
            await self.store.apply(effects(instance_id, row=row))

    async def listed(self, filter_: InstanceFilter, limit: int = 100) -> list[str]:
        found: list[str] = []
        token: str | None = None
        while True:
            page = await self.store.query(filter_, limit=limit, token=token)
            found += [row.instance_id for row in page.instances]
            token = page.token
            if token is None:
                return found


CHEAP = {
    "a rare finished status": (asked_for(TERMINATED), "terminated"),
    "completed ones among many that failed": (asked_for(COMPLETED), "completed"),
    "a rare name": (asked_for(name="rare"), "named"),
    "a name and a finished status": (asked_for(COMPLETED, name="common"), "completed"),
    "a name and an unfinished status": (asked_for(PENDING, name="common"), "pending"),
    "an unfinished status": (asked_for(PENDING), "pending"),
    "all that did not fail": (
        asked_for(PENDING, RUNNING, SUSPENDED, COMPLETED, TERMINATED),
        "terminated pending named completed",
    ),
}
KINDS = {
    "completed": (COMPLETED, "common"),
    "named": (RUNNING, "rare"),
    "pending": (PENDING, "common"),
    "terminated": (TERMINATED, "common"),
}


@pytest.fixture(scope="module")
def hubs() -> tuple[Hub, Hub]:
    """Some of each kind, and few or many others that failed."""
    return asyncio.run(hub_among(FEW)), asyncio.run(hub_among(MANY))


async def hub_among(others: int) -> Hub:
    hub = Hub()
    await hub.store.open()
    for number in range(others):
        await hub.add(f"other{number}", FAILED)
        if number % 5 == 0 and number < 5 * RARE:
            for kind, (status, name) in KINDS.items():
                await hub.add(f"{kind}{number // 5}", status, name=name)
    return hub


async def cost(hub: Hub, ask: Callable[[DynamoStore], Awaitable[object]]) -> tuple[object, ...]:
    """What is answered, and what that cost."""
    hub.reset()
    answer = await ask(hub.store)
    return answer, dict(hub.requests), hub.units


@pytest.mark.parametrize(("filter_", "kinds"), CHEAP.values(), ids=list(CHEAP))
async def test_a_page_costs_the_same_however_many_others_there_are(
    hubs: tuple[Hub, Hub], filter_: InstanceFilter, kinds: str
) -> None:
    async def page(store: DynamoStore) -> list[str]:
        found = await store.query(filter_, limit=100)
        assert found.token is None
        return [row.instance_id for row in found.instances]

    few, many = [await cost(hub, page) for hub in hubs]
    expected = [f"{kind}{n}" for n in reversed(range(RARE)) for kind in reversed(KINDS)]
    assert few[0] == [each for each in expected if each.rstrip("0123456789") in kinds]
    assert few == many


@pytest.mark.parametrize(("filter_", "kinds"), CHEAP.values(), ids=list(CHEAP))
async def test_a_count_costs_the_same_however_many_others_there_are(
    hubs: tuple[Hub, Hub], filter_: InstanceFilter, kinds: str
) -> None:
    async def count(store: DynamoStore) -> Counter[RuntimeStatus]:
        return Counter(await store.count(filter_))

    few, many = [await cost(hub, count) for hub in hubs]
    assert few[0] == {KINDS[kind][0]: RARE for kind in kinds.split()}
    assert few == many


@pytest.mark.parametrize(
    ("status", "found"), [(FAILED, []), (RUNNING, [f"named{n}" for n in reversed(range(RARE))])]
)
async def test_a_rare_name_within_a_common_status_costs_the_same_however_many_have_the_status(
    hubs: tuple[Hub, Hub],
    monkeypatch: pytest.MonkeyPatch,
    status: RuntimeStatus,
    found: list[str],
) -> None:
    monkeypatch.setattr(by_state, "SCANNED", FEW // 5)
    filter_ = asked_for(status, FAILED, name="rare")

    async def page(store: DynamoStore) -> list[str]:
        rows = (await store.query(filter_, limit=20)).instances
        assert len(rows) == sum((await store.count(filter_)).values())
        return [row.instance_id for row in rows]

    few, many = [await cost(hub, page) for hub in hubs]
    assert few[0] == found
    assert few == many


async def test_a_name_and_a_status_of_which_there_are_many_are_found_page_by_page(
    hubs: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_state, "SCANNED", FEW // 5)
    monkeypatch.setattr(by_state, "FEW_NAMED", RARE - 1)
    assert await hubs[0].listed(asked_for(FAILED, name="rare"), limit=9) == []
    common = await hubs[0].listed(asked_for(FAILED, name="common"), limit=9)
    assert common == [f"other{n}" for n in reversed(range(FEW))]


async def test_counts_by_state_read_no_rows_but_of_those_that_may_have_begun(
    hubs: tuple[Hub, Hub],
) -> None:
    hub = hubs[1]
    hub.reset()
    assert await hub.store.count(InstanceFilter()) == {
        COMPLETED: RARE,
        RUNNING: RARE,
        PENDING: RARE,
        TERMINATED: RARE,
        FAILED: MANY,
    }
    assert hub.requests["GetItem"] == RARE


async def test_a_common_name_is_counted_by_the_entries_of_all(
    hubs: tuple[Hub, Hub],
) -> None:
    hub = hubs[1]
    hub.reset()
    counted = await hub.store.count(asked_for(name="common"))
    assert counted == {COMPLETED: RARE, PENDING: RARE, TERMINATED: RARE, FAILED: MANY}
    assert hub.requests["GetItem"] == RARE


# ---- where the indexes have an instance ----------------------------------------------------------


def ended(status: RuntimeStatus = COMPLETED, **fields: Any) -> Instance:
    return instance(status=status, last_number=0, updated_at=at(5), **fields)


def revived() -> Instance:
    return instance(status=RUNNING, last_number=1, updated_at=at(6), rewinds=1)


async def nothing_more(_: Hub) -> None:
    """It is started."""


async def goes_on(hub: Hub) -> None:
    await hub.store.apply(effects(row=instance(status=RUNNING), wake_at=at(60)))


async def is_suspended(hub: Hub) -> None:
    await hub.store.apply(effects(row=instance(status=SUSPENDED)))


async def continues_as_new(hub: Hub) -> None:
    row = instance(execution_id="e2", status=RUNNING, generation=1, first_execution_id="e1")
    await hub.store.commit(commit(0, execution_id="e2", row_execution_id="e1", row=row))


async def ends(hub: Hub) -> None:
    await hub.store.commit(commit(0, row=ended()))


async def fails(hub: Hub) -> None:
    await hub.store.commit(commit(0, row=ended(FAILED)))


async def is_rewound(hub: Hub) -> None:
    await fails(hub)
    await hub.store.commit(commit(1, row=revived(), wake_at=at(60)))


async def is_rewound_and_ends(hub: Hub) -> None:
    await is_rewound(hub)
    row = msgspec.structs.replace(revived(), status=COMPLETED, last_number=2, updated_at=at(7))
    await hub.store.commit(commit(2, row=row))


async def ends_with_work_left(hub: Hub) -> None:
    await hub.store.commit(
        commit(0, row=ended(), unawaited=(unawaited(),), wake_at=at(60), open_activities=1)
    )


async def has_none_left(hub: Hub) -> None:
    await ends_with_work_left(hub)
    await hub.store.apply(effects(wake_at=None))


async def is_restarted(hub: Hub) -> None:
    await ends(hub)
    await hub.store.create(instance(execution_id="e2"), ReusePolicy.WHEN_FINISHED)


async def is_replaced(hub: Hub) -> None:
    await hub.store.create(instance(execution_id="e2"), ReusePolicy.REPLACE)


async def is_purged(hub: Hub) -> None:
    await ends(hub)
    assert await hub.store.purge("i")


async def is_planted(hub: Hub, row: Instance, wake_at: datetime | None) -> None:
    await is_purged(hub)
    snapshot = Snapshot(instance=row, batches=(), inbox=(), leases=(), wake_at=wake_at)
    await hub.store.plant(snapshot, leaves_work=False)


async def is_planted_finished(hub: Hub) -> None:
    await is_planted(hub, ended(), None)


async def is_planted_finished_with_work_left(hub: Hub) -> None:
    await is_planted(hub, ended(), at(60))


async def is_planted_unfinished(hub: Hub) -> None:
    await is_planted(hub, instance(status=RUNNING), None)


async def is_planted_canceled(hub: Hub) -> None:
    await is_planted(hub, ended(RuntimeStatus.CANCELED), None)


UNFINISHED = {"l": "0#hello", "u": "0"}
ENDED = {"l": "0#hello", "f": "0#Completed"}
LIVES = [
    (nothing_more, UNFINISHED),
    (goes_on, UNFINISHED),
    (is_suspended, UNFINISHED),
    (continues_as_new, UNFINISHED),
    (ends, ENDED),
    (fails, ENDED | {"f": "0#Failed"}),
    (is_rewound, UNFINISHED),
    (is_rewound_and_ends, ENDED),
    (ends_with_work_left, UNFINISHED | ENDED),
    (has_none_left, ENDED),
    (is_restarted, UNFINISHED),
    (is_replaced, UNFINISHED),
    (is_purged, None),
    (is_planted_finished, ENDED),
    (is_planted_finished_with_work_left, UNFINISHED | ENDED),
    (is_planted_unfinished, UNFINISHED),
    (is_planted_canceled, ENDED | {"f": "0#Terminated"}),
]
Live = Callable[[Hub], Awaitable[None]]


def entries_of(item: Item | None) -> dict[str, str] | None:
    if item is None:
        return None
    assert "us" not in item
    return {name: item[name]["S"] for name in ("l", "u", "f") if name in item}


@pytest.mark.parametrize(("live", "entries"), LIVES, ids=lambda x: getattr(x, "__name__", ""))
async def test_an_instance_is_where_it_belongs_and_is_listed_and_counted_once(
    live: Live, entries: dict[str, str] | None
) -> None:
    hub = Hub(new_format(1))
    await hub.store.open()
    await hub.store.create(instance(), ReusePolicy.NEVER)
    await live(hub)
    assert entries_of(hub.dynamo.row_item("i")) == entries
    row = await hub.store.get("i")
    filters = [InstanceFilter(), asked_for(name="hello"), *map(asked_for, RuntimeStatus)]
    for filter_ in filters:
        is_meant = row is not None and (not filter_.statuses or row.status in filter_.statuses)
        assert await hub.listed(filter_) == (["i"] if is_meant else [])
        assert sum((await hub.store.count(filter_)).values()) == is_meant


@pytest.mark.parametrize("status", [COMPLETED, RUNNING, PENDING])
async def test_a_row_that_cannot_be_read_is_listed_by_its_status_and_its_name(
    status: RuntimeStatus,
) -> None:
    hub = Hub()
    await hub.store.open()
    await hub.add("i", status)
    hub.dynamo.change_row("i", {"d": {"B": "AmdhcmJhZ2U="}})
    for filter_ in (InstanceFilter(), asked_for(status), asked_for(name="common")):
        assert await hub.listed(filter_) == ["i"]
        assert await hub.store.count(filter_) == {status: 1}


# ---- who moves while a page is read --------------------------------------------------------------


async def hub_of_one(status: RuntimeStatus) -> Hub:
    hub = Hub()
    await hub.store.open()
    await hub.store.create(instance(), ReusePolicy.NEVER)
    if status.is_finished:
        await hub.store.commit(commit(0, row=ended(status)))
    return hub


@pytest.mark.parametrize("moment", range(12))
async def test_who_ends_while_a_page_is_read_is_on_it(moment: int) -> None:
    hub = await hub_of_one(PENDING)
    at_moment(hub, moment, commit(0, row=ended()))
    assert await hub.listed(InstanceFilter()) == ["i"]


@pytest.mark.parametrize("moment", range(28))
async def test_who_is_rewound_while_a_page_is_read_is_on_it(moment: int) -> None:
    hub = await hub_of_one(FAILED)
    at_moment(hub, moment, commit(1, row=revived(), wake_at=at(60)))
    assert await hub.listed(InstanceFilter()) == ["i"]


def at_moment(hub: Hub, number: int, turn: Any) -> None:
    """Let another host commit a turn ahead of this request of those that follow."""
    other, left = hub.dynamo.store(), [number]

    def count(_: str) -> None:
        left[0] -= 1
        if left[0] == -1:
            at_once(other.commit(turn))

    hub.before = count


# ---- hubs of before ------------------------------------------------------------------------------


async def test_a_table_of_an_older_template_becomes_a_hub_of_the_older_format() -> None:
    for made_for in (LAST_BY_CREATION, new_format().version):
        dynamo = SimulatedDynamo(made_for=made_for)
        store = dynamo.store()
        await store.open()
        await store.create(instance(), ReusePolicy.NEVER)
        page = await store.query(InstanceFilter(), limit=9)
        assert [row.instance_id for row in page.instances] == ["i"]
        row = dynamo.row_item("i")
        assert row is not None
        assert ("us" in row) == (made_for == LAST_BY_CREATION)


async def test_a_hub_of_an_older_format_has_no_entries_of_newer_indexes() -> None:
    hub = Hub(new_format(1, version=LAST_BY_CREATION))
    await hub.store.open()
    await hub.store.create(instance(), ReusePolicy.NEVER)
    await ends(hub)
    row = hub.dynamo.row_item("i")
    assert row is not None
    assert {name for name in ("l", "u", "us", "f") if name in row} == {"l"}
    assert row["l"] == {"S": "0"}


async def test_a_search_ends_although_others_are_started_all_the_time() -> None:
    hub = Hub()
    await hub.store.open()
    for number in range(20):
        await hub.add(f"i{number}")
    page = await hub.store.recoverable(limit=4)
    found, searched = [*page.instance_ids], 1
    while page.rest is not None:
        for number in range(8):
            await hub.add(f"new{searched}.{number}")
        page = await hub.store.recoverable(after=page.rest, limit=4)
        found += page.instance_ids
        searched += 1
        assert searched < 50
    assert sorted(found) == sorted(f"i{number}" for number in range(20))
