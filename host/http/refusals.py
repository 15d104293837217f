"""Refusals of the HTTP rooms' own: each says how it is answered.

The refusals of other layers know nothing of HTTP; `answers.py` has a table for them. A room that
has a new one of its own changes no table.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar

from host.errors import HostError


class RefusalError(HostError):
    """A request is refused. The error's text goes to the client, below the summary."""

    status: ClassVar[HTTPStatus]
    summary: ClassVar[str]
    headers: ClassVar[Mapping[str, str]] = {}
