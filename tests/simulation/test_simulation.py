"""The whole engine in 60 worlds; and the simulator's own promises: it replays, and it injects."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.batch import Summary, bury, simulate_all
from tests.simulation.faults import Fault
from tests.simulation.loop import VirtualLoop
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.shrink import command_of
from tests.simulation.world import Plan, Report, simulate

ROOT = Path(__file__).parents[2]
SEEDS = 60
CHUNK = 20
REPLAYED = 6


@pytest.fixture(autouse=True)
def _nothing_of_the_dead_is_left() -> Iterator[None]:
    yield
    bury()


def _failures(reports: list[Report]) -> str:
    """What failed, each with the command that shows it."""
    return "\n".join(
        f"{report.problems[0]}\n  {command_of(report.plan)}"
        for report in reports
        if report.problems
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_everything_holds_whatever_goes_wrong(first: int) -> None:
    assert not _failures(simulate_all(range(first, first + CHUNK)))


@pytest.mark.parametrize("what", REGRESSIONS)
def test_what_was_mended_stays_mended(what: str) -> None:
    assert not _failures([simulate(REGRESSIONS[what])])


def test_in_peace_every_activity_runs_once() -> None:
    plans = [Plan(seed=seed, without=frozenset(Fault)) for seed in range(40)]
    reports = [simulate(plan) for plan in plans]
    assert not _failures(reports)
    assert not any(report.faults for report in reports)


def test_a_seed_replays_exactly() -> None:
    stories: list[list[str]] = [[], []]
    for story in stories:
        simulate(Plan(seed=7), story.append)
    assert stories[0] == stories[1]
    assert simulate(Plan(seed=7)).digest == simulate(Plan(seed=7), stories[0].append).digest


@pytest.mark.parametrize("hub", ["model", "aws"])
def test_a_seed_replays_exactly_in_another_process(hub: str) -> None:
    """Sets of texts have another order there, as whoever types the command of a seed finds out."""
    script = (
        "from tests.simulation.world import Plan, simulate\n"
        f"for seed in range({REPLAYED}):\n"
        f"    print(seed, simulate(Plan(seed=seed, hub={hub!r})).digest)\n"
    )
    digests = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for hash_seed in ("1", "2")
    ]
    assert len(digests[0]) == REPLAYED
    assert digests[0] == digests[1]


def test_a_world_that_is_over_is_let_go_with_its_loop() -> None:
    """Whatever the engine keeps of a loop and of code that ran on it, nothing keeps both."""
    simulate(Plan(seed=1))
    bury()
    assert not [each for each in gc.get_objects() if type(each) is VirtualLoop]


def test_seeds_differ_in_what_happens() -> None:
    reports = simulate_all(range(600, 610))
    assert len({report.digest for report in reports}) == len(reports)


@pytest.mark.timeout(300)
def test_every_fault_is_injected() -> None:
    summary = Summary()
    for report in simulate_all(range(700, 740)):
        summary.add(report)
    assert not [fault for fault in Fault if not summary.injected[fault]]


def test_a_fault_that_is_left_out_does_not_happen() -> None:
    report = simulate(Plan(seed=3, without=frozenset(Fault)))
    assert not report.faults
    assert not report.problems
