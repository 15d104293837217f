"""The filters of instances, the same words in every command."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import click

from bindings.client import OrchestrationQuery, RuntimeStatus
from host.cli.given import AnyType
from host.cli.times import MOMENT

_BY_NAME = {status.value.lower(): status for status in RuntimeStatus}
_TIMES = (
    ("created_from", "created_time_from", "Created then or later."),
    ("created_to", "created_time_to", "Created then or before."),
    ("updated_from", "last_updated_time_from", "Changed last then or later."),
    ("updated_to", "last_updated_time_to", "Changed last then or before."),
)


_EMPTY = "It is empty: leave it out if all are meant."


class Pair(AnyType):
    """A tag's name and value: `region:north`, as everywhere. `region=north` is understood, too."""

    name = "name:value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Both of them."""
        if isinstance(value, tuple):
            return value
        found = _TAG.fullmatch(value)
        if found is None:
            self.fail(f"'{value}' is not like region:north.", param, ctx)
        return found["name"], found["value"]


_TAG: Final = re.compile(r"(?P<name>[^:=]+)[:=](?P<value>.*)", re.DOTALL)
"""The first sign of the two ends the name."""
PAIR = Pair()


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which instances; the command gets them as its `query`."""

    @functools.wraps(command)
    def run(*arguments: Any, **given: Any) -> Any:
        query = OrchestrationQuery(
            runtime_status=given.pop("status"),
            name=given.pop("name") or None,
            tags=dict(given.pop("tag")),
            instance_id_prefix=given.pop("prefix"),
            text=given.pop("text"),
            is_quarantined=given.pop("quarantined"),
            **{field: given.pop(option) for option, field, _ in _TIMES},
        )
        return command(*arguments, query=query, **given)

    for option in reversed(tuple(_options())):
        run = option(run)
    return run


def restricts(query: OrchestrationQuery) -> bool:
    """Whether the query is not about all instances."""
    return query != OrchestrationQuery()


def _options() -> Iterator[Callable[[Any], Any]]:
    yield click.option(
        "--status",
        multiple=True,
        callback=_statuses,
        metavar="STATUS,...",
        help=f"Only these: {', '.join(_BY_NAME[name].value for name in _BY_NAME)}.",
    )
    yield click.option(
        "--name", multiple=True, callback=_names, metavar="NAME,...", help="Only these functions'."
    )
    yield click.option("--tag", multiple=True, type=PAIR, help="Only with this tag; repeatable.")
    yield click.option("--prefix", callback=_filled, help="Ids that begin with this.")
    for option, _, text in _TIMES:
        yield click.option(f"--{option.replace('_', '-')}", type=MOMENT, help=text)
    yield click.option(
        "--text",
        callback=_filled,
        help="In the id, the custom status or the failure, in any case.",
    )
    yield click.option("--quarantined", is_flag=True, help="Only those that are quarantined.")


def _filled(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A filter that is empty, as a script's variable may be, would mean all."""
    if value == "":
        raise click.BadParameter(_EMPTY)
    return value


def _split(values: Sequence[str]) -> list[str]:
    parts = (part.strip() for value in values for part in value.split(","))
    found = list(dict.fromkeys(part for part in parts if part))
    if values and not found:
        raise click.BadParameter(_EMPTY)
    return found


def _statuses(_: click.Context, __: click.Parameter, values: Sequence[str]) -> Any:
    unknown = [each for each in _split(values) if each.lower() not in _BY_NAME]
    if unknown:
        known = ", ".join(status.value for status in RuntimeStatus)
        raise click.BadParameter(f"'{unknown[0]}' is none of {known}.")
    return tuple(_BY_NAME[each.lower()] for each in _split(values))


def _names(_: click.Context, __: click.Parameter, values: Sequence[str]) -> Any:
    return tuple(_split(values))
