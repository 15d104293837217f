"""The command line as a whole: every subcommand is there, and help needs none of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from host.cli.main import SUBCOMMANDS, main
from tests.kit.closed_ports import closed_port
from tests.kit.no_rights import no_rights_of_root


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_help_of_its_own(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name} ")


def every_command(command: click.Command) -> Iterator[click.Command]:
    if not isinstance(command, click.Group):
        yield command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from every_command(found)


def test_no_command_gives_two_parameters_one_name() -> None:
    """One would silently get what was given for the other."""
    commands = list(every_command(main))
    assert len(commands) > 30
    for command in commands:
        names = [parameter.name for parameter in command.params]
        assert len(names) == len(set(names)), command.name


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


def in_check(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "host", "check", *options, str(folder)]
    return subprocess.run(command, capture_output=True, check=False, text=True)


def test_check_refuses_storage_that_no_host_starts_with(tmp_path: Path) -> None:
    provider = {"storageProvider": {"type": "oracle"}}
    document = {"version": "2.0", "extensions": {"durableTask": provider}}
    (tmp_path / "host.json").write_text(json.dumps(document))
    result = in_check(tmp_path)
    assert result.returncode == 1
    assert "storageProvider.type: there is no 'oracle' here" in result.stdout


def test_check_says_that_a_folder_has_no_functions(tmp_path: Path) -> None:
    result = in_check(tmp_path, "--strict")
    assert result.returncode == 1
    assert f"Odd: No functions found in {tmp_path}: add a function_app.py" in result.stdout


@pytest.mark.parametrize("kind", ["closed", "circle", "long"])
def test_keys_for_a_file_that_cannot_be_are_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    (tmp_path / "circle").symlink_to("circle")
    file = {"closed": folder / "keys.json", "circle": tmp_path / "circle"}.get(
        kind, tmp_path / ("a" * 300)
    )
    with no_rights_of_root():
        result = CliRunner().invoke(main, ["keys", "new", str(file)])
    folder.chmod(0o700)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_command_without_a_host_says_what_to_do() -> None:
    with closed_port() as url:
        result = CliRunner().invoke(main, ["redrive", "one", "--url", url])
    assert result.exit_code == 2
    assert f"No host answers at {url}: Connection refused. Start it, or give its" in result.output


@pytest.mark.parametrize("module", ["host", "funchost"])
def test_the_command_is_a_module_too_and_says_what_may_be_meant(module: str) -> None:
    command = [sys.executable, "-m", module, "strat"]
    result = subprocess.run(command, capture_output=True, check=False, text=True)
    assert result.returncode == 2
    assert "Did you mean 'start'?" in result.stderr


@pytest.mark.parametrize("given", [["--data", ""], ["--address", ""], [""]])
def test_found_g13_an_empty_text_is_no_folder_and_no_address(given: list[str]) -> None:
    result = CliRunner().invoke(main, ["start", *given])
    assert result.exit_code == 2
    assert "It is empty." in result.output
