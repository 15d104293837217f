"""Which executions are left over: what a read in the midst of somebody's writes shows is not."""

from __future__ import annotations

import pytest

from bindings import OrchestrationContext
from host.core import ids
from host.core.chain import left_over_executions
from host.core.history import Batch
from host.core.records import Snapshot, StoredBatch
from tests.kit.bench import Bench
from tests.kit.history_builder import EXECUTION_ID, pending


async def counts(context: OrchestrationContext, number: int) -> int:
    if number:
        context.continue_as_new(number - 1)
    return number


def executions(length: int) -> list[str]:
    """The ids of executions that follow one another by continue-as-new, the oldest first."""
    chain = [EXECUTION_ID]
    while len(chain) < length:
        chain.append(ids.next_execution_id(chain[-1]))
    return chain


def snapshot_of(row_of: str, *batches_of: str) -> Snapshot:
    """A row of one execution, with one batch of each of some."""
    batch = Batch(events=(pending("counts").start_event(),))
    return Snapshot(
        instance=pending("counts", execution_id=row_of),
        batches=tuple(StoredBatch(execution_id=x, number=0, batch=batch) for x in batches_of),
    )


def test_what_comes_after_the_rows_execution_is_not_left_over() -> None:
    first, second = executions(2)
    assert left_over_executions(snapshot_of(first, second)) == ()


def test_not_even_when_its_row_and_several_executions_are_still_on_their_way() -> None:
    first, second, third = executions(3)
    assert left_over_executions(snapshot_of(first, third)) == ()
    assert left_over_executions(snapshot_of(first, second, third)) == ()
    assert left_over_executions(snapshot_of(first, first, third)) == ()


def test_what_comes_before_the_rows_execution_is() -> None:
    first, second = executions(2)
    assert left_over_executions(snapshot_of(second, first)) == (first,)
    assert left_over_executions(snapshot_of(second, first, second)) == (first,)


@pytest.mark.parametrize("length", [3, 50])
def test_however_many_lie_between(length: int) -> None:
    chain = executions(length)
    found = left_over_executions(snapshot_of(chain[-1], *chain[:-1]))
    assert sorted(found) == sorted(chain[:-1])


def test_of_both_sides_only_the_earlier_one_is() -> None:
    first, second, third = executions(3)
    assert left_over_executions(snapshot_of(second, first, third)) == (first,)


def test_a_read_that_misses_the_end_of_an_execution_costs_the_next_one_nothing() -> None:
    bench = Bench(counts, input_=2)
    bench.turn()
    commit = bench.turn_without_effects()
    assert commit is not None
    whole = bench.snapshot()
    followers = tuple(x for x in whole.batches if x.execution_id != bench.row.execution_id)
    assert followers
    torn = Snapshot(instance=whole.instance, batches=followers)
    assert left_over_executions(torn) == ()
    assert left_over_executions(whole) == ()
