"""Reads the code of functions for calls that do harm where they stand. Nothing is run.

An orchestrator is run again from its beginning, so what it learns elsewhere than from its context
(the clock, chance, files, the network) may be another thing each time. A coroutine of any kind runs
on the host's one event loop, so what blocks there stops everybody. Names are looked up in the
function's own module, and functions of the app that are called are read, too; what is called
through a variable or a library is not seen.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from bindings import azure_names
from bindings.kinds.records import Role
from bindings.kinds.registry import kind_of
from bindings.signatures import innermost, is_async, wraps_async
from host.core.frames import is_installed
from host.functions.call_reading import AppNames, names_of_azure, odd_durable_calls
from host.functions.client_reading import forgotten_awaits
from host.functions.model import App, HostFunction, Oddity
from host.functions.task_reading import tasks_as_values

_CLOCK = "the clock differs at every replay: use context.current_utc_datetime"
_CHANCE = "chance differs at every replay: use context.new_uuid(), or draw in an activity"
_OUTSIDE = "what is outside may differ at every replay, and blocks the host: do it in an activity"
_FOREIGN = "asyncio cannot be awaited here: use context.create_timer, when_all or when_any"
_OWN_LOOP = "a loop of its own blocks the host, and runs in every replay: do it in an activity"
_SETTING = "settings differ between deploys: pass it as input, or read it in an activity"
_BLOCKS = "it blocks the host's event loop, and with it everything: make the function a plain def"
_PRINTS = "it prints again in every replay: use context.create_replay_safe_logger(logger)"
_NOT_AWAITED = "it is not awaited, so it does nothing: write await before it"
_TASK = (
    "its task is used as if it was the result: write await (in a generator, yield) before it; "
    "what when_any gives is a task, too"
)

_IN_ORCHESTRATORS: Mapping[str, str] = {
    "asyncio": _FOREIGN,
    "asyncio.new_event_loop": _OWN_LOOP,
    "asyncio.run": _OWN_LOOP,
    "asyncio.runners": _OWN_LOOP,
    "asyncio.events.new_event_loop": _OWN_LOOP,
    "builtins.print": _PRINTS,
    "datetime.date.today": _CLOCK,
    "datetime.datetime.now": _CLOCK,
    "datetime.datetime.today": _CLOCK,
    "datetime.datetime.utcnow": _CLOCK,
    "httpx": _OUTSIDE,
    "io.open": _OUTSIDE,
    "os.environ": _SETTING,
    "os.getenv": _SETTING,
    "os.urandom": _CHANCE,
    "random": _CHANCE,
    "requests": _OUTSIDE,
    "secrets": _CHANCE,
    "socket": _OUTSIDE,
    "sqlite3": _OUTSIDE,
    "subprocess": _OUTSIDE,
    "threading": _OUTSIDE,
    "time": _CLOCK,
    "time.sleep": "it stops the whole host: await context.create_timer instead",
    "urllib.request": _OUTSIDE,
    "uuid.uuid1": _CHANCE,
    "uuid.uuid4": _CHANCE,
}
_IN_COROUTINES: Mapping[str, str] = {
    "requests": _BLOCKS,
    "subprocess.call": _BLOCKS,
    "subprocess.check_call": _BLOCKS,
    "subprocess.check_output": _BLOCKS,
    "subprocess.run": _BLOCKS,
    "time.sleep": f"{_BLOCKS}, or await asyncio.sleep",
    "urllib.request": _BLOCKS,
}
_SEEDED = "random.Random"
"""A generator with a seed gives the same at every replay."""


class _Call(NamedTuple):
    """A name that is called or read: its path in words, what it is, and where."""

    name: str
    line: int
    found: Any
    has_arguments: bool


def odd_code(app: App, app_dir: Path) -> Iterator[Oddity]:
    """What the code of the app's functions, and of those below `app_dir` they call, should not."""
    activities = {
        id(innermost(each.declaration.function)): each.name
        for each in app.functions
        if each.role is Role.ACTIVITY
    }
    names = AppNames(app)
    for function in app.functions:
        called = function.declaration.function
        yield from _odd_durable_calls(function, app_dir, names)
        if function.role is Role.ORCHESTRATOR:
            yield from _odd_calls(function, app_dir, _IN_ORCHESTRATORS, activities)
        elif is_async(called) or wraps_async(called):
            yield from _odd_calls(function, app_dir, _IN_COROUTINES, {})


def _odd_calls(
    function: HostFunction,
    app_dir: Path,
    table: Mapping[str, str],
    activities: Mapping[int, str],
) -> Iterator[Oddity]:
    start = innermost(function.declaration.function)
    waiting, seen = [start], {id(start)}
    while waiting:
        read = waiting.pop()
        if function.role is Role.ORCHESTRATOR:
            yield from _odd_tasks(function.label, read, is_orchestrator=read is start)
        for call in _calls(read):
            reason = _reason(call, table, activities)
            if reason is not None:
                place = f"{inspect.getsourcefile(read)}:{call.line}"
                yield Oddity(where=function.label, text=f"{call.name} at {place}: {reason}.")
            elif _is_below(app_dir, call.found) and id(call.found) not in seen:
                seen.add(id(call.found))
                waiting.append(call.found)


def _odd_durable_calls(function: HostFunction, app_dir: Path, names: AppNames) -> Iterator[Oddity]:
    """Names that no function has, calls of a client that nobody awaits, and the like."""
    is_orchestrator = function.role is Role.ORCHESTRATOR
    clients = _clients_of(function)
    if not is_orchestrator and not clients:
        return
    holders = dict.fromkeys(clients, azure_names.CLIENT)
    if is_orchestrator:
        holders[function.declaration.trigger.name] = azure_names.CONTEXT
    for read in _read_with(innermost(function.declaration.function), app_dir):
        source = _source(read)
        if source is None:
            continue
        look_up = partial(_look_up, names=_names_in(read, source.tree))
        found = [
            *odd_durable_calls(source.tree, names, look_up, is_orchestrator=is_orchestrator),
            *names_of_azure(source.tree, holders),
            *((call, _NOT_AWAITED) for call in forgotten_awaits(source.tree, clients)),
        ]
        for call, reason in sorted(found, key=lambda each: (each[0].lineno, each[0].col_offset)):
            place = f"{inspect.getsourcefile(read)}:{source.line_of(call)}"
            shown = ast.unparse(call.func if isinstance(call, ast.Call) else call)
            yield Oddity(where=function.label, text=f"{shown} at {place}: {reason}.")


def _clients_of(function: HostFunction) -> list[str]:
    """The parameters that receive a client."""
    inputs = ((each.name, kind_of(each).input) for each in function.declaration.bindings)
    return [name for name, given in inputs if given is not None and given.awaited_as]


def _read_with(start: Callable[..., Any], app_dir: Path) -> Iterator[Callable[..., Any]]:
    """The function, and those of the app's own code that it calls, and those that they call."""
    waiting, seen = [start], {id(start)}
    while waiting:
        read = waiting.pop()
        yield read
        for call in _calls(read):
            if _is_below(app_dir, call.found) and id(call.found) not in seen:
                seen.add(id(call.found))
                waiting.append(call.found)


def _odd_tasks(
    name: str, function: Callable[..., Any], *, is_orchestrator: bool
) -> Iterator[Oddity]:
    source = _source(function)
    if source is None:
        return
    for call in tasks_as_values(source.tree, is_orchestrator=is_orchestrator):
        place = f"{inspect.getsourcefile(function)}:{source.line_of(call)}"
        yield Oddity(where=name, text=f"{ast.unparse(call.func)} at {place}: {_TASK}.")


def _reason(call: _Call, table: Mapping[str, str], activities: Mapping[int, str]) -> str | None:
    name = activities.get(id(call.found))  # named by reference it is not called
    if name is not None:
        return f"it runs in every replay: await context.call_activity({name}, ...)"
    full = _full_name(call.found)
    if full is None or (full == _SEEDED and call.has_arguments):
        return None
    parts = full.split(".")
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((table[each] for each in names if each in table), None)


def _is_below(app_dir: Path, found: Any) -> bool:
    """Whether it is a function of the app's own code."""
    if not isinstance(found, FunctionType):
        return False
    file = Path(found.__code__.co_filename)
    return file.is_relative_to(app_dir) and not is_installed(str(file))


def _full_name(found: Any) -> str | None:
    """By which name the standard library or a package has it."""
    if isinstance(found, ModuleType) or found is None:
        return None
    if found is getattr(sys.modules.get("os"), "environ", None):
        return "os.environ"
    owner = getattr(found, "__self__", None)
    holder = owner if isinstance(owner, type) else type(owner)
    module = getattr(found, "__module__", None) or getattr(holder, "__module__", None)
    name = getattr(found, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    return f"{_PUBLIC_NAMES.get(module, module)}.{name}"


_PUBLIC_NAMES = {"_io": "io", "posix": "os", "nt": "os", "_random": "random", "_socket": "socket"}


UNREADABLE = (OSError, TypeError, ValueError, SyntaxError, RecursionError, SystemError)
"""What reading code raises where there is none, or none that can be read. Python 3.11 also has a
`SystemError` for code that another thread's reading came between."""


class _Source(NamedTuple):
    """A function's code, and the line of its file that it begins in."""

    tree: ast.Module
    first: int

    def line_of(self, node: ast.expr) -> int:
        """The line of the file that the node is in."""
        return self.first + node.lineno - 1


def _source(function: Callable[..., Any]) -> _Source | None:
    try:
        lines, first = inspect.getsourcelines(function)
        return _Source(ast.parse(textwrap.dedent("".join(lines))), first)
    except UNREADABLE:
        return None


def _calls(function: Callable[..., Any]) -> Iterator[_Call]:
    """The calls in a function's code, and reads of `os.environ`."""
    source = _source(function)
    if source is None:
        return
    tree = source.tree
    names = _names_in(function, tree)
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Call | ast.Attribute))
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
        called = node.func if isinstance(node, ast.Call) else node
        if not isinstance(called, ast.Name | ast.Attribute):
            continue
        found = _look_up(called, names)
        is_read = isinstance(node, ast.Attribute) and _full_name(found) == "os.environ"
        if isinstance(node, ast.Call) or is_read:
            has_arguments = isinstance(node, ast.Call) and bool(node.args or node.keywords)
            yield _Call(ast.unparse(called), source.line_of(called), found, has_arguments)


def _names_in(function: Callable[..., Any], tree: ast.AST) -> dict[str, Any]:
    """What the names in a function's code stand for, but for its own variables."""
    names = {**getattr(function, "__builtins__", {}), **getattr(function, "__globals__", {})}
    for node in ast.walk(tree):
        names |= _imported(node)
    return names


def _imported(node: ast.AST) -> dict[str, Any]:
    """What an import in the function's body brings, if it has been imported before."""
    if isinstance(node, ast.Import):
        return {
            each.asname or each.name.split(".", maxsplit=1)[0]: sys.modules.get(
                each.name if each.asname else each.name.split(".", maxsplit=1)[0]
            )
            for each in node.names
        }
    if isinstance(node, ast.ImportFrom) and node.module is not None:
        module = sys.modules.get(node.module)
        return {each.asname or each.name: getattr(module, each.name, None) for each in node.names}
    return {}


def _look_up(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What a name or a chain of attributes of modules and classes stands for; None if unknown."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if not isinstance(node, ast.Attribute):
        return None
    holder = _look_up(node.value, names)
    # Attributes of other objects may be properties, which would run code.
    return getattr(holder, node.attr, None) if isinstance(holder, ModuleType | type) else None
