"""Loading an app: its folder, then those it includes, each by decorators and by function.json.

What does not load becomes a `BrokenFunction`; the rest runs. Names are unique in the whole app,
without regard to case: of two functions with one name the second is broken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

from bindings.app import FunctionApp
from bindings.declaring import are_told_apart, declare
from bindings.errors import FunctionDefinitionError
from bindings.function_retry import FunctionRetry, read_retry
from bindings.functions import Binding
from bindings.kinds.registry import kind_of
from host.core.converter import unreadable_reason
from host.errors import ConfigurationError
from host.functions.activities import payload_annotations
from host.functions.blueprints import lost_blueprints
from host.functions.decorated import SCRIPT_NAME, declared, load_decorated
from host.functions.folders import load_folders
from host.functions.limits import check_limit
from host.functions.model import App, BrokenFunction, HostFunction, Oddity
from host.functions.modules import app_folder, app_imports
from host.functions.oddities import odd_declarations, odd_names, odd_sharers
from host.functions.slow_loading import slowness_told
from host.logs import HostLog
from host.os_words import path_in_words
from host.settings import HostSettings
from host.settings.connections import read_connection

_CONNECTION: Final = "connection"

_logger = HostLog(__name__)


def load_app(app_dir: Path, settings: HostSettings) -> App:
    """Load everything, running the author's modules. Blocks: call it before serving."""
    app_dir = app_dir.resolve()
    with slowness_told(app_dir):
        return _load(app_dir, settings)


def app_of(functions: FunctionApp, app_dir: Path, settings: HostSettings) -> App:
    """The functions of an app whose modules somebody has imported already.

    `app_dir` is what they get told as their folder. What is odd about them is not looked for.
    """
    return _judged(declared(functions, app_dir), settings, _Wanted(settings.functions))


def _load(app_dir: Path, settings: HostSettings) -> App:
    wanted = _Wanted(settings.functions)
    folders = [app_dir, *included(app_dir, settings.funchost.include)]
    app = _judged(_all_found(folders, settings, wanted), settings, wanted)
    found: tuple[HostFunction | BrokenFunction, ...] = (*app.functions, *app.broken)
    oddities = chain(
        *(odd_names(folder) for folder in folders),
        odd_declarations(app.functions),
        odd_sharers(app.functions),
        wanted.missing({each.name.lower() for each in found}),
        () if any(each.is_module for each in app.broken) else lost_blueprints(app_dir),
        () if found else wanted.nothing_found(app_dir),
    )
    return replace(app, oddities=tuple(oddities))


def _judged(
    all_found: Iterable[HostFunction | BrokenFunction], settings: HostSettings, wanted: _Wanted
) -> App:
    """What works of it and is wanted, and what is broken."""
    functions: dict[str, list[HostFunction]] = {}
    broken: list[BrokenFunction] = []
    for found in all_found:
        if isinstance(found, BrokenFunction):
            broken.append(found)
        elif found.name in wanted:
            namesakes = functions.setdefault(found.name.lower(), [])
            resolved = _unlike(_readable(_resolved(found, settings)), namesakes)
            if isinstance(resolved, BrokenFunction):
                broken.append(resolved)
            else:
                namesakes.append(_with_state(resolved, settings))
    return App(functions=tuple(chain(*functions.values())), broken=tuple(broken))


class _Wanted:
    """The list `functions` of host.json: the names to load, or None for all."""

    def __init__(self, names: tuple[str, ...] | None) -> None:
        self._names = None if names is None else {name.lower(): name for name in names}

    def __contains__(self, name: str) -> bool:
        return self._names is None or name.lower() in self._names

    def missing(self, found: Collection[str]) -> Iterator[Oddity]:
        """The names that no function has; `found` are in lower case."""
        for folded, name in (self._names or {}).items():
            if folded not in found:
                yield Oddity(where="host.json", text=f"'functions' names '{name}': there is none.")

    def nothing_found(self, app_dir: Path) -> Iterator[Oddity]:
        """What to do where there is no function at all."""
        if self._names:
            return  # it is said of each name that there is none
        text = (
            _what_to_add(app_dir)
            if self._names is None
            else "the list 'functions' in host.json is empty."
        )
        yield Oddity(where=f"No functions found in {path_in_words(app_dir)}", text=text)


def _what_to_add(app_dir: Path) -> str:
    if (app_dir / SCRIPT_NAME).is_file():
        return f"its {SCRIPT_NAME} has none."
    text = f"add a {SCRIPT_NAME} with functions, or folders with a function.json."
    try:
        below = next(iter(sorted(app_dir.glob(f"*/{SCRIPT_NAME}"))), None)
    except OSError:
        below = None
    return text if below is None else f"{text} Is the folder '{below.parent.name}' in it meant?"


def _all_found(
    folders: Sequence[Path], settings: HostSettings, wanted: _Wanted
) -> Iterator[HostFunction | BrokenFunction]:
    for directory in folders:
        folder = app_folder(directory, folders[0])
        with app_imports(folder):
            yield from chain(
                load_decorated(folder), load_folders(folder, settings, wanted.__contains__)
            )


def included(app_dir: Path, patterns: tuple[str, ...], *, is_quiet: bool = False) -> list[Path]:
    """The folders that the patterns match, in order, each once.

    A pattern that matches none is told in the log, unless `is_quiet`. Raises `ConfigurationError`.
    """
    folders: dict[Path, None] = {}
    for pattern in patterns:
        matches = _matches(app_dir, pattern)
        if not (matches or is_quiet):
            _logger.warning("funchost.include: no folder of the app matches '%s'.", pattern)
        folders.update(dict.fromkeys(matches))
    folders.pop(app_dir, None)
    return list(folders)


def _matches(app_dir: Path, pattern: str) -> list[Path]:
    try:
        return sorted(path.resolve() for path in app_dir.glob(pattern) if path.is_dir())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"host.json: funchost.include: '{pattern[:100]}' cannot be looked for: {error}"
        ) from error


def _resolved(function: HostFunction, settings: HostSettings) -> HostFunction | BrokenFunction:
    """The function with the app settings' values for each `%NAME%` in what it declares."""
    declaration = function.declaration
    given = (declaration.trigger, *declaration.bindings)
    try:
        bindings = [_resolved_binding(binding, settings) for binding in given]
        _check_connections(bindings, settings)
        check_limit(bindings[0], settings.extensions.durable_task.limits)
        function = replace(function, retry=_retry_of(function, settings))
        if bindings == list(given):
            return function
        resolved = declare(
            declaration.name, declaration.function, bindings, retry=declaration.retry
        )
    except (ConfigurationError, FunctionDefinitionError) as error:
        return BrokenFunction(name=function.name, directory=function.directory, error=str(error))
    return replace(function, declaration=resolved, written=given)


def _check_connections(bindings: Iterable[Binding], settings: HostSettings) -> None:
    """Raise `ConfigurationError` if the settings do not say where a binding's place is.

    Else a message would wait for ever, and a request fail, for what is known at the start.
    """
    for binding in bindings:
        connection = binding.properties.get(_CONNECTION)
        if _CONNECTION in kind_of(binding).properties and isinstance(connection, str):
            read_connection(settings.values, connection)


def _retry_of(function: HostFunction, settings: HostSettings) -> FunctionRetry | None:
    """When its failed runs are repeated. Raises what `read_retry` and `resolve` do."""
    own = function.declaration.retry
    if own is None:
        return None if function.trigger.instead_of_retry else settings.retry
    return read_retry(
        {
            name: settings.resolve(value) if isinstance(value, str) else value
            for name, value in own.items()
        }
    )


def _readable(found: HostFunction | BrokenFunction) -> HostFunction | BrokenFunction:
    """The function, unless no value could ever be read as one of its annotations says."""
    if isinstance(found, BrokenFunction):
        return found
    for name, annotation in payload_annotations(found).items():
        reason = unreadable_reason(annotation)
        if reason is not None:
            what = "Its result" if name == "return" else f"Its parameter '{name}'"
            shown = getattr(annotation, "__name__", None) or repr(annotation)
            return BrokenFunction(
                name=found.name,
                directory=found.directory,
                error=(
                    f"{what} is annotated as {shown}, which JSON cannot be read as: use plain "
                    f"types, dataclasses or pydantic models ({reason})."
                ),
            )
    return found


def _resolved_binding(binding: Binding, settings: HostSettings) -> Binding:
    """The binding with values for what it names, and for what settings give if it does not."""
    by_setting = kind_of(binding).by_setting.items()
    given = {name: settings.values.get(setting) for name, setting in by_setting}
    properties = {name: value for name, value in given.items() if value} | {
        name: settings.resolve(value) if isinstance(value, str) else value
        for name, value in binding.properties.items()
    }
    return replace(binding, properties=properties)


def _with_state(function: HostFunction, settings: HostSettings) -> HostFunction:
    is_disabled = function.is_disabled or settings.is_disabled(function.name)
    return replace(function, is_disabled=is_disabled)


def _unlike(
    found: HostFunction | BrokenFunction, namesakes: Sequence[HostFunction]
) -> HostFunction | BrokenFunction:
    """The function, unless there is another one of its name that is not told by its version."""
    if isinstance(found, BrokenFunction):
        return found
    for each in namesakes:
        if not are_told_apart(each.declaration, found.declaration):
            return _duplicate(found, each)
    return found


def _duplicate(second: HostFunction, first: HostFunction) -> BrokenFunction:
    return BrokenFunction(
        name=second.name,
        directory=second.directory,
        error=(
            f"Another function is named '{first.label}', too (in {first.directory}); names are "
            "compared without regard to case. Rename one of them."
        ),
    )
