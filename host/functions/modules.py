"""Importing the author's modules.

Each app folder becomes a package under a name of its own, so that modules of the same name in
several folders do not meet, and relative imports work. While a folder loads, it stands first on
`sys.path` for the plain imports between its modules; of another app folder's modules none is taken
for its own. Afterwards it stays on the path, for imports that functions do when they run: where
names clash, the folder that was loaded first has them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_PREFIX = "funchost_app_"
_OUR_PACKAGES = ("bindings", "funchost", "host")


class ModuleError(Exception):
    """The author's module raised something; the text of its traceback is `traceback`."""

    def __init__(self, error: BaseException, directory: Path) -> None:
        summary = str(error).strip().split("\n")[0]
        super().__init__(f"{type(error).__name__}: {summary}" if summary else type(error).__name__)
        self.traceback = _author_traceback(error, directory)


def import_script(path: Path, app_dir: Path, *, alias: str | None = None) -> ModuleType:
    """Run a script as a module of its app folder's package, once. Raises `ModuleError`.

    Functions that share a script share the module, so that one can name the other by reference.
    With an alias, an import of that plain name gives this module, not a second copy of it.
    """
    name = _module_name(path, app_dir)
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    is_package = path.name == "__init__.py"
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[str(path.parent)] if is_package else None
    )
    if spec is None or spec.loader is None:
        raise ModuleError(ImportError(f"{path.name} is not a Python file"), app_dir)
    module = importlib.util.module_from_spec(spec)
    names = [name] if alias is None else [name, alias]
    sys.modules.update(dict.fromkeys(names, module))
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # an author's sys.exit() or cancellation ends nothing
        for each in names:
            sys.modules.pop(each, None)
        raise ModuleError(error, app_dir) from error
    return module


@contextmanager
def app_imports(app_dir: Path, *, is_main: bool) -> Iterator[None]:
    """While this lasts, imports look into this app folder first."""
    namesakes = _take_out_namesakes(app_dir)
    _forget_package(_package_name(app_dir))
    _make_package(_package_name(app_dir), app_dir)
    importlib.invalidate_caches()
    place = str(app_dir)
    if place in sys.path:
        sys.path.remove(place)
    sys.path.insert(0, place)
    try:
        yield
    finally:
        if not is_main:
            sys.path.remove(place)
            sys.path.append(place)
            sys.modules.update(namesakes)


def _package_name(app_dir: Path) -> str:
    return f"{_PREFIX}{zlib.crc32(str(app_dir).encode()):08x}"


def _module_name(path: Path, app_dir: Path) -> str:
    """The dotted name below the app's package; the packages between exist afterwards."""
    package, directory = _package_name(app_dir), app_dir
    parts = path.relative_to(app_dir).parts if path.is_relative_to(app_dir) else (path.name,)
    for part in parts[:-1]:
        package, directory = f"{package}.{part}", directory / part
        if path != directory / "__init__.py":
            _make_package(package, directory)
    return package if parts[-1] == "__init__.py" else f"{package}.{Path(parts[-1]).stem}"


def _make_package(name: str, directory: Path) -> None:
    package = ModuleType(name)
    package.__path__ = [str(directory)]
    sys.modules.setdefault(name, package)


def _forget_package(package: str) -> None:
    """Loading a folder again runs its modules again."""
    for name in list(sys.modules):
        if name == package or name.startswith(f"{package}."):
            del sys.modules[name]


def _take_out_namesakes(app_dir: Path) -> dict[str, ModuleType]:
    """Remove the modules of other app folders that have the name of a module in this one."""
    known = {
        Path(module.__path__[0])
        for name, module in list(sys.modules.items())
        if name.startswith(_PREFIX) and "." not in name
    }
    own = {path.stem for path in app_dir.iterdir() if path.is_dir() or path.suffix == ".py"}
    namesakes = {
        name: module
        for name, module in list(sys.modules.items())
        if name.split(".", maxsplit=1)[0] in own.difference(_OUR_PACKAGES)
        and any(_is_top_module(name, module, folder) for folder in known - {app_dir})
    }
    for name in namesakes:
        del sys.modules[name]
    return namesakes


def _is_top_module(name: str, module: ModuleType, app_dir: Path) -> bool:
    """Whether a plain import of this name found the module directly in the app folder."""
    file = Path(getattr(module, "__file__", None) or "")
    top = name.split(".", maxsplit=1)[0]
    return file.is_relative_to(app_dir) and file.relative_to(app_dir).parts[0] in (top, f"{top}.py")


def _author_traceback(error: BaseException, directory: Path) -> str:
    """The traceback, without the frames that lead from the host to the author's first line."""
    frames = error.__traceback__
    while frames is not None:
        if Path(frames.tb_frame.f_code.co_filename).is_relative_to(directory):
            break
        frames = frames.tb_next
    if frames is None and isinstance(error, SyntaxError):
        return "".join(traceback.format_exception_only(error))
    return "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
