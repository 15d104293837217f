"""The list of functions that a start prints, by trigger: HTTP functions with their URLs first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

import click

from host.functions.model import App, BrokenFunction, HostFunction, Oddity

_WIDTH = 96


def function_list(app: App, functions_url: str) -> Iterator[str]:
    """The lines of the list. `functions_url` is what all routes start with."""
    by_trigger: dict[str, list[HostFunction]] = {}
    for function in app.functions:
        if not function.is_disabled:
            by_trigger.setdefault(function.declaration.trigger.type, []).append(function)
    for trigger in sorted(by_trigger, key=lambda each: (not _is_shown(by_trigger[each]), each)):
        yield from _group(trigger, by_trigger[trigger], functions_url)
    for function in app.functions:
        if function.is_disabled:
            yield f"Function {function.label} is disabled."
    yield from broken_lines(app.broken)
    yield from odd_lines(app.oddities)


def _is_shown(functions: list[HostFunction]) -> bool:
    """Whether there is more to say of these, which have one kind of trigger, than their names."""
    return functions[0].trigger.shown is not None


def _group(trigger: str, functions: list[HostFunction], functions_url: str) -> Iterator[str]:
    functions = sorted(functions, key=lambda each: each.name.lower())
    yield f"{trigger}:"
    shown = functions[0].trigger.shown
    if shown is None:
        names = ", ".join(each.label for each in functions)
        lines = wrap(names, _WIDTH, break_on_hyphens=False, break_long_words=False)
        yield from (f"  {line}" for line in lines)
        return
    width = max(len(each.name) for each in functions)
    for each in functions:
        yield f"  {each.name:{width}}  {shown(each.declaration.trigger, functions_url)}"


def broken_lines(broken: Iterable[BrokenFunction]) -> Iterator[str]:
    """What does not load, with the reason and the traceback."""
    for each in broken:
        yield click.style(str(each), fg="red")
        yield click.style(f"  in {each.directory}", fg="red")
        for line in each.traceback.rstrip().splitlines():
            yield click.style(f"  {line}", fg="red")
        yield ""


def odd_lines(oddities: Iterable[Oddity]) -> Iterator[str]:
    """What loads and is probably not meant."""
    for each in oddities:
        yield click.style(f"Odd: {each}", fg="yellow")
