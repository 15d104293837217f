"""Polls wait for long on their connections, and take none from what cannot wait."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from bindings.client import ReusePolicy
from host.clock import SystemClock
from host.settings.connections import AwsOptions
from host.storage.aws.opening import most_polls, opened_hub
from host.storage.aws.schema import HubLayout
from host.storage.aws.setup.provision import Provisioner
from host.storage.aws.setup.settings import read_aws_settings
from host.storage.protocol import Created
from tests.contract.builders import instance
from tests.kit.aws_servers import aws_environment

LIMIT_S = 10
"""Half of what a poll takes that brings nothing."""


@pytest.mark.aws
async def test_an_instance_is_stored_while_all_polls_wait_that_may(
    ministack_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environment(ministack_url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("host.storage.aws.opening.MAX_CONNECTIONS", 1)
    layout = HubLayout(hub=f"T{uuid4().hex[:12]}")
    await asyncio.to_thread(lambda: list(Provisioner(layout, AwsOptions()).create()))
    async with opened_hub({"maxPolls": 1}, layout.hub, SystemClock()) as (store, queues):
        polls = [
            asyncio.ensure_future(queues.receive_wakeups(1)),
            asyncio.ensure_future(queues.receive_work(1)),
        ]
        for _ in range(20):
            await asyncio.sleep(0)  # the polls are on their way
        async with asyncio.timeout(LIMIT_S):
            assert await store.create(instance(), ReusePolicy.NEVER) is Created.NEW
            assert await store.get("i") == instance()
        await queues.stop_receiving()
        assert [list(await poll) for poll in polls] == [[], []]


def test_more_polls_may_wait_where_there_are_more_queues() -> None:
    assert most_polls(read_aws_settings({})) == 2 * 4
    assert most_polls(read_aws_settings({"wakeupQueues": 20, "maxPolls": 12})) == 21 * 12
