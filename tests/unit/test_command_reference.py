"""docs/reference/cli.md: what it says of commands is made of them, and none is left out."""

from __future__ import annotations

import pytest

from bindings import RemoteClient
from host.cli.main import SUBCOMMANDS
from host.http.management.operations import OPERATIONS
from tests.kit.command_tables import PAGE, commands, written


def test_the_page_is_made_of_the_commands() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "write it anew: python -m tests.kit.command_tables"


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_command_is_on_the_page(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for full, _ in commands(name):
        assert f"`funchost {full}" in page or f"`funchost {name}" in page, full


def test_every_operation_on_an_instance_has_its_command_and_its_method() -> None:
    missing = {
        each.by_state.command
        for each in OPERATIONS
        if each.by_state is not None and not _is_command(each.by_state.command)
    }
    assert not missing - PLANNED
    assert missing >= PLANNED, "it is there now: take it from the list"
    for each in OPERATIONS:
        assert each.by_state is None or hasattr(RemoteClient, each.by_state.client)


PLANNED: frozenset[str] = frozenset()
"""Commands of operations that have none yet."""


def _is_command(words: str) -> bool:
    name = words.partition(" ")[0]
    return name in SUBCOMMANDS and words in {full for full, _ in commands(name)}
