"""What notices cost on AWS, as docs/performance.md says: nothing where nobody wants them."""

from __future__ import annotations

from pathlib import Path

from bindings import FunctionApp, OrchestrationContext
from host.core.records import Notice, NoticeKind
from host.engine.notices import TAKEN, Answer, Notifications
from tests.kit.aws_bill import USD_PER_MILLION
from tests.kit.shared_hub import SharedHub, shared_hub

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
APP = FunctionApp()
HOURS = 720


@APP.activity_trigger()
async def works() -> None:
    pass


@APP.orchestration_trigger()
async def ends(context: OrchestrationContext) -> None:
    await context.call_activity(works)


async def _take(_: Notice) -> Answer:
    return TAKEN


def wanting(*kinds: NoticeKind) -> Notifications | None:
    return Notifications(wanted=frozenset(kinds), post=_take) if kinds else None


def units(hub: SharedHub) -> tuple[int, float]:
    bills = [meter.bill() for meter in hub.meters]
    return sum(each.write_units for each in bills), sum(each.read_units for each in bills)


async def cost_of_one(*kinds: NoticeKind) -> tuple[int, float]:
    async with shared_hub() as hub:
        host = await hub.start(APP, notifications=wanting(*kinds))
        await host.run(ends)
        await host.rest()
        hub.reset()
        await host.run(ends)
        await host.rest()
        return units(hub)


async def test_a_notice_costs_two_write_units_and_a_look_at_the_row() -> None:
    writes, reads = await cost_of_one()
    one, none = await cost_of_one(NoticeKind.COMPLETED), await cost_of_one(NoticeKind.FAILED)
    both = await cost_of_one(NoticeKind.STARTED, NoticeKind.COMPLETED)
    assert none == (writes, reads)
    assert one == (writes + 2, reads + 1)
    assert both == (writes + 4, reads + 2)
    dollars = 2 * USD_PER_MILLION["write unit"] + USD_PER_MILLION["read unit"]
    assert f"A million notices cost {dollars:.2f} USD" in DOCUMENT.read_text(encoding="utf-8")


async def usd_of_a_month(*kinds: NoticeKind) -> float:
    async with shared_hub() as hub:
        await hub.start(APP, notifications=wanting(*kinds))
        await hub.pass_time(1200, step_s=5)
        hub.reset()
        await hub.pass_time(3600, step_s=5)
        return hub.usd * HOURS


async def test_a_hub_at_rest_hardly_pays_for_being_ready_to_tell() -> None:
    more = await usd_of_a_month(NoticeKind.COMPLETED) - await usd_of_a_month()
    text = DOCUMENT.read_text(encoding="utf-8")
    assert f"A hub at rest that tells pays {more:.3f} USD a month more" in text
