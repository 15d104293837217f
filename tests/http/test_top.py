"""`funchost top`: what it shows of a hub, and what it has done."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from bindings import EntityContext, EntityId, FunctionApp, OrchestrationContext, when_all
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

    @app.entity_trigger(context_name="context")
    def counter(context: EntityContext) -> None:
        context.set_result(1)

    @app.orchestration_trigger()
    async def counts(context: OrchestrationContext) -> None:
        async with context.lock_entities(EntityId("counter", "a")):
            await context.call_entity(EntityId("counter", "a"), "add")

    @app.orchestration_trigger()
    async def many(context: OrchestrationContext) -> None:
        await when_all([context.wait_for_external_event(f"e{number}") for number in range(15)])

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
    async with RemoteClient(host.origin) as client, top_of(client) as pilot:
        yield pilot


@asynccontextmanager
async def top_of(
    client: RemoteClient, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Pilot[None]]:
    async with TopApp(client).run_test(size=size) as pilot:
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


def screen(pilot: Pilot[None]) -> str:
    """What is seen, with a space for each gap; without the frames of dialogs."""
    strips = pilot.app.screen._compositor.render_strips()  # noqa: SLF001
    return " ".join(re.sub("[╭─╮│╰╯▊▎▔▁]", " ", "\n".join(x.text for x in strips)).split())


def notices(pilot: Pilot[None]) -> list[str]:
    return [each.message for each in pilot.app._notifications]  # noqa: SLF001


def choose(pilot: Pilot[None], instance_id: str) -> None:
    place = [row[3] for row in rows(pilot)].index(instance_id)
    pilot.app.screen.query_one("#instances", DataTable).move_cursor(row=place)


async def open_instance(pilot: Pilot[None], instance_id: str) -> None:
    choose(pilot, instance_id)
    await pilot.press("enter")
    await shows(pilot, lambda: instance_id in text_of(pilot, "summary"))


async def test_it_lists_what_is_there_and_counts_it(host: Host) -> None:
    async with top(host) as pilot:
        assert {(row[0], row[3]) for row in rows(pilot)} == {
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
        await shows(pilot, lambda: [row[3] for row in rows(pilot)] == ["broken"])
        await pilot.press("f", "f", "f", "f", "f")
        await shows(pilot, lambda: len(rows(pilot)) == 3)
        await pilot.press("slash", *"two", "enter")
        await shows(pilot, lambda: [row[3] for row in rows(pilot)] == ["two"])
        assert "Listed: with 'two', the newest first" in text_of(pilot, "counts")
        await pilot.press("f", "f")
        await shows(pilot, lambda: "Listed: Failed with 'two', none" in text_of(pilot, "counts"))


async def test_an_instance_says_why_it_waits_and_what_it_did(host: Host) -> None:
    async with top(host) as pilot:
        await open_instance(pilot, "one")
        assert "It waits for the event 'go' since" in text_of(pilot, "summary")
        assert "works" in text_of(pilot, "timeline")
        assert "━" in text_of(pilot, "timeline")
        await pilot.press("escape")
        await shows(pilot, lambda: len(rows(pilot)) == 3)


async def test_what_is_long_leaves_room_for_the_rest(host: Host) -> None:
    await host.hub.schedule_new_orchestration(
        "many", input={"text": "x" * 5000}, instance_id="many", tags={"region": "north"}
    )
    await host.until("many", "Running")
    async with top(host) as pilot:
        await open_instance(pilot, "many")
        summary = text_of(pilot, "summary")
        assert '{"text": "xxx' in summary
        assert "… (5,012 characters)" in summary
        assert "region:north" in summary
        assert summary.count("It waits for the event") == 10
        assert "It waits for 5 more." in summary


async def test_locks_and_calls_of_entities_are_named(host: Host) -> None:
    await host.hub.schedule_new_orchestration("counts", instance_id="counts")
    await host.until("counts", "Completed")
    async with top(host) as pilot:
        await open_instance(pilot, "counts")
        assert "lock of @counter@a" in text_of(pilot, "timeline")
        assert "@counter@a.add" in text_of(pilot, "timeline")


async def test_a_failure_is_said_once(host: Host) -> None:
    async with top(host) as pilot:
        await open_instance(pilot, "broken")
        summary = text_of(pilot, "summary")
        assert "failure" in summary
        assert "output" not in summary


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


@pytest.mark.parametrize(
    ("instance_id", "key", "said"),
    [
        ("broken", "t", "'broken' is Failed: there is nothing to stop."),
        ("broken", "s", "'broken' is Failed: there is nothing to hold."),
        ("broken", "r", "'broken' is Failed: nothing holds it."),
        ("broken", "d", "'broken' is Failed: it is not quarantined."),
        ("broken", "e", "'broken' is Failed: it takes no events any more."),
        ("one", "r", "'one' is Running: nothing holds it."),
        ("one", "w", "'one' is Running: only what failed can be rewound."),
        ("one", "x", "'one' is Running: only what is finished can be deleted."),
    ],
)
async def test_what_cannot_be_done_is_said_and_not_asked(
    host: Host, instance_id: str, key: str, said: str
) -> None:
    async with top(host) as pilot:
        choose(pilot, instance_id)
        await pilot.press(key)
        await shows(pilot, lambda: notices(pilot) == [said])
        await open_instance(pilot, instance_id)
        await pilot.press(key)
        await shows(pilot, lambda: notices(pilot) == [said])


async def test_what_is_shown_may_be_old(host: Host) -> None:
    async with top(host) as pilot:
        await pilot.press("p")
        await host.hub.suspend_instance("one")
        await host.until("one", "Suspended")
        choose(pilot, "one")
        await pilot.press("r")
        await shows(pilot, lambda: "Let 'one' go on?" in screen(pilot))
        await pilot.press("y")
        await host.until("one", "Running")


async def test_a_refusal_of_the_host_is_said_and_ends_nothing(host: Host) -> None:
    async with top(host) as pilot:
        await open_instance(pilot, "two")
        await pilot.press("s")
        await host.hub.terminate_instance("two")
        await host.until("two", "Terminated")
        await pilot.press("y")
        await shows(pilot, lambda: any("two" in each for each in notices(pilot)))
        await shows(pilot, lambda: "Terminated" in text_of(pilot, "summary"))


# ---- a host that is away, and terminals of any width ---------------------------------------------


async def test_a_host_that_is_away_is_said_once_and_its_return_too(host: Host) -> None:
    async with RemoteClient(host.origin) as client, top_of(client) as pilot:
        client.connection.url = "http://127.0.0.1:1"
        for _ in range(3):
            await pilot.press("f5")
            await shows(pilot, lambda: "No host answers" in text_of(pilot, "matter"))
        assert notices(pilot) == []
        assert text_of(pilot, "matter").count("No host answers") == 1
        assert "what is shown is from before" in text_of(pilot, "matter")
        assert len(rows(pilot)) == 3
        await pilot.press("enter")
        await shows(pilot, lambda: "Reading '" in text_of(pilot, "summary"))
        assert "No host answers" in text_of(pilot, "matter")
        await pilot.press("escape")
        client.connection.url = host.origin
        await pilot.press("f5")
        await shows(pilot, lambda: notices(pilot) == ["The host answers again."])
        assert not pilot.app.screen.query_one("#matter").display


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20), (40, 20)])
async def test_nothing_is_cut_off(host: Host, size: tuple[int, int]) -> None:
    long_id = "order-2024-" + "x" * 22 + "-1"
    await host.hub.schedule_new_orchestration("waits", input="x", instance_id=long_id)
    await host.until(long_id, "Running")
    async with RemoteClient(host.origin) as client, top_of(client, size) as pilot:
        await shows(pilot, lambda: long_id in [row[3] for row in rows(pilot)])
        choose(pilot, long_id)
        for key in ("Pause", "Terminate", "Redrive", "Purge", "Event", "Find", "Quit"):
            assert key in screen(pilot)
        for key, question in (
            ("t", f"Stop '{long_id}' and its sub-orchestrations? Its code does not go on."),
            ("e", f"Name of the event for '{long_id}':"),
        ):
            await pilot.press(key)
            await shows(pilot, lambda: not pilot.app.screen.query("#instances"))
            assert question.replace(" ", "") in screen(pilot).replace(" ", "")
            await pilot.press("escape")


async def test_how_long_is_said_no_finer_than_it_is_known(host: Host) -> None:
    async with top(host) as pilot:
        [took] = [row[1] for row in rows(pilot) if row[3] == "broken"]
        assert took in {"<1s", "1s"}


async def test_a_click_on_a_key_presses_it(host: Host) -> None:
    async with top(host) as pilot:
        await pilot.click("Keys", offset=(3, 0))
        await shows(pilot, lambda: "Paused" in text_of(pilot, "matter"))


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
