"""Timers: functions that run at the times of a schedule, once for all hosts of a hub."""

from __future__ import annotations

import logging

from funchost import (
    DurableClient,
    FunctionApp,
    OrchestrationContext,
    ReusePolicy,
    TimerRequest,
)

app = FunctionApp()


@app.timer_trigger(arg_name="timer", schedule="0 0 8 * * MON-FRI", time_zone="Europe/Berlin")
@app.orchestration_client("client")
async def every_workday(timer: TimerRequest, client: DurableClient) -> None:
    """Start the day's report, under the name of the due time: a run that is repeated starts none.

    A timer runs at least once for each due time, an orchestration under one id exactly once.
    """
    await client.schedule_new_orchestration(
        day_report,
        input=f"{timer.due_at:%Y-%m-%d}",
        instance_id=f"report-{timer.due_at:%Y%m%dT%H%M%SZ}",
        reuse=ReusePolicy.KEEP,
    )


@app.orchestration_trigger()
async def day_report(context: OrchestrationContext, day: str) -> str:
    figures = await context.call_activity(count_visits, day)
    return f"{day}: {figures} visits"


@app.activity_trigger()
def count_visits(day: str) -> int:
    return sum(map(ord, day))


@app.timer_trigger(arg_name="timer", schedule="06:00:00", use_monitor=False)
def look_around(timer: TimerRequest) -> None:
    """Every six hours from the first start on. What no host was there for is left out."""
    logging.info("All is well at %s%s", timer.due_at, ", late" if timer.past_due else "")
