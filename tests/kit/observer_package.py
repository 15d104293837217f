"""A package of somebody else that observes hosts: installed as pip would, into a folder."""

from __future__ import annotations

from pathlib import Path

from tests.kit.other_package import install_package

CODE = '''
"""A diary: a line for what happens, in a file."""

import os
from pathlib import Path

from host.engine.observer import ActivityCompleted, InstanceEnded, InstanceStarted, Observer


def write(line):
    with Path(os.environ["DIARY"]).open("a") as diary:
        diary.write(f"{line}\\n")


DIARY = Observer(
    name="diary",
    sees={
        InstanceStarted: lambda event: write(f"{event.row.name} started"),
        ActivityCompleted: lambda event: write(f"{event.scheduled.name} completed"),
        InstanceEnded: lambda event: write(f"{event.row.name} {event.row.status.value}"),
    },
)


def stumble(event):
    raise LookupError("no ink")


CLUMSY = Observer(name="clumsy", sees={InstanceStarted: stumble, InstanceEnded: stumble})
NOBODY = "diary"


async def later(event):
    write(event)


SLOW = Observer(name="slow", sees={InstanceStarted: later})
'''
ENTRY_POINTS = """
[funchost.observers]
clumsy = toy_diary:CLUMSY
diary = toy_diary:DIARY
gone = no_such_module:GONE
nobody = toy_diary:NOBODY
slow = toy_diary:SLOW
"""


def install(folder: Path) -> Path:
    """Install it, version 1.0, into this folder; gives the folder."""
    return install_package(folder, "toy_diary", CODE, ENTRY_POINTS)
