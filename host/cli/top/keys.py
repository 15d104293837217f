"""The keys of a screen, in as many lines as they need: a footer would cut off the last of them."""

from __future__ import annotations

from rich.style import Style as RichStyle
from rich.text import Text
from textual.binding import ActiveBinding
from textual.screen import Screen
from textual.widgets import Static

_NO_BREAK = "\N{NO-BREAK SPACE}"


class Keys(Static):
    """What each key does. A click on one presses it."""

    DEFAULT_CSS = """
    Keys { dock: bottom; height: auto; background: $panel; padding: 0 1; }
    """

    def on_mount(self) -> None:
        """Show them, and again whenever others do something."""
        self.screen.bindings_updated_signal.subscribe(self, self._show)
        self._show(self.screen)

    def _show(self, screen: Screen[object]) -> None:
        shown = [each for each in screen.active_bindings.values() if each.binding.show]
        self.update(Text("  ").join(map(self._text_of, shown)))

    def _text_of(self, each: ActiveBinding) -> Text:
        key, label = self.app.get_key_display(each.binding), each.binding.description
        text = Text(f"{key}{_NO_BREAK}{label}")
        text.stylize(RichStyle(meta={"@click": f"app.simulate_key('{each.binding.key}')"}))
        text.stylize("bold", 0, len(key))
        return text
