"""Lists and counts of any filter find just what is stored, whatever happened before."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from random import Random
from typing import Any

import msgspec
import pytest

from bindings.client import ListOrder, ReusePolicy, RuntimeStatus
from bindings.errors import FailureDetails
from host.core.records import Instance, Snapshot
from host.storage import paging
from host.storage.aws.table import by_creation, by_state
from host.storage.aws.table import listing as aws_listing
from host.storage.protocol import HubStore, InstanceFilter
from host.storage.sqlite import listing as sqlite_listing
from host.storage.sqlite import search
from tests.contract.builders import ManualClock, at, commit, effects, instance

FINISHED = [status for status in RuntimeStatus if status.is_finished]
NAMES = ["hello", "order", "pay"]
TAGS = [{}, {"region": "north"}, {"region": "south", "size": "1"}, {"size": "1"}]
IDS = [f"{prefix}{number}" for prefix in ("a", "b", "ab") for number in range(8)]


GOES_ON: dict[str, Any] = {"blocked_reason": None, "is_quarantined": False}


class Life:
    """Instances that come, change and go."""

    def __init__(self, store: HubStore, clock: ManualClock, seed: int) -> None:
        self._store = store
        self._clock = clock
        self._random = Random(seed)
        self._runs = 0

    async def go_on(self, steps: int) -> None:
        for _ in range(steps):
            self._clock.jump_to(at((self._clock.now() - at(0)).total_seconds() + 1))
            instance_id = self._random.choice(IDS)
            row = await self._store.get(instance_id)
            if row is None:
                await self._begin(instance_id)
            elif row.is_finished:
                await self._random.choice([self._begin, self._purge])(instance_id)
            else:
                await self._random.choice([self._take_turn, self._change, self._end])(row)

    async def _begin(self, instance_id: str) -> None:
        self._runs += 1
        now, random = self._clock.now(), self._random
        new = instance(
            instance_id,
            f"e{self._runs}",
            name=random.choice(NAMES),
            tags=random.choice(TAGS),
            created_at=now,
            updated_at=now,
        )
        if random.random() < 0.2 and await self._store.get(instance_id) is None:
            ended = msgspec.structs.replace(new, status=random.choice(FINISHED))
            await self._store.plant(Snapshot(instance=ended), leaves_work=False)
        else:
            await self._store.create(new, ReusePolicy.WHEN_FINISHED)

    async def _purge(self, instance_id: str) -> None:
        await self._store.purge(instance_id)

    async def _take_turn(self, row: Instance) -> None:
        if row.status is RuntimeStatus.PENDING:
            await self._store.commit(
                commit(instance_id=row.instance_id, execution_id=row.execution_id)
            )

    async def _change(self, row: Instance) -> None:
        status = self._random.choice([RuntimeStatus.RUNNING, RuntimeStatus.SUSPENDED])
        reason = self._random.choice([None, None, "Blocked", "Quarantined"])
        await self._put(
            row,
            status=status,
            custom_status='"Packing"',
            blocked_reason=reason,
            is_quarantined=reason == "Quarantined",
        )

    async def _end(self, row: Instance) -> None:
        failure = FailureDetails(error_type="OutOfStock", message="nothing left")
        await self._put(row, status=self._random.choice(FINISHED), failure=failure, **GOES_ON)

    async def _put(self, row: Instance, **changes: object) -> None:
        new = msgspec.structs.replace(row, updated_at=self._clock.now(), **changes)
        await self._store.apply(effects(row.instance_id, row=new))


def some_filter(random: Random, latest: float) -> InstanceFilter:
    """A filter of any kind, most of them with one or two restrictions."""

    def moment() -> datetime:
        return at(random.uniform(0, latest))

    fields: dict[str, Any] = {
        "statuses": frozenset(random.sample(list(RuntimeStatus), random.randint(1, 3))),
        "names": frozenset(random.sample(NAMES, random.randint(1, 2))),
        "created_from": moment(),
        "created_to": moment(),
        "updated_from": moment(),
        "updated_to": moment(),
        "id_prefix": random.choice(["a", "ab", "b1", "c"]),
        "tags": random.choice(TAGS),
        "text": random.choice(["PACK", "out", "a", "none"]),
        "is_quarantined": True,
    }
    asked = random.sample(list(fields), random.choice([0, 1, 1, 1, 2, 2, 3]))
    order = random.choice(list(ListOrder))
    return InstanceFilter(order=order, **{name: fields[name] for name in asked})


async def listed(store: HubStore, filter_: InstanceFilter, limit: int) -> list[Instance]:
    found: list[Instance] = []
    token: str | None = None
    while True:
        page = await store.query(filter_, limit=limit, token=token)
        assert len(page.instances) <= limit
        found += page.instances
        token = page.token
        if token is None:
            return found


def look_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let drivers take few for many, so that they walk as they do among a million."""
    for module, name in (
        (search, "FEW"),
        (search, "MANY"),
        (sqlite_listing, "COUNTED"),
        (sqlite_listing, "READ_FOR_DATA"),
        (aws_listing, "SCANNED"),
        (by_creation, "SCANNED"),
        (by_creation, "FEW_UNFINISHED"),
        (by_state, "SCANNED"),
        (by_state, "FEW_NAMED"),
    ):
        monkeypatch.setattr(module, name, 3)


@pytest.mark.timeout(300)  # on moto each of the large ones takes half a minute
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.moto) for n in (1, 2))])
@pytest.mark.parametrize("is_large", [False, True], ids=["small", "large"])
async def test_lists_and_counts_are_of_what_is_stored(
    store: HubStore,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    *,
    is_large: bool,
) -> None:
    if is_large:
        look_in_small_steps(monkeypatch)
    is_slow = ".aws." in type(store).__module__
    life, random = Life(store, clock, seed), Random(f"{seed}/lists")
    for _ in range(2 if is_slow else 6):
        await life.go_on(30)
        rows = [row for id_ in IDS if (row := await store.get(id_)) is not None]
        latest = (clock.now() - at(0)).total_seconds()
        for _ in range(20 if is_slow else 60):
            filter_ = some_filter(random, latest)
            expected = [row for row in rows if paging.matches(filter_, row)]
            places = {(paging.moment_of(filter_, row), row.instance_id): row for row in expected}
            expected = [places[place] for place in sorted(places, reverse=True)]
            assert await listed(store, filter_, random.choice([1, 2, 5, 100])) == expected, filter_
            counted = await store.count(filter_)
            assert counted == Counter(row.status for row in expected), filter_


async def test_what_a_purged_run_had_its_successor_does_not_have(
    store: HubStore, clock: ManualClock
) -> None:
    north = InstanceFilter(tags={"region": "north"})
    await store.create(instance(tags={"region": "north"}), ReusePolicy.NEVER)
    await store.apply(effects(row=instance(status=RuntimeStatus.FAILED, tags=TAGS[1])))
    assert len(await listed(store, north, 9)) == 1
    await store.create(instance(execution_id="e2"), ReusePolicy.WHEN_FINISHED)
    assert await listed(store, north, 9) == []
