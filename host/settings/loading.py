"""Loading the settings of an app: reads its files, lets the environment override, checks it all.

Nothing here changes the environment, and every problem of every file is reported at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from host.errors import ConfigurationError
from host.logs import HostLog
from host.settings.json_files import read_json_object
from host.settings.local import FILE_NAME as LOCAL_FILE_NAME
from host.settings.local import LocalSettings, load_local_settings
from host.settings.model import HostDocument, HostSettings
from host.settings.overrides import apply_overrides, overrides_of
from host.settings.unknown_keys import unknown_keys
from host.settings.values import AppSettings

FILE_NAME = "host.json"

_UNQUOTED = ("extensions", "durabletask", "notifications")
"""What stands there in a wrong place may be a secret."""

_logger = HostLog(__name__)


def load_settings(app_dir: Path, environ: Mapping[str, str]) -> HostSettings:
    """Load the app's settings. Raises `ConfigurationError` with all problems."""
    if not app_dir.is_dir():
        raise ConfigurationError(f"The app folder '{app_dir}' does not exist.")
    problems: list[str] = []
    local = _local_settings(app_dir, problems)
    exports = _exports(local, environ)
    values = AppSettings({**environ, **exports})
    content = _content(app_dir, values, problems)
    document = None if content is None else _document(content, values, problems)
    if document is not None:
        _check_cors(document, local, problems)
    if content is None or document is None or problems:
        raise ConfigurationError(*problems)
    return HostSettings(
        document=document,
        values=values,
        local=local,
        exports=exports,
        unknown=tuple(unknown_keys(content)),
        cors_wish=local.cors,
    )


def _check_cors(document: HostDocument, local: LocalSettings, problems: list[str]) -> None:
    try:
        local.cors.over(document.extensions.http.cors)
    except ValueError as error:
        problems.append(f"{LOCAL_FILE_NAME}: Host.CORS: {error}.")


def _local_settings(app_dir: Path, problems: list[str]) -> LocalSettings:
    try:
        return load_local_settings(app_dir)
    except ConfigurationError as error:
        problems.extend(error.problems)
        return LocalSettings()


def _exports(local: LocalSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """The local values that the environment does not have: there, an empty text counts as none."""
    exports = {name: value for name, value in local.values.items() if not environ.get(name)}
    for name in sorted(local.values.keys() - exports.keys()):
        _logger.info("Skipping '%s' from %s: the environment has it.", name, LOCAL_FILE_NAME)
    return exports


def _content(
    app_dir: Path, values: Mapping[str, str], problems: list[str]
) -> dict[str, Any] | None:
    try:
        content = read_json_object(app_dir / FILE_NAME)
        return apply_overrides({"version": "2.0"} if content is None else content, values)
    except ConfigurationError as error:
        problems.extend(error.problems)
        return None


def _document(
    content: Mapping[str, Any], values: Mapping[str, str], problems: list[str]
) -> HostDocument | None:
    try:
        return HostDocument.model_validate(content, context={"values": values})
    except ValidationError as error:
        problems.extend(_readable(error.errors(include_url=False), values))
    return None


def _readable(errors: Iterable[ErrorDetails], values: Mapping[str, str]) -> list[str]:
    overrides = overrides_of(values)
    return [_problem(error, overrides) for error in errors]


def _problem(error: ErrorDetails, overrides: Mapping[tuple[str, ...], str]) -> str:
    path = [str(part) for part in error["loc"]]
    variable = overrides.get(tuple(part.lower() for part in path))
    place = f"The environment variable {variable}" if variable else f"{FILE_NAME}: {_dotted(path)}"
    return f"{place}: {_message(error)}."


def _dotted(path: Iterable[str]) -> str:
    return "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in path).lstrip(".")


def _message(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return (
            'is missing; write "version": "2.0"' if error["loc"] == ("version",) else "is missing"
        )
    message: Any = error["msg"].removeprefix("Value error, ").rstrip(".")
    if error["type"] == "model_type":
        message = "An object belongs here, such as {}"
    place = tuple(str(part).lower() for part in error["loc"][: len(_UNQUOTED)])
    if error["type"] == "value_error" or place == _UNQUOTED:
        return str(message)
    return f"{message} (it is {error['input']!r})"
