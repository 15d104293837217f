"""The keys that a host accepts: those of its file and those of its hub, as they are known now.

A ring never changes: each change of the hub's keys gives new content for its record, of which a new
ring is made. A value is looked for by a hash that is keyed with chance, so how long that takes says
nothing of the keys.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import ClassVar

import msgspec

from host.http.browser_sessions import reference_of
from host.http.kept_keys import EndedValue, KeptKey, KeptKeys
from host.http.keys import WEBHOOK_KEY_NAME, KeyFile, KeyKind, KeyRole, StoredKey, digest
from host.http.refusals import RefusalError

_PEPPER_BYTES = 32


class KeyConflictError(RefusalError):
    """Another key has this name, or this value."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    summary: ClassVar[str] = "The key is there already"


class KeyNotFoundError(RefusalError):
    """There is no such key."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    summary: ClassVar[str] = "There is no such key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that is accepted."""

    kind: KeyKind
    name: str
    function: str | None = None
    role: KeyRole | None = None
    """Which operations of the host it opens; None for none."""

    def opens_function(self, name: str) -> bool:
        """Whether it is for a function of this name, of the level `function`."""
        is_meant = self.function is None or self.function.lower() == name.lower()
        return self.kind is KeyKind.FUNCTION and is_meant

    def __str__(self) -> str:
        of = f" of the function '{self.function}'" if self.function else ""
        return f"the {self.kind} key '{self.name}'{of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """Keys among which each has a name of its own, in any case of letters."""

    kind: KeyKind
    function: str | None = None
    """Whose keys they are; None for those that open all functions, or none."""

    def holds(self, key: Key) -> bool:
        """Whether the key is one of them."""
        is_same = (key.function or "").lower() == (self.function or "").lower()
        return key.kind is self.kind and is_same

    def has(self, key: Key, name: str) -> bool:
        """Whether the key is the one of them that has this name."""
        return self.holds(key) and key.name.lower() == name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKey:
    """What can be told of a key. Of those of a file no times are known."""

    key: Key
    is_of_file: bool
    made_at: datetime | None = None
    changed_at: datetime | None = None
    before_until: datetime | None = None
    """Until when the value before this one opens, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What one key of a set is to be from now on. `grace`: how long its old value is left."""

    name: str
    sha256: str
    role: KeyRole | None
    """None is what it has now, else what a key of this name is for."""
    grace: timedelta = timedelta(0)
    must_exist: bool | None = None
    """None if it may be there, and may be new."""


class KeyRing:
    """The keys of a file and a hub."""

    def __init__(self, file: KeyFile, kept: KeptKeys | None) -> None:
        """Without the hub's keys only the master key is known: others may have been deleted."""
        self._file = file
        self._kept = KeptKeys() if kept is None else kept
        self._ended = {each.sha256: each.until for each in self._kept.ended}
        self._pepper = secrets.token_bytes(_PEPPER_BYTES)
        self._known = tuple(self._masters() if kept is None else self._values())
        self._by_mark = {self._mark(each.sha256): each for each in self._known}

    def find(self, presented: str, now: datetime) -> Key | None:
        """The key that was presented, if it opens anything now."""
        found = self._by_mark.get(self._mark(digest(presented)))
        return found.key if found is not None and found.opens(now) else None

    def knows(self, text: str) -> bool:
        """Whether it is the value of a key, also of one that opens nothing any more."""
        return self._mark(digest(text)) in self._by_mark

    def referred(self, reference: str, now: datetime) -> Key | None:
        """The key that a session names by `reference_of`, if it opens anything now."""
        found = self._by_reference.get(reference)
        return found.key if found is not None and found.opens(now) else None

    @cached_property
    def _by_reference(self) -> Mapping[str, _Value]:
        return {reference_of(each.sha256): each for each in self._known}

    def shown(self, now: datetime) -> list[ShownKey]:
        """All keys, by kind, function and name."""
        of_file = {key: ShownKey(key=key, is_of_file=True) for key in map(_of_file, self._living())}
        of_hub = [self._shown(each, now) for each in self._kept.keys]
        return sorted([*of_file.values(), *of_hub], key=_place)

    def shown_in(self, keys: KeySet, now: datetime) -> list[ShownKey]:
        """Those of a set."""
        return [each for each in self.shown(now) if keys.holds(each.key)]

    def named(self, keys: KeySet, name: str, now: datetime) -> ShownKey | None:
        """The key of the set that has this name: the hub's, if the file has one, too."""
        meant = [each for each in self.shown(now) if keys.has(each.key, name)]
        return min(meant, key=lambda each: each.is_of_file, default=None)

    def put(self, keys: KeySet, wanted: Put, now: datetime) -> KeptKeys:
        """The hub's keys with this one. Raises `KeyConflictError` and `KeyNotFoundError`."""
        was, kept = self.named(keys, wanted.name, now), self._find_kept(keys, wanted.name)
        _refuse_unexpected(wanted, was)
        self._refuse_taken(keys, wanted, kept)
        until = now + wanted.grace
        is_changed = kept is not None and kept.sha256 != wanted.sha256
        new = KeptKey(
            kind=keys.kind,
            name=wanted.name if was is None else was.key.name,
            function=keys.function,
            role=_role(keys, wanted, was),
            sha256=wanted.sha256,
            made_at=now if kept is None else kept.made_at,
            changed_at=now,
            before=EndedValue(sha256=kept.sha256, until=until)
            if kept is not None and is_changed and wanted.grace
            else None,
        )
        return self._changed(keys, wanted.name, (new,), until if kept is None else now, now)

    def without(self, keys: KeySet, name: str, now: datetime) -> KeptKeys:
        """The hub's keys without this one. Raises `KeyNotFoundError`."""
        if self.named(keys, name, now) is None:
            raise KeyNotFoundError(f"There is no key '{name}' here.")
        return self._changed(keys, name, (), now, now)

    def _changed(
        self, keys: KeySet, name: str, new: tuple[KeptKey, ...], until: datetime, now: datetime
    ) -> KeptKeys:
        """The hub's keys with the new ones in place of those of the name.

        Those of the file end then, or when they were to end anyway.
        """
        ended = dict(self._ended)
        for each in self._file.keys:
            if keys.has(_of_file(each), name):
                ended[each.sha256] = min(until, ended.get(each.sha256, until))
        others = (each for each in self._kept.keys if not keys.has(_of_hub(each), name))
        return msgspec.structs.replace(
            self._kept,
            keys=(*(_tidy(each, now) for each in others), *new),
            ended=tuple(EndedValue(sha256=sha256, until=end) for sha256, end in ended.items()),
        )

    def _refuse_taken(self, keys: KeySet, wanted: Put, kept: KeptKey | None) -> None:
        if kept is not None and kept.sha256 == wanted.sha256:
            return  # the same once more
        if wanted.sha256 in self._ended:
            raise KeyConflictError("This was a key once, and is none any more. Choose another one.")
        for each in self._values():
            if each.sha256 == wanted.sha256 and not keys.has(each.key, wanted.name):
                raise KeyConflictError("Another key has this value. Choose another one.")

    def _find_kept(self, keys: KeySet, name: str) -> KeptKey | None:
        return next((each for each in self._kept.keys if keys.has(_of_hub(each), name)), None)

    def _shown(self, kept: KeptKey, now: datetime) -> ShownKey:
        key = _of_hub(kept)
        keys = KeySet(kind=key.kind, function=key.function)
        ends = [
            self._ended[each.sha256]
            for each in self._file.keys
            if each.sha256 in self._ended and keys.has(_of_file(each), key.name)
        ]
        if kept.before is not None:
            ends.append(kept.before.until)
        until = max((each for each in ends if each > now), default=None)
        return ShownKey(
            key=key,
            is_of_file=False,
            made_at=kept.made_at,
            changed_at=kept.changed_at,
            before_until=until,
        )

    def _living(self) -> Iterator[StoredKey]:
        """The keys of the file that the hub says nothing of."""
        return (each for each in self._file.keys if each.sha256 not in self._ended)

    def _values(self) -> Iterator[_Value]:
        """All values. Of those that are the same the last one counts: who has the file, decides."""
        for each in self._file.keys:
            if (until := self._ended.get(each.sha256)) is not None:
                yield _Value(sha256=each.sha256, key=_of_file(each), until=until)
        for kept in self._kept.keys:
            if kept.before is not None:
                before = kept.before
                yield _Value(sha256=before.sha256, key=_of_hub(kept), until=before.until)
        for kept in self._kept.keys:
            yield _Value(sha256=kept.sha256, key=_of_hub(kept))
        for each in self._living():
            yield _Value(sha256=each.sha256, key=_of_file(each))

    def _masters(self) -> Iterator[_Value]:
        return (each for each in self._values() if each.key.kind is KeyKind.MASTER)

    def _mark(self, sha256: str) -> bytes:
        return hmac.digest(self._pepper, sha256.encode(), "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    sha256: str
    key: Key
    until: datetime | None = None

    def opens(self, now: datetime) -> bool:
        return self.until is None or now < self.until


def _of_file(stored: StoredKey) -> Key:
    return Key(kind=stored.kind, name=stored.name, role=stored.given_role)


def _of_hub(kept: KeptKey) -> Key:
    return Key(kind=kept.kind, name=kept.name, function=kept.function, role=kept.role)


def _place(shown: ShownKey) -> tuple[int, str, str, bool]:
    key = shown.key
    return list(KeyKind).index(key.kind), key.function or "", key.name, shown.is_of_file


def _role(keys: KeySet, wanted: Put, was: ShownKey | None) -> KeyRole | None:
    """What was said, else what it has already, else the least that is of any use."""
    if keys.kind is not KeyKind.SYSTEM:
        return None
    if wanted.role is not None:
        return wanted.role
    if was is not None:
        return was.key.role
    return KeyRole.OPERATE if wanted.name == WEBHOOK_KEY_NAME else KeyRole.READ


def _refuse_unexpected(wanted: Put, was: ShownKey | None) -> None:
    if wanted.must_exist is True and was is None:
        raise KeyNotFoundError(f"There is no key '{wanted.name}' here.")
    if wanted.must_exist is False and was is not None:
        raise KeyConflictError(f"There is a key '{was.key.name}' here already.")


def _tidy(kept: KeptKey, now: datetime) -> KeptKey:
    """The key without a value that is over."""
    if kept.before is None or now < kept.before.until:
        return kept
    return msgspec.structs.replace(kept, before=None)
