"""The screens of `funchost top`: the hub with its instances, and one instance.

What comes from a hub may hold anything, so it is shown as plain text with control characters as
escapes, and never as mark-up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static
from textual.worker import Worker

from bindings.client import OrchestrationState, RuntimeStatus
from bindings.errors import ClientError
from bindings.remote.client import RemoteClient
from host.cli.top.dialogs import Line, Question
from host.cli.top.orders import ORDERS
from host.cli.top.reading import Filter, HubView, InstanceView, read_hub, read_instance
from host.cli.top.timeline import Outcome, bars_of, drawn
from host.clock import SystemClock
from host.log_text import printable

EACH_S: Final = 2.0
"""How often a screen is read anew."""
_STYLES: Final[Mapping[RuntimeStatus, str]] = {
    RuntimeStatus.COMPLETED: "green",
    RuntimeStatus.FAILED: "bold red",
    RuntimeStatus.TERMINATED: "yellow",
    RuntimeStatus.CANCELED: "yellow",
    RuntimeStatus.SUSPENDED: "yellow",
    RuntimeStatus.PENDING: "cyan",
    RuntimeStatus.RUNNING: "cyan",
}
_OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.OPEN: "cyan",
    Outcome.DONE: "green",
    Outcome.FAILED: "bold red",
}
_MAX_TEXT: Final = 2000
_FILTERED: Final = (None, *(each for each in _STYLES if each is not RuntimeStatus.CANCELED))
"""The statuses that `f` goes through."""


class LiveScreen(Screen[None]):
    """A screen that is read anew again and again, unless it is paused."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause"),
        Binding("f5", "read", "Read now", show=False),
        *(Binding(each.key, f"order('{name}')", name.title()) for name, each in ORDERS.items()),
        Binding("e", "raise_event", "Event"),
    ]

    def __init__(self, client: RemoteClient) -> None:
        super().__init__()
        self._client = client
        self._is_paused = False

    @property
    def chosen(self) -> str | None:
        """The id of the instance that orders are for, if there is one."""
        return None

    async def read(self) -> None:
        """Read what is shown, and show it. Raises `ClientError`."""

    def on_mount(self) -> None:
        """Begin to read."""
        self.set_interval(EACH_S, self._tick)
        self.action_read()

    def _tick(self) -> None:
        if not self._is_paused and self.is_current:
            self.action_read()

    def action_read(self) -> None:
        """Read now; a reading that is under way is given up."""
        self._run(self.read, "read")

    def action_pause(self) -> None:
        """Stop reading anew, or go on with it."""
        self._is_paused = not self._is_paused
        self.notify("Paused: p goes on." if self._is_paused else "Live again.")

    def action_order(self, name: str) -> None:
        """Ask, and then have it done."""
        instance_id, order = self.chosen, ORDERS[name]
        if instance_id is None:
            return

        async def do() -> None:
            await order.do(self._client, instance_id)
            self.notify(f"{name}: accepted.", markup=False)
            await self.read()

        def answered(is_yes: bool | None) -> None:
            if is_yes:
                self._run(do, "order")

        self.app.push_screen(Question(order.asks.format(instance_id)), answered)

    def action_raise_event(self) -> None:
        """Ask for the name of an event, and send it without data."""
        instance_id = self.chosen
        if instance_id is None:
            return

        def answered(name: str | None) -> None:
            if not name:
                return

            async def do() -> None:
                await self._client.raise_event(instance_id, name)
                self.notify(f"Sent '{printable(name)}'.", markup=False)

            self._run(do, "order")

        self.app.push_screen(Line(f"Name of the event for '{instance_id}':"), answered)

    def _run(self, do: Callable[[], Awaitable[None]], group: str) -> None:
        """Do it beside the screen. A reading gives up the one before it."""

        async def work() -> None:
            try:
                await do()
            except ClientError as error:
                self.notify(printable(str(error)), severity="error", markup=False)

        _: Worker[None] = self.run_worker(work, exclusive=group == "read", group=group)


class HubScreen(LiveScreen):
    """The hub: its counts, and the newest instances."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "next_status", "Status"),
        Binding("slash", "find", "Find"),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self, client: RemoteClient) -> None:
        super().__init__(client)
        self._wanted = Filter()

    def compose(self) -> ComposeResult:
        """Counts above the table."""
        yield Static(id="counts")
        yield DataTable[Text](id="instances", cursor_type="row")
        yield Footer()

    def on_mount(self) -> None:
        """Give the table its columns."""
        self._table.add_columns("Status", "Name", "Instance", "Created", "For")
        super().on_mount()

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#instances", DataTable)

    @property
    def chosen(self) -> str | None:
        """That of the row with the cursor."""
        table = self._table
        if not table.row_count:
            return None
        return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value

    async def read(self) -> None:
        """Read the hub."""
        self._show(await read_hub(self._client, self._wanted))

    def _show(self, hub: HubView) -> None:
        self.query_one("#counts", Static).update(_counts(hub, self._wanted))
        table, chosen, now = self._table, self.chosen, SystemClock().now()
        table.clear()
        for place, state in enumerate(hub.instances):
            table.add_row(*_row(state, now), key=state.instance_id)
            if state.instance_id == chosen:
                table.move_cursor(row=place)

    def on_data_table_row_selected(self, row: DataTable.RowSelected) -> None:
        """Enter was pressed on an instance."""
        if row.row_key.value is not None:
            self.app.push_screen(InstanceScreen(self._client, row.row_key.value))

    def action_next_status(self) -> None:
        """List those of the next status only; after the last one all again."""
        place = _FILTERED.index(self._wanted.status) + 1
        self._wanted = Filter(status=_FILTERED[place % len(_FILTERED)], text=self._wanted.text)
        self.action_read()

    def action_find(self) -> None:
        """Ask for a text that is to be in the id, the custom status or the failure."""

        def answered(text: str | None) -> None:
            if text is not None:
                self._wanted = Filter(status=self._wanted.status, text=text)
                self.action_read()

        self.app.push_screen(
            Line("Text in the id, the custom status or the failure:", self._wanted.text), answered
        )


class InstanceScreen(LiveScreen):
    """One instance: its status, why it waits, and what it did when."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "app.pop_screen", "Back")]

    def __init__(self, client: RemoteClient, instance_id: str) -> None:
        super().__init__(client)
        self._instance_id = instance_id

    def compose(self) -> ComposeResult:
        """All of it is text."""
        with VerticalScroll():
            yield Static(id="summary")
            yield Static(id="timeline")
        yield Footer()

    @property
    def chosen(self) -> str | None:
        """The one that is shown."""
        return self._instance_id

    async def read(self) -> None:
        """Read the instance."""
        found = await read_instance(self._client, self._instance_id)
        summary, timeline = self.query_one("#summary", Static), self.query_one("#timeline", Static)
        if found is None:
            summary.update(Text(f"There is no instance '{printable(self._instance_id)}' any more."))
            timeline.update("")
            return
        summary.update(_summary(found))
        timeline.update(_timeline(found, max(self.size.width // 2, 20)))


# ---- texts -----------------------------------------------------------------------------------


def _counts(hub: HubView, wanted: Filter) -> Text:
    text = Text()
    for status, style in _STYLES.items():
        count = hub.counts.get(status, 0)
        if count or status is RuntimeStatus.RUNNING:
            text.append(f" {status.value} ", style=style)
            text.append(f"{count:,}  ", style="bold")
    text.append(f"\n Hosts {hub.hosts}  Quarantined {hub.quarantined}")
    shown = [wanted.status.value] if wanted.status else []
    shown += [f"with '{printable(wanted.text)}'"] if wanted.text else []
    text.append(f"  Listed: {' '.join(shown) or 'all'}, the newest first", style="dim")
    return text


def _row(state: OrchestrationState, now: datetime) -> tuple[Text, ...]:
    end = state.last_updated_at if state.runtime_status.is_finished else now
    return (
        Text(state.runtime_status.value, style=_STYLES.get(state.runtime_status, "")),
        Text(printable(state.name)),
        Text(printable(state.instance_id)),
        Text(f"{state.created_at:%Y-%m-%d %H:%M:%S}Z"),
        Text(_span((end - state.created_at).total_seconds()), justify="right"),
    )


def _summary(view: InstanceView) -> Text:
    state = view.state
    text = Text()
    text.append(f" {state.runtime_status.value} ", style=_STYLES.get(state.runtime_status, ""))
    text.append(f" {printable(state.name)}  {printable(state.instance_id)}\n", style="bold")
    facts = {
        "created": f"{state.created_at:%Y-%m-%d %H:%M:%S}Z",
        "changed": f"{state.last_updated_at:%Y-%m-%d %H:%M:%S}Z",
        "version": state.version,
        "parent": state.parent_instance_id,
        "status": state.custom_status,
        "input": state.input,
        "output": state.output,
        "failure": None if state.failure_details is None else state.failure_details.text,
    }
    for name, value in facts.items():
        if value is not None:
            text.append(f" {name:<9}", style="dim")
            text.append(f"{printable(str(value))[:_MAX_TEXT]}\n")
    for each in view.waiting:
        text.append(f" {printable(each.in_words())}\n", style="cyan")
    return text


def _timeline(view: InstanceView, width: int) -> Text:
    state, bars, text = view.state, bars_of(view.events), Text("\n")
    is_over = state.runtime_status.is_finished
    lines = drawn(bars, state.last_updated_at if is_over else SystemClock().now(), width)
    for bar, line in zip(bars, lines, strict=True):
        text.append(f" {printable(bar.text)[:30]:<30} ", style="dim")
        text.append(line, style=_OUTCOMES[bar.outcome])
        if bar.end is not None:
            text.append(f" {_span((bar.end - bar.start).total_seconds())}", style="dim")
        text.append("\n")
    return text


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"
