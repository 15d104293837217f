"""`funchost instances fork`, `export` and `import`."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from io import BufferedReader

import click

from bindings.client import SAME_INPUT, OrchestrationQuery
from bindings.exports import count_in
from bindings.remote.client import RemoteClient
from host.cli.asking import EXIT_CODES, may_order_host, orders_host
from host.cli.filters import filter_options, restricts
from host.cli.instances.many import check_somebody_is_there, confirm
from host.cli.json_input import JSON, JSON_HELP, Given
from host.cli.line_files import whole_lines
from host.cli.showing import out, print_json_line, say

NO_END = (
    "The end of the export is missing, so it broke off, and more may be missing: export again (a "
    "move gives again what it has given). Say --partial if it may be a part."
)
_MOVE = click.option(
    "--move", is_flag=True, help="Terminate each at its source, in the step that reads it."
)


@click.command(epilog=EXIT_CODES)
@click.argument("instance_id")
@click.option(
    "--after-event",
    type=click.IntRange(min=0),
    help="The last event of its history to copy, counted from 1; 0 is from the start.  [default: "
    "before the first failure of a failed one]",
)
@click.option("--id", "new_instance_id", help="The fork's id.")
@click.option(
    "--input", "given", type=JSON, help=f"With --after-event 0, another input: {JSON_HELP}"
)
@orders_host
async def fork(
    client: RemoteClient,
    instance_id: str,
    after_event: int | None,
    new_instance_id: str | None,
    given: Given | None,
) -> None:
    """Start a new instance with a copy of the history of INSTANCE_ID, and print its id."""
    forked = await client.fork_instance(
        instance_id,
        after_event=after_event,
        new_instance_id=new_instance_id,
        input=SAME_INPUT if given is None else given.value,
    )
    out(forked)


@click.command(
    epilog=f"""\b
Examples:
  funchost instances export > all.ndjson
  funchost instances export order-7 --move | funchost instances import - --url http://other:7071

{EXIT_CODES}"""
)
@click.argument("instance_id", required=False)
@filter_options
@_MOVE
@click.option(
    "--entities/--no-entities",
    default=None,
    help="All entities, too, or none.  [default: all if no filter is given]",
)
@click.option("--yes", is_flag=True, help="Do not ask before many are terminated.")
@may_order_host("move")
async def export(
    client: RemoteClient,
    query: OrchestrationQuery,
    *,
    instance_id: str | None,
    move: bool,
    entities: bool | None,
    yes: bool,
) -> None:
    """Print instances as lines of JSON, for an import.

    All that the filters find; or INSTANCE_ID, and the children that it waits for. Entities come
    first, and stay where they are. The last line says how many lines there are; if none does, the
    export broke off.
    """
    if instance_id is not None and entities:
        raise click.UsageError("INSTANCE_ID is exported without entities.")
    if instance_id is not None and restricts(query):
        raise click.UsageError("Say INSTANCE_ID or a filter, not both.")
    if move and instance_id is None and not yes:
        check_somebody_is_there()
        found = sum((await client.count_instances(query)).values())
        confirm(f"Terminate here what is not finished of {found:,} instances?")
    lines = (
        client.export_instances(query, move=move, entities=entities)
        if instance_id is None
        else client.export_instance(instance_id, move=move)
    )
    async for line in lines:
        click.echo(line, nl=False)  # as it is: nothing of it may be changed


@click.command(
    "import",
    epilog="""\b
Exit codes:
  0  all are imported
  1  some line is not, which is named on standard error; or the end of the export is missing
  2  wrong usage, no valid key, or no host answered as it should
""",
)
@click.argument("file", type=click.File("rb"))
@click.option(
    "--partial", is_flag=True, help="Take a FILE in which the end of the export is missing."
)
@click.option("--suspended", is_flag=True, help="Unfinished ones wait until they are resumed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line for each line.")
@orders_host
async def import_instances(
    client: RemoteClient, file: BufferedReader, partial: bool, suspended: bool, as_json: bool
) -> int:
    """Store what `export` printed, from FILE or from - (standard input).

    Ids that exist are refused, line by line; the rest is stored. What is there of an export that
    broke off is stored, too, and the exit code is 1, unless --partial says that it may be a part.
    """
    counts: Counter[str] = Counter()
    read = _Read(file)
    async for each in client.import_instances(read.lines(), suspended=suspended):
        counts[each.status] += 1
        if as_json:
            said = {"line": each.line, "instanceId": each.instance_id, "status": each.status}
            print_json_line(said if each.error is None else said | {"error": each.error})
        elif each.error is not None:
            say(f"Line {each.line} ({each.instance_id or 'no id'}): {each.status}. {each.error}")
    if not as_json:
        out(", ".join(f"{n:,} {status}" for status, n in counts.items()) or "Nothing to import.")
    is_whole = read.has_end or partial
    if not is_whole:
        say(NO_END)
    return int(not is_whole or any(status != "imported" for status in counts))


class _Read:
    """The lines of a file, and whether its last one is the end of an export."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self.has_end = False

    async def lines(self) -> AsyncIterator[bytes]:
        """All of them, some at a time."""
        async for some in whole_lines(self._file):
            if last := some.rstrip().rpartition(b"\n")[2]:
                self.has_end = count_in(last) is not None
            yield some
