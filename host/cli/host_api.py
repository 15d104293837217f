"""Asking a running host: the command line's client of the HTTP API, made of the records there.

Only that API is used, as anybody could. A key is never sent anywhere but to the address given:
redirects are not followed.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import click
from yarl import URL

from host.http.access import KEY_HEADER
from host.http.management.operations import OPERATIONS
from host.http.operations import Operation
from host.http.parameters import Parameter, Place

DEFAULT_URL = "http://localhost:7071"
KEY_VARIABLE = "FUNCHOST_KEY"
EXIT_REFUSED = 1
EXIT_NOT_ASKED = 2

Values: TypeAlias = Mapping[Parameter[Any], str]
F = TypeVar("F", bound=Callable[..., Any])

_PATIENCE_S = 30.0
_PROBES = ("GET", "PATCH")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAnswer:
    """What came back. It is misdirected if nothing at the address does what was asked for."""

    status: int
    body: bytes
    is_misdirected: bool

    @property
    def message(self) -> str:
        """What a host says of its refusal, if a host it was."""
        try:
            answer: Any = json.loads(self.body)
        except ValueError:
            return ""
        if not isinstance(answer, dict):
            return ""
        return str(answer.get("ExceptionMessage") or answer.get("Message") or "")


class HostApi:
    """One host, at its address, with a key if it wants one."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self._headers = {} if key is None else {KEY_HEADER: key}

    def ask(
        self, operation: Operation[Any], values: Values, body: bytes | None = None
    ) -> HostAnswer:
        """Do an operation. Ends the command if no host answers, or if it wants another key."""
        try:
            answer = asyncio.run(self._ask(operation, values, body))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            fail(
                f"No host answers at {self.url}: {_cause_in_words(error)}. Start it, or give its "
                "address with --url.",
                EXIT_NOT_ASKED,
            )
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            fail(
                f"The host at {self.url} wants a valid key: a system or master key, with --key.",
                EXIT_NOT_ASKED,
            )
        return answer

    def fail_unexpected(self, answer: HostAnswer) -> NoReturn:
        """End the command: nobody knows what this answer says of what was asked."""
        fail(
            f"The host at {self.url} answered {answer.status}. {answer.message}".rstrip(),
            EXIT_NOT_ASKED,
        )

    async def _ask(
        self, operation: Operation[Any], values: Values, body: bytes | None
    ) -> HostAnswer:
        url = url_of(self.url, operation, values)
        headers = self._headers | _standing_in(Place.HEADER, values)
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            async with session.request(
                operation.verb, url, data=body, allow_redirects=False
            ) as response:
                status, content = response.status, await response.read()
            is_found = status != HTTPStatus.NOT_FOUND or await _is_there(session, operation, url)
            return HostAnswer(status=status, body=content, is_misdirected=not is_found)


def _cause_in_words(error: Exception) -> str:
    """Why nobody answered, without the library's words for it."""
    if isinstance(error, TimeoutError):
        return f"there was no answer within {_PATIENCE_S} seconds"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, socket.gaierror):
        return f"its name cannot be found ({cause.strerror})"
    if isinstance(cause, OSError) and not isinstance(error, aiohttp.ClientSSLError):
        return os.strerror(cause.errno) if cause.errno else "nobody listens there"
    return str(error).rstrip(".") or type(error).__name__


def url_of(base: str, operation: Operation[Any], values: Values) -> URL:
    """Where to ask for an operation. Nothing in a value changes where that is.

    Raises `click.BadParameter` if the base is no address, or a value cannot stand in a path.
    """
    if not _is_address(base):
        raise click.BadParameter(
            f"'{base}' is not like {DEFAULT_URL}, the line that a host prints when it listens.",
            param_hint="--url",
        )
    parts = {
        each.name: _path_part(each, values[each]) for each in operation.parameters_in(Place.PATH)
    }
    path = operation.path.format_map(parts)
    query = urlencode(_standing_in(Place.QUERY, values), errors="surrogateescape")
    return URL(f"{base.rstrip('/')}{path}{'?' if query else ''}{query}", encoded=True)


def host_options(command: F) -> F:
    """The options that say where the host is, and the key for it."""
    url = click.option("--url", default=DEFAULT_URL, show_default=True, help="A host of the hub.")
    key = click.option(
        "--key",
        callback=_check_key,
        envvar=KEY_VARIABLE,
        show_envvar=True,
        help="A system or master key, if the host wants one.",
    )
    return url(key(command))


def fail(problem: str, code: int) -> NoReturn:
    """Say what is wrong and end the command."""
    click.secho(problem, fg="red", err=True)
    raise SystemExit(code)


async def _is_there(session: aiohttp.ClientSession, operation: Operation[Any], url: URL) -> bool:
    """Whether there is this operation at the address, so that a 404 is about what it was asked of.

    Nothing in a 404 itself says so: a host gives it for paths that it does not know,
    too, and proxies change headers. But whoever knows the operation refuses other verbs and names
    this one, whether there is such an instance or not.
    """
    async with session.request(other_verb(operation), url, allow_redirects=False) as response:
        verbs = response.headers.get("Allow", "").split(",")
        is_refused = response.status == HTTPStatus.METHOD_NOT_ALLOWED
        return is_refused and operation.verb in (verb.strip() for verb in verbs)


def other_verb(operation: Operation[Any]) -> str:
    """A verb that does nothing at the operation's path."""
    taken = {each.verb for each in OPERATIONS if each.path == operation.path}
    return next(verb for verb in _PROBES if verb not in taken)


def _path_part(parameter: Parameter[Any], value: str) -> str:
    if value in {"", ".", ".."}:
        raise click.BadParameter(
            f"That cannot be {parameter.text}.", param_hint=parameter.name.upper()
        )
    return quote(value, safe="", errors="surrogateescape")


def _standing_in(place: Place, values: Values) -> dict[str, str]:
    return {each.name: value for each, value in values.items() if each.place is place}


def _is_address(url: str) -> bool:
    try:
        parsed = URL(url)
    except ValueError:
        return False
    is_plain = not (parsed.query_string or parsed.fragment)
    return parsed.scheme in {"http", "https"} and bool(parsed.host) and is_plain


def _check_key(_: click.Context, __: click.Parameter, key: str | None) -> str | None:
    """A click callback: a key that can be sent in a header."""
    if key is not None and not (key.isascii() and key.isprintable()):
        raise click.BadParameter("That cannot be a key.")
    return key
