"""`funchost keys`: the keys of a hub, by one of its hosts; and a file of keys to begin with.

A new value goes to standard output alone, the words about it elsewhere: `key=$(funchost keys create
...)` works, and a pipeline can hand it on to where secrets are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any

import click

from bindings.errors import InvalidArgumentError
from bindings.remote import answers, asking
from bindings.remote.answers import Answer
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import EXIT_CODES, RefusedError, asks_host, orders_host
from host.cli.new_keys import new
from host.cli.showing import out, print_json, print_json_line, say, table
from host.cli.times import SPAN

_ADMIN = "/admin"
_ROLES = ("read", "operate", "admin")
_HEAD = ("NAME", "OPENS", "ROLE", "CREATED", "CHANGED", "OLD VALUE UNTIL")
_REFUSALS = frozenset({"KeyNotFoundError", "KeyConflictError", "KeysUnchangedError", "NoKeysError"})

_CREATE_EXAMPLES = f"""\b
Examples:
  funchost keys create dashboard --role read
  funchost keys create shop --function place_order
  key=$(funchost keys create deploy --role operate --url https://functions.example.com)

{EXIT_CODES}"""
_ROTATE_EXAMPLES = f"""\b
Examples:
  funchost keys rotate deploy --grace 1h
  funchost keys rotate default --all-functions

{EXIT_CODES}"""


class _Group(click.Group):
    """Says what has become of `funchost keys FILE`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.commands and not name.startswith("-"):
            similar = get_close_matches(name, self.commands, n=1)
            hint = (
                f"Did you mean '{similar[0]}'?"
                if similar
                else f"A file of keys is made by `funchost keys new {name}`."
            )
            ctx.fail(f"No such command '{name}'. {hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Group)
def keys() -> None:
    """Make, list, rotate and delete keys of hosts."""


def _of_set(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say whose key is meant."""
    command = click.option(
        "--all-functions", "of_all", is_flag=True, help="A key that opens all functions."
    )(command)
    return click.option("--function", metavar="NAME", help="A key that opens this function.")(
        command
    )


_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")


@keys.command("list", epilog=EXIT_CODES)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def list_keys(client: RemoteClient, as_json: bool) -> None:
    """List all keys: what each opens, and when it was made. Nobody can show a value again."""
    answer = await client.connection.ask("GET", ("keys",), base=_ADMIN, is_repeatable=True)
    if answer.status != HTTPStatus.OK:
        raise _refusal(answer)
    rows = answers.read(answer, lambda found: [_row(each) for each in found])
    if as_json:
        for each in answer.json():
            print_json_line(each)
        return
    table(_HEAD, rows)


@keys.command(epilog=_CREATE_EXAMPLES)
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), help="A key for the host, and what it may do.")
@_of_set
@_AS_JSON
@orders_host
async def create(
    client: RemoteClient,
    name: str,
    *,
    role: str | None,
    function: str | None,
    of_all: bool,
    as_json: bool,
) -> None:
    """Make the key NAME and print its value, which nobody can show again.

    It opens the host, by its role, or one function, or all of them. It is refused if there is one
    of this name.
    """
    if (role is not None) + (function is not None) + of_all != 1:
        raise click.UsageError("Say what it opens: --role, --function or --all-functions.")
    query = [("exists", "false"), *([("role", role)] if role else [])]
    made = await _ask(client, "POST", _path(name, function, of_all=of_all), query)
    _show_value(made, as_json=as_json)


@keys.command(epilog=_ROTATE_EXAMPLES)
@click.argument("name")
@_of_set
@click.option("--grace", type=SPAN, help="How long the old value opens, too.  [default: 0s]")
@_AS_JSON
@orders_host
async def rotate(
    client: RemoteClient,
    name: str,
    *,
    function: str | None,
    of_all: bool,
    grace: timedelta | None,
    as_json: bool,
) -> None:
    """Give the key NAME a new value and print it; nobody can show it again.

    It is a key for the host unless --function or --all-functions is given. The old value opens
    nothing any more, on no host after ten seconds, unless --grace is given.
    """
    query = [("exists", "true"), *([("grace", f"{grace.total_seconds():f}")] if grace else [])]
    made = await _ask(client, "POST", _path(name, function, of_all=of_all), query)
    _show_value(made, as_json=as_json)


@keys.command(epilog=EXIT_CODES)
@click.argument("name")
@_of_set
@orders_host
async def delete(client: RemoteClient, name: str, function: str | None, of_all: bool) -> None:
    """Let the key NAME open nothing any more, on no host after ten seconds.

    It is a key for the host unless --function or --all-functions is given.
    """
    await _ask(client, "DELETE", _path(name, function, of_all=of_all), [])
    out(f"The key '{name}' opens nothing any more.")


keys.add_command(new)


def _path(name: str, function: str | None, *, of_all: bool) -> tuple[str, ...]:
    if function is not None and of_all:
        raise click.UsageError("Say --function or --all-functions, not both.")
    key = asking.text(name, "A key's name")
    if function is not None:
        return "functions", asking.text(function, "A function's name"), "keys", key
    return "host", "functionkeys" if of_all else "systemkeys", key


async def _ask(
    client: RemoteClient, verb: str, path: tuple[str, ...], query: list[tuple[str, str]]
) -> dict[str, Any]:
    answer = await client.connection.ask(verb, path, query, base=_ADMIN)
    if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT}:
        raise _refusal(answer)
    if answer.status == HTTPStatus.NO_CONTENT:
        return {}
    answers.read(answer, _value)
    found: dict[str, Any] = answer.json()
    return found


def _refusal(answer: Answer) -> Exception:
    said = answer.json()
    if isinstance(said, dict) and said.get("ExceptionType") in _REFUSALS:
        return RefusedError(str(said.get("ExceptionMessage")))
    error = refusal(answer)
    return RefusedError(str(error)) if isinstance(error, InvalidArgumentError) else error


def _show_value(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    say("This is shown only once; callers send it as header x-functions-key:")
    out(_value(made))
    if until := made.get("oldValueUntil"):
        say(f"The old value opens until {until[:19]}Z, too.")


def _value(made: dict[str, Any]) -> str:
    value: str = made["value"]
    return value


def _row(key: dict[str, Any]) -> tuple[str, ...]:
    times = (key.get(name, "") for name in ("createdTime", "changedTime", "oldValueUntil"))
    created, changed, until = (f"{time[:19]}Z" if time else "" for time in times)
    if key["isInFile"]:
        created = "in the file of keys"
    return key["name"], _opens(key), key.get("role", ""), created, changed, until


def _opens(key: dict[str, Any]) -> str:
    match key["kind"]:
        case "master":
            return "everything"
        case "system":
            return "the host"
    return f"the function {key['function']}" if "function" in key else "all functions"
