"""Damaged instances are set aside, however the store fails meanwhile, and then left alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from host.errors import DamagedDataError, StorageError
from tests.kit.hub import Host, Hub, until

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
A_FEW = 3


class Damage:
    """What is stored of 'damaged' cannot be read, while `is_on`.

    Once, after that was noticed, `failing` fails, when it is called for the `nth` time.
    """

    def __init__(
        self, host: Host, *, of_row: bool = False, failing: str = "", nth: int = 1
    ) -> None:
        self.is_on = True
        self.is_noticed = False
        self.faults_left = nth if failing else 0
        self._unreadable = {"load", "get"} if of_row else {"load"}
        self._failing = failing
        host.store.before = self._fail

    async def _fail(self, name: str, args: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if name in self._unreadable and args[0] == "damaged":
            self.is_noticed = True
            raise DamagedDataError("What is stored of 'damaged' cannot be read.")
        if self.is_noticed and self.faults_left and name == self._failing:
            self.faults_left -= 1
            if not self.faults_left:
                raise StorageError("the disk is away")


class Waiting:
    """Orchestrators that wait for an event, and for a minute."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.orchestration_trigger()
        async def listens(context: OrchestrationContext) -> Any:
            return await context.wait_for_external_event("go")

        @self.app.orchestration_trigger()
        async def sleeps(context: OrchestrationContext) -> str:
            await context.create_timer(MINUTE)
            return "woke"

        self.listens, self.sleeps = listens, sleeps


@pytest.mark.parametrize(
    ("failing", "nth"), [("get", 1), ("read_inbox", 1), ("get", 2), ("change_row", 1), ("apply", 1)]
)
async def test_a_store_that_fails_in_the_midst_of_it_only_puts_it_off(
    each_hub: Hub, failing: str, nth: int
) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    damage = Damage(host, failing=failing, nth=nth)
    await host.begin(waiting.listens, instance_id="damaged")
    await until(lambda: damage.is_noticed and not damage.faults_left)
    await each_hub.clock.advance(SECOND, steps=2)
    await host.rest()
    state = await host.client.get_instance("damaged")
    assert state is not None
    assert state.blocked_reason == "Quarantined: What is stored of 'damaged' cannot be read."

    await host.client.terminate_instance("damaged", "it is beyond help")
    state = await host.finished("damaged")
    assert (state.runtime_status, state.output) == (RuntimeStatus.TERMINATED, "it is beyond help")


async def test_a_store_that_fails_in_the_midst_of_its_termination_only_puts_that_off(
    each_hub: Hub,
) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    Damage(host)
    await host.begin(waiting.listens, instance_id="damaged")
    await host.rest()
    damage = Damage(host, failing="get")
    await host.client.terminate_instance("damaged")
    await until(lambda: not damage.faults_left)
    await each_hub.clock.advance(SECOND, steps=2)
    assert (await host.finished("damaged")).runtime_status is RuntimeStatus.TERMINATED


@pytest.mark.parametrize("of_row", [False, True], ids=["its history", "its row"])
async def test_an_alarm_that_is_due_does_not_lead_it_again_and_again(
    each_hub: Hub, of_row: bool
) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app, cached_instances=0)
    await host.begin(waiting.sleeps, instance_id="damaged")
    await host.rest()
    damage = Damage(host, of_row=of_row)
    await each_hub.clock.advance(MINUTE)
    await until(lambda: damage.is_noticed)
    await host.rest()
    loads = host.store.calls["load"]
    await each_hub.clock.advance(5 * SECOND, steps=120)
    await host.rest()
    assert host.store.calls["load"] - loads <= A_FEW


async def test_one_whose_row_could_not_be_read_goes_on_when_it_can_be_again(each_hub: Hub) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app, cached_instances=0)
    await host.begin(waiting.sleeps, instance_id="damaged")
    await host.rest()
    damage = Damage(host, of_row=True)
    await each_hub.clock.advance(MINUTE)
    await until(lambda: damage.is_noticed)
    await host.rest()
    damage.is_on = False
    await each_hub.clock.advance(HOUR)
    assert (await host.finished("damaged")).output == "woke"


@pytest.mark.parametrize("ends", [True, False])
async def test_what_a_parked_activity_cannot_store_for_damage_is_not_tried_for_ever(
    each_hub: Hub, ends: bool
) -> None:
    app, gate = FunctionApp(), asyncio.Event()

    @app.activity_trigger(at_most_once=True)
    async def pays() -> None:
        await gate.wait()

    @app.orchestration_trigger()
    async def buys(context: OrchestrationContext) -> None:
        await context.call_activity(pays)

    host = await each_hub.start(app)
    calls = ("finish_lease",) if ends else ("claim_lease", "renew_lease")

    async def fail(name: str, _: tuple[Any, ...]) -> None:
        if name in calls:
            raise DamagedDataError("A lease of 'damaged' cannot be read.")

    host.store.before = fail
    await host.begin(buys, instance_id="damaged")
    await each_hub.clock.until_quiet()
    gate.set()
    await until(lambda: host.store.calls[calls[-1]] > 0)
    await each_hub.clock.until_quiet()
    tried = host.store.calls[calls[-1]]
    await each_hub.clock.advance(SECOND, steps=5)
    assert host.store.calls[calls[-1]] == tried
