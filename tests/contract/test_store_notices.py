"""The contract of notices: records that come with a turn or a change of the row, or not at all."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from host.core.records import Notice, NoticeKind
from host.errors import Conflict
from host.storage.kept_notices import NOTICE, key_of, notice_in
from host.storage.protocol import HubStore
from tests.contract.builders import at, commit, effects, finished, instance

REUSE, FIVE = ReusePolicy.WHEN_FINISHED, at(5)


def notice(
    notice_id: str = "n1", kind: NoticeKind = NoticeKind.COMPLETED, moment: datetime = FIVE
) -> Notice:
    return Notice(
        notice_id=notice_id,
        kind=kind,
        at=moment,
        instance_id="i",
        name="hello",
        status=RuntimeStatus.COMPLETED,
        reason="because",
    )


async def kept(store: HubStore) -> list[Notice]:
    page = await store.records(NOTICE)
    found = [notice_in(each) for each in page.records]
    return [each.notice for each in found if each is not None]


async def test_what_a_turn_tells_is_kept_with_it_the_oldest_first(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    second = notice("0", moment=at(5))
    first = notice("1", NoticeKind.STARTED, at(5))
    await store.commit(commit(row=finished(), notices=(second, first)))
    assert await kept(store) == [first, second]


async def test_what_a_refused_turn_tells_is_not_kept(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    await store.commit(commit())
    with pytest.raises(Conflict):
        await store.commit(commit(notices=(notice(),)))
    await store.create(instance("j"), REUSE)
    with pytest.raises(Conflict):
        await store.commit(commit(instance_id="j", row_execution_id="e9", notices=(notice(),)))
    assert await kept(store) == []


async def test_what_is_told_again_is_kept_once(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    await store.commit(commit(notices=(notice(),)))
    await store.apply(effects(notices=(notice(),)))
    assert await kept(store) == [notice()]


async def test_what_happened_is_told_though_the_instance_is_gone(store: HubStore) -> None:
    await store.apply(effects(notices=(notice(),)))
    assert await kept(store) == [notice()]


async def test_a_notice_outlives_its_instance_until_it_is_removed(store: HubStore) -> None:
    await store.create(instance(), REUSE)
    await store.commit(commit(row=finished(), notices=(notice(),)))
    assert await store.purge("i")
    assert await kept(store) == [notice()]
    await store.remove_record(NOTICE, key_of(notice()))
    assert await kept(store) == []


async def test_a_change_of_the_row_brings_its_notices(store: HubStore) -> None:
    seen = instance()
    await store.create(seen, REUSE)
    changed = msgspec.structs.replace(seen, is_quarantined=True, updated_at=at(1))
    assert await store.change_row(seen, changed, notices=(notice(),))
    assert await kept(store) == [notice()]


async def test_a_change_that_is_not_made_leaves_no_notices(store: HubStore) -> None:
    seen = instance()
    await store.create(seen, REUSE)
    other = msgspec.structs.replace(seen, custom_status="1", updated_at=at(2))
    assert await store.change_row(seen, other)
    changed = msgspec.structs.replace(seen, is_quarantined=True, updated_at=at(1))
    assert not await store.change_row(seen, changed, notices=(notice(),))
    gone = instance("gone")
    assert not await store.change_row(gone, gone, notices=(notice(),))
    assert await kept(store) == []
