"""Plants defects into a copy of the code, one at a time, and lets the simulator look for each.

Each mutation replaces one snippet, which must be there exactly once: if the code has moved on, the
mutation has to move with it. A defect that no seed shows says that the simulator is blind there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).parents[2]
COPIED = ("bindings", "host", "tests/__init__.py", "tests/simulation")


class Mutation(NamedTuple):
    """A defect: in this file, `new` stands where `old` stood."""

    name: str
    path: str
    old: str
    new: str


MUTATIONS = (
    Mutation(
        "the condition of a commit is skipped",
        "host/storage/memory.py",
        "        if key in record.batches:\n",
        "        if key in record.batches and key[1] < 0:\n",
    ),
    Mutation(
        "a batch number is used again",
        "host/core/ledger.py",
        "        self.next_number += 1\n",
        "        self.next_number += self.next_number != 2\n",
    ),
    Mutation(
        "the row's execution is not compared",
        "host/storage/memory.py",
        "if record is None or record.row.execution_id != commit.row_execution_id:",
        "if record is None:",
    ),
    Mutation(
        "consumed messages are not deleted",
        "host/core/live_instance.py",
        "                consumed=(*consumed, *stale),\n",
        "                consumed=tuple(stale),\n",
    ),
    Mutation(
        "consumed messages are not recognised",
        "host/core/ledger.py",
        "        if self.has_consumed(message):\n            return False\n",
        "",
    ),
    Mutation(
        "a redo leaves the messages out",
        "host/core/live_instance.py",
        "            starts=to_start(outbound.starts, self.execution_id, inbox),\n"
        "            messages=outbound.messages,\n",
        "            starts=to_start(outbound.starts, self.execution_id, inbox),\n",
    ),
    Mutation(
        "a redo leaves the starts out",
        "host/core/live_instance.py",
        "            starts=to_start(outbound.starts, self.execution_id, inbox),\n"
        "            messages=outbound.messages,\n",
        "            messages=outbound.messages,\n",
    ),
    Mutation(
        "nothing is redone when a hint comes again",
        "host/engine/session.py",
        "        if self._is_suspicious or live.may_lack_effects:\n",
        "        if live.must_continue() and self._is_suspicious:\n",
    ),
    Mutation(
        "timers fire early",
        "host/core/timers.py",
        "first.fire_at <= now:",
        "first.fire_at <= now.replace(microsecond=999_999):",
    ),
    Mutation(
        "a timer that was held by a suspension fires again",
        "host/core/timers.py",
        "        self._held.add(fired.task_id)\n",
        "        del fired\n",
    ),
    Mutation(
        "events carried over are lost",
        "host/core/execution.py",
        "        return (*self._mailbox.unclaimed(), *held)\n",
        "        return tuple(held)\n",
    ),
    Mutation(
        "carried events are forgotten when the host dies",
        "host/core/live_instance.py",
        "            incoming.extend(_Incoming(event) for event in self._carryover)\n",
        "            incoming.extend(_Incoming(event) for event in self._carryover[1:])\n",
    ),
    Mutation(
        "what other executions consumed is forgotten",
        "host/core/live_instance.py",
        "ledger = Ledger(execution_id, end.recent, self._last_batch.consumed, reached)",
        "ledger = Ledger(execution_id, (), (), reached)",
    ),
    Mutation(
        "an event is given to two waits",
        "host/core/mailbox.py",
        "            return events.popleft()[1]\n",
        "            return events.popleft()[1] if len(events) > 1 else events[0][1]\n",
    ),
    Mutation(
        "events are taken in the wrong order",
        "host/core/mailbox.py",
        "            return events.popleft()[1]\n",
        "            return events.pop()[1]\n",
    ),
    Mutation(
        "the inbox is read backwards",
        "host/engine/session.py",
        "        self._inbox = await self._parts.store.read_inbox(self.instance_id)\n",
        "        self._inbox = (await self._parts.store.read_inbox(self.instance_id))[::-1]\n",
    ),
    Mutation(
        "leases that others hold are ignored",
        "host/core/leases.py",
        "        return lease is not None and lease.expires_at > now\n",
        "        return lease is not None and lease.expires_at > now and task_id < 0\n",
    ),
    Mutation(
        "leases are not renewed",
        "host/engine/parked.py",
        "            if await self._store.renew_lease(renewed):\n",
        "            if True:\n",
    ),
    Mutation(
        "there is no sweep",
        "host/engine/engine.py",
        "            await self._recover()\n            self._supervisor.recovered",
        "            self._supervisor.recovered",
    ),
    Mutation(
        "memory is kept after a conflict",
        "host/engine/session.py",
        "                self._abandon(live)\n                self._is_suspicious = True\n",
        "                if live is not None:\n                    self._parts.cache.put(live)\n",
    ),
    Mutation(
        "the result of a parked activity is not delivered",
        "host/engine/parked.py",
        "self._store.finish_lease(lease, message, keep=parked.is_claim)",
        "self._store.renew_lease(lease)",
    ),
    Mutation(
        "nobody is woken by alarms",
        "host/engine/alarms.py",
        "        if fresh:\n            await self._wake",
        "        if fresh and len(fresh) > 1:\n            await self._wake",
    ),
    Mutation(
        "a parent is not told of its child's end",
        "host/core/effects.py",
        "case history.ExecutionCompleted() if instance.parent is not None:",
        "case history.ExecutionCompleted() if instance.parent and not event.failure:",
    ),
    Mutation(
        "an alarm is not set anew",
        "host/core/alarm.py",
        "        if wanted == self._armed:\n",
        "        if self._armed or wanted == self._armed:\n",
    ),
    Mutation(
        "a suspension forgets what came meanwhile",
        "host/core/execution.py",
        "        while self._held and self.outcome is None:\n",
        "        while len(self._held) > 1 and self.outcome is None:\n",
    ),
    Mutation(
        "a new execution reuses messages of the last",
        "host/core/ledger.py",
        "        if message.execution_id is not None and message.execution_id != self.execution_id:"
        "\n            return False\n",
        "",
    ),
    Mutation(
        "a lost at-most-once activity is run again",
        "host/engine/placement.py",
        "(placement.lost if task.had_lease else placement.once)",
        "(placement.here if task.had_lease else placement.once)",
    ),
    Mutation(
        "at-most-once activities begin without a claim",
        "host/engine/session.py",
        '            raise Conflict(f"Somebody else has begun an activity',
        '            _logger.info(f"Somebody else has begun an activity',
    ),
    Mutation(
        "work items are run without their lease",
        "host/engine/work.py",
        "        if not await self._store.take_lease(lease, now):\n            return False\n",
        "",
    ),
    Mutation(
        "recovery hints say nothing of recovery",
        "host/engine/recovery.py",
        "is_recovery=True",
        "is_recovery=False",
    ),
    Mutation(
        "a session on top of another",
        "host/engine/sessions.py",
        "            await earlier.over.wait()\n",
        "            break\n",
    ),
    Mutation(
        "rows are ordered by time alone",
        "host/storage/rules.py",
        "(new.turn, new.updated_at) >= (stored.turn, stored.updated_at)",
        "new.updated_at >= stored.updated_at",
    ),
    Mutation(
        "an old row replaces a newer one",
        "host/storage/rules.py",
        "    if new.generation != stored.generation:\n"
        "        return new.generation > stored.generation\n",
        "    if new.generation != stored.generation:\n        return True\n",
    ),
)


class Finding(NamedTuple):
    """What became of a mutation."""

    mutation: Mutation
    seed: int | None
    problem: str


@click.command()
@click.option("--seeds", default=2000, show_default=True, help="How many seeds to try for each.")
@click.option("--only", default="", help="Only mutations with these words in their name.")
@click.option("--workers", default=os.cpu_count() or 1, help="How many at the same time.")
def main(seeds: int, only: str, workers: int) -> None:
    """Plant defects and look for them. Exits with 1 if one is not found."""
    chosen = [each for each in MUTATIONS if only in each.name]
    missed = 0
    with ThreadPoolExecutor(workers) as pool:
        for done in as_completed([pool.submit(_look_for, each, seeds) for each in chosen]):
            found = done.result()
            seed = "NOT FOUND" if found.seed is None else f"seed {found.seed}"
            click.echo(f"{found.mutation.name:<52} {seed:<10} {found.problem[:90]}")
            missed += found.seed is None
    click.echo(f"{len(chosen) - missed} of {len(chosen)} found")
    sys.exit(1 if missed else 0)


def _look_for(mutation: Mutation, seeds: int) -> Finding:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _copy(folder)
        _plant(folder, mutation)
        script = (
            "from tests.simulation.faults import Fault\n"
            "from tests.simulation.world import Plan, simulate\n"
            "import gc; gc.disable()\n"
            f"for seed in range({seeds}):\n"
            "    report = simulate(Plan(seed=seed))\n"
            "    if seed % 5 == 0 and not report.problems:\n"
            "        report = simulate(Plan(seed=seed, without=frozenset(Fault)))\n"
            "    if report.problems:\n"
            "        print(seed, report.problems[0]); break\n"
            "    if seed % 20 == 19: gc.collect()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise click.ClickException(f"{mutation.name}: {done.stderr[-600:]}")
    seed, _, problem = done.stdout.strip().partition(" ")
    return Finding(mutation, int(seed) if seed else None, problem)


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
