"""The texts of `funchost top`, from what was read.

What comes from a hub may hold anything, so it is shown as plain text with control characters as
escapes, and never as mark-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from bindings.client import OrchestrationState, RuntimeStatus
from host.cli.showing import value_text
from host.cli.top.reading import PAGE, Filter, HubView, InstanceView
from host.cli.top.timeline import Outcome, bars_of, drawn
from host.log_text import printable

STYLES: Final[Mapping[RuntimeStatus, str]] = {
    RuntimeStatus.COMPLETED: "green",
    RuntimeStatus.FAILED: "bold red",
    RuntimeStatus.TERMINATED: "yellow",
    RuntimeStatus.CANCELED: "yellow",
    RuntimeStatus.SUSPENDED: "yellow",
    RuntimeStatus.PENDING: "cyan",
    RuntimeStatus.RUNNING: "cyan",
}
COLUMNS: Final = ("Status", "For", "Name", "Instance", "Created")
"""What is looked for first stands first: a narrow terminal does not show all of them."""
_OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.OPEN: "cyan",
    Outcome.DONE: "green",
    Outcome.FAILED: "bold red",
}
_MAX_TEXT: Final = 2000
_MAX_VALUE: Final = 300
"""So much is shown of a value: what an instance did when stands below."""
_MAX_WAITS: Final = 10
_WIDEST_NAME: Final = 30
_SPAN_WIDTH: Final = 12
"""What is beside a bar: how long it took, and the bar for scrolling."""
_LEAST_BAR: Final = 10


def counts_text(hub: HubView, wanted: Filter) -> Text:
    """How many there are, and which of them are listed."""
    text = Text()
    for status, style in STYLES.items():
        count = hub.counts.get(status, 0)
        if count or status is RuntimeStatus.RUNNING:
            text.append(f" {status.value} ", style=style)
            text.append(f"{count:,}  ", style="bold")
    text.append(f"\n Hosts {hub.hosts}  Quarantined {hub.quarantined}")
    shown = [wanted.status.value] if wanted.status else []
    shown += [f"with '{printable(wanted.text)}'"] if wanted.text else []
    listed = len(hub.instances)
    which = f"the newest {PAGE}" if listed == PAGE else "the newest first" if listed else "none"
    text.append(f"  Listed: {' '.join(shown) or 'all'}, {which}", style="dim")
    return text


def row_of(state: OrchestrationState, now: datetime) -> tuple[Text, ...]:
    """The row of an instance, in the order of `COLUMNS`."""
    end = state.last_updated_at if state.runtime_status.is_finished else now
    return (
        Text(state.runtime_status.value, style=STYLES.get(state.runtime_status, "")),
        Text(_rough_span((end - state.created_at).total_seconds()), justify="right"),
        Text(printable(state.name)),
        Text(printable(state.instance_id)),
        Text(f"{state.created_at:%Y-%m-%d %H:%M:%S}Z"),
    )


def summary_text(view: InstanceView) -> Text:
    """What is to be known of an instance, and why it waits."""
    state = view.state
    text = Text()
    text.append(f" {state.runtime_status.value} ", style=STYLES.get(state.runtime_status, ""))
    text.append(f" {printable(state.name)}  {printable(state.instance_id)}\n", style="bold")
    facts = {
        "created": f"{state.created_at:%Y-%m-%d %H:%M:%S}Z",
        "changed": f"{state.last_updated_at:%Y-%m-%d %H:%M:%S}Z",
        "version": state.version,
        "tags": ", ".join(f"{name}:{value}" for name, value in state.tags.items()),
        "parent": state.parent_instance_id,
        "status": _value(state.custom_status),
        "input": _value(state.input),
        "output": _value(state.output if state.failure_details is None else None),
        "failure": None if state.failure_details is None else state.failure_details.text,
        "blocked": state.blocked_reason,
    }
    for name, value in facts.items():
        if value:
            text.append(f" {name:<9}", style="dim")
            text.append(f"{_shortened(printable(value), _MAX_TEXT)}\n")
    for each in view.waiting[:_MAX_WAITS]:
        text.append(f" {printable(each.in_words())}\n", style="cyan")
    if (left := len(view.waiting) - _MAX_WAITS) > 0:
        text.append(f" It waits for {left:,} more.\n", style="cyan")
    return text


def _value(value: Any) -> str:
    return _shortened(value_text(value), _MAX_VALUE)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def timeline_text(view: InstanceView, now: datetime, width: int) -> Text:
    """A line for each deed; together they are as wide as the terminal."""
    state, bars, text = view.state, bars_of(view.events), Text("\n")
    end = state.last_updated_at if state.runtime_status.is_finished else now
    names = [printable(bar.text) for bar in bars]
    name_width = max(1, min(_WIDEST_NAME, width // 3, max(map(len, names), default=1)))
    bar_width = max(width - name_width - _SPAN_WIDTH, _LEAST_BAR)
    for name, bar, line in zip(names, bars, drawn(bars, end, bar_width), strict=True):
        text.append(f" {name[:name_width]:<{name_width}} ", style="dim")
        text.append(line, style=_OUTCOMES[bar.outcome])
        if bar.end is not None:
            text.append(f" {_span((bar.end - bar.start).total_seconds())}", style="dim")
        text.append("\n")
    return text


def _rough_span(seconds: float) -> str:
    """How long between two times that are known in whole seconds."""
    if seconds < 1:
        return "<1s"
    return f"{seconds:.0f}s" if seconds < 60 else _span(seconds)


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"
