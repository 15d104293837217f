"""The app that is tested: loaded from its folder as a host does, or taken as it was imported."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from bindings.app import Blueprint, FunctionApp
from bindings.errors import FunctionDefinitionError
from host.functions.bound_activities import InvokerSlot
from host.functions.loader import app_of
from host.functions.model import App
from host.functions.registry import AppVersion
from host.http.functions.routes import FunctionRoutes
from host.settings import HostSettings
from host.settings.values import AppSettings
from host.wiring.options import HostOptions, read_settings
from host.wiring.versions import load_version, version_of

TestedApp: TypeAlias = "FunctionApp | str | PathLike[str]"
"""A `FunctionApp`, or the folder of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedApp:
    """An app and what its host is to be."""

    options: HostOptions
    settings: HostSettings
    version: AppVersion[FunctionRoutes]
    slot: InvokerSlot
    """Where the app's activities find an invoker."""


@contextmanager
def loaded(app: TestedApp) -> Iterator[LoadedApp]:
    """Load the app; a folder's local.settings.json is in the environment until the end.

    Raises `FunctionDefinitionError` if anything of it does not load, `ConfigurationError` for wrong
    settings and `TypeError` for what is no app.
    """
    options, slot = HostOptions(app_dir=_folder_of(app), storage="memory"), InvokerSlot()
    if isinstance(app, FunctionApp):
        settings = HostSettings(values=AppSettings(dict(os.environ)))
        found = version_of(app_of(app, options.app_dir, settings), options, settings, slot)
        _check(found.app)
        yield LoadedApp(options=options, settings=settings, version=found, slot=slot)
        return
    settings = read_settings(options)
    with _environment(settings.exports):
        found = load_version(options, settings, slot)
        _check(found.app)
        yield LoadedApp(options=options, settings=settings, version=found, slot=slot)


def _folder_of(app: object) -> Path:
    if isinstance(app, FunctionApp):
        return Path.cwd()
    if isinstance(app, str | PathLike):
        return Path(app)
    if isinstance(app, Blueprint):
        raise TypeError(
            "A Blueprint is no app: give the FunctionApp that it is registered with, or for this "
            "test register it with one of its own: app.register_functions(blueprint)."
        )
    kind = type(app).__name__
    raise TypeError(f"Give a FunctionApp or the folder of an app, not an object of type {kind}.")


def _check(app: App) -> None:
    if app.broken:
        texts = [f"{each}\n{each.traceback}".rstrip() for each in app.broken]
        raise FunctionDefinitionError("\n".join(texts))
    if not app.functions:
        oddities = "\n".join(map(str, app.oddities))
        raise FunctionDefinitionError(oddities or "The app has no functions.")


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
