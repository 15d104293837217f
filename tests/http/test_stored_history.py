"""`GET instances/{id}/history`: the events as they are stored."""

from __future__ import annotations

from datetime import timedelta

from bindings import FunctionApp, OrchestrationContext, RetryPolicy, TaskFailedError
from tests.http.hosting import running_host


def failing_app() -> FunctionApp:
    """An orchestration that calls what always fails, three times by a policy, and once without."""
    app = FunctionApp()
    policy = RetryPolicy(timedelta(milliseconds=1), max_number_of_attempts=3)

    @app.activity_trigger()
    async def fails(text: str) -> None:
        raise ValueError(text)

    @app.orchestration_trigger()
    async def tries(context: OrchestrationContext) -> None:
        for options in ({"retry_policy": policy}, {}):
            try:
                await context.call_activity("fails", "no luck", **options)
            except TaskFailedError:
                continue

    return app


async def test_attempts_of_an_activity_say_which_they_are_and_of_what() -> None:
    async with running_host(app=failing_app()) as host:
        instance_id = await host.ended("tries")
        answer = await (await host.call("GET", f"instances/{instance_id}/history")).json()
        tasks = [x for x in answer["historyEvents"] if x["EventType"] == "TaskScheduled"]
        first = tasks[0]["EventId"]
        assert [(x["Attempt"], x["MaxAttempts"], x["FirstEventId"]) for x in tasks[:3]] == [
            (1, 3, first),
            (2, 3, first),
            (3, 3, first),
        ]
        assert "Attempt" not in tasks[3]
        shown = await host.call("GET", f"instances/{instance_id}?showHistory=true")
        assert "Attempt" not in await shown.text()
