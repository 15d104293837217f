"""Plants defects into a copy of the code, one at a time, and lets the simulator look for each.

Each mutation replaces one snippet, which must be there exactly once: if the code has moved on, the
mutation has to move with it. A defect that no seed shows says that the simulator is blind there. A
few are so rare in random worlds that a test of theirs looks for them instead. The seed that showed
a defect last is in `seen_at.json` and comes first, so that all of this takes minutes; if it shows
it no more, all seeds are tried.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import click

from tests.simulation.mutants import AWS_MUTATIONS, MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
SEEN_AT = Path(__file__).with_name("seen_at.json")
COPIED = ("bindings", "funchost", "host", "tests", "pyproject.toml")


class Finding(NamedTuple):
    """What became of a mutation."""

    mutation: Mutation
    seed: int | None
    problem: str


@click.command()
@click.option("--seeds", default=2000, show_default=True, help="How many seeds to try for each.")
@click.option("--only", default="", help="Only mutations with these words in their name.")
@click.option("--workers", default=os.cpu_count() or 1, help="How many at the same time.")
@click.option("--remember", is_flag=True, help="Write down the seeds that show them.")
def main(seeds: int, only: str, workers: int, remember: bool) -> None:
    """Plant defects and look for them. Exits with 1 if one is not found."""
    chosen = [each for each in (*MUTATIONS, *AWS_MUTATIONS) if only in each.name]
    seen: dict[str, int] = json.loads(SEEN_AT.read_text())

    def script(mutation: Mutation) -> str:
        return _script(mutation, list(dict.fromkeys([seen.get(mutation.name, 0), *range(seeds)])))

    def note(found: Finding) -> None:
        if found.seed is not None and not found.mutation.by:
            seen[found.mutation.name] = found.seed

    missed = look_for_all(chosen, script, workers, note)
    if remember:
        SEEN_AT.write_text(json.dumps(dict(sorted(seen.items())), indent=1) + "\n")
    sys.exit(1 if missed else 0)


def look_for_all(
    chosen: Sequence[Mutation],
    script: Callable[[Mutation], str],
    workers: int,
    note: Callable[[Finding], None] = lambda _: None,
) -> int:
    """Plant each defect and look for it; how many were not found.

    The script prints the seed that shows the defect, and what it shows; else nothing. `note` is
    told each outcome.
    """
    missed = 0
    with ThreadPoolExecutor(workers) as pool:
        for done in as_completed([pool.submit(_look_for, each, script(each)) for each in chosen]):
            try:
                found = done.result()
            except click.ClickException as error:  # the others are looked for all the same
                click.echo(f"CANNOT BE LOOKED FOR: {error.format_message()}")
                missed += 1
                continue
            seed = "NOT FOUND" if found.seed is None else f"seed {found.seed}"
            click.echo(f"{found.mutation.name:<52} {seed:<10} {found.problem[:90]}")
            note(found)
            missed += found.seed is None
    click.echo(f"{len(chosen) - missed} of {len(chosen)} found")
    return missed


_TEST = """
import subprocess
import sys
test = [sys.executable, "-m", "pytest", "-m", "not moto", "-x", "-p", "no:cacheprovider", {!r}]
done = subprocess.run(test, capture_output=True, text=True)
if done.returncode not in (0, 1):
    sys.exit(done.stdout + done.stderr)
if done.returncode:
    print(0, {!r})
"""


def _script(mutation: Mutation, seeds: Sequence[int]) -> str:
    if mutation.by:
        return _TEST.format(mutation.by, mutation.by)
    hub = "aws" if mutation in AWS_MUTATIONS else "model"
    return (
        "from tests.simulation.faults import Fault\n"
        "from tests.simulation.world import Plan, simulate\n"
        "import gc; gc.disable()\n"
        f"for number, seed in enumerate({seeds!r}):\n"
        f"    report = simulate(Plan(seed=seed, hub={hub!r}))\n"
        "    if seed % 5 == 0 and not report.problems:\n"
        f"        report = simulate(Plan(seed=seed, hub={hub!r}, without=frozenset(Fault)))\n"
        "    if seed % 5 == 1 and not report.problems:\n"
        "        others = frozenset(Fault) - {Fault.THROTTLED_ENTRY}\n"
        f"        report = simulate(Plan(seed=seed, hub={hub!r}, without=others))\n"
        "    if report.problems:\n"
        "        print(seed, report.problems[0]); break\n"
        "    if number % 20 == 19: gc.collect()\n"
    )


def _look_for(mutation: Mutation, script: str) -> Finding:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _copy(folder)
        if mutation.by and _run(mutation, script, folder):
            raise click.ClickException(f"'{mutation.name}': its test fails without it, too")
        _plant(folder, mutation)
        seed, _, problem = _run(mutation, script, folder).partition(" ")
    return Finding(mutation, int(seed) if seed else None, problem)


def _run(mutation: Mutation, script: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise click.ClickException(f"{mutation.name}: {done.stderr[-600:]}")
    return done.stdout.strip()


def _copy(folder: Path) -> None:
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def _plant(folder: Path, mutation: Mutation) -> None:
    path = folder / mutation.path
    text = path.read_text()
    if text.count(mutation.old) != 1:
        raise click.ClickException(
            f"'{mutation.name}': its snippet is there {text.count(mutation.old)} times, "
            f"not once: {mutation.path}"
        )
    path.write_text(text.replace(mutation.old, mutation.new))


if __name__ == "__main__":
    main()
