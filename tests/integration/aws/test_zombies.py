"""A host that hung and comes back believes what it last saw; nothing comes of that.

Whether its write is refused or its wake-up comes again first, and so makes it look, is chance: the
server may hand a wake-up to the poll of a host that is gone. The chaos test counts refusals, and
`tests/aws/test_zombie_writes.py` holds a host at the very write that must be refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.crash.workload import STOP

if TYPE_CHECKING:
    from tests.integration.aws.fleet import Fleet

pytestmark = [pytest.mark.aws, pytest.mark.process]


@pytest.mark.timeout(300)
async def test_a_host_that_hung_goes_on_from_what_another_one_did_meanwhile(
    fleet: Fleet,
) -> None:
    zombie = await fleet.start()
    await fleet.client.start("collector", "it", [])
    await fleet.client.signal("it", "item", 0)
    assert (await fleet.client.call("GET", "/api/done/item/1")).status == 200
    fleet.freeze(zombie)

    other = await fleet.start()
    await fleet.client.signal("it", "item", 1)
    assert (await fleet.client.call("GET", "/api/done/item/1")).status == 200
    await fleet.terminate(other)

    fleet.thaw(zombie)
    for number in (2, STOP):
        await fleet.client.signal("it", "item", number)
    assert (await fleet.client.finished("it"))["output"] == [0, 1, 2]
    runs = {(run.host, run.step) for run in fleet.log()["it"]}
    assert {(1, "item-0"), (2, "item-1"), (1, "item-2")} <= runs
    await fleet.terminate_all()
