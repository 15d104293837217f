"""Functions that end their host's process each time they run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.faults.effort import IS_TORTURE

if TYPE_CHECKING:
    from tests.integration.poison.conftest import PoisonHub

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

MAX_TRIES = 5
SHARED_CRASHES = 2
"""Until a second crash nobody knows whom to suspect, so all that were under way may run again."""

PATIENTS = ["0-patient", "bb-patient", "z-patient"]
"""Their activities run on while others end the host, whose turn comes before theirs or after."""

in_torture = pytest.mark.skipif(not IS_TORTURE, reason="many restarts: FUNCHOST_TORTURE=1")


@pytest.mark.parametrize("how", ["exit", pytest.param("segfault", marks=in_torture)])
async def test_an_activity_that_ends_its_host_is_quarantined_and_redriven_once_it_is_mended(
    hub: PoisonHub, how: str
) -> None:
    async with hub.supervised(), hub.bystanders() as bystanders:
        await hub.begin("deadly", how, how)
        assert "Quarantined: A host ended 5 times" in await hub.blocked(how)
        assert hub.restarts == hub.runs(how) == 1 + MAX_TRIES
        await bystanders.more(3)

        hub.mend()
        assert await hub.redrive(how) == f"'{how}' runs again.\n"
        status = await hub.client.finished(how)
        assert (status["runtimeStatus"], status["output"]) == ("Completed", f"1 {how}: mended")
        assert "blockedReason" not in status
        assert hub.restarts == 1 + MAX_TRIES


@in_torture
async def test_several_that_end_their_hosts_at_once_are_told_from_those_that_do_not(
    hub: PoisonHub,
) -> None:
    culprits = {"a-exit": "exit", "b-segfault": "segfault", "c-kill": "kill"}
    async with hub.supervised(), hub.bystanders() as bystanders:
        for patient in PATIENTS:
            os.mkfifo(hub.folder / patient)
            await hub.begin("patient", patient, patient)
        await hub.begin("deadly_itself", "d-itself")
        for instance_id, how in culprits.items():
            await hub.begin("deadly", instance_id, how)
        for instance_id in (*culprits, "d-itself"):
            assert "Quarantined: A host ended 5 times" in await hub.blocked(instance_id)
        assert hub.restarts <= SHARED_CRASHES + 4 * MAX_TRIES
        await bystanders.more(3)

        for patient in PATIENTS:
            assert "blockedReason" not in (await hub.client.status(patient)).json
            (hub.folder / patient).write_text("opened")
            assert (await hub.client.finished(patient))["output"] == "opened"


async def test_an_at_most_once_activity_runs_once_although_its_host_is_killed(
    hub: PoisonHub,
) -> None:
    async with hub.supervised(), hub.bystanders() as bystanders:
        await hub.begin("buys", "once", "once")
        assert (await hub.client.finished("once"))["output"] == "ActivityLostError"
        await bystanders.more(1)
        assert (hub.runs("pays-once"), hub.restarts) == (1, 1)
