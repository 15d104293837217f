"""`funchost check-deploy`: which unfinished instances would break with the code of an app.

Exit codes: 0 if all go on, 1 if any would break, 2 if that could not be found out.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from bindings.errors import FunchostError
from host.cli.asking import KEY_VARIABLE, URL_VARIABLE
from host.cli.breaking_off import EXIT_BROKEN_OFF, run_in_order
from host.cli.given import GivenPath
from host.cli.hub_name import check_hub_name
from host.cli.logs import configure_logging
from host.cli.rehearsing import Case, rehearsed
from host.cli.storage_name import check_storage_name, complete_storage_name
from host.cli.times import SPAN
from host.cli.unfinished import (
    opened_store,
    unfinished_at,
    unfinished_in,
    unfinished_in_file,
)
from host.core.replay.rehearsal import Fate, Rehearsed
from host.settings.log_levels import LogLevel
from host.wiring.checks import check_settings
from host.wiring.options import HostOptions, read_settings

_BREAKS = 1
_NOT_FOUND_OUT = 2
_MAX_IDS = 3
MAX_WORKERS = 4
_SHORTEST, _LONGEST = timedelta(seconds=0.1), timedelta(hours=1)

_EPILOG = """\b
Examples:
  funchost check-deploy .                    with the hub that host.json names, its host may run
  funchost check-deploy new --data old/.funchost --hub Orders
  funchost check-deploy . --storage aws --hub Orders --json > breaks.json
  funchost check-deploy . --url https://hub.example
  funchost check-deploy . unfinished.ndjson  what `funchost instances export` wrote

\b
Exit codes:
  0  all unfinished instances go on with this code
  1  some would break
  2  that could not be found out
  130  broken off
"""


def _check_time_limit(_: click.Context, __: click.Parameter, limit: timedelta) -> timedelta:
    if not _SHORTEST <= limit <= _LONGEST:
        raise click.BadParameter("It is 0.1s at least, and 1h at most.")
    return limit


@click.command(epilog=_EPILOG)
@click.argument("app", type=GivenPath(exists=True, file_okay=False, path_type=Path), default=Path())
@click.argument("file", type=GivenPath(dir_okay=False, path_type=Path), required=False)
@click.option("--hub", callback=check_hub_name, help="Name of the hub.  [default: host.json's]")
@click.option(
    "--storage",
    callback=check_storage_name,
    shell_complete=complete_storage_name,
    help="Where the hub lives.  [default: host.json's, else sqlite]",
)
@click.option(
    "--data",
    type=GivenPath(file_okay=False, path_type=Path),
    help="Folder of the store.  [default: APP/.funchost]",
)
@click.option("--url", envvar=URL_VARIABLE, show_envvar=True, help="Ask this host of the hub.")
@click.option(
    "--key",
    envvar=KEY_VARIABLE,
    show_envvar=True,
    help="A key of the role operate, if that host wants one.",
)
@click.option(
    "--partial", is_flag=True, help="Take a FILE in which the end of the export is missing."
)
@click.option(
    "--time-limit",
    type=SPAN,
    callback=_check_time_limit,
    default="30s",
    show_default=True,
    help="Code that takes longer over an instance breaks it: 0.1s to 1h.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=min(MAX_WORKERS, os.cpu_count() or 1),
    help="How many instances at once.  [default: as many as processors, up to 4]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check_deploy(
    *,
    app: Path,
    file: Path | None,
    hub: str | None,
    storage: str | None,
    data: Path | None,
    url: str | None,
    key: str | None,
    partial: bool,
    time_limit: timedelta,
    workers: int,
    as_json: bool,
) -> None:
    """Lead the code in the folder APP through the history of each unfinished instance of a hub.

    The instances are those of the store that host.json and the options name (its host may run
    meanwhile), of a host (--url), or of an exported FILE (- is standard input). A FILE without the
    end of its export is what one leaves that failed, and does not pass unless --partial is given.

    Orchestrators run as far as is recorded, in processes of their own. No activity runs, nothing is
    stored, and what they print is thrown away. It says which instances would break, at which event,
    where in the code, what was recorded there, and what the code does now.
    """
    configure_logging(LogLevel.WARNING)
    options = HostOptions(
        app_dir=app.resolve(), hub=hub, storage=storage, data_dir=data and data.resolve()
    )
    try:
        where = _Where(options=options, file=file, partial=partial, url=url, key=key)
        # A copy of a store may be there, which is to be removed.
        found = run_in_order(_judged(where, workers=workers, limit_s=time_limit.total_seconds()))
    except KeyboardInterrupt:
        sys.exit(EXIT_BROKEN_OFF)
    except (FunchostError, OSError) as error:
        for problem in str(error).splitlines():
            click.secho(problem, fg="red", err=True)
        sys.exit(_NOT_FOUND_OUT)
    if as_json:
        click.echo(json.dumps(found.as_data(), indent=2))
    else:
        for line in found.lines():
            click.echo(line)
    sys.exit(found.exit_code())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """Where the instances are."""

    options: HostOptions
    file: Path | None
    partial: bool
    url: str | None
    key: str | None

    @asynccontextmanager
    async def cases(self) -> AsyncIterator[AsyncIterator[Case]]:
        """The unfinished instances there."""
        options = self.options
        settings = read_settings(options)
        check_settings(options, settings)
        if self.file is not None:
            yield unfinished_in_file(self.file, may_be_part=self.partial)
        elif self.url is not None and options.storage is None and options.data_dir is None:
            yield unfinished_at(self.url, self.key, options.hub)
        else:
            async with opened_store(options, settings) as store:
                yield unfinished_in(store)


async def _judged(where: _Where, *, workers: int, limit_s: float) -> Found:
    found = Found()
    async with where.cases() as cases:
        async for each in rehearsed(where.options, cases, workers=workers, limit_s=limit_s):
            found.add(each)
    return found


@dataclass(slots=True)
class Found:
    """What came of all rehearsals."""

    counts: dict[tuple[str, str], Counter[Fate]] = field(default_factory=dict)
    """By orchestrator and version."""
    breaks: list[Rehearsed] = field(default_factory=list)
    others: list[Rehearsed] = field(default_factory=list)
    """Those that are left to other hosts, cannot be read, or are not known."""

    def add(self, each: Rehearsed) -> None:
        """Take in one more."""
        key = (each.orchestrator, each.version or "")
        self.counts.setdefault(key, Counter())[each.fate] += 1
        if each.fate is Fate.BREAKS:
            self.breaks.append(each)
        elif each.fate is not Fate.FITS:
            self.others.append(each)

    def total(self) -> Counter[Fate]:
        """How many instances there are of each fate."""
        return sum(self.counts.values(), Counter[Fate]())

    def exit_code(self) -> int:
        """What the command ends with: a gate must not pass what nobody has looked at."""
        if self.breaks:
            return _BREAKS
        return _NOT_FOUND_OUT if self.total()[Fate.UNKNOWN] else 0

    def as_data(self) -> dict[str, Any]:
        """All of it, for programs."""
        orchestrators = [
            {"name": name, "version": version or None, **_numbers(self.counts[name, version])}
            for name, version in sorted(self.counts)
        ]
        return {
            **_numbers(self.total()),
            "orchestrators": orchestrators,
            "breaks": [_as_data(each) for each in _in_order(self.breaks)],
            "others": [_as_data(each) for each in _in_order(self.others)],
        }

    def lines(self) -> Iterator[str]:
        """The same for people: what breaks alike is told once."""
        for name, version in sorted(self.counts):
            label = f"{name or '(unknown)'}{f' (version {version})' if version else ''}"
            yield f"{label}: {_in_words(self.counts[name, version])}"
        alike: dict[tuple[object, ...], list[Rehearsed]] = {}
        for each in (*_in_order(self.breaks), *_in_order(self.others)):
            alike.setdefault(_kind(each), []).append(each)
        for group in alike.values():
            yield ""
            yield from _told(group)
        if self.counts:
            yield ""
        yield f"{sum(self.total().values()):,} unfinished instances: {_in_words(self.total())}."


def _numbers(counts: Counter[Fate]) -> dict[str, int]:
    return {fate.value: counts[fate] for fate in Fate}


_WORDS = {
    Fate.FITS: "go on",
    Fate.BREAKS: "break",
    Fate.LEFT: "are left to hosts of another version",
    Fate.UNREADABLE: "cannot be read",
    Fate.UNKNOWN: "not found out",
}


def _in_words(counts: Counter[Fate]) -> str:
    found = [f"{counts[fate]:,} {_WORDS[fate]}" for fate in Fate if counts[fate]]
    return ", ".join(found) or "none"


def _in_order(found: Sequence[Rehearsed]) -> list[Rehearsed]:
    return sorted(found, key=lambda each: (each.orchestrator, each.version or "", each.instance_id))


def _kind(each: Rehearsed) -> tuple[object, ...]:
    place = (each.path, each.line)
    return (each.orchestrator, each.version, each.fate, each.place, place, each.reason)


def _told(group: Sequence[Rehearsed]) -> Iterator[str]:
    first = group[0]
    shown = ", ".join(f"'{each.instance_id}'" for each in group[:_MAX_IDS])
    more = f" and {len(group) - _MAX_IDS:,} more" if len(group) > _MAX_IDS else ""
    verb = _VERBS[first.fate][len(group) > 1]
    at = f" at event {first.place}{_typed(first.event)}" if first.place is not None else ""
    color = "red" if first.fate is Fate.BREAKS else "yellow"
    yield click.style(f"{shown}{more} {verb}{at}:", fg=color)
    yield f"  {first.reason}"
    if first.path:
        yield f"  {first.path}:{first.line}{f' in {first.function}' if first.function else ''}"


_VERBS = {
    Fate.BREAKS: ("breaks", "break"),
    Fate.LEFT: ("is left to other hosts", "are left to other hosts"),
    Fate.UNREADABLE: ("cannot be read", "cannot be read"),
    Fate.UNKNOWN: ("is not found out", "are not found out"),
}


def _typed(event: str) -> str:
    return f" ({event})" if event else " (after the last)"


def _as_data(each: Rehearsed) -> dict[str, Any]:
    data = msgspec.to_builtins(each)
    assert isinstance(data, dict)  # noqa: S101 - a record
    return {_IN_JSON.get(str(name), str(name)): value for name, value in data.items()}


_IN_JSON = {"instance_id": "instanceId", "place": "sequence"}
