"""`funchost redrive`: ask a running host to try a quarantined instance anew."""

from __future__ import annotations

from http import HTTPStatus

import click

from host.cli.host_api import (
    EXIT_NOT_ASKED,
    EXIT_REFUSED,
    KEY_VARIABLE,
    HostAnswer,
    HostApi,
    fail,
    host_options,
)
from host.http.management.room import INSTANCE_ID
from host.http.management.steering import REDRIVE

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


@click.command(epilog=_EPILOG)
@click.argument("instance_id")
@host_options
def redrive(*, instance_id: str, url: str, key: str | None) -> None:
    """Run the quarantined instance INSTANCE_ID again, once its function is mended.

    An instance is quarantined when host after host ended while it led the instance, or when its
    turns failed again and again. Its status then has a blockedReason that begins "Quarantined:".
    """
    api = HostApi(url, key)
    answer = api.ask(REDRIVE, {INSTANCE_ID: instance_id})
    if answer.status != HTTPStatus.ACCEPTED:
        _refuse(api, answer, instance_id)
    click.echo(f"'{instance_id}' runs again.")


def _refuse(api: HostApi, answer: HostAnswer, instance_id: str) -> None:
    """Say why it does not run again, and end the command."""
    match answer.status:
        case HTTPStatus.NOT_FOUND if answer.is_misdirected:
            fail(
                f"There is no redrive at {api.url}, so nothing is known of '{instance_id}' (404). "
                "Check the path in --url, proxies on the way, and that the host is not an older "
                "one.",
                EXIT_NOT_ASKED,
            )
        case HTTPStatus.NOT_FOUND:
            fail(f"There is no instance '{instance_id}' in the hub of {api.url}.", EXIT_REFUSED)
        case HTTPStatus.GONE:
            fail(f"'{instance_id}' is finished, and so not quarantined.", EXIT_REFUSED)
        case HTTPStatus.CONFLICT:
            text = f"'{instance_id}' is not quarantined. {answer.message}".rstrip()
            fail(text, EXIT_REFUSED)
        case _:
            api.fail_unexpected(answer)
