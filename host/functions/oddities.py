"""What loads and is probably not meant: found in folders and declarations, without reading code.

None of this keeps a function from running, so it is said and no more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib.metadata import packages_distributions
from pathlib import Path

from bindings.azure_names import instead_of, of_azure
from bindings.errors import FunctionDefinitionError
from bindings.functions import Direction
from bindings.kinds.faults import code_of
from bindings.kinds.registry import KINDS, kind_of
from bindings.signatures import hints_of, is_async, unresolved_hints, wraps_async
from host.engine.installed_observers import installed_observers
from host.functions.model import HostFunction, Oddity
from host.functions.modules import OUR_PACKAGES
from host.os_words import error_in_words

_SIMILAR = 0.8


def odd_names(folder: Path, *, installed: bool = False) -> Iterator[Oddity]:
    """Modules of an app's folder that are hidden by others, or hide them.

    With `installed` also those that hide an installed package, which takes a while to find out.
    """
    packages = set(packages_distributions()) - OUR_PACKAGES if installed else set()
    for path in sorted(folder.iterdir()):
        name = path.stem
        try:
            if not _is_module(path):
                continue
        except OSError as error:
            text = f"it is left out, as it cannot be looked into: {error_in_words(error)}."
            yield Oddity(where=path.name, text=text)
            continue
        if name in OUR_PACKAGES and _is_found_in(folder, name):
            text = f"it hides the host's own package '{name}' from the app: rename it."
        elif name in OUR_PACKAGES:
            text = f"'import {name}' gives the host's own package, not this module: rename it."
        elif name in sys.stdlib_module_names:
            text = f"it hides Python's own module '{name}' from everything here: rename it."
        elif name in packages:
            text = f"it hides the installed package '{name}': rename it."
        else:
            continue
        yield Oddity(where=path.name, text=text)


def _is_module(path: Path) -> bool:
    """Whether imports find it there. Raises `OSError`."""
    return path.suffix == ".py" or ((path / "__init__.py").is_file() and not _is_ours(path))


def _is_found_in(folder: Path, name: str) -> bool:
    """Whether an import of this name gives the module in the folder, or did so."""
    module = sys.modules.get(name)
    return module is None or Path(getattr(module, "__file__", None) or "").is_relative_to(folder)


def _is_ours(folder: Path) -> bool:
    """Whether it is the host's own package: the app lies where the host's source does."""
    package = sys.modules.get(folder.name)
    return folder.name in OUR_PACKAGES and getattr(package, "__file__", None) == str(
        folder / "__init__.py"
    )


def odd_kinds() -> Iterator[Oddity]:
    """Binding kinds of installed packages that do not load. Runs the code of all of them."""
    for broken in KINDS.all_broken():
        text = f"its binding type '{broken.type}' does not load: {broken.error}"
        yield Oddity(where=broken.source, text=text)


def odd_observers() -> Iterator[Oddity]:
    """Observers of installed packages that do not load. Runs the code of all of them."""
    _, broken = installed_observers()
    for each in broken:
        yield Oddity(where=each.source, text=f"its observer does not load: {each.error}")


def odd_triggers(functions: Iterable[HostFunction], *, is_shared: bool) -> Iterator[Oddity]:
    """What the kinds of triggers find odd about theirs, where several hosts may have the hub.

    The code of other packages' kinds is run. What it raises is said.
    """
    for function in functions:
        declaration, kind = function.declaration, function.trigger
        texts: list[str] = []
        try:
            with code_of(kind_of(declaration.trigger)):
                if kind.odd is not None:
                    texts += kind.odd(declaration.trigger, is_shared=is_shared)
                if kind.odd_function is not None:
                    texts += kind.odd_function(declaration)
        except FunctionDefinitionError as error:
            texts = [str(error)]
        yield from (Oddity(where=function.label, text=text) for text in texts)


def odd_sharers(functions: Iterable[HostFunction]) -> Iterator[Oddity]:
    """Functions that take from the same queue: each message goes to one of them, by chance."""
    first: dict[str, HostFunction] = {}
    for function in functions:
        shared, trigger = function.trigger.shared, function.declaration.trigger
        if shared is None or function.is_disabled:
            continue
        try:
            with code_of(kind_of(trigger)):
                source = shared(trigger)
        except FunctionDefinitionError as error:
            yield Oddity(where=function.label, text=str(error))
            continue
        other = first.setdefault(source, function)
        if other is not function:
            text = (
                f"it takes from {source}, as '{other.name}' does, so each message goes to one of "
                "them: give each its own, or do both in one function."
            )
            yield Oddity(where=function.label, text=text)


def odd_declarations(functions: Iterable[HostFunction]) -> Iterator[Oddity]:
    """Annotations that say nothing, and clients that cannot be used."""
    for function in functions:
        for name, reason in unresolved_hints(function.declaration.function).items():
            yield Oddity(
                where=function.label,
                text=(
                    f"the annotation of {_part(name)} cannot be resolved ({reason}), so values "
                    "come as plain JSON. Import the type at run time, not only under TYPE_CHECKING."
                ),
            )
        yield from _of_azure(function)
        yield from _strange_properties(function)
        for useless in _useless_inputs(function):
            yield Oddity(
                where=function.label,
                text=(
                    f"it is a plain def with {useless}, whose methods must be awaited: make "
                    "it an async def."
                ),
            )


def _strange_properties(function: HostFunction) -> Iterator[Oddity]:
    """Properties that mean nothing and look like one that does: a slip of the pen is silent."""
    for binding in (function.declaration.trigger, *function.declaration.bindings):
        known = {name.lower(): name for name in kind_of(binding).properties}
        for name in binding.properties:
            near = get_close_matches(name.lower(), known, n=1, cutoff=_SIMILAR)
            if name.lower() not in known and near:
                yield Oddity(
                    where=function.label,
                    text=(
                        f"the property '{name}' of its {binding.type} binding means nothing: is "
                        f"'{known[near[0]]}' meant?"
                    ),
                )


def _of_azure(function: HostFunction) -> Iterator[Oddity]:
    """Annotations with classes of Azure's packages, whose objects the host neither gives nor takes.

    A response of theirs would be refused only when the function returns it.
    """
    for name, annotation in hints_of(function.declaration.function).items():
        theirs = of_azure(annotation)
        if theirs is not None:
            yield Oddity(
                where=function.label,
                text=(
                    f"the annotation of {_part(name)} is Azure's {theirs}: {instead_of(theirs)}."
                ),
            )


def _part(name: str) -> str:
    return "its result" if name == "return" else f"the parameter '{name}'"


def _useless_inputs(function: HostFunction) -> list[str]:
    """What only an `async def` could use, in words and each once."""
    called = function.declaration.function
    if is_async(called) or wraps_async(called):
        return []
    given = (each for each in function.declaration.bindings if each.direction is Direction.IN)
    inputs = (kind_of(each).input for each in given)
    return list(dict.fromkeys(each.awaited_as for each in inputs if each and each.awaited_as))
