"""The command: many seeds, each kind of trouble alone and all together; or one run's story."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

import click

from tests.rough.trouble import Trouble
from tests.rough.world import RoughReport, rough_run
from tests.simulation.batch import bury

ALL = frozenset(Trouble)
SHOWN = 20


@click.command()
@click.option("--seeds", default=200, show_default=True, help="How many seeds of all together.")
@click.option("--alone", default=0, help="How many seeds of each kind alone; 0 for a tenth.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--seed", type=int, help="Run this one seed only.")
@click.option("--kinds", default="", help="Only these kinds of trouble, commas between.")
@click.option("--trace", is_flag=True, help="Tell the story of the run.")
@click.option("--workers", default=os.cpu_count() or 1, help="How many processes.")
def main(
    seeds: int, alone: int, first: int, seed: int | None, kinds: str, trace: bool, workers: int
) -> None:
    """Run hosts on a rough AWS. Exits with 1 if a promise was broken."""
    chosen = frozenset(map(Trouble.named, filter(None, kinds.split(","))))
    if seed is not None:
        report = rough_run(seed, chosen or ALL, click.echo if trace else None)
        _tell(report)
        sys.exit(1 if report.problems else 0)
    plans = [(each, chosen or ALL) for each in range(first, first + seeds)]
    if not chosen:
        each_alone = range(first, first + (alone or max(1, seeds // 10)))
        plans += [(each, frozenset({kind})) for kind in Trouble for each in each_alone]
    sys.exit(_many(plans, workers))


def run_some(plans: Sequence[tuple[int, Collection[Trouble]]]) -> list[RoughReport]:
    """Some runs in this process."""
    try:
        return [rough_run(seed, kinds) for seed, kinds in plans]
    finally:
        bury()


def _many(plans: Sequence[tuple[int, Collection[Trouble]]], workers: int) -> int:
    began = told = time.monotonic()
    struck: Counter[Trouble] = Counter()
    failures: list[RoughReport] = []
    runs = lines = tasks = 0
    with ProcessPoolExecutor(workers) as pool:
        waiting = [pool.submit(run_some, plans[at : at + 10]) for at in range(0, len(plans), 10)]
        for done in as_completed(waiting):
            for report in done.result():
                runs += 1
                struck += report.struck
                lines, tasks = max(lines, report.most_lines), max(tasks, report.most_tasks)
                if report.problems:
                    failures.append(report)
                    click.echo(f"FAILED: {report.problems[0]}\n  {report.command}", err=True)
            if time.monotonic() - told >= 10:
                told = time.monotonic()
                click.echo(f"{runs:,} of {len(plans):,} runs, {len(failures)} failed", err=True)
    click.echo(f"{runs:,} runs; at most {lines} lines of a host's log, {tasks} tasks at once")
    for kind in Trouble:
        click.echo(f"  {kind:<48} {struck[kind]:>10,}")
    click.echo(f"in {time.monotonic() - began:.0f} s with {workers} processes")
    for report in failures[:SHOWN]:
        click.echo(f"\nFAILED: {report.problems[0]}\n  {report.command}")
    if failures:
        click.echo(f"\n{len(failures)} of {runs:,} runs failed")
    return 1 if failures else 0


def _tell(report: RoughReport) -> None:
    click.echo(f"seed {report.seed}: {report.report.digest}, {report.report.appends} turns")
    click.echo(f"  {report.most_lines} lines of a host's log, {report.most_tasks} tasks at once")
    for kind, times in sorted(report.struck.items()):
        click.echo(f"  {kind:<48} {times:>6}")
    for problem in report.problems:
        click.echo(f"FAILED: {problem}")


if __name__ == "__main__":
    main()
