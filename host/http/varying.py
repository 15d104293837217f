"""`Vary`: what of a request an answer depends on, for whoever keeps answers for others."""

from __future__ import annotations

from multidict import CIMultiDict

_NAME = "Vary"


def add_vary(headers: CIMultiDict[str], name: str) -> None:
    """Say that the answer depends on this header, too."""
    said = {part.strip().lower() for each in headers.getall(_NAME, []) for part in each.split(",")}
    if not said & {name.lower(), "*"}:
        headers.add(_NAME, name)
