"""Items in the SQLite file that nobody can read: that instance is reported, everybody else runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.crash.surviving_client import WEBHOOKS

if TYPE_CHECKING:
    from tests.integration.poison.conftest import PoisonHub

pytestmark = pytest.mark.process

GARBAGE = b"\x02garbage, written by hand"
DAMAGES = {
    "batch": """
        UPDATE batches SET data = :garbage WHERE run = :run AND number = 0
    """,
    "foreign": """
        UPDATE batches
        SET data = (SELECT data FROM batches AS other WHERE other.run <> :run LIMIT 1)
        WHERE run = :run AND number = 0
    """,
    "gap": "DELETE FROM batches WHERE run = :run AND number = 0",
    "message": "INSERT INTO inbox (run, message_id, data) VALUES (:run, 'by-hand', :garbage)",
    "row": "UPDATE instances SET data = :garbage WHERE run = :run",
}


async def test_items_that_cannot_be_read_concern_their_instance_alone(hub: PoisonHub) -> None:
    await hub.start()
    for name in (*DAMAGES, "whole"):
        await hub.begin("listens_twice", name)
        await hub.client.signal(name, "first")
        await hub.half_way(name)
    await hub.stop()
    with closing(sqlite3.connect(hub.file)) as connection, connection:
        for name, statement in DAMAGES.items():
            damage(connection, name, statement)

    await hub.start()
    async with hub.bystanders() as bystanders:
        for name in (*DAMAGES, "whole"):
            # Whether an instance that cannot be read takes a message, is the store's to say.
            path = f"{WEBHOOKS}/instances/{name}/raiseEvent/second"
            assert (await hub.client.call("POST", path, "word")).status in {202, 500}
        assert (await hub.client.finished("whole"))["output"] == "word"
        for name in DAMAGES.keys() - {"row"}:
            reason = await hub.blocked(name)
            assert reason.startswith(f"Quarantined: What is stored of '{name}' is damaged"), reason
        await bystanders.more(3)
        await assert_told(hub)
    assert (await hub.client.ask("/readyz")).status == 200
    await hub.stop()


async def assert_told(hub: PoisonHub) -> None:
    """The listing has all of them, with the reason; the status of what has no row says so."""
    listed = {each["instanceId"]: each for each in await hub.client.list_instances()}
    for name in DAMAGES:
        assert "is damaged" in listed[name]["blockedReason"], listed[name]
    answer = await hub.client.status("row")
    assert answer.status == 500
    assert "What is stored of 'row' is damaged" in answer.json["ExceptionMessage"]


def damage(connection: sqlite3.Connection, name: str, statement: str) -> None:
    """Write by hand what no host writes; fails if there was nothing to write to."""
    find = "SELECT run FROM instances WHERE instance_id = ?"
    (run,) = connection.execute(find, (name,)).fetchone()
    values: dict[str, Any] = {"run": run, "garbage": GARBAGE}
    assert connection.execute(statement, values).rowcount == 1
