"""Damaged files: a store gives what was committed, says what is damaged, or refuses the file.

Bits are flipped, ends cut off, sectors blanked and blocks swapped, at random places, in files that
real hosts wrote. Whatever a store makes of them is compared with all that was ever committed.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.damage import DAMAGES, Damage
from tests.faults.effort import effort, seeds
from tests.faults.states import Committed, Found, open_and_read
from tests.faults.written import Written, WrittenFiles

pytestmark = [pytest.mark.process, pytest.mark.timeout(effort(60, 36_000))]

ROUNDS, TORTURE_ROUNDS = 8, 100


async def test_files_that_nobody_damaged_give_what_was_committed_last(
    written: WrittenFiles, room: Path
) -> None:
    for number, files in enumerate((written.at_rest, written.killed, written.moved)):
        found = await open_and_read(
            files.copy_to(room / str(number)), list(files.committed.snapshots)
        )
        assert (found.refusal, found.reported) == ("", {})
        assert found.snapshots == files.committed.last()
        assert found.listed == found.rows


@pytest.mark.parametrize("damage", DAMAGES[1:], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("kind", ["at_rest", "killed", "moved"])
async def test_no_damage_to_the_database_gives_wrong_data(
    written: WrittenFiles, room: Path, kind: str, damage: Damage
) -> None:
    await damage_copies(getattr(written, kind), "", damage, room)


@pytest.mark.parametrize("damage", DAMAGES[1:], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("kind", ["killed", "moved"])
async def test_no_damage_to_the_log_gives_wrong_data(
    written: WrittenFiles, room: Path, kind: str, damage: Damage
) -> None:
    await damage_copies(getattr(written, kind), "-wal", damage, room)


async def damage_copies(written: Written, suffix: str, damage: Damage, room: Path) -> None:
    outcomes: Counter[str] = Counter()
    for seed in seeds(ROUNDS, TORTURE_ROUNDS):
        copy = written.copy_to(room / str(seed))
        done = damage(copy.with_name(copy.name + suffix), random.Random(seed))
        found = await open_and_read(copy, list(written.committed.snapshots))
        outcomes[judge(found, written.committed, copy, f"seed {seed}: {done}")] += 1
        shutil.rmtree(copy.parent)
    print(damage.__name__, suffix, dict(outcomes))  # noqa: T201 - what a long run is read for


def judge(found: Found, committed: Committed, file: Path, done: str) -> str:
    """Fails for wrong data; else one word for what the store did."""
    if found.refusal:
        assert str(file) in found.refusal, done
        assert "\n" not in found.refusal, done
        return "refused"
    for instance_id, text in found.reported.items():
        assert f"'{instance_id}' is damaged" in text, done
    for instance_id, snapshot in found.snapshots.items():
        assert snapshot in committed.snapshots[instance_id], (done, instance_id, snapshot)
    for instance_id, row in found.rows.items():
        assert row in committed.rows(instance_id), (done, row)
    for instance_id, row in found.listed.items():
        if row.execution_id:
            assert row in committed.rows(instance_id), (done, row)
        else:
            assert instance_id in found.reported, (done, row)
    readable = {instance_id for instance_id, found_ in found.snapshots.items() if found_}
    assert readable <= found.listed.keys(), done
    return "reported" if found.reported else "right"
