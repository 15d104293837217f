"""Commands that ask a running host: where it is, which key it gets, and how they end.

Only the HTTP API is used, by the client that other programs have, too (`bindings.remote`).
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

import click

from bindings.errors import (
    AccessDeniedError,
    FunchostError,
    HostUnavailableError,
    InvalidArgumentError,
    RemoteError,
)
from bindings.remote.client import RemoteClient
from bindings.remote.connection import EXAMPLE_URL
from host.cli.given import GivenPath
from host.cli.listening import Listening, listening_at
from host.cli.showing import say
from host.errors import ConfigurationError
from host.os_words import path_in_words
from host.settings import load_settings
from host.settings.local import load_local_settings

URL_VARIABLE = "FUNCHOST_URL"
KEY_VARIABLE = "FUNCHOST_KEY"

EXIT_REFUSED = 1
EXIT_NOT_ASKED = 2
EXIT_BROKEN_PIPE = 141

EXIT_CODES = """\b
Exit codes:
  0  done
  1  the instance, or the host, refuses it
  2  wrong usage, no valid key, or no host answered as it should
"""

Asking = Callable[..., Coroutine[Any, Any, int | None]]
"""A command: gets the client as its first argument. What it gives is the exit code."""


class RefusedError(Exception):
    """The command ends with this text, and says no."""


def asks_host(command: Asking) -> Callable[..., None]:
    """Make a plain command of it, with the options that say where the host is."""
    return _asking(command, lambda _: False)


def orders_host(command: Asking) -> Callable[..., None]:
    """The same for one that changes something: its host is said, or known to be the folder's."""
    return _asking(command, lambda _: True)


def may_order_host(option: str) -> Callable[[Asking], Callable[..., None]]:
    """The same for one that changes something if the option is given."""
    return lambda command: _asking(command, lambda given: bool(given[option]))


def _asking(command: Asking, is_order: Callable[[dict[str, Any]], bool]) -> Callable[..., None]:
    @click.option("--url", envvar=URL_VARIABLE, show_envvar=True, help="A host of the hub.")
    @click.option(
        "--key",
        envvar=KEY_VARIABLE,
        show_envvar=True,
        help="A key, if the host wants one: of a role that is enough.",
    )
    @click.option("--hub", help="Refuse if the host serves another hub.")
    @click.option(
        "--app",
        type=GivenPath(exists=True, file_okay=False, path_type=Path),
        default=Path(),
        help="Without a URL: the folder of the app whose host on this machine is meant.",
    )
    @functools.wraps(command)
    def run(*, url: str | None, key: str | None, hub: str | None, app: Path, **given: Any) -> None:
        if not url:
            found = _host_of(app, is_order=is_order(given))
            url, hub = found.url, hub or found.hub
        code = asyncio.run(_asked(command, url, key, hub, given))
        if code:
            sys.exit(code)

    return run


async def _asked(
    command: Asking, url: str, key: str | None, hub: str | None, given: dict[str, Any]
) -> int | None:
    try:
        async with RemoteClient(url, key or None, hub=hub or None, retries=0) as client:
            return await command(client, **given)
    except BrokenPipeError:
        _leave_broken_pipe()
    except RefusedError as error:
        fail(str(error), EXIT_REFUSED)
    except HostUnavailableError as error:
        advice = "" if error.status else " Start it, or give its address with --url."
        fail(f"{error}{advice}", EXIT_NOT_ASKED)
    except AccessDeniedError as error:
        is_unknown = error.status == HTTPStatus.UNAUTHORIZED
        fail(f"{error} Give one with --key." if is_unknown else str(error), EXIT_NOT_ASKED)
    except RemoteError as error:
        fail(_unexpected(error, url), EXIT_NOT_ASKED)
    except InvalidArgumentError as error:
        if error.status:  # the words were right, and the host says no
            fail(str(error), EXIT_REFUSED)
        hint = "--url" if "is not like http" in str(error) else None
        raise click.BadParameter(str(error), param_hint=hint) from error
    except FunchostError as error:
        fail(str(error), EXIT_REFUSED)


def _unexpected(error: RemoteError, url: str) -> str:
    if error.status not in {404, 405}:
        return str(error)
    name = click.get_current_context().info_name
    return (
        f"There is no {name} at {url}, so nothing was done ({error.status}). Check the path in "
        "--url, proxies on the way, and that the host is not an older one."
    )


def _host_of(app: Path, *, is_order: bool) -> Listening:
    """The host of this folder; to look, also whoever is where it listens by default."""
    if (found := listening_at(app)) is not None:
        return found
    try:
        port = load_local_settings(app).http_port
    except ConfigurationError as error:
        fail(str(error), EXIT_NOT_ASKED)
    url = EXAMPLE_URL if port is None else f"http://localhost:{port}"
    if is_order:
        where = "this folder" if app == Path() else path_in_words(app)
        fail(
            f"No host says that it runs for {where}, and who listens at {url} may be another "
            f"app's. Start it, name its folder with --app, or say --url {url} if that is meant.",
            EXIT_NOT_ASKED,
        )
    return Listening(url=url, hub=_hub_of(app))


def _hub_of(app: Path) -> str:
    """The hub that the folder's host.json names; "" if it has none."""
    if not (app / "host.json").is_file():
        return ""
    try:
        return load_settings(app, os.environ).extensions.durable_task.hub_name
    except ConfigurationError as error:
        fail(str(error), EXIT_NOT_ASKED)


def fail(problem: str, code: int) -> NoReturn:
    """Say what is wrong and end the command."""
    say(problem, fg="red")
    raise SystemExit(code)


def _leave_broken_pipe() -> NoReturn:
    """Nobody reads any more (`| head`): end as the programs of the system do, in silence."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(EXIT_BROKEN_PIPE)
