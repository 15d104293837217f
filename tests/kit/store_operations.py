"""Operations on a store, at random, and everything that can be read of it afterwards."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import FunchostError
from host.core.history import Batch
from host.core.records import (
    ANYBODY,
    UNCHANGED,
    Commit,
    Effects,
    Envelope,
    Instance,
    Lease,
    Unawaited,
)
from host.storage.protocol import HubStore, InstanceFilter
from tests.contract.builders import (
    NOW,
    at,
    continue_as_new,
    events,
    instance,
    lease,
    message,
    parent,
    start,
    unawaited,
)
from tests.kit.recoverable import recoverable


@dataclass(frozen=True, slots=True)
class Operation:
    """A call of a method of the store."""

    method: str
    arguments: tuple[Any, ...]

    def __call__(self, store: HubStore) -> Awaitable[object]:
        call: Callable[..., Awaitable[object]] = getattr(store, self.method)
        return call(*self.arguments)


IDS = st.sampled_from(["a", "b", "ü%"])
EXECUTIONS = st.sampled_from(["e1", "e2", "e3"])
MESSAGE_IDS = st.sampled_from(["m1", "m2", "m3"])
MOMENTS = st.integers(0, 4).map(at)
STATUSES = st.sampled_from(
    [
        RuntimeStatus.PENDING,
        RuntimeStatus.RUNNING,
        RuntimeStatus.RUNNING,
        RuntimeStatus.SUSPENDED,
        RuntimeStatus.COMPLETED,
        RuntimeStatus.TERMINATED,
    ]
)
MAYBE_MOMENTS = st.none() | MOMENTS
PARENTS = st.none() | st.builds(parent, st.integers(0, 1), IDS, EXECUTIONS)


@st.composite
def rows(draw: st.DrawFn, /, instance_id: str | None = None, **fixed: Any) -> Instance:
    fields = {
        "created_at": draw(MOMENTS),
        "updated_at": draw(MOMENTS),
        "generation": draw(st.integers(0, 1)),
        "status": draw(STATUSES),
        "parent": draw(PARENTS),
        "scheduled_start_at": draw(MAYBE_MOMENTS),
        "blocked_reason": draw(st.sampled_from([None, None, "blocked"])),
        "name": draw(st.sampled_from(["f", "g"])),
    }
    return instance(instance_id or draw(IDS), draw(EXECUTIONS), **(fields | fixed))


def leases(instance_ids: st.SearchStrategy[str]) -> st.SearchStrategy[Lease]:
    return st.builds(
        lease,
        st.integers(0, 1),
        owner=st.sampled_from(["host-a", "host-b"]),
        expires_s=st.integers(0, 4),
        instance_id=instance_ids,
        execution_id=EXECUTIONS,
    )


def left(instance_id: str) -> st.SearchStrategy[Unawaited]:
    return st.builds(
        unawaited,
        st.integers(0, 1),
        was_leased=st.booleans(),
        owner=st.sampled_from([ANYBODY, "host-a"]),
        expires_s=st.integers(0, 4),
        instance_id=st.just(instance_id),
        execution_id=EXECUTIONS,
    )


@st.composite
def effects(draw: st.DrawFn, instance_id: str, drop: str | None = None) -> Effects:
    new = rows(status=RuntimeStatus.PENDING)
    return Effects(
        instance_id=instance_id,
        row=draw(st.none() | rows(instance_id)),
        consumed=tuple(draw(st.lists(MESSAGE_IDS, max_size=2))),
        starts=tuple(
            start(row.instance_id, row.execution_id, parent=row.parent)
            for row in draw(st.lists(new, max_size=1))
        ),
        messages=tuple(
            Envelope(addressee, message(name))
            for addressee, name in draw(st.lists(st.tuples(IDS, MESSAGE_IDS), max_size=2))
        ),
        wake_at=draw(st.just(UNCHANGED) | MAYBE_MOMENTS),
        leases=tuple(draw(st.lists(leases(st.just(instance_id)), max_size=1))),
        unawaited=tuple(draw(st.lists(left(instance_id), max_size=1))),
        drop_execution=drop,
    )


@st.composite
def commits(draw: st.DrawFn) -> Commit:
    instance_id, execution_id = draw(IDS), draw(EXECUTIONS)
    last = draw(st.sampled_from([(), (), (continue_as_new(),)]))
    others = sorted({"e1", "e2", "e3"} - {execution_id})
    return Commit(
        instance_id=instance_id,
        execution_id=execution_id,
        number=draw(st.integers(0, 2)),
        batch=Batch(events=events(*last)),
        effects=draw(effects(instance_id, draw(st.none() | st.sampled_from(others)))),
        row_execution_id=draw(EXECUTIONS),
        open_activities=draw(st.integers(0, 1)),
    )


PENDING_ROWS = rows(status=RuntimeStatus.PENDING)
OPERATIONS = st.one_of(
    st.builds(Operation, st.just("create"), st.tuples(PENDING_ROWS, st.sampled_from(ReusePolicy))),
    st.builds(Operation, st.just("commit"), st.tuples(commits())),
    st.builds(Operation, st.just("apply"), st.tuples(IDS.flatmap(effects))),
    st.builds(Operation, st.just("send"), st.tuples(IDS, MESSAGE_IDS.map(message))),
    st.builds(Operation, st.just("purge"), st.tuples(IDS, st.none() | EXECUTIONS)),
    st.builds(Operation, st.just("renew_lease"), st.tuples(leases(IDS))),
    st.builds(Operation, st.just("take_lease"), st.tuples(leases(IDS), MOMENTS)),
    st.builds(Operation, st.just("finish_lease"), st.tuples(leases(IDS), MESSAGE_IDS.map(message))),
)


async def leaves_gap(operation: Operation, oracle: HubStore) -> bool:
    """Whether a batch would stand without the one before it, which stores take for damage."""
    commit = operation.arguments[0] if operation.arguments else None
    if not isinstance(commit, Commit):
        return False
    snapshot = await oracle.load(commit.instance_id)
    known = {(x.execution_id, x.number) for x in snapshot.batches} if snapshot else set()
    return commit.number > 0 and (commit.execution_id, commit.number - 1) not in known


async def outcome(answer: Awaitable[object]) -> object:
    try:
        return await answer
    except FunchostError as error:
        return (type(error), getattr(error, "status", None))


async def observe(store: HubStore) -> list[object]:
    """Everything that can be read, page by page."""
    seen = await observe_instances(store)
    for statuses in (frozenset[RuntimeStatus](), frozenset({RuntimeStatus.RUNNING})):
        page = await store.query(InstanceFilter(statuses=statuses), limit=2)
        seen += [
            page,
            page.token
            and await store.query(InstanceFilter(statuses=statuses), limit=2, token=page.token),
        ]
    seen.append(await recoverable(store))
    return seen


async def observe_instances(store: HubStore) -> list[object]:
    """Everything of each instance, and the alarms."""
    seen: list[object] = []
    for instance_id in ("a", "b", "ü%"):
        seen += [await store.get(instance_id), await store.load(instance_id)]
        seen.append(list(await store.read_inbox(instance_id)))
    seen += [(each.instance_id, each.due) for each in await store.due_alarms(at(2), 9)]
    seen.append(await store.next_alarm(NOW))
    return seen


async def listed(store: HubStore, *statuses: RuntimeStatus) -> list[Instance]:
    """All rows of a listing, however its pages are cut."""
    filter_ = InstanceFilter(statuses=frozenset(statuses))
    page = await store.query(filter_, limit=2)
    rows = list(page.instances)
    while page.token is not None:
        page = await store.query(filter_, limit=2, token=page.token)
        rows += page.instances
    return rows
