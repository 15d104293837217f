"""The parts of docs/reference/cli.md that are made of the commands themselves.

`python -m tests.kit.command_tables` writes them into the page, between their marks.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from host.cli.asking import asks_host
from host.cli.filters import filter_options
from host.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"

_MARKED = re.compile(r"(<!-- made: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_EXAMPLES = re.compile(r"Examples:\n(?P<lines>(?:  .*\n?)+)")


def written(page: str) -> str:
    """The page with what belongs between its marks."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{_part(found[2])}\n\n{found[3]}", page)


def commands(name: str) -> Iterator[tuple[str, click.Command]]:
    """A command by its full name, or those of a group."""
    command = main.get_command(click.Context(main), name)
    assert command is not None, name
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield f"{name} {each.name}", each
    else:
        yield name, command


def _part(name: str) -> str:
    if name == "asking options":
        return _table(_ASKING)
    if name == "filters":
        return _table(_FILTERS)
    return "\n\n".join(_section(*each) for each in commands(name))


def _section(name: str, command: click.Command) -> str:
    """A heading, what the command does, its options, and examples."""
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    words = " ".join(_argument(each) for each in arguments)
    parts = [f"### `{f'funchost {name} {words}'.strip()}`", _prose(command)]
    options = [each for each in command.params if isinstance(each, click.Option)]
    shared = _names(_ASKING)
    if _names(_FILTERS) <= _names(options):
        shared |= _names(_FILTERS)
        parts.append("Takes the [filters](#filters).")
    own = [each for each in options if each.name not in shared]
    if own:
        parts.append(_table(own))
    if found := _EXAMPLES.search(command.epilog or ""):
        parts.append(f"```sh\n{inspect.cleandoc('  ' + found['lines'].strip())}\n```")
    return "\n\n".join(parts)


def _prose(command: click.Command) -> str:
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def _table(options: Iterable[click.Option]) -> str:
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for each in options:
        text, _, said = (each.help or "").partition("  [default: ")
        default = said.removesuffix("]") or _default(each)
        row = f"| `{_spelled(each)}` | {default} | {text.rstrip('.')} |"
        lines.append(row.replace("|  |", "| |"))
    return "\n".join(lines)


def _default(option: click.Option) -> str:
    variable = f"the variable `{option.envvar}`" if option.envvar else ""
    is_shown = option.show_default and option.default is not None and not option.is_flag
    return variable or (str(option.default) if is_shown else "")


def _spelled(option: click.Option) -> str:
    names = " ".join((*option.opts[:1], *option.secondary_opts[:1]))
    if option.is_flag:
        return names
    return f"{names} {option.metavar or _value(option.type)}".replace("|", "\\|")


def _argument(argument: click.Argument) -> str:
    name = (argument.metavar or str(argument.name).upper()).strip("[]")
    shown = _value(argument.type) if isinstance(argument.type, click.Choice) else name
    return shown if argument.required else f"[{shown}]"


def _value(kind: click.ParamType[object]) -> str:
    """What stands for a value. Versions of click differ in their words for it."""
    if isinstance(kind, click.Choice):
        return "|".join(kind.choices)
    if isinstance(kind, click.IntRange | click.FloatRange):
        return "N"
    return "PATH" if isinstance(kind, click.Path) else kind.name.upper()


def _names(options: Iterable[click.Option]) -> set[str | None]:
    return {each.name for each in options}


def _options_of(decorated: Callable[..., object]) -> list[click.Option]:
    command = click.command()(decorated)
    return [each for each in command.params if isinstance(each, click.Option)]


async def _nothing() -> None:
    """A command without anything of its own."""


_ASKING = _options_of(asks_host(_nothing))
_FILTERS = _options_of(filter_options(lambda: None))


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
