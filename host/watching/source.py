"""Where versions of an app come from: its folder and its settings, as they are now.

Of the settings only those count anew that say which functions there are and what their bindings
mean; limits, the store and the server are what the host was started with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from host.functions.former import with_former
from host.functions.loader import load_app
from host.functions.model import App
from host.functions.registry import AppVersion
from host.settings import HostSettings
from host.settings.loading import FILE_NAME
from host.settings.local import FILE_NAME as LOCAL_FILE_NAME

R = TypeVar("R")

_TOP = ("functions", "retry", "watch_directories", "watch_files")
_ANEW = frozenset({("funchost", "include"), *((to_camel(name),) for name in _TOP)})
"""What counts of host.json without a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(Generic[R]):
    """A version of the app, and what of the new settings does not count yet, in sentences."""

    version: AppVersion[R]
    settings: HostSettings
    remarks: tuple[str, ...] = ()


class AppSource(Generic[R]):
    """Loads versions of one app, one at a time."""

    def __init__(
        self,
        app_dir: Path,
        settings: HostSettings,
        *,
        read: Callable[[Mapping[str, str]], HostSettings],
        make: Callable[[App, HostSettings], AppVersion[R]],
    ) -> None:
        """`settings` are those of the start, whose exports are in the environment.

        `read` gives the settings as they are now, over an environment; `make` makes all of an app
        that a host needs.
        """
        self._app_dir = app_dir
        self.settings = settings
        """Those of the start."""
        self._exported = dict(settings.exports)
        self._read = read
        self._make = make

    def load(self, former: AppVersion[R]) -> Loaded[R]:
        """The app as it is in its folder now, running the author's modules. Blocks.

        A function that does not load is that of the former version. Raises `ConfigurationError` if
        the settings cannot be read: then no module has run.
        """
        read = self._read({k: v for k, v in os.environ.items() if k not in self._exported})
        remarks = (*_restarts(self.settings, read), *self._export(read.exports))
        settings = replace(read, document=_counted(self.settings, read))
        loaded = load_app(self._app_dir, settings)
        version = self._make(loaded, settings)
        merged = with_former(version.app, former.app, settings)
        if merged is not None:
            version = self._make(merged, settings)
        return Loaded(version=version, settings=settings, remarks=remarks)

    def _export(self, exports: Mapping[str, str]) -> Iterator[str]:
        """Give the environment the settings that are new in it; say which have changed.

        What code has read already stays, for work that has begun.
        """
        for name, value in exports.items():
            if name not in self._exported:
                self._exported[name] = os.environ[name] = value
        changed = [
            name for name, value in self._exported.items() if exports.get(name, None) != value
        ]
        if changed:
            yield (
                f"{LOCAL_FILE_NAME}: bindings go by the new {_listed(changed)}; in os.environ the "
                "former value stays until a restart."
            )


def _counted(start: HostSettings, read: HostSettings) -> Any:
    """The document of the start, but for what counts anew."""
    include = {"include": read.funchost.include}
    return start.document.model_copy(
        update={
            **{name: getattr(read.document, name) for name in _TOP},
            "funchost": start.funchost.model_copy(update=include),
        }
    )


def _restarts(start: HostSettings, read: HostSettings) -> Iterator[str]:
    changed = list(_differences(start.document, read.document))
    if changed:
        yield f"{FILE_NAME}: {_listed(changed)} counts from the next start of the host on."


def _differences(one: BaseModel, other: BaseModel, place: tuple[str, ...] = ()) -> Iterator[str]:
    """The places in which two documents differ, but for those that count anew."""
    for name in type(one).model_fields:
        here = (*place, to_camel(name))
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine == theirs or here in _ANEW:
            continue
        if isinstance(mine, BaseModel) and isinstance(theirs, BaseModel):
            yield from _differences(mine, theirs, here)
        else:
            yield ".".join(here)


def _listed(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in sorted(names)]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
