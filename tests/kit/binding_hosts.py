"""Apps with one kind of binding in both styles, and hosts that run them.

A function is written once, as `main` with the bindings of its function.json; in the style of
decorators the same bindings are made decorators, each with the properties as its arguments.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiohttp

from bindings.functions import Direction
from bindings.kinds.registry import KINDS
from host.app import RunningHost, running_host
from host.wiring.options import HostOptions, read_settings

PATIENCE_S = 20.0
"""How long anything may take, in real time."""


class Style(StrEnum):
    """How functions are declared."""

    DECORATORS = "decorators"
    FOLDERS = "function.json"


@dataclass(frozen=True)
class Written:
    """A function: the code of its module, in which it is called `main`, and its bindings."""

    name: str
    code: str
    bindings: Sequence[Mapping[str, Any]]


def write_app(
    folder: Path,
    style: Style,
    functions: Sequence[Written],
    *,
    values: Mapping[str, str] | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> Path:
    """Write an app, with app settings and sections of host.json; gives its folder."""
    folder.mkdir(exist_ok=True)
    sections = {"http": {"routePrefix": ""}, **(extensions or {})}
    host = {"version": "2.0", "extensions": sections, "funchost": {"stopGraceSeconds": 1}}
    (folder / "host.json").write_text(json.dumps(host))
    settings = {"IsEncrypted": False, "Values": dict(values or {})}
    (folder / "local.settings.json").write_text(json.dumps(settings))
    if style is Style.DECORATORS:
        code = "\n\n".join(
            ["from funchost import FunctionApp\napp = FunctionApp()"]
            + [_decorated(each) for each in functions]
        )
        (folder / "function_app.py").write_text(code)
    else:
        for each in functions:
            _write_folder(folder / each.name, each)
    return folder


@asynccontextmanager
async def hosted(
    app: Path, storage: str = "sqlite"
) -> AsyncIterator[tuple[RunningHost, aiohttp.ClientSession]]:
    """A host of the app, in this process, and a session whose paths begin at its address."""
    options = HostOptions(app_dir=app, port=0, storage=storage)
    async with (
        running_host(options, read_settings(options)) as host,
        aiohttp.ClientSession(host.url) as session,
    ):
        assert not host.app.broken, host.app.broken
        yield host, session


async def until(holds: Callable[[], Any]) -> Any:
    """What a condition gives, as soon as it is anything."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := holds()):  # noqa: ASYNC110 - a file does not tell that it is there
            await asyncio.sleep(0.01)
    return found


@dataclass
class Notes:
    """A file in which the functions of an app note what they did, line by line."""

    path: Path
    begun: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """What was noted."""
        return self.path.read_text().splitlines() if self.path.exists() else []

    def code(self) -> str:
        """Python that gives functions a `note`."""
        return f"def note(text):\n    open({str(self.path)!r}, 'a').write(f'{{text}}\\n')\n"


def _write_folder(folder: Path, function: Written) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = {"scriptFile": "run.py", "bindings": list(function.bindings)}
    (folder / "function.json").write_text(json.dumps(document))
    (folder / "run.py").write_text(dedent(function.code))


def _decorated(function: Written) -> str:
    """The same function with decorators. The lowest one is the first binding."""
    code = dedent(function.code)
    code = re.sub(r"\bdef main\(", f"def {function.name}(", code)
    begin = re.search(rf"^(async )?def {function.name}\(", code, re.MULTILINE)
    assert begin is not None
    lines = [line for each in reversed(function.bindings) if (line := _decorator(each))]
    return code[: begin.start()] + "\n".join(lines) + "\n" + code[begin.start() :]


def _decorator(binding: Mapping[str, Any]) -> str:
    """The decorator of a binding; none for the answer to a request, which comes with the route."""
    type_name, way = binding["type"], binding.get("direction", "in")
    properties = {
        re.sub(r"[A-Z]", lambda sign: f"_{sign[0].lower()}", name): value
        for name, value in binding.items()
        if name not in {"type", "direction", "name"}
    }
    if type_name == "http":
        return ""
    if type_name == "httpTrigger":
        return f"@app.route(trigger_arg_name={binding['name']!r}, **{properties!r})"
    kind = KINDS.find(type_name)
    assert kind is not None, type_name
    decorator = {way: name for name, way in kind.decorators.items()}.get(Direction(way))
    if decorator is None and way == "inout":
        decorator = f"{type_name}_inout"
    if decorator is None:
        return f"@app.generic_trigger({binding['name']!r}, {type_name!r}, **{properties!r})"
    return f"@app.{decorator}(arg_name={binding['name']!r}, **{properties!r})"
