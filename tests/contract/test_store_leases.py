"""The contract of the leases of long-running activities."""

import pytest

from bindings.client import ReusePolicy
from host.storage.protocol import HubStore
from tests.contract.builders import commit, effects, finished, instance, lease, message


@pytest.fixture(autouse=True)
async def leased(store: HubStore) -> None:
    """The instance `i`, whose task 0 is leased to host-a."""
    await store.create(instance(), ReusePolicy.WHEN_FINISHED)
    await store.commit(commit(leases=(lease(),)))


async def leases(store: HubStore) -> list[object]:
    snapshot = await store.load("i")
    assert snapshot is not None
    return list(snapshot.leases)


async def test_the_owner_renews_its_lease(store: HubStore) -> None:
    assert await store.renew_lease(lease(expires_s=60)) is True
    assert await leases(store) == [lease(expires_s=60)]


@pytest.mark.parametrize(
    "foreign",
    [
        lease(owner="host-b"),
        lease(1),
        lease(execution_id="e2"),
        lease(instance_id="nobody"),
    ],
)
async def test_nobody_else_renews_or_finishes_it(store: HubStore, foreign: object) -> None:
    assert await store.renew_lease(foreign) is False  # type: ignore[arg-type]  # parametrized
    assert await store.finish_lease(foreign, message()) is False  # type: ignore[arg-type]
    assert await leases(store) == [lease()]
    assert list(await store.read_inbox("i")) == []


async def test_finishing_delivers_the_result_and_ends_the_lease(store: HubStore) -> None:
    assert await store.finish_lease(lease(expires_s=999), message()) is True
    assert await leases(store) == []
    assert list(await store.read_inbox("i")) == [message()]
    assert await store.finish_lease(lease(), message("m2")) is False
    assert list(await store.read_inbox("i")) == [message()]


async def test_a_successor_takes_an_expired_lease_over(store: HubStore) -> None:
    await store.apply(effects(leases=(lease(owner="host-b", expires_s=90),)))
    assert await store.renew_lease(lease(expires_s=120)) is False
    assert await store.finish_lease(lease(), message()) is False
    assert await store.renew_lease(lease(owner="host-b", expires_s=120)) is True


async def test_effects_done_again_do_not_shorten_a_renewed_lease(store: HubStore) -> None:
    await store.renew_lease(lease(expires_s=60))
    await store.apply(effects(leases=(lease(),)))
    assert await leases(store) == [lease(expires_s=60)]


async def test_leases_are_per_task_and_in_order(store: HubStore) -> None:
    await store.apply(effects(leases=(lease(10), lease(2))))
    assert await leases(store) == [lease(), lease(2), lease(10)]
    await store.finish_lease(lease(2), message())
    assert await leases(store) == [lease(), lease(10)]


async def test_the_end_of_the_instance_takes_the_lease_away(store: HubStore) -> None:
    await store.apply(effects(row=finished()))
    assert await store.renew_lease(lease(expires_s=60)) is False
    await store.purge("i")
    assert await store.finish_lease(lease(), message()) is False
