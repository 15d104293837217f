"""What the app's activities wrote: which host ran which step of which instance, in order."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """One run of an activity."""

    host: int
    step: str


def read_log(path: Path) -> dict[str, list[Run]]:
    """The runs of each instance, in the order in which they began."""
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    for line in path.read_text().splitlines():
        host, instance_id, step = line.split(" ")
        runs[instance_id].append(Run(int(host), step))
    return dict(runs)


def steps_run_twice(runs: list[Run]) -> list[str]:
    """Steps that ran more than once, in whatever host."""
    steps = [run.step for run in runs]
    return sorted({step for step in steps if steps.count(step) > 1})


def assert_no_host_repeats_a_step(log: dict[str, list[Run]]) -> None:
    """Only a crash may make an activity run again."""
    for instance_id, runs in log.items():
        assert len(runs) == len(set(runs)), (instance_id, runs)


def assert_in_order(instance_id: str, runs: list[Run], steps: list[str], kills: int) -> None:
    """A sequence ran all its steps in order; after a kill, at most the step under way again."""
    places = [steps.index(run.step) for run in runs]
    assert places == sorted(places), (instance_id, runs)
    assert set(places) == set(range(len(steps))), (instance_id, runs)
    assert len(runs) - len(steps) <= kills, (instance_id, runs)
