"""Reads the code of functions for calls of a client that nobody awaits. Nothing is run.

A client's methods are coroutines: without its `await` a call does nothing, and the function answers
as if it had. Seen are calls of parameters that hold a client, and names that are bound once, to one
such call. A coroutine that is handed on (to a task, say) is not odd: others may await it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Mapping

from bindings.client import DurableClient

COROUTINES = frozenset(
    name for name, each in vars(DurableClient).items() if inspect.iscoroutinefunction(each)
)
_LOOKED_AT = (
    ast.Assert,
    ast.Attribute,
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.Expr,
    ast.For,
    ast.FormattedValue,
    ast.If,
    ast.Subscript,
    ast.UnaryOp,
    ast.While,
)
"""What looks at a value, or drops it: nothing there awaits it later."""
_LOOKED_AT_BY_NAME = tuple(each for each in _LOOKED_AT if each is not ast.Expr)


def forgotten_awaits(tree: ast.AST, clients: Iterable[str]) -> Iterator[ast.Call]:
    """The calls in a function's code that are not awaited, in order.

    `clients` are names of parameters that hold a client, besides those that are annotated so.
    """
    holders = {*clients, *_annotated(tree)}
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    for call in filter(lambda each: _is_coroutine_of(each, holders), calls):
        if _is_lost(call, above, holders) or _is_lost_under_its_name(call, above, holders):
            yield call


def _annotated(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                if ast.unparse(annotation).strip("'\"").endswith(DurableClient.__name__):
                    yield name


def _is_coroutine_of(call: ast.Call, holders: Iterable[str]) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id=holder), attr=name):
            return holder in holders and name in COROUTINES
    return False


def _is_lost(node: ast.AST, above: Mapping[ast.AST, ast.AST], holders: Iterable[str]) -> bool:
    """Whether what stands around it takes the coroutine for its result, or drops it."""
    around = above.get(node)
    return isinstance(around, _LOOKED_AT) or _is_given_to(around, node, holders)


def _is_lost_under_its_name(
    call: ast.Call, above: Mapping[ast.AST, ast.AST], holders: Iterable[str]
) -> bool:
    """Whether it is kept under a name that is only looked at, or given back to the client."""
    match above.get(call):
        case ast.Assign(targets=[ast.Name(id=name)]):
            pass
        case _:
            return False
    uses = [node for node in above if isinstance(node, ast.Name) and node.id == name]
    if sum(isinstance(each.ctx, ast.Store) for each in uses) != 1:
        return False
    reads = [each for each in uses if isinstance(each.ctx, ast.Load)]
    return all(
        isinstance(above[each], _LOOKED_AT_BY_NAME) or _is_given_to(above[each], each, holders)
        for each in reads
    )


def _is_given_to(around: ast.AST | None, node: ast.AST, holders: Iterable[str]) -> bool:
    """Whether it is an argument of one of the client's own methods, which want values."""
    match around:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=holder))) if around.func is not node:
            return holder in holders
    return False
