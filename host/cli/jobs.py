"""`funchost jobs`: what is done with many instances, in the background of a hub."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import click

from bindings.remote import answers, asking
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import EXIT_CODES, RefusedError, asks_host, orders_host
from host.cli.showing import facts, out, print_json, print_json_line, table

_HEAD = ("ID", "ACTION", "STATE", "MATCHED", "DONE", "FAILED", "CREATED")
_TOP = 100
_UNKNOWN = "JobNotFoundError"


@click.group()
def jobs() -> None:
    """Look at what was begun with many instances, and cancel it."""


@jobs.command("list", epilog=EXIT_CODES)
@click.option(
    "--top",
    type=click.IntRange(1, 1000),
    default=_TOP,
    show_default=True,
    help="How many at most, the newest first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def list_jobs(client: RemoteClient, top: int, as_json: bool) -> None:
    """List the jobs that run, and those of the last seven days."""
    answer = await client.connection.ask("GET", ("jobs",), [("top", str(top))], is_repeatable=True)
    if answer.status != HTTPStatus.OK:
        raise refusal(answer)
    rows = answers.read(answer, lambda found: [[text for _, text in _facts(job)] for job in found])
    if as_json:
        for each in answer.json():
            print_json_line(each)
        return
    table(_HEAD, rows)


@jobs.command(epilog=EXIT_CODES)
@click.argument("job_id")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@asks_host
async def get(client: RemoteClient, job_id: str, as_json: bool) -> None:
    """Show how far the job JOB_ID is, and what failed."""
    job = await _ask(client, "GET", job_id)
    if as_json:
        print_json(job)
        return
    failures = "\n".join(f"'{each['instanceId']}': {each['reason']}" for each in job["failures"])
    facts([*_facts(job), ("failures", failures)])


@jobs.command(epilog=EXIT_CODES)
@click.argument("job_id")
@orders_host
async def cancel(client: RemoteClient, job_id: str) -> None:
    """Let the job JOB_ID do no more; what it has begun it finishes."""
    await _ask(client, "DELETE", job_id)
    out(f"The job '{job_id}' does no more.")


async def _ask(client: RemoteClient, verb: str, job_id: str) -> dict[str, Any]:
    path = ("jobs", asking.text(job_id, "A job's id"))
    answer = await client.connection.ask(verb, path, is_repeatable=verb == "GET")
    found = answer.json()
    if not isinstance(found, dict):
        raise answer.unexpected()
    if found.get("ExceptionType") == _UNKNOWN:
        raise RefusedError(str(found.get("ExceptionMessage")))
    if answer.status not in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
        raise refusal(answer)
    return found


def _facts(job: dict[str, Any]) -> list[tuple[str, str]]:
    matched = job["matched"]
    return [
        ("id", job["jobId"]),
        ("action", job["action"]),
        ("state", job["state"]),
        ("matched", "" if matched is None else f"{matched:,}"),
        ("done", f"{job['done']:,}"),
        ("failed", f"{job['failed']:,}"),
        ("created", f"{job['createdTime'][:19]}Z"),
    ]
