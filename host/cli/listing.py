"""The list of functions that a start prints: HTTP functions with their URLs first, then the others.

The form is that of Azure's local tool, which people and scripts know how to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from bindings.binding_types import HTTP_TRIGGER
from host.functions.model import App, BrokenFunction, HostFunction, Oddity


def function_list(app: App, functions_url: str) -> Iterator[str]:
    """The lines of the list. `functions_url` is what all routes start with."""
    enabled = [function for function in app.functions if not function.is_disabled]
    if enabled:
        yield from ("", "Functions:", "")
    for function in _http_first(enabled):
        yield from (f"\t{function.name}: {_described(function, functions_url)}", "")
    for function in app.functions:
        if function.is_disabled:
            yield f"Function {function.name} is disabled."
    yield from broken_lines(app.broken)
    yield from odd_lines(app.oddities)
    if not app.functions and not app.broken:
        yield "No functions found. Add a function_app.py, or folders with a function.json."


def _http_first(functions: Iterable[HostFunction]) -> list[HostFunction]:
    return sorted(functions, key=lambda each: (not _is_http(each), each.name.lower()))


def _is_http(function: HostFunction) -> bool:
    return function.declaration.trigger.type == HTTP_TRIGGER


def _described(function: HostFunction, functions_url: str) -> str:
    trigger = function.declaration.trigger
    if not _is_http(function):
        return trigger.type
    methods = ",".join(trigger.properties.get("methods", ()))
    return f"{f'[{methods}]' if methods else ''} {functions_url}/{trigger.properties['route']}"


def broken_lines(broken: Iterable[BrokenFunction]) -> Iterator[str]:
    """What does not load, with the reason and the traceback."""
    for each in broken:
        yield click.style(f"Function {each.name} does not load: {each.error}", fg="red")
        yield click.style(f"  in {each.directory}", fg="red")
        for line in each.traceback.rstrip().splitlines():
            yield click.style(f"  {line}", fg="red")
        yield ""


def odd_lines(oddities: Iterable[Oddity]) -> Iterator[str]:
    """What loads and is probably not meant."""
    for each in oddities:
        yield click.style(f"Odd: {each}", fg="yellow")
