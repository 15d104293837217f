"""Runs commands in this process, with standard error apart, whatever version of click is there."""

from __future__ import annotations

import inspect
from typing import Any

from click.testing import CliRunner


def cli_runner() -> CliRunner:
    """A runner whose results have `stdout` and `stderr` apart."""
    is_old = "mix_stderr" in inspect.signature(CliRunner).parameters
    more: dict[str, Any] = {"mix_stderr": False} if is_old else {}
    return CliRunner(**more)
