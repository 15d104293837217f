"""What requests say of the keys that they make: names, values, roles, grace.

A value that a caller chooses is kept as a plain hash, so it must be one that nobody finds by
trying.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

import pydantic_core

from bindings.errors import InvalidArgumentError
from host.http import parameters
from host.http.hub_keys import MAX_VALUE, MIN_VALUE
from host.http.hub_meant import TASK_HUB
from host.http.key_ring import KeySet
from host.http.keys import MASTER_KEY_NAME, RESERVED_NAMES, KeyKind, KeyRole
from host.http.link_tokens import MARK
from host.http.operations import Asked
from host.http.parameters import Place, in_path

MAX_GRACE_S: Final = 30 * 86_400.0
MAX_BODY_BYTES: Final = 4096
MIN_VARIETY: Final = 12
"""A given value has at least so many different characters: 32 times the same one is no key."""

_KEY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_VALUE: Final = re.compile(r"[!-~]*", re.ASCII)
_IN_EVERY_QUERY: Final = frozenset({"code", TASK_HUB.name.lower()})

KEY_NAME = in_path("key", "a key's name")
ROLE = parameters.choice(
    "role",
    "Of a system key: what it opens. A new one gets read if nothing is said.",
    {role.value: role for role in KeyRole},
)
GRACE = parameters.seconds(
    "grace", "For how many seconds the value before this one opens, too; at most 30 days."
)
EXISTS = parameters.choice(
    "exists",
    "True: refuse to make a new key; false: refuse to replace one.",
    {"true": True, "false": False},
)


def is_master(name: str) -> bool:
    """Whether it is the name of the master key, which is in the file of keys alone."""
    return name.lower() == MASTER_KEY_NAME


def refuse_master(name: str) -> None:
    """Raise `InvalidArgumentError` if that is the name of the master key."""
    if is_master(name):
        raise InvalidArgumentError("The master key is in the file of keys: change it there.")


def refuse_reserved(name: str, kind: KeyKind) -> None:
    """Raise `InvalidArgumentError` if a new key of this kind may not be named so.

    One that was made when it could be goes on, and gets new values: the audit has it in quotes.
    """
    if kind is KeyKind.SYSTEM and name.lower() in RESERVED_NAMES:
        raise InvalidArgumentError(
            f"The audit names callers without such a key '{name.lower()}'. Choose another name."
        )


def checked_name(name: str) -> str:
    """A name that a key may have. Raises `InvalidArgumentError`."""
    refuse_master(name)
    if not _KEY_NAME.fullmatch(name):
        raise InvalidArgumentError(
            "A key's name has 1 to 64 letters, digits, '_', '.' or '-', and begins with one of the "
            "first two."
        )
    return name


def refuse_unknown_options(asked: Asked) -> None:
    """A `role` that was misspelled, or said twice, would give another one than was meant."""
    known = {each.name for each in asked.operation.parameters_in(Place.QUERY)} | _IN_EVERY_QUERY
    seen: set[str] = set()
    for name, _ in asked.call.query.fields:
        folded = name.lower()
        if folded not in known:
            raise InvalidArgumentError(f"There is no option '{name[:100]}' here.")
        if folded in seen:
            raise InvalidArgumentError(f"The option '{name}' is there twice: say it once.")
        seen.add(folded)


def wanted_role(asked: Asked, keys: KeySet) -> KeyRole | None:
    """The role that is asked for. Raises `InvalidArgumentError`."""
    role = asked[ROLE]
    if role is not None and keys.kind is not KeyKind.SYSTEM:
        raise InvalidArgumentError("Function keys open functions and have no role.")
    return role


def wanted_grace(asked: Asked) -> timedelta:
    """How long the value before is left. Raises `InvalidArgumentError`."""
    grace_s = asked[GRACE] or 0.0
    if grace_s > MAX_GRACE_S:
        raise InvalidArgumentError(f"The grace is longer than {MAX_GRACE_S:.0f} seconds.")
    return timedelta(seconds=grace_s)


def given_value(body: bytes, name: str) -> str:
    """The value in a body, if it is fit to be a key.

    Raises `InvalidArgumentError`, which quotes nothing of it.
    """
    try:
        document = pydantic_core.from_json(body)
    except ValueError:  # the error may quote the value
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("value"), str):
        raise InvalidArgumentError('The request\'s body is not JSON such as {"value": "..."}.')
    if str(document.get("name", name)).lower() != name.lower():
        raise InvalidArgumentError("The name in the body is not that in the path.")
    value: str = document["value"]
    if not MIN_VALUE <= len(value) <= MAX_VALUE or not _VALUE.fullmatch(value):
        raise InvalidArgumentError(
            f"A key's value has {MIN_VALUE} to {MAX_VALUE} printable characters of ASCII without "
            "spaces. POST makes one."
        )
    if len(set(value)) < MIN_VARIETY or value.startswith(MARK):
        raise InvalidArgumentError("The value can be guessed. POST makes one that cannot.")
    return value
