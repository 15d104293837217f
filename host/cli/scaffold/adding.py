"""Adding a function to a module that an author wrote: what is there stays as it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from host.cli.scaffold.functions import Template

PUBLIC = "funchost"
_APPS = ("FunctionApp", "Blueprint")


class CannotAddError(Exception):
    """Nothing can be added to this module; the text says why."""


def with_function(source: str, template: Template, name: str) -> str:
    """The module with the function at its end. Raises `CannotAddError`."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise CannotAddError(f"it is not Python that can be read: {error}") from error
    app = _app_of(tree)
    if app is None:
        raise CannotAddError("it makes no FunctionApp() and no Blueprint()")
    if name in _names_of(tree):
        raise CannotAddError(f"it has a '{name}' already")
    code = template.code.replace("NAME", name).replace("@app.", f"@{app}.")
    return f"{_with_imports(source, tree, template.imports).rstrip()}\n\n\n{code}"


def _app_of(tree: ast.Module) -> str | None:
    """The variable that holds the app or a blueprint."""
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Call):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and _called(node.value) in _APPS:
            return target.id
    return None


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _names_of(tree: ast.Module) -> set[str]:
    """What the module's own names stand for already."""
    return set(_bound(tree.body))


def _bound(nodes: Sequence[ast.stmt]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (each.asname or each.name for each in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (each.id for each in targets if isinstance(each, ast.Name))


def _with_imports(source: str, tree: ast.Module, wanted: Sequence[str]) -> str:
    """The module with an import of what it lacks, behind its other imports."""
    known = _names_of(tree)
    missing = [name for name in wanted if name not in known]
    if not missing:
        return source
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    lines = source.splitlines(keepends=True)
    place = imports[-1].end_lineno or 0 if imports else 0
    lines.insert(place, f"from {PUBLIC} import {', '.join(missing)}\n")
    return "".join(lines)
