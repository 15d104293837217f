"""Plants defects into a copy of the code, one at a time, and lets a rough AWS show each."""

from __future__ import annotations

import os
import sys

import click

from tests.rough.mutants import MUTATIONS
from tests.simulation.mutations import look_for_all

_SCRIPT = """
from tests.rough.trouble import Trouble
from tests.rough.world import rough_run
from tests.simulation.batch import bury
kinds = {{Trouble.named(each) for each in {kinds!r}}}
for seed in range({seeds}):
    report = rough_run(seed, kinds)
    if report.problems:
        print(seed, report.problems[0])
        break
    bury()
"""


@click.command()
@click.option("--seeds", default=200, show_default=True, help="How many seeds to try for each.")
@click.option("--only", default="", help="Only mutations with these words in their name.")
@click.option("--workers", default=os.cpu_count() or 1, help="How many at the same time.")
def main(seeds: int, only: str, workers: int) -> None:
    """Plant defects and look for them. Exits with 1 if one is not found."""
    chosen = [each for each in MUTATIONS if only in each.name]
    scripts = {
        each.mutation: _SCRIPT.format(kinds=[kind.short for kind in each.kinds], seeds=seeds)
        for each in chosen
    }
    sys.exit(1 if look_for_all(list(scripts), scripts.__getitem__, workers) else 0)


if __name__ == "__main__":
    main()
