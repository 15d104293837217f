"""Copies of one work item that come to one host at the same moment: the activity runs once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from host.storage.local_queues import LocalQueues
from tests.engine.test_work_items import DoublingWork, ForgetfulWork
from tests.engine.wide_work import SHARES, Wide
from tests.kit.hub import Hub, until

HERE, HANDED_OUT = 4, 2
ROOMY = SHARES | {"max_concurrent_activities": HERE}


class DoublingForgetfulWork(DoublingWork, ForgetfulWork):
    """Every work item comes twice, and without its input."""


@pytest.mark.parametrize("queues_of", [DoublingWork, DoublingForgetfulWork])
async def test_it_runs_once_however_long_it_takes_to_begin_it(
    each_hub: Hub, queues_of: type[LocalQueues]
) -> None:
    wide, queues, may_go_on = Wide(), queues_of(), asyncio.Event()
    wide.gate.set()
    host = await each_hub.start(wide.app, queues=queues, **ROOMY)

    async def hold(name: str, _: tuple[Any, ...]) -> None:
        if name == "take_lease":
            await may_go_on.wait()

    host.store.before = hold
    instance_id = await host.begin(wide.fans_out, HERE + HANDED_OUT)
    await until(lambda: host.store.calls["take_lease"] >= HANDED_OUT)
    await until(lambda: not queues.counts().work_waiting)
    await each_hub.clock.until_quiet()
    may_go_on.set()
    assert (await host.finished(instance_id)).output == list(range(HERE + HANDED_OUT))
    assert set(wide.runs.values()) == {1}
    await until(lambda: not queues.counts().work_held)
