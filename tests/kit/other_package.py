"""A package of somebody else that adds binding kinds: installed as pip would, into a folder."""

from __future__ import annotations

from pathlib import Path

CODE = '''
"""Pigeons bring messages; what is answered goes into a letterbox, which is a file."""

import os
from pathlib import Path

from funchost import FunctionDefinitionError
from funchost.kinds import Binding, BindingKind, Call, FunctionFacts, Input, Output, Place, Trigger


def complete(binding, facts):
    if binding.properties.get("loftName") == "crash":
        raise ZeroDivisionError("no pigeons")
    if not binding.properties.get("loftName"):
        raise FunctionDefinitionError("A pigeon needs a 'loftName' to come home to.")
    return binding


def read(place):
    return lambda value, call: f"{value} by {place.binding.properties['loftName']}"


def give(place):
    async def grain(call: Call):
        return call.json.from_payload("[1, 2]", place.annotation, "Grain")

    return grain


def take(place):
    path = Path(os.environ["LETTERS"]) / place.function_name

    async def post(value, call):
        path.write_text(repr(value))

    return post


PIGEON = BindingKind(
    type="pigeonTrigger",
    about="a message",
    trigger=Trigger(decorator="pigeon_trigger", read=read, by_hand=lambda text, url: f"<{text}>"),
    properties={"loftName": {"type": "string"}},
    complete=complete,
)
GRAIN = BindingKind(type="grain", about="grain", input=Input(give=give, decorator="grain_input"))
LETTER = BindingKind(
    type="letter", about="a letter", output=Output(take=take, decorator="letter_output")
)
NOT_A_KIND = "grain"
'''
ENTRY_POINTS = """
[funchost.bindings]
pigeonTrigger = pigeon_post:PIGEON
grain = pigeon_post:GRAIN
letter = pigeon_post:LETTER
crow = no_such_module:CROW
raven = pigeon_post:NOT_A_KIND
magpie = pigeon_post:GRAIN
http = pigeon_post:GRAIN
"""


def install(folder: Path) -> Path:
    """Install it, version 1.0, into this folder; gives the folder."""
    return install_package(folder, "pigeon_post", CODE, ENTRY_POINTS)


def install_package(folder: Path, module: str, code: str, entry_points: str) -> Path:
    """Install a package of one module, version 1.0, into this folder; gives the folder."""
    information = folder / f"{module}-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / f"{module}.py").write_text(code)
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n"
    )
    (information / "entry_points.txt").write_text(entry_points)
    return folder
