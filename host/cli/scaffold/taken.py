"""Which names the functions of an app have, as far as its files say without being run."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from host.functions.function_json import FILE_NAME


def place_of(app: Path, name: str) -> Path | None:
    """Where a function of this name is, in any case and either style; None if nowhere."""
    for path in sorted(app.iterdir()):
        if name.lower() in (each.lower() for each in _names_at(path)):
            return path
    return None


def _names_at(path: Path) -> Iterator[str]:
    if os.path.lexists(path / FILE_NAME):
        yield path.name
    elif path.suffix == ".py" and path.is_file():
        yield from _decorated(path)


def _decorated(path: Path) -> Iterator[str]:
    """The functions of a module that are decorated, and the names that decorators give them."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # no Python: a start of the host says so
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list:
            yield next((each for each in map(_given_name, node.decorator_list) if each), node.name)


def _given_name(decorator: ast.expr) -> str | None:
    """The name in `@app.function_name("name")`."""
    if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
        return None
    values = [*decorator.args, *(each.value for each in decorator.keywords)]
    if decorator.func.attr != "function_name" or not values:
        return None
    value = values[0].value if isinstance(values[0], ast.Constant) else None
    return value if isinstance(value, str) else None
