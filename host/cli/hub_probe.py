"""`funchost hub probe`: find out in a real account what servers that stand in for AWS cannot tell.

Rules of this file: what is done meanwhile is told on standard error, what was found out on standard
output. Ctrl-C and SIGTERM remove what was made, like an end does.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from host.cli.breaking_off import EXIT_BROKEN_OFF, broken_off_in_order, run_in_order
from host.cli.given_hub import GivenHub, place_options, problems_told, read_place
from host.clock import SystemClock
from host.errors import ConfigurationError

if TYPE_CHECKING:  # at run time only when it is needed
    from host.storage.aws.probe.asking import Probe
    from host.storage.aws.probe.records import Question

_EXIT_BROKE = 1


@click.command()
@place_options
@click.option("--load", is_flag=True, help="Ask what takes minutes and some money, too.")
@click.option("--only", multiple=True, metavar="QUESTION", help="Ask this one; may be repeated.")
@click.option("--keep", is_flag=True, help="Leave the hub of scratch there.")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def probe(
    context: click.Context,
    /,
    *,
    load: bool,
    only: Sequence[str],
    keep: bool,
    yes: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Find out what AWS does where its stand-ins cannot tell.

    It makes a small hub of scratch with a name of its own, asks one question after another, removes
    the hub, and prints what is expected, what was seen, and what that means here.
    """
    with problems_told():
        run = _prepared(read_place(**given), _chosen(only, load=load), keep=keep)
        if not yes:
            click.confirm("Go on?", abort=True, err=True)
        try:
            is_whole = _ran_to_its_end(run)
        finally:
            _print(run, as_json=as_json)
    if not is_whole:
        context.exit(EXIT_BROKEN_OFF)
    if any(answer.broke for answer in run.answers):
        context.exit(_EXIT_BROKE)


def _chosen(only: Sequence[str], *, load: bool) -> Sequence[Question]:
    from host.storage.aws.probe.asking import QUESTIONS  # noqa: PLC0415 - only if asked for

    names = [question.name for question in QUESTIONS]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise ConfigurationError(
            f"There is no question '{unknown[0]}'. There are: {', '.join(names)}."
        )
    if only:
        return [question for question in QUESTIONS if question.name in only]
    return [question for question in QUESTIONS if load or not question.needs_load]


def _prepared(found: GivenHub, questions: Sequence[Question], *, keep: bool) -> Probe:
    """What is to be run, after saying what it does and costs."""
    from host.storage.aws.probe import asking  # noqa: PLC0415 - only if asked for
    from host.storage.aws.setup.scratch import scratch_layout  # noqa: PLC0415 - only if asked for

    layout = scratch_layout(found.layout)
    is_dear = any(question.needs_load for question in questions)
    _say(
        f"This makes the hub {layout.hub} (a table and four queues), asks {_counted(questions)},"
        f" and {'leaves it there' if keep else 'removes it'}."
        f" It costs {asking.COST_OF_LOAD if is_dear else asking.COST}."
    )
    options = asking.ProbeOptions(aws=found.options, questions=questions, keep=keep)
    return asking.Probe(layout, options, SystemClock(), _say)


def _counted(questions: Sequence[Question]) -> str:
    return "one question" if len(questions) == 1 else f"{len(questions)} questions"


def _ran_to_its_end(run: Probe) -> bool:
    """Whether nobody broke it off."""
    try:
        with broken_off_in_order():
            run.run(run_in_order)
    except KeyboardInterrupt:
        _say("Broken off.")
        return False
    return True


def _print(run: Probe, *, as_json: bool) -> None:
    from host.storage.aws.probe.report import as_data, table  # noqa: PLC0415 - only if asked for

    if as_json:
        click.echo(json.dumps(as_data(run.answers, run.hub, run.region), indent=2))
    elif run.answers:
        for line in table(run.answers, shutil.get_terminal_size().columns):
            click.echo(line)


def _say(line: str) -> None:
    click.echo(line, err=True)
