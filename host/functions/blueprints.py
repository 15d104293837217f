"""Finds blueprints of an app that no app has taken in: nobody runs their functions."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from bindings.app import Blueprint
from host.core.frames import is_installed
from host.functions.code_reading import UNREADABLE
from host.functions.decorated import SCRIPT_NAME
from host.functions.model import Oddity
from host.functions.one_module import module_of_file


def lost_blueprints(app_dir: Path) -> Iterator[Oddity]:
    """Those with functions in the app's modules that were imported."""
    seen: set[int] = set()
    for module in list(sys.modules.values()):
        file = _file_in(app_dir, module)
        if file is None:
            continue
        for name, value in list(vars(module).items()):
            if _is_lost(value) and id(value) not in seen:
                seen.add(id(value))
                yield _not_registered(file, name)


def unread_blueprints(app_dir: Path) -> Iterator[Oddity]:
    """Those at the top of the app's files that nothing imported. The files are read, not run."""
    for file in sorted({*app_dir.glob("*.py"), *app_dir.glob("*/*.py")}):
        if module_of_file(file) is None:
            for name in _made_in(file):
                yield _not_registered(file.relative_to(app_dir), name)


def _file_in(app_dir: Path, module: ModuleType) -> Path | None:
    """The module's file, as the app's folder has it; None if it is not the app's own."""
    place = getattr(module, "__file__", None)
    if not isinstance(place, str) or not place.startswith(str(app_dir)):
        return None  # as nearly all are: no path is made of each
    file = Path(place)
    if not file.is_relative_to(app_dir) or is_installed(place):
        return None
    return file.relative_to(app_dir)


def _is_lost(value: object) -> bool:
    return type(value) is Blueprint and not value.is_registered and any(value.drafts())


def _made_in(file: Path) -> Iterator[str]:
    try:
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text) if "Blueprint(" in text else ast.Module([], [])
    except UNREADABLE:  # whoever imports it hears of it
        return
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=called)):
                if ast.unparse(called).rpartition(".")[2] == "Blueprint":
                    yield name


def _not_registered(file: Path, name: str) -> Oddity:
    module = ".".join(file.with_suffix("").parts)
    imported = "" if file.name == SCRIPT_NAME else f"`from {module} import {name}` and "
    return Oddity(
        where=str(file),
        text=(
            f"the Blueprint '{name}' is not registered, so its functions do not run: in "
            f"{SCRIPT_NAME} write {imported}`app.register_functions({name})`."
        ),
    )
