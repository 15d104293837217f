"""The command line as a whole: every subcommand is there, and help needs none of them."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from host.cli.main import SUBCOMMANDS, main


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_help_of_its_own(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name} ")


def test_an_unknown_subcommand_is_refused_by_name() -> None:
    result = CliRunner().invoke(main, ["strat"])
    assert result.exit_code == 2
    assert "No such command 'strat'" in result.output


def test_found_h14_the_help_imports_nothing_but_click() -> None:
    code = """
import sys
from host.cli.main import main
main(["--help"], standalone_mode=False)
print([name for name in sys.modules if name.startswith(("aiohttp", "pydantic", "msgspec"))])
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert shown.stdout.endswith("[]\n")
    for name, subcommand in SUBCOMMANDS.items():
        assert f"  {name} " in shown.stdout
        assert subcommand.help.split(maxsplit=1)[0] in shown.stdout


def test_the_list_names_commands() -> None:
    context = click.Context(main)
    assert all(main.get_command(context, name) for name in main.list_commands(context))
    assert main.get_command(context, "nothing") is None
