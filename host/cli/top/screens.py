"""The screens of `funchost top`: the hub with its instances, and one instance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Final, Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import DataTable, Static
from textual.worker import Worker

from bindings.client import OrchestrationState, RuntimeStatus
from bindings.errors import ClientError
from bindings.remote.client import RemoteClient
from host.cli.top.contact import Contact
from host.cli.top.dialogs import Line, Question
from host.cli.top.keys import Keys
from host.cli.top.orders import ORDERS, RAISE_EVENT, Rule
from host.cli.top.reading import Filter, HubView, read_hub, read_instance
from host.cli.top.texts import (
    COLUMNS,
    STYLES,
    counts_text,
    row_of,
    summary_text,
    timeline_text,
)
from host.clock import SystemClock
from host.log_text import printable

EACH_S: Final = 2.0
"""How often a screen is read anew."""
_FILTERED: Final = (None, *(each for each in STYLES if each is not RuntimeStatus.CANCELED))
"""The statuses that `f` goes through."""


class LiveScreen(Screen[None]):
    """A screen that is read anew again and again, unless it is paused."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause"),
        Binding("f5", "read", "Read now", show=False),
        *(Binding(each.key, f"order('{name}')", name.title()) for name, each in ORDERS.items()),
        Binding("e", "raise_event", "Event"),
    ]

    def __init__(self, client: RemoteClient, contact: Contact) -> None:
        super().__init__()
        self._client = client
        self._contact = contact
        self._is_paused = False
        self._reading: Worker[None] | None = None

    @property
    def chosen(self) -> OrchestrationState | None:
        """The instance that orders are for, as it is shown, if there is one."""
        return None

    def body(self) -> ComposeResult:
        """What is between the line with what is the matter and that of the keys."""
        yield from ()

    def compose(self) -> ComposeResult:
        """What is the matter, what is shown, and the keys."""
        yield Static(id="matter")
        yield from self.body()
        yield Keys()

    async def read(self) -> None:
        """Read what is shown, and show it. Raises `ClientError`."""

    def on_mount(self) -> None:
        """Begin to read."""
        self.set_interval(EACH_S, self._tick)
        self.action_read()

    def on_screen_resume(self) -> None:
        """Another screen was on top of it."""
        self._show_matter()

    def _tick(self) -> None:
        is_reading = self._reading is not None and self._reading.is_running
        if not (self._is_paused or is_reading) and self.is_current:
            self.action_read()

    def action_read(self) -> None:
        """Read now; a reading that is under way is given up."""
        self._reading = self.run_worker(self._read, exclusive=True, group="read")

    async def _read(self) -> None:
        try:
            await self.read()
        except ClientError as error:
            self._contact.failed(printable(str(error)), SystemClock().now())
        else:
            if self._contact.answered():
                self._say("The host answers again.")
        self._show_matter()

    def _show_matter(self) -> None:
        matter = self.query_one("#matter", Static)
        said = [
            Text(self._contact.in_words(), "bold red"),
            Text("Paused: p goes on." if self._is_paused else "", "yellow"),
        ]
        matter.update(Text("\n").join(filter(None, said)))
        matter.display = any(said)

    def action_pause(self) -> None:
        """Stop reading anew, or go on with it."""
        self._is_paused = not self._is_paused
        self._show_matter()

    def action_order(self, name: str) -> None:
        """Ask, and then have it done."""
        order = ORDERS[name]

        def ask(instance_id: str) -> None:
            async def do() -> None:
                await order.do(self._client, instance_id)
                self._say(f"{name}: accepted.")
                self.action_read()

            def answered(is_yes: bool | None) -> None:
                if is_yes:
                    self._run(do)

            self.app.push_screen(Question(order.asks.format(instance_id)), answered)

        self._if_allowed(order.rule, ask)

    def action_raise_event(self) -> None:
        """Ask for the name of an event, and send it without data."""

        def ask(instance_id: str) -> None:
            def answered(name: str | None) -> None:
                async def do() -> None:
                    await self._client.raise_event(instance_id, str(name))
                    self._say(f"Sent '{printable(str(name))}'.")

                if name:
                    self._run(do)

            self.app.push_screen(Line(f"Name of the event for '{instance_id}':"), answered)

        self._if_allowed(RAISE_EVENT, ask)

    def _if_allowed(self, rule: Rule, ask: Callable[[str], None]) -> None:
        """Ask about the chosen instance, or say why there is nothing to be done with it."""
        shown = self.chosen
        if shown is None:
            self._say("No instance is chosen.")
        elif rule.allows(shown):
            ask(shown.instance_id)
        else:
            self._run(lambda: self._look_again(shown.instance_id, rule, ask))

    async def _look_again(self, instance_id: str, rule: Rule, ask: Callable[[str], None]) -> None:
        """What is shown may be old."""
        state = await self._client.get_instance(instance_id, fetch_payloads=False)
        if state is None:
            self._say(_gone(instance_id))
        elif rule.allows(state):
            ask(instance_id)
        else:
            self._say(printable(rule.refusal(state)))

    def _run(self, do: Callable[[], Awaitable[None]]) -> None:
        """Do it beside the screen."""

        async def work() -> None:
            try:
                await do()
            except ClientError as error:
                self._say(printable(str(error)), "error")

        _: Worker[None] = self.run_worker(work, group="order")

    def _say(self, text: str, severity: Literal["information", "error"] = "information") -> None:
        """One notice at a time: they would hide what they are about."""
        self.app.clear_notifications()
        self.notify(text, severity=severity, markup=False)


class HubScreen(LiveScreen):
    """The hub: its counts, and the newest instances."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "next_status", "Status"),
        Binding("slash", "find", "Find"),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self, client: RemoteClient, contact: Contact) -> None:
        super().__init__(client, contact)
        self._wanted = Filter()
        self._shown: Mapping[str, OrchestrationState] = {}

    def body(self) -> ComposeResult:
        """Counts above the table."""
        yield Static(" Reading the hub…", id="counts")
        yield DataTable[Text](id="instances", cursor_type="row")

    def on_mount(self) -> None:
        """Give the table its columns."""
        self._table.add_columns(*COLUMNS)
        super().on_mount()

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#instances", DataTable)

    @property
    def chosen(self) -> OrchestrationState | None:
        """That of the row with the cursor."""
        table = self._table
        if not table.row_count:
            return None
        row = table.coordinate_to_cell_key(table.cursor_coordinate).row_key
        return self._shown.get(row.value or "")

    async def read(self) -> None:
        """Read the hub."""
        self._show(await read_hub(self._client, self._wanted))

    def _show(self, hub: HubView) -> None:
        self.query_one("#counts", Static).update(counts_text(hub, self._wanted))
        table, chosen, now = self._table, self.chosen, SystemClock().now()
        self._shown = {state.instance_id: state for state in hub.instances}
        table.clear()
        for place, state in enumerate(hub.instances):
            table.add_row(*row_of(state, now), key=state.instance_id)
            if chosen is not None and state.instance_id == chosen.instance_id:
                table.move_cursor(row=place)

    def on_data_table_row_selected(self, row: DataTable.RowSelected) -> None:
        """Enter was pressed on an instance."""
        if row.row_key.value is not None:
            self.app.push_screen(InstanceScreen(self._client, self._contact, row.row_key.value))

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

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back"),
        Binding("q", "app.pop_screen", "Back", show=False),
    ]

    def __init__(self, client: RemoteClient, contact: Contact, instance_id: str) -> None:
        super().__init__(client, contact)
        self._instance_id = instance_id
        self._state: OrchestrationState | None = None

    def body(self) -> ComposeResult:
        """All of it is text."""
        with VerticalScroll():
            yield Static(Text(f" Reading '{printable(self._instance_id)}'…"), id="summary")
            yield Static(id="timeline")

    @property
    def chosen(self) -> OrchestrationState | None:
        """The one that is shown."""
        return self._state

    async def read(self) -> None:
        """Read the instance."""
        found = await read_instance(self._client, self._instance_id)
        summary, timeline = self.query_one("#summary", Static), self.query_one("#timeline", Static)
        self._state = None if found is None else found.state
        if found is None:
            summary.update(Text(_gone(self._instance_id)))
            timeline.update("")
            return
        summary.update(summary_text(found))
        timeline.update(timeline_text(found, SystemClock().now(), self.size.width))


def _gone(instance_id: str) -> str:
    return f"There is no instance '{printable(instance_id)}' any more."
