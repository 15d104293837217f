"""docs/reference/cli.md: what it says of commands is made of them, and none is left out."""

from __future__ import annotations

import pytest

from host.cli.main import SUBCOMMANDS
from tests.kit.command_tables import PAGE, commands, written


def test_the_page_is_made_of_the_commands() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "write it anew: python -m tests.kit.command_tables"


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_command_is_on_the_page(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for full, _ in commands(name):
        assert f"`funchost {full}" in page or f"`funchost {name}" in page, full
