"""One action on all instances that filters find: a job of the host, which is told until its end."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import click

from bindings.client import OrchestrationQuery
from bindings.remote import asking
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import EXIT_REFUSED
from host.cli.filters import filter_options, restricts
from host.cli.instances.waiting import be_patient
from host.cli.showing import is_terminal, out, say

_FIRST_LOOK_S = 0.05
_LONGEST_PAUSE_S = 1.0
_SHOWN_FAILURES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is done with many: its word in the API, and what people are told."""

    word: str
    done: str


TERMINATE = Action(word="terminate", done="terminated")
SUSPEND = Action(word="suspend", done="suspended")
RESUME = Action(word="resume", done="resumed")
REWIND = Action(word="rewind", done="rewound")
PURGE = Action(word="purge", done="deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """The instances that are meant: the one with this id, or those of the query."""

    instance_id: str | None
    query: OrchestrationQuery
    yes: bool
    """Whether nobody has to be asked."""
    is_dry: bool
    """Whether they are only counted."""


def which_instances(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let the command take an id or filters, and get both as `which`."""

    @click.argument("instance_id", required=False)
    @filter_options
    @click.option("--all", "is_all", is_flag=True, help="All that it fits, without a filter.")
    @click.option("--yes", is_flag=True, help="Do not ask before, of many.")
    @click.option(
        "--dry-run", "is_dry", is_flag=True, help="Say how many it would be, and do nothing."
    )
    @functools.wraps(command)
    def run(
        *,
        instance_id: str | None,
        query: OrchestrationQuery,
        is_all: bool,
        yes: bool,
        is_dry: bool,
        **given: Any,
    ) -> Any:
        has_filters = restricts(query) or is_all
        if instance_id is not None and has_filters:
            raise click.UsageError("Give an id or filters, not both.")
        if instance_id is None and not has_filters:
            raise click.UsageError("Give an id, filters, or --all.")
        if instance_id is not None and is_dry:
            raise click.UsageError("--dry-run is for many: give filters, not an id.")
        which = Which(instance_id=instance_id, query=query, yes=yes, is_dry=is_dry)
        return command(which=which, **given)

    return run


async def do_with_many(
    client: RemoteClient,
    action: Action,
    which: Which,
    *,
    options: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> int:
    """Start the job, once the person agrees, and tell how far it is until its end.

    A dry run only says how many there are.
    """
    fields = [*asking.filters(which.query), *(options or {}).items()]
    if not restricts(which.query):
        fields.append(("all", "true"))
    if which.is_dry:
        count = await _matched(client, action, fields, body)
        out(f"{_instances(count)} would be {action.done}.")
        return 0
    if not which.yes:
        check_somebody_is_there()
        count = await _matched(client, action, fields, body)
        confirm(f"{action.word.capitalize()} {_instances(count)}?")
    started = await _ask(client, "POST", ("batch", action.word), fields, body)
    job_id = str(started["jobId"])
    say(f"The job {job_id} does it, and goes on if this command ends before: funchost jobs")
    return _told(action, await _end_of(client, job_id))


async def _matched(
    client: RemoteClient, action: Action, fields: list[tuple[str, str]], body: bytes | None
) -> int:
    """How many it would be."""
    dry = [*fields, ("dryRun", "true")]
    found = await _ask(client, "POST", ("batch", action.word), dry, body)
    return int(found["matched"])


def _instances(count: int) -> str:
    return f"{count:,} {'instance' if count == 1 else 'instances'}"


def check_somebody_is_there() -> None:
    """Raise `click.UsageError` if nobody can be asked."""
    if not is_terminal(sys.stdin):
        raise click.UsageError("It goes through many without asking only with --yes.")


def confirm(question: str) -> None:
    """Ask, and end the command unless the person agrees."""
    click.confirm(question, abort=True, err=True)


async def _end_of(client: RemoteClient, job_id: str) -> Mapping[str, Any]:
    """The job when it has ended."""
    be_patient(client)
    pause_s, seen = _FIRST_LOOK_S, is_terminal(sys.stderr)
    while True:
        job = await _ask(client, "GET", ("jobs", job_id), is_repeatable=True)
        if seen:
            done = int(job["done"]) + int(job["failed"])
            click.echo(f"\r{done:,} of {int(job['matched'] or 0):,} ", nl=False, err=True)
        if job["state"] != "running":
            if seen:
                click.echo(err=True)
            return job
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _told(action: Action, job: Mapping[str, Any]) -> int:
    """Say how the job ended, and give the exit code."""
    done = int(job["done"])
    out(f"{_instances(done)} {'is' if done == 1 else 'are'} {action.done}.")
    if job["state"] != "completed":
        say(f"The job was {job['state']} before its end.", fg="red")
    for each in list(job.get("failures") or ())[:_SHOWN_FAILURES]:
        say(f"'{each['instanceId']}': {each['reason']}", fg="red")
    if job["failed"]:
        say(f"{int(job['failed']):,} could not be {action.done}.", fg="red")
    return EXIT_REFUSED if job["failed"] or job["state"] != "completed" else 0


async def _ask(
    client: RemoteClient,
    verb: str,
    path: tuple[str, ...],
    fields: list[tuple[str, str]] | None = None,
    body: bytes | None = None,
    *,
    is_repeatable: bool = False,
) -> dict[str, Any]:
    answer = await client.connection.ask(
        verb, path, fields or (), body=body, is_repeatable=is_repeatable
    )
    if answer.status not in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
        raise refusal(answer)
    found = answer.json()
    if not isinstance(found, dict):
        raise answer.unexpected()
    return found
