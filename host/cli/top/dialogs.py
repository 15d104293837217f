"""Small dialogs of `funchost top`: a yes or no, and a line of text."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from host.log_text import printable


class Question(ModalScreen[bool]):
    """Asks whether to do something; only `y` does it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,enter", "answer(False)", "No"),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The question."""
        with Vertical(classes="dialog"):
            yield Label(Text(printable(self._text)))
            yield Label(Text("y: yes    n: no"), classes="hint")

    def action_answer(self, is_yes: bool) -> None:
        """Close it with this answer."""
        self.dismiss(is_yes)


class Line(ModalScreen[str | None]):
    """Asks for a line of text; Escape gives None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Cancel")]

    def __init__(self, text: str, value: str = "") -> None:
        super().__init__()
        self._text, self._value = text, value

    def compose(self) -> ComposeResult:
        """What is asked for, and where to type it."""
        with Vertical(classes="dialog"):
            yield Label(Text(printable(self._text)))
            yield Input(self._value)

    def on_input_submitted(self, typed: Input.Submitted) -> None:
        """Enter was pressed."""
        self.dismiss(typed.value)

    def action_give_up(self) -> None:
        """Escape was pressed."""
        self.dismiss(None)
