"""One instance is damaged: it says so, and nobody else notices."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.hosted import hosted
from tests.integration.crash.surviving_client import WEBHOOKS
from tests.integration.crash.workload import chain, fan_out

pytestmark = pytest.mark.process

ROW = "UPDATE instances SET data = ? WHERE instance_id = ?"
FIRST_BATCH = """
    UPDATE batches SET data = ?
    WHERE number = 0 AND run = (SELECT run FROM instances WHERE instance_id = ?)
"""
READ_ROW = "SELECT data FROM instances WHERE instance_id = ?"
READ_BATCH = """
    SELECT batches.data FROM batches JOIN instances USING (run)
    WHERE number = 0 AND instance_id = ?
"""


def flip_a_bit(file: Path, instance_id: str, reading: str, writing: str) -> None:
    """Change what is stored, and leave the database sound: only a checksum can tell."""
    with closing(sqlite3.connect(file)) as connection, connection:
        (data,) = connection.execute(reading, (instance_id,)).fetchone()
        middle = len(data) // 2
        changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        assert connection.execute(writing, (changed, instance_id)).rowcount == 1


async def test_a_damaged_instance_is_shown_and_can_be_purged_while_others_run(
    tmp_path: Path,
) -> None:
    jobs = [*(chain(n) for n in range(5)), *(fan_out(n) for n in range(3))]
    bad_row, bad_batch, *good = jobs
    async with hosted(tmp_path / "data") as hub:
        await hub.start()
        await hub.begin(jobs)
        await hub.progress("before", 5 * 3 + 3 * 6)
        await hub.stop()
        flip_a_bit(hub.file, bad_row.instance_id, READ_ROW, ROW)
        flip_a_bit(hub.file, bad_batch.instance_id, READ_BATCH, FIRST_BATCH)
        await hub.start()
        await hub.go([*good, bad_batch])
        await hub.assert_right(good)

        listed = {each["instanceId"]: each for each in await hub.client.list_instances()}
        assert listed.keys() == {job.instance_id for job in jobs}
        assert "is damaged" in listed[bad_row.instance_id]["blockedReason"]
        path = f"{WEBHOOKS}/instances/{bad_row.instance_id}"
        for answer in (
            await hub.client.ask(path),
            await hub.client.call("POST", f"{path}/raiseEvent/go"),
        ):
            assert answer.status == 500
            assert f"'{bad_row.instance_id}' is damaged" in answer.json["ExceptionMessage"]
        await hub.host.logged(f"'{bad_batch.instance_id}' is quarantined")
        status = (await hub.client.status(bad_batch.instance_id)).json
        assert "batch 0" in status["blockedReason"]
        assert (await hub.client.ask("/readyz")).status == 200

        assert (await hub.client.call("DELETE", path)).json == {"instancesDeleted": 1}
        assert (await hub.client.status(bad_row.instance_id)).status == 404
        await hub.stop()
        assert "Traceback" not in hub.host.errors, hub.host.errors


async def test_what_is_damaged_keeps_no_other_from_telling_it_its_result(tmp_path: Path) -> None:
    """A commit that concerns a damaged instance by the way is the sender's, and is done."""
    notifier = "notifier-0"
    async with hosted(tmp_path / "data") as hub:
        await hub.start()
        await hub.client.start("collector", "partner-0", [])
        await hub.client.start("notifier", notifier, "partner-0")
        await hub.stop()
        flip_a_bit(hub.file, "partner-0", READ_ROW, ROW)
        await hub.start()
        await hub.client.signal(notifier, "go")
        assert (await hub.client.finished(notifier))["runtimeStatus"] == "Completed"
