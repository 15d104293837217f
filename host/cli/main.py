"""The command `funchost`: one group, one file per subcommand, imported when it is called.

The help needs none of them, so it comes at once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NamedTuple

import click


class _Subcommand(NamedTuple):
    module: str
    help: str


SUBCOMMANDS: Mapping[str, _Subcommand] = {
    "audit": _Subcommand("host.cli.audit", "List who changed what over HTTP."),
    "backup": _Subcommand("host.cli.backup", "Copy the store of a hub to a file."),
    "check": _Subcommand("host.cli.check", "List what is wrong with the functions in a folder."),
    "check-deploy": _Subcommand(
        "host.cli.check_deploy", "List the unfinished instances that new code would break."
    ),
    "completion": _Subcommand(
        "host.cli.completion", "Print what makes a shell complete these words."
    ),
    "entities": _Subcommand(
        "host.cli.entities", "List the entities of a hub, show one, and have it do something."
    ),
    "functions": _Subcommand("host.cli.functions", "List the functions of a host, and run one."),
    "hosts": _Subcommand("host.cli.hosts", "List the hosts of a hub."),
    "hub": _Subcommand("host.cli.hub", "Set up a hub that many hosts share."),
    "init": _Subcommand("host.cli.scaffold.init", "Make an app that runs at once."),
    "instances": _Subcommand(
        "host.cli.instances.group", "Start instances, look at them, steer and delete them."
    ),
    "jobs": _Subcommand("host.cli.jobs", "Look at what is done with many instances."),
    "keys": _Subcommand("host.cli.keys", "Make, list, rotate and delete keys of hosts."),
    "limits": _Subcommand("host.cli.limits", "List the limits of a hub, and change one."),
    "logs": _Subcommand("host.cli.instance_logs", "Say what happened to an instance."),
    "new": _Subcommand("host.cli.scaffold.new", "Add a function to an app."),
    "queues": _Subcommand("host.cli.queues", "Look at the queues of a hub, and steer them."),
    "redrive": _Subcommand("host.cli.instances.steering", "Try a quarantined instance anew."),
    "reload": _Subcommand("host.cli.reload", "Have a running host load its app anew."),
    "schedules": _Subcommand(
        "host.cli.schedules", "List the timers of an app, run one now, pause and resume it."
    ),
    "schema": _Subcommand("host.cli.schema", "Print the JSON schema of a file, for editors."),
    "start": _Subcommand(
        "host.cli.start", "Run the functions in a folder until Ctrl-C or SIGTERM."
    ),
    "top": _Subcommand("host.cli.top.command", "Watch a hub live in the terminal, and steer it."),
}
"""By name: the module that has the command under the same name, and its line in the help."""


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        subcommand = SUBCOMMANDS.get(cmd_name)
        if subcommand is None:
            return None
        command = getattr(import_module(subcommand.module), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)  # noqa: S101 - held by a test for each
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in SUBCOMMANDS:
            similar = get_close_matches(args[0], SUBCOMMANDS, n=1)
            if similar:
                ctx.fail(f"No such command '{args[0]}'. Did you mean '{similar[0]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.help) for name, each in sorted(SUBCOMMANDS.items())])


def _show_version(context: click.Context, _: click.Parameter, is_asked: bool) -> None:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow

    if not is_asked or context.resilient_parsing:
        return
    try:
        click.echo(f"funchost {version('funchost')}")
    except PackageNotFoundError:
        click.echo("funchost (not installed)")
    context.exit()


_CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


@click.group(cls=_LazyGroup, context_settings=_CONTEXT)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Host durable functions: orchestrations that survive crashes and months of waiting."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names of files may be no text at all
            stream.reconfigure(errors="backslashreplace")
