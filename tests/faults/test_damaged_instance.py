"""One instance is damaged: it says so, and nobody else notices."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from host.core.history import EventRaised
from host.core.records import Message
from host.storage.sqlite.store import SqliteStore
from tests.faults.hosted import Hosted, hosted
from tests.integration.crash.surviving_client import WEBHOOKS
from tests.integration.crash.workload import Job, chain, fan_out
from tests.kit.manual_clock import ManualClock

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
MESSAGE = "UPDATE inbox SET data = ? WHERE run = (SELECT run FROM instances WHERE instance_id = ?)"
READ_MESSAGE = "SELECT inbox.data FROM inbox JOIN instances USING (run) WHERE instance_id = ?"
PURGE = "or purge it, finished or not."
TERMINATE_AND_PURGE = "or terminate it, unless it is finished, and then purge it."


def flip_a_bit(file: Path, instance_id: str, reading: str, writing: str) -> None:
    """Change what is stored, and leave the database sound: only a checksum can tell."""
    with closing(sqlite3.connect(file)) as connection, connection:
        (data,) = connection.execute(reading, (instance_id,)).fetchone()
        middle = len(data) // 2
        changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        assert connection.execute(writing, (changed, instance_id)).rowcount == 1


async def send_while_stopped(hub: Hosted, instance_id: str) -> None:
    """Put an event where no host takes it out at once."""
    store = SqliteStore(hub.file, ManualClock().now)
    await store.open()
    event = EventRaised(timestamp=ManualClock().now(), name="go", input="null")
    await store.send(instance_id, Message(message_id="m", event=event))
    await store.close()


def path_of(job: Job) -> str:
    return f"{WEBHOOKS}/instances/{job.instance_id}"


async def assert_purged(hub: Hosted, job: Job) -> None:
    assert (await hub.client.call("DELETE", path_of(job))).json == {"instancesDeleted": 1}
    assert (await hub.client.status(job.instance_id)).status == 404


async def reason_of(hub: Hosted, job: Job) -> str:
    """Why the instance is quarantined, once it is."""
    while True:
        status = (await hub.client.status(job.instance_id)).json
        if reason := status.get("blockedReason"):
            return str(reason)


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
        assert "batch 0" in await reason_of(hub, bad_batch)
        await hub.host.logged(f"'{bad_batch.instance_id}' is quarantined")
        assert (await hub.client.ask("/readyz")).status == 200

        assert (await hub.client.call("DELETE", path)).json == {"instancesDeleted": 1}
        assert (await hub.client.status(bad_row.instance_id)).status == 404
        await hub.stop()
        assert "Traceback" not in hub.host.errors, hub.host.errors


async def test_an_instance_with_a_damaged_row_cannot_be_terminated_and_says_to_purge_it(
    tmp_path: Path,
) -> None:
    job = chain(0)
    async with hosted(tmp_path / "data") as hub:
        await begin_and_stop(hub, [job])
        flip_a_bit(hub.file, job.instance_id, READ_ROW, ROW)
        await hub.start()
        for method, operation in [
            ("GET", ""),
            ("POST", "/terminate"),
            ("POST", "/redrive"),
            ("POST", "/restart"),
        ]:
            answer = await hub.client.call(method, path_of(job) + operation)
            assert answer.status == 500
            assert answer.json["ExceptionMessage"].endswith(PURGE)
        (listed,) = await hub.client.list_instances()
        assert listed["blockedReason"].endswith(PURGE)
        await assert_purged(hub, job)
        await hub.begin([job])
        await hub.go([job])
        await hub.assert_right([job])


async def test_an_instance_with_a_damaged_history_is_terminated_and_then_purged(
    tmp_path: Path,
) -> None:
    noticed, unnoticed, ended = jobs = [chain(n) for n in range(3)]
    async with hosted(tmp_path / "data") as hub:
        await begin_and_stop(hub, jobs, ended=[ended])
        for job in jobs:
            flip_a_bit(hub.file, job.instance_id, READ_BATCH, FIRST_BATCH)
        await hub.start()
        await hub.go([noticed])
        assert (await reason_of(hub, noticed)).endswith(TERMINATE_AND_PURGE)
        history = await hub.client.ask(f"{path_of(unnoticed)}?showHistory=true")
        assert history.status == 500
        assert history.json["ExceptionMessage"].endswith(TERMINATE_AND_PURGE)
        for job in (noticed, unnoticed):
            assert (await hub.client.call("DELETE", path_of(job))).status == 409
            answer = await hub.client.call("POST", f"{path_of(job)}/terminate?reason=damaged")
            assert answer.status == 202
            status = await hub.client.finished(job.instance_id)
            assert (status["runtimeStatus"], status["output"]) == ("Terminated", "damaged")
            await assert_purged(hub, job)
        assert (await hub.client.status(ended.instance_id)).json["output"] == ended.expected
        await assert_purged(hub, ended)


async def test_an_instance_with_a_damaged_message_is_purged_although_it_cannot_be_terminated(
    tmp_path: Path,
) -> None:
    job = chain(0)
    async with hosted(tmp_path / "data") as hub:
        await begin_and_stop(hub, [job])
        await send_while_stopped(hub, job.instance_id)
        flip_a_bit(hub.file, job.instance_id, READ_MESSAGE, MESSAGE)
        await hub.start()
        assert (await reason_of(hub, job)).endswith(PURGE)
        assert (await hub.client.call("POST", f"{path_of(job)}/terminate")).status == 202
        assert (await hub.client.status(job.instance_id)).json["runtimeStatus"] == "Running"
        await assert_purged(hub, job)


@pytest.mark.parametrize(("reading", "writing"), [(READ_ROW, ROW), (READ_BATCH, FIRST_BATCH)])
async def test_an_instance_that_was_damaged_goes_on_from_a_backup_of_the_file(
    tmp_path: Path, reading: str, writing: str
) -> None:
    job = chain(0)
    async with hosted(tmp_path / "data") as hub:
        await begin_and_stop(hub, [job])
        backup = shutil.copy(hub.file, tmp_path / "backup.db")
        flip_a_bit(hub.file, job.instance_id, reading, writing)
        await hub.start()
        history = await hub.client.ask(f"{path_of(job)}?showHistory=true")
        assert history.status == 500
        assert "Restore the file from a backup" in history.json["ExceptionMessage"]
        await hub.stop()
        shutil.copy(backup, hub.file)
        await hub.start()
        await hub.go([job])
        await hub.assert_right([job])


async def begin_and_stop(hub: Hosted, jobs: list[Job], ended: list[Job] | None = None) -> None:
    """Stop a host whose chains are half way, or at their end."""
    await hub.start()
    await hub.begin(jobs)
    await hub.progress("before", 3 * len(jobs))
    await hub.go(ended or [])
    await hub.assert_right(ended or [])
    await hub.stop()


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
