"""Each kind of trouble alone in a few seeds, and all together: `make rough` has many more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rough.trouble import Trouble
from tests.rough.world import RoughReport, rough_run
from tests.simulation.batch import bury

SEEDS = 2
TOGETHER = range(6)
ALL = frozenset(Trouble)


@pytest.fixture(autouse=True)
def _nothing_of_the_dead_is_left() -> Iterator[None]:
    yield
    bury()


def _failures(report: RoughReport) -> str:
    return "\n".join([*report.problems, report.command]) if report.problems else ""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", Trouble, ids=lambda kind: kind.short)
def test_all_promises_hold_in_one_kind_of_trouble(kind: Trouble) -> None:
    reports = [rough_run(seed, {kind}) for seed in range(SEEDS)]
    assert not [found for each in reports if (found := _failures(each))]
    assert any(each.struck[kind] for each in reports)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", TOGETHER)
def test_all_promises_hold_in_all_trouble_together(seed: int) -> None:
    assert not _failures(rough_run(seed, ALL))


def test_a_seed_replays_exactly() -> None:
    assert rough_run(1, ALL).report.digest == rough_run(1, ALL).report.digest
