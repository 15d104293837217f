"""Reads the code of orchestrators for tasks that are used as if they were results. Nothing is run.

What starts a task gives the task at once, and its result at its `await` (in a generator, `yield`).
Without that most code fails, but not all: a task can be compared, is always true, and can be shown
as a text. Seen are calls, and names that stand for nothing but the task of one call.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeAlias

_METHODS = frozenset(
    {
        "call_activity",
        "call_http",
        "call_sub_orchestrator",
        "create_timer",
        "wait_for_external_event",
    }
)
"""What gives a task if a context has it."""
_ANY = "when_any"
_COMBINING = frozenset({"when_all", _ANY})
_READERS = frozenset(
    {"bool", "float", "format", "int", "len", "list", "print", "repr", "str", "sum"}
)
"""Functions that look at a value."""
_STORED = frozenset(
    {"call_activity", "call_sub_orchestrator", "continue_as_new", "send_event", "set_custom_status"}
)
"""Methods that store what they are called with, and all that is in it."""
_WHICH = (ast.Is, ast.IsNot, ast.Eq, ast.NotEq, ast.In, ast.NotIn)
"""By these a task that is kept under a name is told from others."""

_Names: TypeAlias = Mapping[str, ast.Call]


def tasks_as_values(tree: ast.AST, *, is_orchestrator: bool) -> Iterator[ast.Call]:
    """The calls in a function's code whose task is used as a value, in order.

    Of an orchestrator also what it returns; another function may return a task to be awaited.
    """
    names = _names_of_tasks(tree)
    nodes = list(ast.walk(tree))
    read = chain.from_iterable(_READS[type(node)](node) for node in nodes if type(node) in _READS)
    stored = list(chain.from_iterable(map(_stored, nodes)))
    if is_orchestrator:
        stored += _returned(tree)
    found = chain(
        chain.from_iterable(_tasks(each, names) for each in read),
        chain.from_iterable(_tasks(part, names) for each in stored for part in _parts(each)),
        chain.from_iterable(_compared(node, names) for node in nodes),
    )
    return iter(sorted(dict.fromkeys(found), key=lambda call: (call.lineno, call.col_offset)))


def _tasks(value: ast.AST, names: _Names) -> Iterator[ast.Call]:
    """The tasks that this expression may be."""
    match value:
        case ast.Name(id=name) if name in names:
            yield names[name]
        case ast.IfExp(body=yes, orelse=no):
            yield from _tasks(yes, names)
            yield from _tasks(no, names)
        case ast.NamedExpr(value=inner):
            yield from _tasks(inner, names)
        case _:
            start = _start(value)
            if start is not None:
                yield start


def _start(value: ast.AST) -> ast.Call | None:
    """The call whose task this expression is; what is awaited of when_any is a task, too."""
    match value:
        case ast.Call(func=ast.Attribute(attr=name)) if name in _METHODS | _COMBINING:
            return value
        case ast.Call(func=ast.Name(id=name)) if name in _COMBINING:
            return value
        case ast.Await(value=ast.Call() as call) | ast.Yield(value=ast.Call() as call):
            return call if _name(call.func) == _ANY else None
    return None


_READS: Mapping[type[ast.AST], Callable[[Any], Iterable[ast.expr]]] = {
    ast.Assert: lambda node: (node.test,),
    ast.AugAssign: lambda node: (node.value,),
    ast.BinOp: lambda node: (node.left, node.right),
    ast.BoolOp: lambda node: node.values[:-1],
    ast.Call: lambda node: node.args if _name(node.func) in _READERS else (),
    ast.For: lambda node: (node.iter,),
    ast.FormattedValue: lambda node: (node.value,),
    ast.If: lambda node: (node.test,),
    ast.IfExp: lambda node: (node.test,),
    ast.Subscript: lambda node: (node.value,),
    ast.UnaryOp: lambda node: (node.operand,),
    ast.While: lambda node: (node.test,),
    ast.YieldFrom: lambda node: (node.value,),
    ast.comprehension: lambda node: (node.iter,),
}
"""The expressions in a node that are looked at as values."""


def _stored(node: ast.AST) -> Iterable[ast.expr]:
    """The expressions in a node that are written as JSON."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name), args=arguments, keywords=keywords):
            return (*arguments, *(each.value for each in keywords)) if name in _STORED else ()
    return ()


def _returned(tree: ast.AST) -> Iterator[ast.expr]:
    """What the function itself returns, not those that are defined in it."""
    function = next(ast.iter_child_nodes(tree), tree)
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _compared(node: ast.AST, names: _Names) -> Iterator[ast.Call]:
    if isinstance(node, ast.Compare):
        known = {} if all(isinstance(each, _WHICH) for each in node.ops) else names
        for each in (node.left, *node.comparators):
            yield from _tasks(each, known)


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    """The expression, or what is in the collection that it writes out."""
    match value:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            yield from chain.from_iterable(map(_parts, parts))
        case ast.Dict(values=parts):
            yield from chain.from_iterable(map(_parts, parts))
        case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.DictComp(value=part):
            yield from _parts(part)
        case _:
            yield value


def _names_of_tasks(tree: ast.AST) -> _Names:
    """The names that are bound once, to a task."""
    bound = Counter(filter(None, map(_bound_name, ast.walk(tree))))
    assigned = (node for node in ast.walk(tree) if isinstance(node, ast.Assign))
    starts = ((node.targets, _start(node.value)) for node in assigned)
    return {
        target.id: start
        for targets, start in starts
        for target in targets
        if start is not None and isinstance(target, ast.Name) and bound[target.id] == 1
    }


def _bound_name(node: ast.AST) -> str | None:
    match node:
        case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return name
    return None


def _name(called: ast.expr) -> str:
    """The last name of what is called."""
    match called:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
