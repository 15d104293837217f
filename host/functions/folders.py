"""The drop-in functions of an app folder: every sub-folder that holds a function.json."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from bindings import azure_names
from bindings.declaring import declare
from bindings.errors import FunctionDefinitionError
from host.functions.function_json import FILE_NAME, FunctionJson, read_function_json
from host.functions.model import BrokenFunction, HostFunction
from host.functions.modules import AppFolder, ModuleError, import_script
from host.settings import HostSettings
from host.settings.values import is_true


def load_folders(
    folder: AppFolder, settings: HostSettings, is_wanted: Callable[[str], bool]
) -> Iterator[HostFunction | BrokenFunction]:
    """Load the drop-in functions, in order of folder. The code of unwanted ones is not run."""
    for directory in sorted(folder.directory.iterdir()):
        if not os.path.lexists(directory / FILE_NAME):  # a link that leads nowhere is broken
            continue
        try:
            content = read_function_json(directory)
            if is_wanted(content.name):
                yield _load(content, directory, folder, settings)
        except ModuleError as error:
            yield BrokenFunction(
                name=directory.name,
                directory=directory,
                error=str(error),
                traceback=error.traceback,
            )
        except FunctionDefinitionError as error:
            yield BrokenFunction(name=directory.name, directory=directory, error=str(error))


def _load(
    content: FunctionJson, directory: Path, folder: AppFolder, settings: HostSettings
) -> HostFunction:
    module = import_script(content.script, folder)
    function = _entry_point(module, content)
    declaration = declare(content.name, function, content.bindings, retry=content.retry)
    return HostFunction(
        name=declaration.name,
        declaration=declaration,
        directory=directory,
        is_disabled=_is_disabled(content, settings),
        is_drop_in=True,
    )


def _is_disabled(content: FunctionJson, settings: HostSettings) -> bool:
    """`disabled` holds a truth, as JSON or text, or names the app setting that does."""
    disabled = content.disabled
    if isinstance(disabled, str):
        return is_true(disabled) or settings.values.is_true(disabled.strip("%"))
    return disabled


def _entry_point(module: ModuleType, content: FunctionJson) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(module, content.entry_point, None)
    if azure_names.of_azure(function) is not None:
        raise FunctionDefinitionError(
            f"'{content.entry_point}' of {content.script.name} is made by Azure's packages: "
            f"{azure_names.MODULE['Orchestrator']}."
        )
    if callable(function):
        return function
    raise FunctionDefinitionError(
        f"{content.script.name} has no function '{content.entry_point}': define it, or name "
        "another one as 'entryPoint' in function.json."
    )
