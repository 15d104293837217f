"""The command: many seeds in parallel with a summary, or one seed with its story."""

from __future__ import annotations

import os
import sys
import time

import click

from tests.simulation.batch import Summary, run_all
from tests.simulation.faults import Fault
from tests.simulation.shrink import command_of, shrink
from tests.simulation.world import HubKind, Plan, Report, simulate


@click.command()
@click.option("--seeds", default=1000, show_default=True, help="How many seeds to run.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--seed", type=int, help="Run this one seed only.")
@click.option("--trace", is_flag=True, help="Tell the story of the run.")
@click.option("--without", default="", help="Leave faults out: names with commas between.")
@click.option("--absent", default="", help="Leave users out, such as p0,talker1.")
@click.option("--calm-after", type=float, help="Let the faults cease after so many seconds.")
@click.option("--hub", type=click.Choice(["model", "aws"]), help="Only on this kind of hub.")
@click.option("--elsewhere", type=float, help="So many of all hosts have a worker: 0 to 1.")
@click.option("--workers", default=os.cpu_count() or 1, help="How many processes.")
def main(
    seeds: int,
    first: int,
    seed: int | None,
    trace: bool,
    without: str,
    absent: str,
    calm_after: float | None,
    hub: HubKind | None,
    elsewhere: float | None,
    workers: int,
) -> None:
    """Simulate the engine. Exits with 1 if a check failed."""
    if seed is None:
        sys.exit(_many(range(first, first + seeds), hub, elsewhere, workers))
    plan = Plan(
        seed=seed,
        without=frozenset(map(Fault.named, filter(None, without.split(",")))),
        absent=frozenset(filter(None, absent.split(","))),
        calm_after_s=calm_after,
        hub=hub,
        workers=elsewhere,
    )
    report = simulate(plan, click.echo if trace else None)
    _tell(report)
    sys.exit(1 if report.problems else 0)


def _many(seeds: range, hub: HubKind | None, elsewhere: float | None, workers: int) -> int:
    began = told = time.monotonic()

    known = 0

    def progress(summary: Summary) -> None:
        nonlocal told, known
        for report in summary.failures[known:]:
            click.echo(f"seed {report.plan.seed} FAILED: {report.problems[0]}", err=True)
        known = len(summary.failures)
        if time.monotonic() - told >= 10:
            told = time.monotonic()
            rate = summary.runs / (told - began)
            click.echo(
                f"{summary.runs:,} of {len(seeds):,} seeds, {rate:.1f} a second, "
                f"{summary.failed} failed",
                err=True,
            )

    summary = run_all(seeds, hub=hub, elsewhere=elsewhere, workers=workers, progress=progress)
    for line in summary.lines():
        click.echo(line)
    click.echo(f"in {time.monotonic() - began:.0f} s with {workers} processes")
    for report in summary.failures:
        click.echo(f"\nseed {report.plan.seed} FAILED: {report.problems[0]}")
    for report in summary.failures[:3]:
        small = shrink(report)
        click.echo(f"\nseed {report.plan.seed}, made smaller: {small.problems[0]}")
        click.echo(f"  {command_of(small.plan)}")
    if summary.failed:
        click.echo(f"\n{summary.failed} of {summary.runs:,} seeds failed")
    return 1 if summary.failed else 0


def _tell(report: Report) -> None:
    click.echo(f"seed {report.plan.seed}: {report.digest}, {report.appends} turns")
    for fault, times in sorted(report.faults.items()):
        click.echo(f"  {fault:<32} {times:>6}")
    for problem in report.problems:
        click.echo(f"FAILED: {problem}")
    if report.problems:
        click.echo(command_of(report.plan))


if __name__ == "__main__":
    main()
