"""Every store and every queue of the contract, opened on a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bindings.tables.records import Table
from host.storage.aws.table.hub_format import LAST_BY_CREATION, new_format
from host.storage.kinds import StorePlace
from host.storage.local_queues import LocalQueues
from host.storage.opening import STORES
from host.storage.protocol import HubQueues, HubStore
from tests.contract.builders import NOW, ManualClock
from tests.kit.aws_fixtures import ministack_url, moto_url
from tests.kit.dynamo_hub import dynamo_hub
from tests.kit.simulated_dynamo import SimulatedDynamo
from tests.kit.sqs_hub import sqs_hub
from tests.kit.tables import dynamo_table, local_table
from tests.simulation.faults import Fault

UNPROMISED = (Fault.SHORT_PAGE, Fault.EMPTY_PAGE, Fault.PARTIAL_BATCH)
"""What DynamoDB may do at any time, and stand-ins never do."""

ROUGH = {
    "rough": new_format(7, NOW),
    "older": new_format(7, NOW, version=LAST_BY_CREATION),
}
"""Hubs in memory: a new one, and one with the indexes of older versions."""

__all__ = ["ministack_url", "moto_url"]


@pytest.fixture
def clock() -> ManualClock:
    """The time, for the store too."""
    return ManualClock()


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        "dynamodb-rough",
        "dynamodb-older",
        pytest.param("dynamodb-moto", marks=[pytest.mark.aws, pytest.mark.moto]),
        pytest.param("dynamodb-ministack", marks=pytest.mark.aws),
    ]
)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[HubStore]:
    """A store of each kind, empty."""
    driver, _, server = request.param.partition("-")
    if server in ROUGH:
        rough = SimulatedDynamo(ROUGH[server], faults=UNPROMISED, now=clock.now).store()
        await rough.open()
        yield rough
        return
    if driver == "dynamodb":
        async with dynamo_hub(request.getfixturevalue(f"{server}_url"), clock) as hub:
            yield hub.store
        return
    place = StorePlace(hub="hub", folder=tmp_path)
    async with STORES.find(driver).opened(place, clock) as (store, _):
        yield store


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("moto", marks=[pytest.mark.aws, pytest.mark.moto]),
        pytest.param("ministack", marks=pytest.mark.aws),
    ]
)
async def table(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[Table]:
    """A table of each kind, empty."""
    if request.param in {"memory", "sqlite"}:
        opened = local_table(request.param, tmp_path, clock)
    else:
        opened = dynamo_table(request.getfixturevalue(f"{request.param}_url"))
    async with opened as found:
        yield found


@pytest.fixture(
    params=[
        "local",
        pytest.param("sqs-moto", marks=[pytest.mark.aws, pytest.mark.moto]),
        pytest.param("sqs-ministack", marks=pytest.mark.aws),
    ]
)
async def queues(
    request: pytest.FixtureRequest,
) -> AsyncIterator[HubQueues]:
    """Queues of each kind, empty."""
    driver, _, server = request.param.partition("-")
    if driver == "sqs":
        async with sqs_hub(request.getfixturevalue(f"{server}_url")) as hub:
            yield hub.queues
        return
    queues = LocalQueues()
    yield queues
    await queues.close()
