"""The contract of the leases of long-running activities."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bindings.client import ReusePolicy, RuntimeStatus
from host.core.records import ANYBODY, LET_GO
from host.storage.protocol import HubStore
from tests.contract.builders import at, commit, effects, finished, instance, lease, message


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


async def test_a_claim_is_for_one_owner_only(store: HubStore) -> None:
    assert await store.claim_lease(lease(5), 0) is True
    assert await store.claim_lease(lease(5, owner="host-b"), 0) is False
    assert await store.claim_lease(lease(5), 0) is True
    assert await leases(store) == [lease(), lease(5)]


async def test_a_lease_that_is_over_cannot_be_claimed(store: HubStore) -> None:
    assert await store.claim_lease(lease(owner="host-b", expires_s=9999), 0) is False
    assert await leases(store) == [lease()]


@pytest.mark.parametrize("instance_id", ["i", "nobody"])
async def test_no_lease_of_a_finished_or_missing_instance_is_claimed(
    store: HubStore, instance_id: str
) -> None:
    await store.apply(effects(row=finished()))
    assert await store.claim_lease(lease(5, instance_id=instance_id), 0) is False
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.leases == ()


async def test_a_lease_that_waits_for_anybody_is_taken_once(store: HubStore) -> None:
    await store.apply(effects(leases=(lease(3, owner=ANYBODY, expires_s=300),)))
    assert await store.take_lease(lease(3, owner="host-b"), at(1)) is True
    assert await store.take_lease(lease(3, owner="host-c"), at(1)) is False
    assert await store.take_lease(lease(3, owner="host-b"), at(1)) is True
    assert await leases(store) == [lease(), lease(3, owner="host-b")]
    assert await store.finish_lease(lease(3, owner="host-b"), message()) is True


async def test_a_lease_is_taken_from_another_owner_only_when_it_is_over(store: HubStore) -> None:
    taken = lease(owner="host-b", expires_s=90)
    assert await store.take_lease(taken, lease().expires_at - timedelta(seconds=1)) is False
    assert await store.take_lease(taken, lease().expires_at) is True
    assert await leases(store) == [taken]


async def test_a_lease_that_does_not_exist_is_not_taken(store: HubStore) -> None:
    for missing in (lease(7), lease(execution_id="e2"), lease(instance_id="nobody")):
        assert await store.take_lease(missing, at(999)) is False
    assert await leases(store) == [lease()]


async def test_a_kept_lease_says_that_the_task_was_begun(store: HubStore) -> None:
    assert await store.claim_lease(lease(5), 0) is True
    assert await store.finish_lease(lease(5), message(), keep=True) is True
    assert list(await store.read_inbox("i")) == [message()]
    assert await store.claim_lease(lease(5, owner="host-b"), 0) is False


async def test_who_does_not_know_the_latest_turn_claims_nothing(store: HubStore) -> None:
    await store.commit(commit(1))
    assert await store.claim_lease(lease(5), 0) is False
    assert await store.claim_lease(lease(6), 1) is True


async def test_nothing_of_an_execution_that_went_on_is_claimed(store: HubStore) -> None:
    row = instance(execution_id="e2", generation=1, status=RuntimeStatus.RUNNING)
    await store.apply(effects(row=row, drop_execution="e1"))
    assert await store.claim_lease(lease(5), 0) is False


@pytest.mark.parametrize("heir", [ANYBODY, LET_GO, "host-b"])
async def test_a_lease_is_given_away_in_one_step(store: HubStore, heir: str) -> None:
    assert await store.renew_lease(lease(expires_s=60), heir=heir) is True
    assert await leases(store) == [lease(owner=heir, expires_s=60)]
    assert await store.renew_lease(lease(expires_s=90)) is False
    is_anybodys = heir == ANYBODY
    assert await store.take_lease(lease(owner="host-c", expires_s=90), at(59)) is is_anybodys
    assert await store.take_lease(lease(owner="host-c", expires_s=90), at(60)) is True


async def test_a_foreign_lease_is_not_given_away(store: HubStore) -> None:
    assert await store.renew_lease(lease(owner="host-b"), heir="host-c") is False
    assert await leases(store) == [lease()]


async def test_found_a21_a_lease_keeps_how_many_hosts_vanished_with_it(store: HubStore) -> None:
    second = replace(lease(owner="host-b", expires_s=60), tries=1)
    assert await store.take_lease(second, at(30)) is True
    assert await leases(store) == [second]
    assert await store.renew_lease(lease(owner="host-b", expires_s=90)) is True
    assert await leases(store) == [replace(second, expires_at=at(90))]
    await store.apply(effects(leases=(lease(owner=ANYBODY, expires_s=100),)))
    assert await leases(store) == [replace(second, owner=ANYBODY, expires_at=at(100))]
    third = replace(lease(owner=ANYBODY, expires_s=120), tries=2)
    await store.apply(effects(leases=(third,)))
    assert await leases(store) == [third]
    assert await store.take_lease(lease(owner="host-c", expires_s=150), at(91)) is True
    assert await leases(store) == [replace(third, owner="host-c", expires_at=at(150))]
