"""Many seeds, in parallel: what was injected, what was seen, what failed."""

from __future__ import annotations

import gc
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from tests.simulation.faults import Fault
from tests.simulation.world import HubKind, Plan, Report, simulate

CHUNK = 25
MAX_FAILURES = 20


@dataclass(slots=True)
class Summary:
    """The sum of many runs."""

    runs: int = 0
    injected: Counter[Fault] = field(default_factory=Counter)
    runs_with: Counter[Fault] = field(default_factory=Counter)
    digests: set[str] = field(default_factory=set)
    totals: Counter[str] = field(default_factory=Counter)
    failures: list[Report] = field(default_factory=list)
    failed: int = 0

    def add(self, report: Report) -> None:
        """Take in a run."""
        self.runs += 1
        self.injected.update(report.faults)
        self.runs_with.update(set(report.faults))
        self.digests.add(report.digest)
        self.totals.update(
            {
                "seeds on the drivers for AWS": report.plan.is_on_aws,
                "seeds with workers": report.plan.share_of_workers > 0,
                "turns": report.appends,
                "instances": report.instances,
                "requests": report.requests,
                "holds that expired": report.expired_holds,
                "lives of hosts": report.lives,
                "simulated hours": round(report.virtual_s / 36),
            }
        )
        if report.problems:
            self.failed += 1
            if len(self.failures) < MAX_FAILURES:
                self.failures.append(report)

    def lines(self) -> Iterator[str]:
        """The summary as a table."""
        yield f"{self.runs:,} seeds, {len(self.digests):,} distinct interleavings"
        for name, total in self.totals.items():
            value = total / 100 if name == "simulated hours" else total
            yield f"  {name:<32} {value:>12,.0f}"
        yield f"  {'injected':<32} {'times':>12} {'in runs':>9}"
        for fault in Fault:
            yield f"  {fault:<32} {self.injected[fault]:>12,} {self.runs_with[fault]:>9,}"


def run_all(
    seeds: Iterable[int],
    *,
    hub: HubKind | None = None,
    elsewhere: float | None = None,
    workers: int,
    progress: Callable[[Summary], None],
) -> Summary:
    """Simulate all seeds. `progress` is called after every chunk."""
    summary = Summary()
    waiting = _chunks(seeds)
    with ProcessPoolExecutor(workers, initializer=_prepare) as pool:
        running: set[Future[list[Report]]] = set()
        for chunk in waiting:
            running.add(pool.submit(simulate_all, chunk, hub, elsewhere))
            if len(running) >= 2 * workers:
                _collect(next(as_completed(running)), running, summary, progress)
        while running:
            _collect(next(as_completed(running)), running, summary, progress)
    return summary


def simulate_all(
    seeds: Iterable[int], hub: HubKind | None = None, elsewhere: float | None = None
) -> list[Report]:
    """Simulate some seeds in this process."""
    reports: list[Report] = []
    was_enabled = gc.isenabled()
    gc.disable()  # all at once is faster
    try:
        reports += [simulate(Plan(seed=seed, hub=hub, workers=elsewhere)) for seed in seeds]
    finally:
        if was_enabled:
            gc.enable()
        bury()
    return reports


def bury() -> None:
    """Collect what dead hosts left: coroutines among it that never began, and never will."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        gc.collect()


def _prepare() -> None:
    gc.collect()
    gc.freeze()


def _chunks(seeds: Iterable[int]) -> Iterator[list[int]]:
    chunk: list[int] = []
    for seed in seeds:
        chunk.append(seed)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _collect(
    future: Future[list[Report]],
    running: set[Future[list[Report]]],
    summary: Summary,
    progress: Callable[[Summary], None],
) -> None:
    running.discard(future)
    for report in future.result():
        summary.add(report)
    progress(summary)
