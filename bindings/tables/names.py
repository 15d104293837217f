"""Names of tables: DynamoDB's rules, for all of them."""

from __future__ import annotations

import re
from typing import Final

from bindings.errors import InvalidArgumentError

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")


def check_table_name(name: str) -> None:
    """Raise `InvalidArgumentError` for what no table can be named."""
    if not _NAME.fullmatch(name):
        raise InvalidArgumentError(
            f"'{name:.100}' is no name of a table: names have 3 to 255 letters, digits, '_', '-' "
            "and '.'."
        )
