"""docs/reference/management.md, made of the records of operations.

`python -m tests.kit.management_table` writes the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from host.http.by_state import ByState, State
from host.http.management.links import WEBHOOKS
from host.http.management.operations import OPERATIONS
from host.http.operations import Operation

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "management.md"

_INTRODUCTION = """\
# What each operation answers in each state

This page is made of the records of the operations, and a test walks all of it, on SQLite and on
AWS: write it anew with `python -m tests.kit.management_table`. What an operation takes and gives
stands in [http-api.md](http-api.md), the commands in [cli.md](cli.md).

The states:

* **unknown**: there is no instance with this id;
* **scheduled**: it is to start later;
* **pending**: it is stored, and no host has begun it yet;
* **running**, **suspended**, **completed**, **failed**, **terminated**: as its `runtimeStatus`
  says;
* **quarantined**: it may have ended its hosts, or cannot be read, so its code runs no more;
  `redrive` tries it again;
* **blocked**: no host has the function that it needs next.

A purge of one takes its finished sub-orchestrations along, unless it says `recursive=false`. One by
a filter does so only if it says `recursive=true`: children are instances, which filters find by
themselves. Retention deletes each when it is old itself.
"""
_WEBHOOKS = """\
## Webhooks

Below `/runtime/webhooks/durabletask/`; the numbers are HTTP statuses.
"""
_COMMAND = """\
## The command line

What `funchost` ends with: 0 if it is done, 1 if the instance or the host refuses it, or if it tells
of a bad end.
"""
_CLIENT = """\
## The authors' client

Methods of `DurableClient`, and the same of `RemoteClient`. "returns" is success; `None` is what is
returned; else the name of what is raised.
"""


def page() -> str:
    """The page as it should be."""
    operations = [each for each in OPERATIONS if each.by_state is not None]
    parts = (
        _INTRODUCTION,
        _WEBHOOKS,
        _table("request", (_of_webhook(each) for each in operations)),
        _CLIENT,
        _table("method", (_of_client(each) for each in operations)),
        _COMMAND,
        _table("command", (_of_command(each) for each in operations)),
    )
    return "\n".join(parts)


def _of_webhook(operation: Operation[Any]) -> list[str]:
    asked = f"`{operation.verb} {operation.path.removeprefix(WEBHOOKS + '/')}`"
    by_state = _by_state(operation)
    return [asked, *(str(int(by_state.answers[state])) for state in State)]


def _of_client(operation: Operation[Any]) -> list[str]:
    by_state = _by_state(operation)
    return [f"`{by_state.client}`", *(by_state.client_says(state) for state in State)]


def _of_command(operation: Operation[Any]) -> list[str]:
    by_state = _by_state(operation)
    return [f"`{by_state.command}`", *(str(by_state.exit_code(state)) for state in State)]


def _by_state(operation: Operation[Any]) -> ByState:
    assert operation.by_state is not None
    return operation.by_state


def _table(first: str, rows: Iterator[list[str]]) -> str:
    head = [first, *(state.value for state in State)]
    lines = [head, ["---"] * len(head), *rows]
    # A copy and a move are two requests, and one method and command with two options.
    return "".join(dict.fromkeys(f"| {' | '.join(line)} |\n" for line in lines))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
