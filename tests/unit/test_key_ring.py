"""The keys of a file and of a hub, put together: what opens what, and until when."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from host.http import kept_keys
from host.http.kept_keys import KeptKeys, UnreadableKeysError
from host.http.key_ring import KeyConflictError, KeyNotFoundError, KeyRing, KeySet, Put
from host.http.keys import KeyFile, KeyKind, KeyRole, StoredKey, digest

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SYSTEM = KeySet(kind=KeyKind.SYSTEM)
FUNCTIONS = KeySet(kind=KeyKind.FUNCTION)
HELLO = KeySet(kind=KeyKind.FUNCTION, function="Hello")
HOUR = timedelta(hours=1)


def file_of(*keys: tuple[KeyKind, str, str]) -> KeyFile:
    """A file with these keys: kind, name, value."""
    return KeyFile(
        format=1,
        keys=tuple(
            StoredKey(kind=kind, name=name, sha256=digest(value)) for kind, name, value in keys
        ),
        signing_secret=base64.b64encode(b"s" * 16).decode(),
    )


FILE = file_of(
    (KeyKind.MASTER, "_master", "m"),
    (KeyKind.SYSTEM, "durabletask_extension", "s"),
    (KeyKind.FUNCTION, "default", "f"),
)


class Hub:
    """What a hub keeps, as it is changed."""

    def __init__(self, file: KeyFile = FILE) -> None:
        self.file = file
        self.kept = KeptKeys()

    @property
    def ring(self) -> KeyRing:
        return KeyRing(self.file, self.kept)

    def put(
        self,
        keys: KeySet,
        name: str,
        value: str,
        *,
        role: KeyRole | None = None,
        grace: timedelta = timedelta(0),
        must_exist: bool | None = None,
        now: datetime = NOW,
    ) -> None:
        wanted = Put(name=name, sha256=digest(value), role=role, grace=grace, must_exist=must_exist)
        kept = self.ring.put(keys, wanted, now)
        self.kept = kept_keys.decode(kept_keys.encode(kept))

    def delete(self, keys: KeySet, name: str) -> None:
        self.kept = self.ring.without(keys, name, NOW)

    def opens(self, value: str, now: datetime = NOW) -> bool:
        return self.ring.find(value, now) is not None

    def role(self, value: str) -> KeyRole | None:
        found = self.ring.find(value, NOW)
        assert found is not None
        return found.role


def test_the_keys_of_the_file_have_the_roles_of_their_names() -> None:
    hub = Hub()
    assert [hub.role(value) for value in "msf"] == [KeyRole.ADMIN, KeyRole.OPERATE, None]


def test_a_system_key_of_another_name_opens_nothing_unless_the_file_gives_it_a_role() -> None:
    with_role = StoredKey(kind=KeyKind.SYSTEM, name="probe", sha256=digest("p"), role=KeyRole.READ)
    file = file_of((KeyKind.SYSTEM, "blobs_extension", "b"))
    hub = Hub(KeyFile(format=1, keys=(*file.keys, with_role), signing_secret=""))
    assert [hub.role("b"), hub.role("p")] == [None, KeyRole.READ]


def test_while_the_hub_is_not_known_only_the_master_key_opens() -> None:
    ring = KeyRing(FILE, None)
    assert [ring.find(value, NOW) is not None for value in "msf"] == [True, False, False]


def test_a_new_system_key_may_look_unless_more_is_said() -> None:
    hub = Hub()
    hub.put(SYSTEM, "probe", "1")
    hub.put(SYSTEM, "ci", "2", role=KeyRole.ADMIN)
    assert [hub.role("1"), hub.role("2")] == [KeyRole.READ, KeyRole.ADMIN]


def test_a_key_of_a_function_opens_that_one_in_any_case() -> None:
    hub = Hub()
    hub.put(HELLO, "shop", "h")
    hub.put(FUNCTIONS, "shop", "all")
    one, every = hub.ring.find("h", NOW), hub.ring.find("all", NOW)
    assert one is not None
    assert every is not None
    assert [one.opens_function(name) for name in ("Hello", "hello", "Other")] == [True, True, False]
    assert every.opens_function("Other")
    assert hub.role("h") is None


def test_a_new_value_ends_the_old_one_at_once_and_keeps_the_role() -> None:
    hub = Hub()
    hub.put(SYSTEM, "ci", "old", role=KeyRole.OPERATE)
    hub.put(SYSTEM, "CI", "new")
    assert not hub.opens("old")
    assert hub.role("new") is KeyRole.OPERATE
    assert [each.key.name for each in hub.ring.shown_in(SYSTEM, NOW)] == [
        "ci",
        "durabletask_extension",
    ]


def test_with_grace_the_old_value_opens_for_that_long() -> None:
    hub = Hub()
    hub.put(SYSTEM, "ci", "old")
    hub.put(SYSTEM, "ci", "new", grace=HOUR)
    shown = hub.ring.named(SYSTEM, "ci", NOW)
    assert shown is not None
    assert shown.before_until == NOW + HOUR
    assert hub.opens("old", NOW + HOUR - timedelta(seconds=1))
    assert not hub.opens("old", NOW + HOUR)
    assert hub.opens("new", NOW + HOUR)


def test_two_values_of_a_key_live_at_most() -> None:
    hub = Hub()
    for value in "abc":
        hub.put(SYSTEM, "ci", value, grace=HOUR)
    assert [hub.opens(value) for value in "abc"] == [False, True, True]
    hub.put(FUNCTIONS, "default", "g", grace=HOUR)
    hub.put(FUNCTIONS, "default", "h", grace=HOUR)
    assert [hub.opens(value) for value in "fgh"] == [False, True, True]


def test_a_key_of_the_file_is_replaced_with_grace() -> None:
    hub = Hub()
    hub.put(FUNCTIONS, "default", "new", grace=HOUR)
    shown = hub.ring.shown_in(FUNCTIONS, NOW)
    assert [(each.is_of_file, each.before_until) for each in shown] == [(False, NOW + HOUR)]
    assert [hub.opens("f"), hub.opens("f", NOW + HOUR), hub.opens("new")] == [True, False, True]


def test_a_key_of_the_file_that_was_deleted_opens_nothing_and_a_new_value_does() -> None:
    hub = Hub()
    hub.delete(SYSTEM, "durabletask_extension")
    assert not hub.opens("s")
    assert hub.ring.shown_in(SYSTEM, NOW) == []
    hub.file = file_of((KeyKind.MASTER, "_master", "m"), (KeyKind.SYSTEM, "other", "s"))
    assert not hub.opens("s"), "the same value under another name"
    hub.file = file_of((KeyKind.SYSTEM, "durabletask_extension", "s2"))
    assert hub.opens("s2")


def test_a_key_is_deleted_with_the_value_before_it() -> None:
    hub = Hub()
    hub.put(SYSTEM, "ci", "old")
    hub.put(SYSTEM, "ci", "new", grace=HOUR)
    hub.delete(SYSTEM, "ci")
    assert [hub.opens("old"), hub.opens("new")] == [False, False]
    with pytest.raises(KeyNotFoundError):
        hub.delete(SYSTEM, "ci")


def test_a_value_is_that_of_one_key() -> None:
    hub = Hub()
    hub.put(SYSTEM, "ci", "v")
    for value in ("m", "f", "v"):
        with pytest.raises(KeyConflictError, match="Another key has this value"):
            hub.put(SYSTEM, "other", value, role=KeyRole.ADMIN)
    hub.put(SYSTEM, "ci", "v", grace=HOUR)
    shown = hub.ring.named(SYSTEM, "ci", NOW)
    assert shown is not None
    assert shown.before_until is None
    assert hub.opens("v")


def test_a_value_that_ended_does_not_come_back() -> None:
    hub = Hub()
    hub.delete(FUNCTIONS, "default")
    with pytest.raises(KeyConflictError, match="is none any more"):
        hub.put(FUNCTIONS, "default", "f")


def test_the_value_of_the_file_can_be_set_again_and_again() -> None:
    hub = Hub()
    hub.put(FUNCTIONS, "default", "f")
    hub.put(FUNCTIONS, "default", "f")
    assert hub.opens("f")


def test_a_change_may_ask_that_the_key_is_there_or_is_not() -> None:
    hub = Hub()
    with pytest.raises(KeyNotFoundError):
        hub.put(SYSTEM, "ci", "v", must_exist=True)
    hub.put(SYSTEM, "ci", "v", must_exist=False)
    with pytest.raises(KeyConflictError, match="'ci' here already"):
        hub.put(SYSTEM, "Ci", "w", must_exist=False)
    with pytest.raises(KeyConflictError):
        hub.put(FUNCTIONS, "default", "w", must_exist=False)
    assert [hub.opens("v"), hub.opens("w")] == [True, False]


def test_a_value_whose_time_is_over_is_kept_no_longer_than_the_next_change() -> None:
    hub = Hub()
    hub.put(SYSTEM, "ci", "old")
    hub.put(SYSTEM, "ci", "new", grace=HOUR)
    hub.put(SYSTEM, "other", "x", now=NOW + HOUR)
    assert [each.before for each in hub.kept.keys] == [None, None]


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"keys": 1}', b'{"format": 2}', b"\xff"])
def test_a_record_that_cannot_be_read_says_so(data: bytes) -> None:
    with pytest.raises(UnreadableKeysError):
        kept_keys.decode(data)
