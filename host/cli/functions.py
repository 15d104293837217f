"""`funchost functions`: the functions of an app or of a running host, and running one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from bindings.errors import InvalidArgumentError
from bindings.remote import answers, asking
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import EXIT_CODES, EXIT_NOT_ASKED, RefusedError, asks_host, fail, orders_host
from host.cli.given import GivenPath
from host.cli.instances.states import exit_code, print_state
from host.cli.instances.waiting import wait_for_end
from host.cli.json_input import JSON, JSON_HELP, Given, given_value
from host.cli.showing import out, print_json_line, say, table
from host.errors import ConfigurationError
from host.functions.model import HostFunction
from host.wiring.options import HostOptions, read_settings
from host.wiring.versions import load_version

_ADMIN = "/admin"
_API = ""
_SCHEDULE = ("schedule", "timeZone")


@click.group()
def functions() -> None:
    """List the functions of a running host, and run one."""


@functions.command("list", epilog=EXIT_CODES)
@click.argument(
    "folder",
    type=GivenPath(exists=True, file_okay=False, path_type=Path),
    required=False,
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def list_functions(client: RemoteClient, folder: Path | None, as_json: bool) -> None:
    """List the functions of a running host, those that do not load included.

    With a FOLDER it is the app in there, which is loaded for that, as by a start; no host is asked.
    """
    if folder is not None:
        _print_folder(folder, as_json=as_json)
        return
    _print(await _functions(client), as_json=as_json)


@functions.command(epilog=EXIT_CODES)
@click.argument("name")
@click.option("--input", "input_", type=JSON, help=f"Its input: {JSON_HELP}")
@click.option("--json", "as_json", is_flag=True, help="Of an orchestration: print JSON.")
@orders_host
async def run(client: RemoteClient, name: str, input_: Given | None, as_json: bool) -> int:
    """Run the function NAME now.

    An orchestration is started and waited for; an HTTP function gets the input as the body of a
    request, and its answer is printed; others that have a trigger run in the background of the
    host. Activities run in orchestrations only.
    """
    function = await _function(client, name)
    trigger = _trigger(function)
    kind = str(trigger.get("type", ""))
    if kind == "orchestrationTrigger":
        started = await client.schedule_new_orchestration(
            function["name"], input=given_value(input_)
        )
        say(f"Started {started}.")
        state = await wait_for_end(client, started, None)
        print_state(state, as_json=as_json)
        return exit_code(state)
    if kind == "activityTrigger":
        raise RefusedError(f"'{name}' is an activity: it runs when an orchestration calls it.")
    if kind == "httpTrigger":
        return await _call(client, function, trigger, input_)
    await _run_by_hand(client, function["name"], input_)
    out(f"'{name}' runs in the background; the host's log says how it ends.")
    return 0


def _print_folder(folder: Path, *, as_json: bool) -> None:
    """Print the functions of the app in this folder."""
    try:
        options = HostOptions(app_dir=folder.resolve())
        app = load_version(options, read_settings(options)).app
    except ConfigurationError as error:
        fail(str(error), EXIT_NOT_ASKED)
    found: list[dict[str, Any]] = [
        {
            "name": each.name,
            **({} if each.version is None else {"version": each.version}),
            "isDisabled": each.is_disabled,
            "config": {"bindings": [_written(each)]},
        }
        for each in app.functions
    ]
    broken = [
        {"name": each.name, "isDisabled": False, "errors": [each.error]} for each in app.broken
    ]
    _print(found + broken, as_json=as_json)


def _written(function: HostFunction) -> Mapping[str, Any]:
    """The trigger of a function, and its schedule if it has one, as they are written."""
    trigger = function.shown_bindings[0]
    schedule = {name: trigger.properties[name] for name in _SCHEDULE if name in trigger.properties}
    return {"type": trigger.type, **schedule}


def _print(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for each in found:
            print_json_line(each)
        return
    table(("NAME", "TRIGGER", "WHERE", "STATE"), (_row(each) for each in found))


async def _functions(client: RemoteClient) -> Sequence[Mapping[str, Any]]:
    answer = await client.connection.ask("GET", ("functions",), base=_ADMIN, is_repeatable=True)
    if answer.status != HTTPStatus.OK:
        raise refusal(answer)
    answers.read(answer, lambda found: [_row(each) for each in found])  # or no host answered that
    found: list[dict[str, Any]] = answer.json()
    return found


async def _function(client: RemoteClient, name: str) -> Mapping[str, Any]:
    found = await _functions(client)
    for each in found:
        if each["name"].lower() == name.lower():
            if each.get("errors"):
                raise RefusedError(f"'{name}' does not load: {each['errors'][0]}")
            if each.get("isDisabled"):
                raise RefusedError(f"'{name}' is disabled.")
            return each
    known = ", ".join(sorted(str(each["name"]) for each in found)) or "none"
    raise RefusedError(f"No function has the name '{name}'. There are: {known}.")


def _trigger(function: Mapping[str, Any]) -> Mapping[str, Any]:
    bindings = function.get("config", {}).get("bindings", ())
    return next((each for each in bindings if str(each["type"]).endswith("Trigger")), {})


def _row(function: Mapping[str, Any]) -> tuple[str, ...]:
    trigger = _trigger(function)
    errors = function.get("errors") or ()
    state = f"broken: {errors[0]}" if errors else "disabled" if function["isDisabled"] else ""
    kind = str(trigger.get("type", "")).removesuffix("Trigger")
    version = function.get("version")
    name = f"{function['name']} (version {version})" if version else str(function["name"])
    return name, kind, function.get("invoke_url_template") or _when(function, trigger), state


def _when(function: Mapping[str, Any], trigger: Mapping[str, Any]) -> str:
    """When it runs, or of which queue; "" for any other."""
    listener = function.get("listener", {})
    if "queue" in listener:
        return str(listener["queue"])
    written = " ".join(str(trigger[name]) for name in _SCHEDULE if name in trigger)
    schedule = str(listener.get("schedule") or written)
    next_due = f", next {listener['nextDue']}" if "nextDue" in listener else ""
    return f"{schedule}{next_due}"


async def _call(
    client: RemoteClient,
    function: Mapping[str, Any],
    trigger: Mapping[str, Any],
    given: Given | None,
) -> int:
    """Send a request to an HTTP function, and print what it answers."""
    url = str(function.get("invoke_url_template") or "")
    if "{" in url or not url:
        raise RefusedError(f"The route of '{function['name']}' has parts to fill in: call {url}")
    methods = [str(each).upper() for each in trigger.get("methods") or ("POST",)]
    verb = (
        "POST" if "POST" in methods or (given is not None and "GET" not in methods) else methods[0]
    )
    path = tuple(part for part in urlsplit(url).path.split("/") if part)
    body = None if given is None else asking.body_of(given.value, "The input")
    answer = await client.connection.ask(verb, path, body=body, base=_API)
    click.echo(answer.body)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        say(f"The answer was {answer.status}.", fg="red")
        return 1
    return 0


async def _run_by_hand(client: RemoteClient, name: str, given: Given | None) -> None:
    value = given_value(given)
    text = value if isinstance(value, str) or value is None else asking.body_of(value, "The input")
    body = asking.body_of(
        {"input": text.decode() if isinstance(text, bytes) else text}, "The input"
    )
    answer = await client.connection.ask("POST", ("functions", name), body=body, base=_ADMIN)
    if answer.status != HTTPStatus.ACCEPTED:
        error = refusal(answer)
        raise RefusedError(str(error)) if isinstance(error, InvalidArgumentError) else error
