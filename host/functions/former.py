"""Functions that do not load any more: their former version goes on.

Whoever saves half a file, or a mistake, changes nothing that runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from host.functions.model import App, BrokenFunction, HostFunction
from host.settings import HostSettings


def with_former(app: App, former: App, settings: HostSettings) -> App | None:
    """The app with those functions of the former one that are broken now; None if there is none.

    `app` has no function any more that is broken. What is broken stays so, and says that it goes
    on. A function that is not there any more is none that is broken.
    """
    here = {each.label.lower() for each in app.functions}
    wanted = None if settings.functions is None else {x.lower() for x in settings.functions}
    left = [
        each
        for each in former.functions
        if each.label.lower() not in here and (wanted is None or each.name.lower() in wanted)
    ]
    kept: dict[str, HostFunction] = {}
    broken: list[BrokenFunction] = []
    for each in app.broken:
        found = _former_of(each, left)
        kept.update((function.label.lower(), function) for function in found)
        broken.append(replace(each, goes_on=tuple(function.name for function in found)))
    if not kept:
        return None
    functions = (*app.functions, *(_with_state(each, settings) for each in kept.values()))
    return replace(app, functions=functions, broken=tuple(broken))


def _former_of(broken: BrokenFunction, former: Iterable[HostFunction]) -> Sequence[HostFunction]:
    """What ran of that which is broken."""
    of_folder = [each for each in former if each.directory == broken.directory]
    if broken.is_module:
        return [each for each in of_folder if not each.is_drop_in]
    name = broken.name.lower()
    return [each for each in of_folder if each.is_drop_in or each.name.lower() == name]


def _with_state(function: HostFunction, settings: HostSettings) -> HostFunction:
    is_disabled = function.is_disabled or settings.is_disabled(function.name)
    return replace(function, is_disabled=is_disabled)
