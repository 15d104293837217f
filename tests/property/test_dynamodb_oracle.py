"""Any operations, one by one, on good days and bad ones: DynamoDB and memory say the same."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bindings.client import RuntimeStatus
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.transport import Transport
from host.storage.memory import MemoryStore
from host.storage.protocol import Created
from tests.contract.builders import ManualClock
from tests.kit.aws_fixtures import ministack_url
from tests.kit.dynamo_hub import dynamo_hub
from tests.kit.faulty_transport import FaultyTransport
from tests.kit.recoverable import recoverable
from tests.kit.store_operations import (
    OPERATIONS,
    Operation,
    leaves_gap,
    listed,
    observe_instances,
    outcome,
)

__all__ = ["ministack_url"]

pytestmark = pytest.mark.aws


async def play(operations: Sequence[Operation], url: str, *, fault_rate: float) -> None:
    clock = ManualClock()
    oracle = MemoryStore(clock.now)

    def on_a_bad_day(transport: Transport) -> Transport:
        return FaultyTransport(transport, seed=len(operations), rate=fault_rate)

    async with dynamo_hub(url, clock, on_a_bad_day) as hub:
        for operation in operations:
            if await leaves_gap(operation, oracle):
                continue
            answers = [await outcome(operation(store)) for store in (hub.store, oracle)]
            assert as_stored(answers[0]) == as_stored(answers[1])
        await compare(hub.store, oracle)
        await compare(hub.other_store(), oracle)


def as_stored(answer: object) -> object:
    """Who did not hear that it was stored asks again, and hears that it was stored before."""
    return Created.NEW if answer is Created.BEFORE else answer


async def compare(store: DynamoStore, oracle: MemoryStore) -> None:
    assert await observe_instances(store) == await observe_instances(oracle)
    assert await listed(store) == await listed(oracle)
    running = RuntimeStatus.RUNNING
    assert await listed(store, running) == await listed(oracle, running)
    found = await recoverable(store)
    assert len(found) == len({*found})
    assert {*await recoverable(oracle)} <= {*found} <= {*await unfinished(oracle)}


async def unfinished(oracle: MemoryStore) -> list[str]:
    return [row.instance_id for row in await listed(oracle) if not row.is_finished]


@pytest.mark.parametrize("fault_rate", [0.0, 0.3, 0.9])
def test_dynamodb_does_what_memory_does(ministack_url: str, fault_rate: float) -> None:
    @settings(
        max_examples=20,
        phases=(Phase.explicit, Phase.generate),  # to make a failure smaller takes many minutes
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=True,
    )
    @given(st.lists(OPERATIONS, min_size=4, max_size=20))
    def check(operations: list[Operation]) -> None:
        asyncio.run(play(operations, ministack_url, fault_rate=fault_rate))

    check()
