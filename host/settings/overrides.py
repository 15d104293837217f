"""Environment variables that override host.json: `AzureFunctionsJobHost__a__b` is `a.b`.

Names match without regard to case; a number is an index of a list. Values are texts, which the
model turns into what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PREFIX = "azurefunctionsjobhost__"
_MAX_INDEX_DIGITS = 9


def overrides_of(values: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """The overriding settings: the path of each, in lower case, and the variable's name."""
    found = {}
    for name in sorted(values):
        if name.lower().startswith(_PREFIX):
            path = tuple(name[len(_PREFIX) :].split("__"))
            if all(path):
                found[tuple(part.lower() for part in path)] = name
    return found


def apply_overrides(document: dict[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """A copy of the document with all overrides put in."""
    result = _as_tree(document)
    for name in overrides_of(values).values():
        path = name[len(_PREFIX) :].split("__")
        node = result
        for part in path[:-1]:
            node = _child(node, part)
        node[_existing_key(node, path[-1])] = values[name]
    restored: dict[str, Any] = {key: _from_tree(value) for key, value in result.items()}
    return restored


def _as_tree(value: Any) -> Any:
    """Lists become objects with numbers as keys, so that one rule puts values anywhere."""
    if isinstance(value, dict):
        return {key: _as_tree(item) for key, item in value.items()}
    if isinstance(value, list) and value:
        return {str(index): _as_tree(item) for index, item in enumerate(value)}
    return value


def _from_tree(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(_is_index(key) for key in value):
        return [_from_tree(value[key]) for key in sorted(value, key=int)]
    return {key: _from_tree(item) for key, item in value.items()}


def _is_index(key: str) -> bool:
    return key.isdecimal() and len(key) <= _MAX_INDEX_DIGITS


def _child(node: dict[str, Any], part: str) -> dict[str, Any]:
    key = _existing_key(node, part)
    if not isinstance(node.get(key), dict):
        node[key] = {}
    child: dict[str, Any] = node[key]
    return child


def _existing_key(node: dict[str, Any], part: str) -> str:
    return next((key for key in node if key.lower() == part.lower()), part)
