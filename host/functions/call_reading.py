"""Reads the code of functions for calls of the context that cannot be meant. Nothing is run.

A misspelt name is the dearest of these mistakes: since another host of the hub may have a function
of that name, the instance waits for it, maybe for ever.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from types import FunctionType
from typing import Any, TypeAlias

from bindings import azure_names
from bindings.kinds.records import Role
from bindings.signatures import layers_of
from host.functions.model import App

_CALLED: Mapping[str, Role] = {
    "call_activity": Role.ACTIVITY,
    "call_sub_orchestrator": Role.ORCHESTRATOR,
    "schedule_new_orchestration": Role.ORCHESTRATOR,
}
"""Methods whose first argument is a function or its name, and which kind of function."""
_CALLS: Mapping[Role, str] = {
    Role.ACTIVITY: "call_activity",
    Role.ORCHESTRATOR: "call_sub_orchestrator",
}
_WORDS: Mapping[Role, str] = {Role.ACTIVITY: "activity", Role.ORCHESTRATOR: "orchestrator"}
_ONE_INPUT = ("call_activity", "call_sub_orchestrator")
_OF_CLASSES: Mapping[str, Mapping[str, str]] = {
    "DurableClient": azure_names.CLIENT,
    "DurableOrchestrationClient": azure_names.CLIENT,
    "DurableOrchestrationContext": azure_names.CONTEXT,
    "OrchestrationContext": azure_names.CONTEXT,
}
_GIVE_NOTHING = ("continue_as_new", "send_event", "set_custom_status", "signal_entity")
_WAIT = ("create_timer", "wait_for_external_event")

Finding: TypeAlias = tuple[ast.Call | ast.Attribute, str]


class AppNames:
    """What the functions of an app are called, and which function is which."""

    def __init__(self, app: App) -> None:
        self._roles = {each.name.lower(): (each.name, each.role) for each in app.functions}
        self._broken = {each.name.lower() for each in app.broken}
        self._is_whole = not any(each.is_module for each in app.broken)
        self._known = {
            id(layer)
            for each in app.functions
            if each.role in _CALLS
            for layer in layers_of(each.declaration.function)
        }

    def problem(self, name: str, role: Role) -> str | None:
        """Why a function of this kind is not found by this name, if it is not."""
        found = self._roles.get(name.lower())
        word = _WORDS[role]
        if found is not None and found[1] is role:
            return None
        if found is not None and found[1] in _CALLS:
            return f"'{found[0]}' is an {_WORDS[found[1]]}: use {_CALLS[found[1]]}"
        if name.lower() in self._broken or not self._is_whole:
            return None
        named = {each: shown for each, (shown, its) in self._roles.items() if its is role}
        near = [f"'{named[each]}'" for each in get_close_matches(name.lower(), named)]
        meant = f" (near: {', '.join(near)})" if near else ""
        return (
            f"no {word} of this app is named '{name}'{meant}: unless another host of the hub has "
            "one, it is waited for without end"
        )

    def is_undecorated(self, found: Any) -> bool:
        """Whether it is a plain function that the app does not declare."""
        if not isinstance(found, FunctionType):
            return False
        return not any(id(layer) in self._known for layer in layers_of(found))


def odd_durable_calls(
    tree: ast.AST, names: AppNames, look_up: Callable[[ast.expr], Any], *, is_orchestrator: bool
) -> Iterator[Finding]:
    """The calls in a function's code that cannot be meant, each with the reason, in no order.

    `look_up` gives what a name stands for in the function's module.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)):
                yield from _misdirected(node, name, names, look_up)
                if is_orchestrator:
                    yield from _misfilled(node, name)
            case (
                ast.Await(value=ast.Call(func=ast.Attribute(attr=name)) as call)
                | ast.Yield(value=ast.Call(func=ast.Attribute(attr=name)) as call)
            ):
                if is_orchestrator and name in _GIVE_NOTHING:
                    yield call, "it takes effect at once and gives nothing: do not await it"
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name)) as call):
                if is_orchestrator and name in _WAIT:
                    yield call, "without await (in a generator, yield) nothing waits for it"


def names_of_azure(tree: ast.AST, holders: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """The attributes that contexts and clients have in Azure's packages and not here.

    `holders` are names of parameters, each with the hints for what it holds.
    """
    hints = {**holders, **dict(_held(tree))}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=holder), attr=name) if name in hints.get(
                holder, ()
            ):
                yield node, f"there is no '{name}' here: {hints[holder][name]}"


def _held(tree: ast.AST) -> Iterator[tuple[str, Mapping[str, str]]]:
    """What parameters hold by their annotations."""
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                kind = ast.unparse(annotation).strip("'\"").rpartition(".")[2]
                if kind in _OF_CLASSES:
                    yield name, _OF_CLASSES[kind]


def _misdirected(
    call: ast.Call, method: str, names: AppNames, look_up: Callable[[ast.expr], Any]
) -> Iterator[Finding]:
    role = _CALLED.get(method)
    if role is None or not call.args:
        return
    match call.args[0]:
        case ast.Constant(value=str() as named):
            problem = names.problem(named, role)
            if problem is not None:
                yield call, problem
        case ast.Name() | ast.Attribute() as reference:
            if names.is_undecorated(look_up(reference)):
                yield (
                    call,
                    f"{ast.unparse(reference)} is not registered: decorate it with "
                    f"@app.{_WORDS[role].replace('orchestrator', 'orchestration')}_trigger()",
                )


def _misfilled(call: ast.Call, method: str) -> Iterator[Finding]:
    is_plain = not any(isinstance(each, ast.Starred) for each in call.args)
    if method in _ONE_INPUT and is_plain and len(call.args) > 2:
        others = (
            "instance_id=... by name" if method == "call_sub_orchestrator" else "a list or dict"
        )
        yield call, f"it takes one input after the function: pass {others}"
    match call:
        case ast.Call(args=[ast.Constant(value=int() | float())]) if method == "create_timer":
            yield call, "a timer takes a timedelta or a datetime: timedelta(seconds=...)"
