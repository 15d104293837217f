"""Who waits is passed over in a quick sweep; a new life of the same id is not."""

from __future__ import annotations

from bindings.client import ReusePolicy
from host.storage.aws.table.store import DynamoStore
from host.storage.protocol import Sought
from tests.contract.builders import RUNNING, at, commit, finished, instance
from tests.kit.recoverable import recoverable
from tests.kit.simulated_dynamo import SimulatedDynamo

NEVER, AGAIN = ReusePolicy.NEVER, ReusePolicy.WHEN_FINISHED


async def _waits(store: DynamoStore, instance_id: str) -> None:
    """An instance that was led to a wait, as its entry says."""
    await store.create(instance(instance_id), NEVER)
    row = instance(instance_id, status=RUNNING, last_number=0, updated_at=at(1))
    await store.commit(commit(instance_id=instance_id, row=row))


async def test_a_new_life_of_who_waited_when_a_full_sweep_broke_off_is_looked_at() -> None:
    """Its creator may have died before he sent a hint: no host vanished then, so nobody else looks.

    Each quick sweep would pass it over until the next full one.
    """
    hub = SimulatedDynamo()
    store, sweeps = hub.store(), hub.store()
    await _waits(store, "i")
    await _waits(store, "j")
    assert (await sweeps.recoverable(limit=1)).rest is not None  # and then it breaks off
    row = finished("i", last_number=1)
    await store.commit(commit(1, instance_id="i", row=row))
    await store.create(instance("i", "e2", created_at=at(9)), AGAIN)
    for _ in range(2):
        assert await recoverable(sweeps, sought=Sought.UNLED) == ["i"]
