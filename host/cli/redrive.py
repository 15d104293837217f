"""`funchost redrive`: ask a running host to try a quarantined instance anew.

Rules of this file: only the host's HTTP API is used, as anybody could. A key is never sent anywhere
but to the address given: redirects are not followed.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote

import aiohttp
import click
from yarl import URL

DEFAULT_URL = "http://localhost:7071"
KEY_VARIABLE = "FUNCHOST_KEY"

_WEBHOOKS = "runtime/webhooks/durabletask"
_PATIENCE_S = 30.0
_EXIT_REFUSED = 1
_EXIT_NOT_ASKED = 2
_EPILOG = f"""\b
Examples:
  funchost redrive my-report
  funchost redrive my-report --url https://functions.example.com --key KEY

A key on the command line can be seen by others on the machine; the variable {KEY_VARIABLE} cannot.

\b
Exit codes:
  0  the instance runs again
  1  there is no such instance, or it is not quarantined
  2  wrong usage, no valid key, or the host did not answer as it should
"""


def _check_key(_: click.Context, __: click.Parameter, key: str | None) -> str | None:
    """A click callback: a key that can be sent in a header."""
    if key is not None and not (key.isascii() and key.isprintable()):
        raise click.BadParameter("That cannot be a key.")
    return key


@click.command(epilog=_EPILOG)
@click.argument("instance_id")
@click.option("--url", default=DEFAULT_URL, show_default=True, help="A host of the hub.")
@click.option(
    "--key",
    callback=_check_key,
    envvar=KEY_VARIABLE,
    show_envvar=True,
    help="A system or master key, if the host wants one.",
)
def redrive(*, instance_id: str, url: str, key: str | None) -> None:
    """Run the quarantined instance INSTANCE_ID again, once its function is mended.

    An instance is quarantined when host after host ended while it led the instance, or when its
    turns failed again and again. Its status then has a blockedReason that begins "Quarantined:".
    """
    target = _redrive_url(url, instance_id)
    try:
        answer = asyncio.run(_ask(target, key))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        _fail(f"No host answers at {url}: {str(error) or type(error).__name__}", _EXIT_NOT_ASKED)
    if answer.status != HTTPStatus.ACCEPTED:
        _fail(*_refusal(answer, instance_id, url))
    click.echo(f"'{instance_id}' runs again.")


def _redrive_url(url: str, instance_id: str) -> URL:
    """The address to post to. Nothing in an instance's id changes where that is."""
    if not _is_address(url):
        raise click.BadParameter(
            f"'{url}' is not like {DEFAULT_URL}, the line that a host prints when it listens.",
            param_hint="--url",
        )
    if instance_id in {"", ".", ".."}:
        raise click.BadParameter("That cannot be an instance's id.", param_hint="INSTANCE_ID")
    name = quote(instance_id, safe="", errors="surrogateescape")
    path = f"{_WEBHOOKS}/instances/{name}/redrive"
    return URL(f"{url.rstrip('/')}/{path}", encoded=True)


def _is_address(url: str) -> bool:
    try:
        parsed = URL(url)
    except ValueError:
        return False
    is_plain = not (parsed.query_string or parsed.fragment)
    return parsed.scheme in {"http", "https"} and bool(parsed.host) and is_plain


class _Answer(NamedTuple):
    """What came back. It is misdirected if there is nothing at the address that redrives."""

    status: int
    body: bytes
    is_misdirected: bool


async def _ask(url: URL, key: str | None) -> _Answer:
    """Ask for the redrive. Raises aiohttp's errors, `TimeoutError` and `OSError`."""
    headers = {} if key is None else {"x-functions-key": key}
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        async with session.post(url, allow_redirects=False) as response:
            status, body = response.status, await response.read()
        is_found = status != HTTPStatus.NOT_FOUND or await _is_operation(session, url)
        return _Answer(status, body, is_misdirected=not is_found)


async def _is_operation(session: aiohttp.ClientSession, url: URL) -> bool:
    """Whether there is a redrive at this address, so that a 404 is about the instance.

    Nothing in a 404 itself says so: it is empty, a host gives it for paths that it does not know,
    too, and proxies change headers. But whoever knows the operation refuses other verbs and names
    this one, whether there is such an instance or not.
    """
    async with session.get(url, allow_redirects=False) as response:
        verbs = response.headers.get("Allow", "").split(",")
        is_refused = response.status == HTTPStatus.METHOD_NOT_ALLOWED
        return is_refused and "POST" in (verb.strip() for verb in verbs)


def _refusal(answer: _Answer, instance_id: str, url: str) -> tuple[str, int]:
    """What to say of an answer that is not the wanted one, and the exit code."""
    said = _message_of(answer.body)
    match answer.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            text = f"The host at {url} wants a valid key: a system or master key, with --key."
            return text, _EXIT_NOT_ASKED
        case HTTPStatus.NOT_FOUND if answer.is_misdirected:
            text = (
                f"There is no redrive at {url}, so nothing is known of '{instance_id}' (404). Check"
                " the path in --url, proxies on the way, and that the host is not an older one."
            )
            return text, _EXIT_NOT_ASKED
        case HTTPStatus.NOT_FOUND:
            return f"There is no instance '{instance_id}' in the hub of {url}.", _EXIT_REFUSED
        case HTTPStatus.GONE:
            return f"'{instance_id}' is finished, and so not quarantined.", _EXIT_REFUSED
        case HTTPStatus.CONFLICT:
            return f"'{instance_id}' is not quarantined. {said}".rstrip(), _EXIT_REFUSED
        case _:
            return f"The host at {url} answered {answer.status}. {said}".rstrip(), _EXIT_NOT_ASKED


def _message_of(body: bytes) -> str:
    """What a host says of its refusal, if a host it was."""
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(answer, dict):
        return ""
    return str(answer.get("ExceptionMessage") or answer.get("Message") or "")


def _fail(problem: str, code: int) -> NoReturn:
    click.secho(problem, fg="red", err=True)
    raise SystemExit(code)
