"""The functions of a `function_app.py`: those of the one `FunctionApp` at its module level."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from bindings import azure_names
from bindings.app import FaultyFunction, FunctionApp
from bindings.errors import FunctionDefinitionError
from bindings.functions import FunctionDeclaration
from host.functions.model import BrokenFunction, HostFunction
from host.functions.modules import AppFolder, ModuleError, import_function_app

SCRIPT_NAME = "function_app.py"


def load_decorated(folder: AppFolder) -> Iterator[HostFunction | BrokenFunction]:
    """Load the folder's `function_app.py`, if there is one. If it is broken, so is all in it."""
    app_dir = folder.directory
    path = app_dir / SCRIPT_NAME
    label = "function_app" if folder.is_main else f"{app_dir.name}.function_app"
    if not path.is_file():
        if os.path.lexists(path):
            what = "a link that leads nowhere" if path.is_symlink() else "no file"
            error = f"{SCRIPT_NAME} is {what}: put the file there, or remove it."
            yield BrokenFunction(name=label, directory=app_dir, error=error, is_module=True)
        return
    try:
        app = _only_app(import_function_app(path, folder))
    except ModuleError as error:
        yield BrokenFunction(
            name=label,
            directory=app_dir,
            error=str(error),
            traceback=error.traceback,
            is_module=True,
        )
    except FunctionDefinitionError as error:
        yield BrokenFunction(name=label, directory=app_dir, error=str(error), is_module=True)
    else:
        yield from declared(app, app_dir)


def declared(app: FunctionApp, app_dir: Path) -> Iterator[HostFunction | BrokenFunction]:
    """The functions of an app, whose folder this is."""
    return (_declared(each, app_dir) for each in app.declarations())


def _declared(
    each: FunctionDeclaration | FaultyFunction, app_dir: Path
) -> HostFunction | BrokenFunction:
    if isinstance(each, FaultyFunction):
        return BrokenFunction(name=each.name, directory=app_dir, error=str(each.error))
    return HostFunction(name=each.name, declaration=each, directory=app_dir)


def _only_app(module: ModuleType) -> FunctionApp:
    apps = {name: value for name, value in vars(module).items() if isinstance(value, FunctionApp)}
    different = {id(app) for app in apps.values()}
    if len(different) == 1:
        return next(iter(apps.values()))
    if not apps:
        _refuse_azures(module)
        raise FunctionDefinitionError(
            f"{SCRIPT_NAME} has no FunctionApp: write `app = FunctionApp()` at module level and "
            "decorate functions with it."
        )
    raise FunctionDefinitionError(
        f"{SCRIPT_NAME} has several FunctionApps ({', '.join(apps)}): keep one, and register the "
        "functions of the others with it as Blueprints."
    )


def _refuse_azures(module: ModuleType) -> None:
    """Raise what to import if an object at module level is an app or a blueprint of Azure's."""
    for name, value in vars(module).items():
        theirs = azure_names.of_azure(type(value))
        if theirs is not None and theirs.endswith(("App", "Blueprint")):
            ours = "Blueprint" if theirs == "Blueprint" else "FunctionApp"
            raise FunctionDefinitionError(
                f"{SCRIPT_NAME} has no FunctionApp of funchost, and '{name}' is Azure's {theirs}: "
                f"write `from funchost import {ours}` and `{name} = {ours}()`."
            )
