"""`funchost hub`: create, look at, repair and delete a hub on AWS; print policies, templates.

Rules of this file: it says what was done, line by line, on standard output, and problems on
standard error. Nothing of AWS is imported before one of these commands runs.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING, Any

import click

from host.cli.breaking_off import EXIT_BROKEN_OFF, broken_off_in_order
from host.cli.given_hub import GivenHub, hub_options, problems_told, read_hub
from host.cli.hub_probe import probe
from host.clock import SystemClock
from host.engine.recovery import wake_recoverable

if TYPE_CHECKING:  # at run time only when it is needed
    from host.storage.aws.setup.findings import Finding

_FORMATS = ("cloudformation", "terraform")
_PARTS = ("all", "hub", "imports")
_ROLES = ("host", "client", "read-only", "repair", "setup", "probe")
_MAX_PARTITIONS, _MAX_RATE = 512, 128_000
_EXIT_NOT_READY = 1
_TELL_EVERY_S = 60.0
_ACCOUNT = re.compile(r"\*|\d{12}")
_PARTITION = re.compile(r"aws(-[a-z]+)*")

_EXAMPLES = """\b
Examples:
  funchost hub create --storage aws --hub Orders --region eu-central-1
  funchost hub status --storage aws --hub Orders
  funchost hub grow 16 --storage aws --hub Orders
  funchost hub repair --storage aws --hub Orders
  funchost hub iam-policy --hub Orders --role host --account 123456789012
  funchost hub template --hub Orders --format terraform > hub.tf.json
  funchost hub probe --region eu-central-1
  funchost hub delete --storage aws --hub Orders
"""


@click.group(epilog=_EXAMPLES)
def hub() -> None:
    """Set up a hub on AWS: one table and its queues, which its hosts share."""


hub.add_command(probe)


@hub.command()
@hub_options
@click.option(
    "--partitions",
    type=click.IntRange(1, _MAX_PARTITIONS),
    help="Into how many the indexes of a new hub are divided.  [default: 4]",
)
@click.option(
    "--rate",
    type=click.IntRange(1, _MAX_RATE),
    help="Instead: how many orchestrations the hub is to start a second, at most.",
)
def create(*, partitions: int | None, rate: int | None, **given: Any) -> None:
    """Create what is missing and bring up to date what is there."""
    if partitions is not None and rate is not None:
        raise click.UsageError("Either --partitions or --rate: the one follows from the other.")
    with problems_told():
        found = read_hub(**given)
        if rate is not None:
            from host.storage.aws.schema import partitions_for  # noqa: PLC0415 - only if asked for

            partitions = partitions_for(rate)
        hub = found.provisioner()
        for line in hub.create(partitions):
            click.echo(line)
        click.echo(f"The hub {found.layout.hub} is ready in {hub.region}.")


@hub.command()
@click.argument("partitions", type=click.IntRange(1, _MAX_PARTITIONS))
@hub_options
@click.pass_context
def grow(context: click.Context, /, *, partitions: int, **given: Any) -> None:
    """Divide the hub's indexes into PARTITIONS, more than before, while hosts run.

    It takes six minutes, in which all hosts learn of it. It can be broken off and done again.
    Upgrade all hosts before: those of older versions would not read the new partitions.
    """
    with problems_told():
        try:
            with broken_off_in_order():
                for line in read_hub(**given).provisioner().grow(partitions, _wait_and_tell):
                    click.echo(line)
        except KeyboardInterrupt:
            click.echo(
                "Broken off. Hosts and instances are well; no partition was added if it is not"
                " said above. To go on, do the same again: it waits anew.",
                err=True,
            )
            context.exit(EXIT_BROKEN_OFF)


def _wait_and_tell(seconds: float) -> None:
    """Wait, and say now and then how much is left."""
    while seconds > 0:
        time.sleep(min(seconds, _TELL_EVERY_S))
        seconds -= _TELL_EVERY_S
        if seconds > 0:
            click.echo(f"{seconds:g} s more.", err=True)


@hub.command()
@hub_options
@click.pass_context
def status(context: click.Context, /, **given: Any) -> None:
    """Say what is there. The exit code is 1 if something is missing or wrong."""
    with problems_told():
        findings = list(read_hub(**given).provisioner().status())
    for finding in findings:
        click.echo(_described(finding))
    if any(finding.problem for finding in findings):
        context.exit(_EXIT_NOT_READY)


@hub.command()
@hub_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(*, yes: bool, **given: Any) -> None:
    """Delete the hub and all its instances."""
    with problems_told():
        found = read_hub(**given)
        hub = found.provisioner()
        if not yes:
            table = f"table {found.layout.table_name} in {hub.region}"
            click.confirm(f"Delete {table}, all instances in it and its queues?", abort=True)
        for line in hub.delete():
            click.echo(line)


@hub.command()
@hub_options
def repair(**given: Any) -> None:
    """Wake every orchestration that has something to do, and remove what belongs to none.

    Harmless at any time. For a hub whose queues were emptied: without it the hosts' sweep wakes
    them, later. For items that hosts left behind as they died: it reads the whole table once.
    """
    with problems_told():
        asyncio.run(_repair(read_hub(**given)))


async def _repair(found: GivenHub) -> None:
    from host.storage.aws.opening import opened_hub  # noqa: PLC0415 - only if asked for
    from host.storage.aws.setup.sessions import check_region  # noqa: PLC0415 - only if asked for

    check_region(found.options)
    async with opened_hub(found.provider, found.layout.hub, SystemClock()) as (store, queues):
        count = await wake_recoverable(store, queues)
        click.echo(f"Woke {count} unfinished orchestrations.")
        removed = await store.remove_leftovers()
        click.echo(f"Removed {removed} items that belonged to no orchestration.")


def _check_account(_: click.Context, __: click.Parameter, account: str | None) -> str | None:
    if account is not None and not _ACCOUNT.fullmatch(account):
        raise click.BadParameter(f"'{account}' is not the id of an account: it has 12 digits.")
    return account


def _check_partition(_: click.Context, __: click.Parameter, partition: str | None) -> str | None:
    if partition is not None and not _PARTITION.fullmatch(partition):
        raise click.BadParameter(f"'{partition}' is none of AWS's: aws, aws-cn, aws-us-gov, ...")
    return partition


@hub.command("iam-policy")
@hub_options
@click.option("--role", type=click.Choice(_ROLES), default="host", show_default=True)
@click.option(
    "--account", default="*", callback=_check_account, help="Id of the AWS account.  [default: any]"
)
@click.option(
    "--partition",
    callback=_check_partition,
    help="E.g. aws-cn, aws-us-gov.  [default: the region's]",
)
def iam_policy(*, role: str, account: str, partition: str | None, **given: Any) -> None:
    """Print the IAM policy that a role needs, and no more. AWS is not asked.

    host: runs functions. client: starts and manages instances. read-only: looks at them.
    repair: runs `funchost hub repair`. setup: creates and deletes the hub. probe: runs
    `funchost hub probe`, on hubs of its own names.
    """
    with problems_told():
        found = read_hub(**given)
        from host.storage.aws.setup.partitions import partition_of  # noqa: PLC0415 - only here
        from host.storage.aws.setup.policies import Place, Role, policy  # noqa: PLC0415 - only here
        from host.storage.aws.setup.scratch import any_scratch_layout  # noqa: PLC0415 - only here
        from host.storage.aws.setup.sessions import region_of  # noqa: PLC0415 - only here

        region = region_of(found.options) or "*"
        place = Place(region=region, account=account, partition=partition or partition_of(region))
        layout = found.layout if role != Role.PROBE else any_scratch_layout(found.layout)
        click.echo(json.dumps(policy(Role(role), layout, place), indent=2))


@hub.command()
@hub_options
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    default=_FORMATS[0],
    show_default=True,
    help="Whose words it is in. Both are JSON.",
)
@click.option(
    "--part",
    type=click.Choice(_PARTS),
    default=_PARTS[0],
    show_default=True,
    help="all: with the hosts' policy. hub: without it, as CloudFormation imports it. "
    "imports: what the names stand for where the hub exists already.",
)
@click.option("--account", callback=_check_account, help="Id of the AWS account: for the imports.")
@click.option(
    "--hub-format",
    type=click.IntRange(min=2),
    help="The format of a hub that is there already, as `funchost hub status` says it."
    "  [default: that of new hubs]",
)
def template(
    *, format_: str, part: str, account: str | None, hub_format: int | None, **given: Any
) -> None:
    """Print what `funchost hub create` makes, as a stack or a module. AWS is not asked."""
    with problems_told():
        from host.storage.aws.setup.sessions import region_of  # noqa: PLC0415 - only here
        from host.storage.aws.setup.templates import (  # noqa: PLC0415 - only if asked for
            Format,
            Part,
            layout_of,
            template_of,
        )

        found = read_hub(**given)
        region = region_of(found.options) if part == Part.IMPORTS else None
        text = template_of(
            layout_of(found.layout, hub_format),
            Format(format_),
            Part(part),
            region=region,
            account=account,
        )
        click.echo(json.dumps(text, indent=2))


def _described(finding: Finding) -> str:
    if finding.problem:
        return click.style(f"{finding.name}: {finding.problem}", fg="red")
    figures = [f"{number} {what}" for what, number in finding.figures.items()]
    return f"{finding.name}: ready, {', '.join([*figures, *finding.notes])}"
