"""Keys of host.json that mean nothing here and look as if they were to mean something.

Files of Azure have keys that this host does not know, and must load. But a key of this host's own
that is misspelt would leave a limit at its default, and nobody would notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeGuard

from pydantic.alias_generators import to_camel

from host.settings.log_levels import LogLevels
from host.settings.model import HostDocument
from host.settings.notifications import ABOUT_AZURES, AZURES
from host.settings.sections import Section

_SIMILAR = 0.9
_OWN = ("funchost",)
_PROVIDER = ("extensions", "durableTask", "storageProvider")
_EVENT_GRID = ("extensions", "durableTask", "notifications", AZURES)
_WITHOUT_SETTINGS = frozenset({"sqlite", "memory"})
"""Kinds of stores that have no settings but their name."""


def unknown_keys(content: Mapping[str, Any]) -> Iterator[str]:
    """What is to be said of each such key; `content` is a host.json that is valid."""
    yield from _of_section(HostDocument, content, ())
    yield from _of_provider(content)


def _of_section(
    section: type[Section], content: Mapping[str, Any], place: tuple[str, ...]
) -> Iterator[str]:
    known = {to_camel(name): field.annotation for name, field in section.model_fields.items()}
    folded = {name.lower(): name for name in known}
    for key, value in content.items():
        name = folded.get(key.lower())
        if name is None:
            yield from _about(key, folded, place)
            continue
        kind: Any = known[name]
        if _is_section(kind) and isinstance(value, Mapping):
            yield from _of_section(kind, value, (*place, name))


def _is_section(kind: Any) -> TypeGuard[type[Section]]:
    """Whether it is an object whose keys are all known: categories of logging are anybody's."""
    return isinstance(kind, type) and issubclass(kind, Section) and kind is not LogLevels


def _about(key: str, folded: Mapping[str, str], place: tuple[str, ...]) -> Iterator[str]:
    similar = get_close_matches(key.lower(), folded, n=1, cutoff=_SIMILAR)
    where = ".".join((*place, key))
    if (*place, key.lower()) == _EVENT_GRID:
        yield f"'{where}' {ABOUT_AZURES}"
    elif similar:
        yield f"'{where}' means nothing here: is '{folded[similar[0]]}' meant?"
    elif place[:1] == _OWN:
        yield f"'{where}' means nothing here. There are {', '.join(sorted(folded.values()))}."


def _of_provider(content: Mapping[str, Any]) -> Iterator[str]:
    provider: Any = content
    for part in _PROVIDER:
        members = {key.lower(): value for key, value in provider.items()}
        provider = members.get(part.lower(), {})
    kind = str(provider.get("type") or "sqlite").lower()
    if kind in _WITHOUT_SETTINGS:
        for key in provider:
            if key != "type":
                yield f"'{'.'.join((*_PROVIDER, key))}' means nothing here: {kind} has no settings."
