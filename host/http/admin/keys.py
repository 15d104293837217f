"""Keys over HTTP: listed, made, replaced, deleted.

A value is told once, in the answer that makes it; a hub keeps hashes only. Whoever changes keys has
the role `admin`, so nobody gives more than he has. The master key is in the file of keys alone: it
is what is left when all others are lost.

Each set of keys has the same operations, at the paths that the peer has for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import ClassVar, Final

from aiohttp import web

from bindings.errors import InvalidArgumentError
from host.core.history_json import time_to_json
from host.http import answers
from host.http.access import Need
from host.http.admin.functions import NAME
from host.http.admin.key_requests import (
    EXISTS,
    GRACE,
    KEY_NAME,
    MAX_BODY_BYTES,
    ROLE,
    checked_name,
    given_value,
    is_master,
    refuse_master,
    refuse_reserved,
    refuse_unknown_options,
    wanted_grace,
    wanted_role,
)
from host.http.admin.room import Administration
from host.http.hub_keys import HubKeys
from host.http.kept_keys import KeptKeys
from host.http.key_ring import KeyNotFoundError, KeyRing, KeySet, Put, ShownKey
from host.http.keys import KeyKind, KeyRole, digest, new_value
from host.http.operations import Answer, Asked, Body, Operation, answer, refused
from host.http.parameters import Parameter
from host.http.refusals import RefusalError
from host.http.shapes import ERROR, FLAG, TEXT, TIME, URL, JsonObject, Shape, list_of, object_of
from host.logs import HostLog

_NO_STORE: Final = {"Cache-Control": "no-store"}

_audit = HostLog("funchost.audit")

_FACTS: dict[str, JsonObject | Shape] = {
    "name": TEXT,
    "kind": {"enum": [kind.value for kind in KeyKind]},
    "function": TEXT | {"description": "The function that it opens; else all of the level."},
    "role": {"enum": [role.value for role in KeyRole]},
    "isInFile": FLAG | {"description": "Whether it is one of the file of keys."},
    "createdTime": TIME,
    "changedTime": TIME | {"description": "When it got its value."},
    "oldValueUntil": TIME | {"description": "Until when the value before opens, too."},
}
_LINKS = list_of(object_of({"rel": {"const": "self"}, "href": URL}))
_OPTIONAL = ("function", "role", "createdTime", "changedTime", "oldValueUntil")
SHOWN_KEY = Shape("Key", object_of(_FACTS, *_OPTIONAL))
ONE_KEY = Shape("OneKey", object_of({**_FACTS, "links": _LINKS}, *_OPTIONAL))
KEY_LIST = Shape("Keys", object_of({"keys": list_of(SHOWN_KEY), "links": _LINKS}))
MADE_KEY = Shape("MadeKey", object_of({**_FACTS, "value": TEXT, "links": _LINKS}, *_OPTIONAL))
GIVEN_KEY = Shape("GivenKey", object_of({"name": TEXT, "value": TEXT}, "name"))


class NoKeysError(RefusalError):
    """The host asks nobody for a key."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    summary: ClassVar[str] = "This host has no keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sets:
    """Sets of keys at one path: one, or one for each function."""

    path: str
    kind: KeyKind
    one: str
    """What a key of them is called in the ids of operations."""
    words: str
    parameters: tuple[Parameter[str], ...] = ()


_SETS: Final = (
    _Sets(
        path="/admin/host/systemkeys",
        kind=KeyKind.SYSTEM,
        one="SystemKey",
        words="keys that open operations of the host by their role",
    ),
    _Sets(
        path="/admin/host/functionkeys",
        kind=KeyKind.FUNCTION,
        one="HostFunctionKey",
        words="keys that open all functions of the level function",
    ),
    _Sets(
        path="/admin/host/keys",
        kind=KeyKind.FUNCTION,
        one="HostKey",
        words="the same as functionkeys",
    ),
    _Sets(
        path="/admin/functions/{name}/keys",
        kind=KeyKind.FUNCTION,
        one="FunctionKey",
        words="keys that open one function",
        parameters=(NAME,),
    ),
)


async def show_all(here: Administration, _asked: Asked) -> web.Response:
    """All keys of all sets."""
    shown = _keys_of(here).ring.shown(here.clock.now())
    return answers.json_answer([_facts(each) for each in shown], headers=_NO_STORE)


async def show_set(here: Administration, asked: Asked) -> web.Response:
    """The keys of one set."""
    keys = _set_of(here, asked)
    shown = _keys_of(here).ring.shown_in(keys, here.clock.now())
    return answers.json_answer(
        {"keys": [_facts(each) for each in shown], "links": _links(asked)}, headers=_NO_STORE
    )


async def show(here: Administration, asked: Asked) -> web.Response:
    """One key, without its value."""
    keys, name = _set_of(here, asked), asked[KEY_NAME]
    if keys.kind is KeyKind.SYSTEM and is_master(name):
        keys = KeySet(kind=KeyKind.MASTER)
    found = _keys_of(here).ring.named(keys, name, here.clock.now())
    if found is None:
        raise KeyNotFoundError(f"There is no key '{name}' here.")
    return answers.json_answer({**_facts(found), "links": _links(asked)}, headers=_NO_STORE)


async def generate(here: Administration, asked: Asked) -> web.Response:
    """Make a key, or give one a new value, and tell it."""
    return await _put(here, asked, new_value())


async def set_value(here: Administration, asked: Asked) -> web.Response:
    """Make a key with a value that the caller has, or give it to one."""
    return await _put(here, asked, given_value(await asked.body(MAX_BODY_BYTES), asked[KEY_NAME]))


async def delete(here: Administration, asked: Asked) -> web.Response:
    """Let a key open nothing any more."""
    refuse_unknown_options(asked)
    name = asked[KEY_NAME]
    refuse_master(name)
    keys, hub = _set_of(here, asked), _keys_of(here)
    caller = await here.caller(asked.call)
    await hub.change(lambda ring, now: ring.without(keys, name, now))
    _audit.info("%s key '%s'%s was deleted by %s", *_subject(keys, name), caller)
    return answers.empty(HTTPStatus.NO_CONTENT)


async def _put(here: Administration, asked: Asked, value: str) -> web.Response:
    refuse_unknown_options(asked)
    keys, hub = _set_of(here, asked), _keys_of(here)
    name = checked_name(asked[KEY_NAME])
    wanted = Put(
        name=name,
        sha256=digest(value),
        role=wanted_role(asked, keys),
        grace=wanted_grace(asked),
        must_exist=asked[EXISTS],
    )
    caller, was_there = await here.caller(asked.call), False

    def change(ring: KeyRing, now: datetime) -> KeptKeys:
        nonlocal was_there
        was_there = ring.named(keys, name, now) is not None
        if not was_there:
            refuse_reserved(name, keys.kind)
        return ring.put(keys, wanted, now)

    await hub.change(change)
    shown = hub.ring.named(keys, name, here.clock.now())
    if shown is None:
        raise KeyNotFoundError(f"The key '{name}' was deleted by somebody else just now.")
    _audit.info(
        "%s key '%s'%s was %s by %s%s",
        *_subject(keys, name),
        "given a new value" if was_there else "made",
        caller,
        f"; its role is {shown.key.role}" if shown.key.role else "",
    )
    status = HTTPStatus.OK if was_there else HTTPStatus.CREATED
    body = {**_facts(shown), "value": value, "links": _links(asked)}
    return answers.json_answer(body, status, _NO_STORE)


def _keys_of(here: Administration) -> HubKeys:
    if here.keys is None:
        raise NoKeysError("Whoever reaches it may do everything. Start it with --keys.")
    return here.keys


def _set_of(here: Administration, asked: Asked) -> KeySet:
    """The set that is meant. Raises `KeyNotFoundError` if its function is unknown.

    Raises `InvalidArgumentError` for a new value of a key that could open nothing.
    """
    sets = _BY_OPERATION[asked.operation.id]
    if not sets.parameters:
        return KeySet(kind=sets.kind)
    name = asked[NAME]
    keys = KeySet(kind=sets.kind, function=here.function_name(name) or name)
    is_known = here.function_name(name) is not None
    if not is_known and not _keys_of(here).ring.shown_in(keys, here.clock.now()):
        raise KeyNotFoundError(f"No function has the name '{name}'.")
    if asked.operation.verb in {"POST", "PUT"}:
        if not is_known:
            raise KeyNotFoundError(f"The function '{name}' is gone; its keys can only be deleted.")
        if here.answers_no_requests(name):
            raise InvalidArgumentError(
                f"The function '{name}' answers no HTTP requests, so no key opens it."
            )
    return keys


def _facts(shown: ShownKey) -> JsonObject:
    key = shown.key
    times = {
        "createdTime": shown.made_at,
        "changedTime": shown.changed_at,
        "oldValueUntil": shown.before_until,
    }
    return {
        "name": key.name,
        "kind": key.kind.value,
        **({} if key.function is None else {"function": key.function}),
        **({} if key.role is None else {"role": key.role.value}),
        "isInFile": shown.is_of_file,
        **{name: time_to_json(time) for name, time in times.items() if time is not None},
    }


def _links(asked: Asked) -> list[JsonObject]:
    path = asked.call.target.partition("?")[0]
    return [{"rel": "self", "href": f"{asked.call.origin}{path}"}]


def _subject(keys: KeySet, name: str) -> tuple[str, str, str]:
    of = f" of the function '{keys.function}'" if keys.function else ""
    return f"The {keys.kind}", name, of


_NONE = answer("There is no such key, or function.", ERROR)
_TAKEN: Mapping[int, Answer] = {
    200: answer("It has a new value.", MADE_KEY),
    201: answer("It is made.", MADE_KEY),
    400: refused("The name, the value or an option is wrong; or it is the master key."),
    404: _NONE,
    409: answer("It is there already, another key has the value, or the host has no keys.", ERROR),
}
_NO_KEYS = answer("The host has no keys.", ERROR)


def _operations(sets: _Sets) -> tuple[Operation[Administration], ...]:
    in_all = (*sets.parameters, KEY_NAME)
    return (
        Operation(
            id=f"list{sets.one}s",
            verb="GET",
            path=sets.path,
            summary=f"A list of {sets.words}." if sets.one != "HostKey" else "As functionkeys.",
            access=Need.ADMIN,
            parameters=sets.parameters,
            answers={
                200: answer("Names, roles and times; no values.", KEY_LIST),
                404: _NONE,
                409: _NO_KEYS,
            },
            handler=show_set,
        ),
        Operation(
            id=f"get{sets.one}",
            verb="GET",
            path=f"{sets.path}/{{key}}",
            summary="What is known of a key.",
            access=Need.ADMIN,
            parameters=in_all,
            answers={200: answer("All but its value.", ONE_KEY), 404: _NONE, 409: _NO_KEYS},
            handler=show,
        ),
        Operation(
            id=f"generate{sets.one}",
            verb="POST",
            path=f"{sets.path}/{{key}}",
            summary="Make a key, or give it a new value, which only this answer tells.",
            access=Need.ADMIN,
            parameters=(*in_all, ROLE, GRACE, EXISTS),
            answers=_TAKEN,
            handler=generate,
        ),
        Operation(
            id=f"set{sets.one}",
            verb="PUT",
            path=f"{sets.path}/{{key}}",
            summary="The same with a value that the caller chooses.",
            access=Need.ADMIN,
            parameters=(*in_all, ROLE, GRACE, EXISTS),
            body=Body(form=GIVEN_KEY, is_required=True),
            answers={**_TAKEN, 413: answer("The body is too large.", ERROR)},
            handler=set_value,
        ),
        Operation(
            id=f"delete{sets.one}",
            verb="DELETE",
            path=f"{sets.path}/{{key}}",
            summary="Let a key open nothing any more.",
            access=Need.ADMIN,
            parameters=in_all,
            answers={
                204: answer("It is gone."),
                400: refused("It is the master key, or there is no such option."),
                404: _NONE,
                409: _NO_KEYS,
            },
            handler=delete,
        ),
    )


_OF_SETS = {each.path: _operations(each) for each in _SETS}
_BY_OPERATION = {operation.id: sets for sets in _SETS for operation in _OF_SETS[sets.path]}

OPERATIONS: tuple[Operation[Administration], ...] = (
    Operation(
        id="listKeys",
        verb="GET",
        path="/admin/keys",
        summary="All keys, whatever they open.",
        access=Need.ADMIN,
        answers={
            200: answer("Names, roles and times; no values.", list_of(SHOWN_KEY)),
            409: _NO_KEYS,
        },
        handler=show_all,
    ),
    *(operation for operations in _OF_SETS.values() for operation in operations),
)
