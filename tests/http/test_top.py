"""`funchost top`: what it shows of a hub, and what it has done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from bindings import FunctionApp, OrchestrationContext
from bindings.remote.client import RemoteClient
from host.cli.top.command import TopApp
from host.cli.top.timeline import Bar, Outcome, bars_of, drawn
from tests.http.hosting import Host, running_host
from tests.http.test_instance_commands import invoke
from tests.kit.hub import until

HOSTILE = "[bold]x[/bold]\x1b[2J"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def an_app() -> FunctionApp:
    app = FunctionApp()

    @app.activity_trigger()
    def works(word: str) -> str:
        if word == "fail":
            raise ValueError(HOSTILE)
        return word

    @app.orchestration_trigger()
    async def waits(context: OrchestrationContext, word: str) -> Any:
        done = await context.call_activity(works, word)
        context.set_custom_status(HOSTILE)
        await context.wait_for_external_event("go")
        return done

    return app


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with running_host(app=an_app()) as host:
        for instance_id in ("one", "two"):
            await host.call("POST", f"orchestrators/waits/{instance_id}", json="x")
        await host.call("POST", "orchestrators/waits/broken", json="fail")
        await host.until("broken", "Failed")
        await host.until("two", "Running")
        yield host


@asynccontextmanager
async def top(host: Host) -> AsyncIterator[Pilot[None]]:
    async with (
        RemoteClient(host.origin) as client,
        TopApp(client).run_test(size=(120, 40)) as pilot,
    ):
        await shows(pilot, lambda: rows(pilot) != [])
        yield pilot


async def shows(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Let the app run until it is so."""

    async def holds() -> bool:
        await pilot.pause()
        return condition()

    await until(holds)


def rows(pilot: Pilot[None]) -> list[list[str]]:
    table = pilot.app.screen.query_one("#instances", DataTable)
    return [[cell.plain for cell in table.get_row_at(place)] for place in range(table.row_count)]


def text_of(pilot: Pilot[None], name: str) -> str:
    found = pilot.app.screen.query(f"#{name}")
    return str(found.first(Static).render()) if found else ""


async def open_instance(pilot: Pilot[None], instance_id: str) -> None:
    place = [row[2] for row in rows(pilot)].index(instance_id)
    pilot.app.screen.query_one("#instances", DataTable).move_cursor(row=place)
    await pilot.press("enter")
    await shows(pilot, lambda: instance_id in text_of(pilot, "summary"))


async def test_it_lists_what_is_there_and_counts_it(host: Host) -> None:
    async with top(host) as pilot:
        assert {(row[0], row[2]) for row in rows(pilot)} == {
            ("Running", "one"),
            ("Running", "two"),
            ("Failed", "broken"),
        }
        counts = text_of(pilot, "counts")
        assert "Running 2" in counts
        assert "Failed 1" in counts


async def test_one_status_or_text_is_listed(host: Host) -> None:
    async with top(host) as pilot:
        await pilot.press("f", "f")
        await shows(pilot, lambda: [row[2] for row in rows(pilot)] == ["broken"])
        await pilot.press("f", "f", "f", "f", "f")
        await shows(pilot, lambda: len(rows(pilot)) == 3)
        await pilot.press("slash", *"two", "enter")
        await shows(pilot, lambda: [row[2] for row in rows(pilot)] == ["two"])


async def test_an_instance_says_why_it_waits_and_what_it_did(host: Host) -> None:
    async with top(host) as pilot:
        await open_instance(pilot, "one")
        assert "It waits for the event 'go' since" in text_of(pilot, "summary")
        assert "works" in text_of(pilot, "timeline")
        assert "━" in text_of(pilot, "timeline")
        await pilot.press("escape")
        await shows(pilot, lambda: len(rows(pilot)) == 3)


async def test_what_comes_from_a_hub_is_plain_text(host: Host) -> None:
    async with top(host) as pilot:
        for instance_id in ("two", "broken"):
            await open_instance(pilot, instance_id)
            summary = text_of(pilot, "summary")
            assert "[bold]x[/bold]" in summary
            assert "\x1b" not in summary
            await pilot.press("escape")
            await shows(pilot, lambda: len(rows(pilot)) == 3)


async def test_nothing_is_done_without_a_yes(host: Host) -> None:
    async with top(host) as pilot:
        await open_instance(pilot, "one")
        for answer in ("n", "escape", "enter"):
            await pilot.press("t", answer)
        await pilot.press("t", "y")
        await shows(pilot, lambda: "Terminated" in text_of(pilot, "summary"))
        await host.until("one", "Terminated")


async def test_an_event_is_sent(host: Host) -> None:
    async with top(host) as pilot:
        await open_instance(pilot, "two")
        await pilot.press("e", *"go", "enter")
        await host.until("two", "Completed")


async def test_a_refusal_is_said_and_ends_nothing(host: Host) -> None:
    async with top(host) as pilot:
        await open_instance(pilot, "two")
        await pilot.press("x", "y")
        said: Callable[[], bool] = lambda: any(  # noqa: E731
            "two" in each.message
            for each in pilot.app._notifications  # noqa: SLF001
        )
        await shows(pilot, said)
        await host.until("two", "Running")


async def test_without_a_terminal_it_says_what_to_use(host: Host) -> None:
    result = await invoke("top", url=host.origin)
    assert result.exit_code == 2
    assert "funchost instances list" in result.stderr


# ---- the timeline -----------------------------------------------------------------------------


def event(kind: str, after_s: float, number: int = -1, **fields: Any) -> dict[str, Any]:
    at = (NOON + timedelta(seconds=after_s)).isoformat()
    return {"EventType": kind, "Timestamp": at, "EventId": number, **fields}


def test_bars_begin_and_end_with_their_events() -> None:
    bars = bars_of(
        [
            event("TaskScheduled", 0, 1, Name="a"),
            event("TimerCreated", 1, 2, FireAt="2026-01-01T12:00:09Z"),
            event("TaskFailed", 4, TaskScheduledId=1),
            event("EventRaised", 5, Name="go"),
            event("TimerFired", 9, TimerId=2),
            event("SubOrchestrationInstanceCreated", 9, 3, Name="child"),
        ]
    )
    shown = [
        (bar.text, bar.outcome, bar.end and (bar.end - bar.start).total_seconds()) for bar in bars
    ]
    assert shown == [
        ("a", Outcome.FAILED, 4.0),
        ("timer until 2026-01-01T12:00:09", Outcome.DONE, 8.0),
        ("event go", Outcome.DONE, 0.0),
        ("child (sub-orchestration)", Outcome.OPEN, None),
    ]


@pytest.mark.parametrize("width", [20, 1])
def test_bars_are_drawn_on_one_scale(width: int) -> None:
    second = timedelta(seconds=1)
    bars = [
        Bar(text="a", start=NOON, end=NOON + 5 * second, outcome=Outcome.DONE),
        Bar(text="b", start=NOON + 5 * second),
    ]
    lines = list(drawn(bars, NOON + 10 * second, width))
    assert [len(line) for line in lines] == [width, width]
    if width == 20:
        assert lines == ["━" * 11 + " " * 9, " " * 10 + "╌" * 10]
    assert list(drawn([], NOON, width)) == []
