"""One file of an app is one module, by whatever names imports find it.

Python makes a module for each name: `from .models import Order` and `from models import Order` give
two classes, of which `isinstance` and the host's list of functions know one. So a finder stands
before all others, and gives for a file of the app the module that was made of it first.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from host.core.frames import is_installed


def module_of_file(path: Path | str) -> ModuleType | None:
    """The module that was made of this file, or None."""
    place = os.path.realpath(path)
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and module.__name__ != "__main__" and _is_same(file, place):
            return module
    return None


class SourceLoader(SourceFileLoader):
    """Compiles the file as it is.

    Python's cache tells files apart by size and by second, so it would give the code of before a
    change to a file that has just been written.
    """

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the module."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def share_modules_below(folders: Iterable[Path], *, from_source: bool) -> None:
    """Let each file in these folders be one module from now on, and in no others.

    With `from_source` what is imported of them is compiled anew.
    """
    _finder.from_source = from_source
    _finder.folders = tuple(os.path.join(os.path.realpath(each), "") for each in folders)  # noqa: PTH118
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def _is_same(file: str, place: str) -> bool:
    return os.path.basename(file) == os.path.basename(place) and os.path.realpath(file) == place  # noqa: PTH119 - for each of a thousand modules


class _Existing(Loader):
    """Gives a module that is there, as it is."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002 - a loader's signature
        """The module; whoever asked sets its `__spec__`."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """It has run, or runs right now: only its `__spec__` is put back."""
        module.__spec__ = self._spec


class _OneModulePerFile(MetaPathFinder):
    """Asks all other finders, and looks whether a module of what they found is there."""

    def __init__(self) -> None:
        self.folders: tuple[str, ...] = ()
        self.from_source = False
        self._here = threading.local()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the others find, or the module of that file; None where no app's file can be."""
        if getattr(self._here, "asks", False) or not self._may_have(fullname, path):
            return None
        self._here.asks = True
        try:
            spec = _of_others(fullname, path, target)
        finally:
            self._here.asks = False
        if spec is None or not spec.has_location or spec.origin is None:
            return spec
        known = module_of_file(spec.origin)
        if known is not None:
            return ModuleSpec(fullname, _Existing(known))
        is_source = type(spec.loader) is SourceFileLoader
        if self.from_source and is_source and not is_installed(spec.origin):
            spec.loader = SourceLoader(fullname, spec.origin)
        return spec

    def _may_have(self, fullname: str, path: Sequence[str] | None) -> bool:
        if path is not None:
            places = (os.path.join(os.path.realpath(each), "") for each in path)  # noqa: PTH118
            return any(place.startswith(self.folders) for place in places)
        places = (folder + fullname for folder in self.folders)
        return any(os.path.exists(f"{each}.py") or os.path.isdir(each) for each in places)  # noqa: PTH110, PTH112


def _of_others(
    fullname: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for finder in sys.meta_path:
        spec = finder.find_spec(fullname, path, target)
        if spec is not None:
            return spec
    return None


_finder = _OneModulePerFile()
