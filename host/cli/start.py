"""`funchost start`: run an app until a signal comes.

Standard output gets what a person or script waits for: the functions, new keys, and the one line
`Listening on ...` once requests are answered. Standard error gets logs and problems.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from asyncio import new_event_loop
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click

from host.app import RunningHost, serving
from host.cli.breakpoints import leave_ctrl_c_to_the_host
from host.cli.forgotten_awaits import report_forgotten_awaits
from host.cli.given import GivenPath, check_not_empty
from host.cli.hub_name import check_hub_name
from host.cli.leaving import leave_in_order
from host.cli.listening import said
from host.cli.listing import function_list
from host.cli.logs import configure_logging
from host.cli.new_keys import show_new_keys
from host.cli.showing import is_terminal
from host.cli.signals import stopping_signals
from host.cli.storage_name import check_storage_name, complete_storage_name
from host.engine.main_loop import run_to_its_end
from host.errors import ConfigurationError, StartStoppedError, StorageError
from host.interpreter import tune_interpreter
from host.logs import HostLog, flush, say_lost
from host.os_words import error_in_words
from host.settings import HostSettings
from host.settings.cors import CorsWish
from host.settings.funchost import MAX_PROCESSES
from host.settings.loading import FILE_NAME
from host.settings.log_levels import LogFormat, LogLevel
from host.wiring.data_folder import DATA_FOLDER
from host.wiring.keys import needs_keys
from host.wiring.options import HostOptions, read_settings
from host.wiring.prepared import PreparedHost, prepared_host

with suppress(ImportError):  # faster, but not there on every platform
    from uvloop import new_event_loop

_EXAMPLES = """\b
Examples:
  funchost start                            the app in this folder, on port 7071
  funchost start my-app --port 8080         another folder and port
  funchost start --storage memory           forget everything at the end
  funchost start --address 0.0.0.0          reachable from outside, with keys
  funchost start --keys                     behind a proxy on this machine, with keys
  funchost start --processes 4              use four processors for plain functions
  funchost start --storage aws --hub Orders on DynamoDB and SQS, after `funchost hub create`
"""
_EXIT_CONFIGURATION = 2
_EXIT_INTERRUPTED = 130
_PATIENCE_S = 0.5
"""How long the end of the process waits for somebody to read what it writes."""
_LOOK_S = 1.0
"""How often it is seen to that signals still reach the host."""

_logger = HostLog("funchost")


@click.command(epilog=_EXAMPLES)
@click.argument("app", type=GivenPath(exists=True, file_okay=False, path_type=Path), default=Path())
@click.option(
    "--port",
    "-p",
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 picks a free one.  [default: local.settings.json's, else 7071]",
)
@click.option(
    "--address",
    callback=check_not_empty,
    help="Address to listen on; one beyond this machine requires keys.  [default: 127.0.0.1]",
)
@click.option(
    "--storage",
    callback=check_storage_name,
    shell_complete=complete_storage_name,
    metavar="[sqlite|memory|aws]",
    help="Where instances live.  [default: host.json's storageProvider, else sqlite]",
)
@click.option(
    "--hub", callback=check_hub_name, help="Name of the hub.  [default: host.json's hubName]"
)
@click.option(
    "--data",
    type=GivenPath(file_okay=False, path_type=Path),
    help="Folder of the store and the keys.  [default: APP/.funchost]",
)
@click.option(
    "--keys",
    is_flag=True,
    help="Ask for keys on a loopback address, too; behind a proxy it is reachable from outside.",
)
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(0, MAX_PROCESSES),
    help="Run plain functions in N worker processes.  [default: host.json's, else 0: in threads]",
)
@click.option(
    "--watch/--no-watch",
    default=None,
    help="Load the app anew when its files change; not with keys.  [default: on a terminal]",
)
@click.option(
    "--cors",
    metavar="ORIGINS",
    help="Sites whose pages may ask functions, such as http://localhost:3000, or *; with commas "
    "between them.  [default: local.settings.json's, else host.json's]",
)
@click.option(
    "--cors-credentials", is_flag=True, help="Browsers send their cookies with what pages ask."
)
@click.option("--verbose", is_flag=True, help="Log more, requests included.")
@click.option(
    "--log-format",
    type=click.Choice([each.value for each in LogFormat]),
    help="Write the log for people, or as a JSON object a line.  [default: host.json's, else text]",
)
@click.option(
    "--debug", is_flag=True, help="Let functions stand in a debugger for as long as they like."
)
def start(
    *,
    app: Path,
    port: int | None,
    address: str | None,
    storage: str | None,
    hub: str | None,
    data: Path | None,
    keys: bool,
    processes: int | None,
    watch: bool | None,
    cors: str | None,
    cors_credentials: bool,
    verbose: bool,
    log_format: str | None,
    debug: bool,
) -> None:
    """Run the functions in the folder APP (default: the current one) until Ctrl-C or SIGTERM.

    A closed terminal (SIGHUP) is such a signal, too, unless `nohup` says otherwise.
    """
    options = HostOptions(
        app_dir=app.resolve(),
        port=port,
        address=address,
        storage=storage,
        hub=hub,
        data_dir=data and data.resolve(),
        logs_requests=verbose,
        requires_keys=keys,
        processes=processes,
        cors=CorsWish(origins=cors, credentials=cors_credentials or None),
        is_debugging=debug,
    )
    try:
        settings = read_settings(options)
        options = replace(options, watches=_watches(watch, options, settings))
        level = LogLevel.DEBUG if verbose else settings.log_level
        form = LogFormat(log_format) if log_format else settings.log_format
        configure_logging(level, settings.log_categories, form, logs_prints=not debug)
        report_forgotten_awaits()
        for each in settings.unknown:
            _logger.warning("%s: %s", FILE_NAME, each)
        tune_interpreter()
        leave_ctrl_c_to_the_host()
        with prepared_host(options, settings) as prepared:
            run_to_its_end(_serve(prepared), new_event_loop())
    except (ConfigurationError, StorageError) as error:
        _refuse(str(error))
    except OSError as error:
        where = f" ({error.filename!a})" if error.filename else ""
        _refuse(f"The host cannot start{where}: {error_in_words(error)}.")
    _flush()
    leave_in_order(0)


def _watches(wanted: bool | None, options: HostOptions, settings: HostSettings) -> bool:
    """Whether to watch the app's files: by default where its author sits before it.

    Raises `ConfigurationError` if it is wanted of a host that others rely on.
    """
    if wanted is False:
        return False
    has_keys = needs_keys(options, settings)
    if wanted and has_keys:
        raise ConfigurationError(
            "--watch is for a host without keys, and this one needs keys. Leave --watch out, and "
            "say `funchost reload` when the app has changed."
        )
    return not has_keys and (wanted is True or is_terminal(sys.stdout))


async def _serve(prepared: PreparedHost) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    hurry: list[Callable[[], None]] = []

    def begin_to_stop() -> None:
        for each in hurry:  # what keeps the loop: the event is not seen before it ends
            each()
        loop.call_soon_threadsafe(stop.set)

    loop.set_exception_handler(_on_loop_error)
    with (
        stopping_signals(begin_to_stop, partial(_leave, _EXIT_INTERRUPTED)) as put_back,
        suppress(StartStoppedError),
        ExitStack() as ends,
    ):
        async with serving(prepared, stopped=stop) as host:
            hub = prepared.settings.extensions.durable_task.hub_name
            ends.enter_context(said(prepared.options.app_dir / DATA_FOLDER, host.url, hub))
            hurry.append(host.hurry)
            _soon(lambda: _announce(host))
            await _until(stop, put_back)
            _logger.info("Stopping: %s. A second signal ends it at once.", host.busy_with())


async def _until(stop: asyncio.Event, look: Callable[[], None]) -> None:
    while not stop.is_set():
        look()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_S)


def _announce(host: RunningHost) -> None:
    try:
        if host.new_keys:  # first: where there is no terminal they are written to a file
            show_new_keys(host.new_keys, host.data_dir)
        for line in function_list(host.app, host.functions_url):
            click.echo(line)
        click.echo(f"Listening on {host.url}")
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError) as error:  # full, closed, gone, or never there
        _logger.warning("Standard output cannot be written to (%s); the host serves.", error)


def _refuse(problems: str) -> NoReturn:
    _soon(lambda: _show(problems.splitlines())).join(_PATIENCE_S)
    _leave(_EXIT_CONFIGURATION)


def _show(problems: Sequence[str]) -> None:
    with suppress(OSError, ValueError, AttributeError):  # as with standard output
        for problem in problems:
            click.secho(problem, fg="red", err=True)


def _on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody else heard of; what an app's logging raises would end the loop."""
    try:
        loop.default_exception_handler(context)
    except BaseException as error:  # noqa: BLE001 - see above
        say_lost(context.get("message", ""), (), error)


def _soon(write: Callable[[], None]) -> threading.Thread:
    """Write to standard output or error in a thread: there may be nobody who reads it."""
    thread = threading.Thread(target=write, name="funchost-start", daemon=True)
    thread.start()
    return thread


def _leave(code: int) -> NoReturn:
    """End the process now. Everything is stored, and no thread is waited for."""
    _flush()
    os._exit(code)


def _flush() -> None:
    """Write out what was said, as far as somebody reads it."""
    flush(_PATIENCE_S)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # there is none if it was closed when the process began
            _soon(partial(_flush_stream, stream)).join(_PATIENCE_S)


def _flush_stream(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # it is full, closed, or its reader has gone
        stream.flush()
