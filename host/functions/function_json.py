"""One function.json: which script, which function, which bindings. No code is run here.

Keys are matched without regard to case. What a binding may be is decided by `bindings`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bindings.declaring import declared_name, normalize
from bindings.errors import FunctionDefinitionError
from bindings.functions import Binding, Direction
from bindings.shown_values import shown_value
from host.errors import ConfigurationError
from host.settings.json_files import read_json_object

FILE_NAME = "function.json"
_DEFAULT_ENTRY_POINT = "main"
_DEFAULT_SCRIPTS = ("run.py", "__init__.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionJson:
    """What a function.json says. `disabled` is a truth, or the name of a setting that holds it."""

    name: str
    script: Path
    entry_point: str
    bindings: tuple[Binding, ...]
    disabled: bool | str
    retry: Any = None


def read_function_json(directory: Path) -> FunctionJson:
    """Read the file in a function's folder. Raises `FunctionDefinitionError`."""
    try:
        document = read_json_object(directory / FILE_NAME)
    except ConfigurationError as error:
        raise FunctionDefinitionError(str(error)) from error
    keys = {key.lower(): value for key, value in (document or {}).items()}
    bindings = _bindings(keys.get("bindings"))
    return FunctionJson(
        name=_name(directory, bindings),
        script=_script(directory, _text(keys, "scriptFile")),
        entry_point=_text(keys, "entryPoint") or _DEFAULT_ENTRY_POINT,
        bindings=bindings,
        disabled=_disabled(keys.get("disabled")),
        retry=keys.get("retry"),
    )


def _disabled(value: Any) -> bool | str:
    if value is None:
        return False
    if not isinstance(value, bool | str):
        raise FunctionDefinitionError(
            f"'disabled' in {FILE_NAME} must be true, false, or the name of an app setting that "
            f"says it, not {shown_value(value)}."
        )
    return value


def _name(directory: Path, bindings: Sequence[Binding]) -> str:
    trigger = next((binding for binding in bindings if binding.is_trigger), None)
    return declared_name(directory.name, trigger)


def _bindings(section: Any) -> tuple[Binding, ...]:
    if not isinstance(section, list) or not section:
        raise FunctionDefinitionError(
            f"{FILE_NAME} declares no bindings: at least a trigger must stand in its list "
            "'bindings'."
        )
    return tuple(_binding(number, item) for number, item in enumerate(section, start=1))


def _binding(number: int, item: Any) -> Binding:
    if not isinstance(item, dict):
        raise FunctionDefinitionError(f"Binding {number} of {FILE_NAME} is not an object.")
    keys = {key.lower(): value for key, value in item.items()}
    kind, name = _text(keys, "type"), _text(keys, "name")
    if not kind or not name:
        missing = "name" if kind else "type"
        raise FunctionDefinitionError(f"Binding {number} of {FILE_NAME} has no '{missing}'.")
    properties = {
        key: value
        for key, value in item.items()
        if key.lower() not in ("type", "name", "direction")
    }
    direction = _direction(_text(keys, "direction") or Direction.IN, name)
    return normalize(Binding(type=kind, direction=direction, name=name, properties=properties))


def _direction(text: str, name: str) -> Direction:
    try:
        return Direction(text.lower())
    except ValueError:
        raise FunctionDefinitionError(
            f"The binding '{name}' of {FILE_NAME} has the direction '{text}'; it must be one of "
            f"{', '.join(Direction)}."
        ) from None


def _text(keys: Mapping[str, Any], key: str) -> str | None:
    value = keys.get(key.lower())
    if value is not None and not isinstance(value, str):
        raise FunctionDefinitionError(
            f"'{key}' in {FILE_NAME} must be a text, not {shown_value(value)}."
        )
    return value


def _script(directory: Path, named: str | None) -> Path:
    if named:
        path = _existing_file(directory / named, named)
        if path.suffix != ".py":
            raise FunctionDefinitionError(
                f"The scriptFile '{named}' is not a Python file: only Python functions are run."
            )
        return path
    scripts = {path.name: path for path in directory.glob("*.py")}
    if len(scripts) == 1:
        return next(iter(scripts.values()))
    for name in _DEFAULT_SCRIPTS:
        if name in scripts:
            return scripts[name]
    raise FunctionDefinitionError(
        f"{FILE_NAME} does not say which Python file to run: add a 'scriptFile'."
    )


def _existing_file(path: Path, named: str) -> Path:
    try:
        if path.resolve().is_file():
            return path.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a zero, a ring of links
        raise FunctionDefinitionError(
            f"The scriptFile '{named[:100]}' cannot be looked for: {error}"
        ) from error
    raise FunctionDefinitionError(f"The scriptFile '{named}' does not exist.")
