"""Importing the author's modules under the names that any other tool would find them by.

The app's folder stands first on `sys.path`, and its `function_app.py` is the module `function_app`,
here, in a test and in a child process. All else that the host imports by itself is below the
package `__app__`, as in Azure: the script of a function.json folder is `__app__.FOLDER.SCRIPT`, so
that `from ..shared import x` works there, and the `function_app.py` of an included folder has its
path in the app before its name. No name depends on where the app lies.

One file is one module. If an import finds an app's file by a second name (`.models` and `models`;
`function_app` and `shop.function_app` of an installed app), it gets the module that is there: of
two copies the host would run one and the author's code change the other.

While an included folder loads, it stands first on `sys.path` for the plain imports between its
modules, and of another app folder's modules none is taken for its own. Afterwards it stays on the
path, for imports that functions do when they run: where names clash, the folder that was loaded
first has them.

Loading an app again runs its modules again, its helpers, too, from their sources; the former app's
folders are on the path no more. What was imported before the app was loaded stays, and so do
installed packages.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, NamespaceLoader
from pathlib import Path
from types import ModuleType

from bindings.azure_names import import_hint
from host.core.frames import is_installed, traceback_of
from host.functions.one_module import SourceLoader, module_of_file, share_modules_below

FUNCTION_APP = "function_app"
_PACKAGE = "__app__"
OUR_PACKAGES = frozenset({"bindings", "funchost", "host"})
"""The packages that a module of the same name in an app's folder cannot hide."""

_loaded: dict[str, ModuleType] = {}
"""What the host imported by itself; another import of the same name may have come since."""
_folders: list[Path] = []
"""The app folders of the app that is loaded, the main one first."""
_before: set[str] = set()
"""The names of modules that were there before the app that is loaded."""
_path_before: set[str] = set()
"""What was on `sys.path` before that."""
_is_again = False
"""Whether the app that is loaded follows another one."""


class ModuleError(Exception):
    """The author's module raised something; the text of its traceback is `traceback`."""

    def __init__(self, error: BaseException, directory: Path) -> None:
        summary = str(error).strip().split("\n")[0]
        text = f"{type(error).__name__}: {summary}" if summary else type(error).__name__
        hint = import_hint(error)
        super().__init__(f"{text} ({hint})" if hint else text)
        self.traceback = _author_traceback(error, directory)


@dataclass(frozen=True, slots=True)
class AppFolder:
    """One folder of the app, and the package that its modules are in."""

    directory: Path
    package: str

    @property
    def is_main(self) -> bool:
        """Whether it is the app's own folder, not one that it includes."""
        return self.package == _PACKAGE

    def function_app_name(self) -> str:
        """The name of the module `function_app.py`."""
        return FUNCTION_APP if self.is_main else f"{self.package}.{FUNCTION_APP}"


def app_folder(directory: Path, app_dir: Path) -> AppFolder:
    """The folder with its package. Both paths are resolved."""
    if directory == app_dir:
        return AppFolder(directory, _PACKAGE)
    is_inside = directory.is_relative_to(app_dir)
    parts = directory.relative_to(app_dir).parts if is_inside else (directory.name,)
    return AppFolder(directory, ".".join([_PACKAGE, *(part.replace(".", "_") for part in parts)]))


def import_function_app(path: Path, folder: AppFolder) -> ModuleType:
    """Run the folder's `function_app.py`, once. Raises `ModuleError`.

    Relative imports in it find the modules beside it.
    """
    # While an included folder loads, plain imports of that name give its module.
    names = list(dict.fromkeys([folder.function_app_name(), FUNCTION_APP]))
    return _import_file(path, names, folder, searched=[str(folder.directory)])


def import_script(path: Path, folder: AppFolder) -> ModuleType:
    """Run a script of a function.json folder, once. Raises `ModuleError`.

    Functions that share a script share the module, so that one can name the other by reference.
    """
    package, directory = folder.package, folder.directory
    parts = path.relative_to(directory).parts if path.is_relative_to(directory) else (path.name,)
    for part in parts[:-1]:
        package, directory = f"{package}.{part}", directory / part
        if path != directory / "__init__.py":
            _make_package(package, directory)
    if parts[-1] == "__init__.py":
        return _import_file(path, [package], folder, searched=[str(path.parent)])
    return _import_file(path, [f"{package}.{Path(parts[-1]).stem}"], folder, searched=None)


@contextmanager
def app_imports(folder: AppFolder) -> Iterator[None]:
    """While this lasts, imports look into this app folder first."""
    global _is_again  # noqa: PLW0603 - as what is imported is
    if folder.is_main:
        _is_again = bool(_folders)
        _forget_app()
    _folders.append(folder.directory)
    share_modules_below(_folders, from_source=_is_again)
    namesakes = _take_out_namesakes(folder.directory)
    _make_packages(folder)
    importlib.invalidate_caches()
    place = str(folder.directory)
    if place in sys.path:
        sys.path.remove(place)
    sys.path.insert(0, place)
    try:
        yield
    finally:
        if not folder.is_main:
            sys.path.remove(place)
            sys.path.append(place)
            sys.modules.update(namesakes)


def _import_file(
    path: Path, names: list[str], folder: AppFolder, *, searched: list[str] | None
) -> ModuleType:
    """The module of this file under these names, run if nobody has imported it yet."""
    known = module_of_file(path)
    if known is not None:
        for name in names:
            _enter(name, known)
        return known
    loader = SourceLoader(names[0], str(path)) if _is_again and path.suffix == ".py" else None
    spec = importlib.util.spec_from_file_location(
        names[0], path, loader=loader, submodule_search_locations=searched
    )
    if spec is None or spec.loader is None:
        raise ModuleError(ImportError(f"{path.name} is not a Python file"), folder.directory)
    module = importlib.util.module_from_spec(spec)
    for name in names:
        _enter(name, module)
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # an author's sys.exit() or cancellation ends nothing
        for name in [name for name, each in sys.modules.items() if each is module]:
            del sys.modules[name]
        raise ModuleError(error, folder.directory) from error
    return module


def _make_packages(folder: AppFolder) -> None:
    """The package of an app folder, and those that it is in."""
    parts = folder.package.split(".")
    for count in range(1, len(parts) + 1):
        above = [folder.directory, *folder.directory.parents][len(parts) - count]
        _make_package(".".join(parts[:count]), above)


def _make_package(name: str, directory: Path) -> None:
    """A package without code for the modules in this folder, if there is none of this name."""
    if name in sys.modules:
        return
    loader = NamespaceLoader(name, [str(directory)], lambda *_: None)
    spec = ModuleSpec(name, loader, is_package=True)
    spec.submodule_search_locations = [str(directory)]
    _enter(name, importlib.util.module_from_spec(spec))


def _enter(name: str, module: ModuleType) -> None:
    """Make the module importable under this name, as `import` does."""
    sys.modules[name] = _loaded[name] = module
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)


def _forget_app() -> None:
    """Make way for an app: nothing of a former one is to be found by its imports."""
    for name, module in list(sys.modules.items()):
        if _is_of_app(name, module):
            del sys.modules[name]
    for folder in map(str, _folders):
        if folder not in _path_before and folder in sys.path:
            sys.path.remove(folder)
    _loaded.clear()
    _folders.clear()
    _before.clear()
    _before.update(sys.modules)
    _path_before.clear()
    _path_before.update(sys.path)


def _is_of_app(name: str, module: ModuleType) -> bool:
    """Whether the app that is loaded brought this module."""
    if name.startswith((f"{FUNCTION_APP}.", f"{_PACKAGE}.")):
        return True
    if name in _loaded:
        return _loaded[name] is module
    if name in _before or name.partition(".")[0] in OUR_PACKAGES:
        return False
    return any(_is_own_file(module, folder) for folder in _folders)


def _is_own_file(module: ModuleType, folder: Path) -> bool:
    """Whether it lies in this app folder. Of packages installed there many can load only once."""
    places = [getattr(module, "__file__", None), *(getattr(module, "__path__", None) or ())]
    return any(
        place and Path(place).is_relative_to(folder) and not is_installed(str(place))
        for place in places
    )


def _take_out_namesakes(directory: Path) -> dict[str, ModuleType]:
    """Remove the modules of other app folders that have the name of a module in this one."""
    others = [each for each in _folders if each != directory]
    own = {path.stem for path in directory.iterdir() if path.is_dir() or path.suffix == ".py"}
    namesakes = {
        name: module
        for name, module in list(sys.modules.items())
        if name.split(".", maxsplit=1)[0] in own.difference(OUR_PACKAGES)
        and any(_is_top_module(name, module, folder) for folder in others)
    }
    for name in namesakes:
        del sys.modules[name]
    return namesakes


def _is_top_module(name: str, module: ModuleType, folder: Path) -> bool:
    """Whether a plain import of this name found the module directly in the app folder."""
    file = Path(getattr(module, "__file__", None) or "")
    top = name.split(".", maxsplit=1)[0]
    return file.is_relative_to(folder) and file.relative_to(folder).parts[0] in (top, f"{top}.py")


def _author_traceback(error: BaseException, directory: Path) -> str:
    """The traceback, without the frames that lead from the host to the author's first line."""
    frames = traceback_of(error)
    while frames is not None:
        if Path(frames.tb_frame.f_code.co_filename).is_relative_to(directory):
            break
        frames = frames.tb_next
    if frames is None and isinstance(error, SyntaxError):
        return "".join(traceback.format_exception_only(error))
    return "".join(traceback.format_exception(type(error), error, frames or traceback_of(error)))
