"""The file of keys: a master key, the webhooks' system key and a default function key.

The file (mode 0600) holds hashes, never keys; the keys are given out once, by the call that makes
the file. It also holds the secret that signs links. Of one name there may be several hashes, so
that a new key works before the old one is taken away. All of this blocks: it is done before
serving. Further keys are in the hub (`kept_keys.py`).

Hosts that share no folder share the file's content: in an app setting, as a secret store puts it
there, or in a file that an app setting names. No message ever shows any of it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec

from host.errors import ConfigurationError
from host.os_words import error_in_words, make_folder, path_in_words
from host.user_files import read_user_file

WEBHOOK_KEY_NAME = "durabletask_extension"
MASTER_KEY_NAME = "_master"
KEYS_SETTING = "FUNCHOST_KEYS"
KEYS_FILE_SETTING = "FUNCHOST_KEYS_FILE"

_OTHERS_MAY = 0o077
_FILE_MODE = 0o600
_FOLDER_MODE = 0o700
_FORMAT = 1
_KEY_BYTES = 32
_MIN_SECRET_BYTES = 16
_SHA256 = re.compile("[0-9a-f]{64}")
_QUOTED = re.compile("'.*'", re.DOTALL)
_ADVICE = "`funchost keys new` makes a file with new ones"


class KeyKind(StrEnum):
    """What a key opens: everything, operations of the host by its role, or functions."""

    MASTER = "master"
    SYSTEM = "system"
    FUNCTION = "function"


class KeyRole(StrEnum):
    """Which operations of the host a key opens: each role opens all that the one before it does."""

    READ = "read"
    """Those that only look."""
    OPERATE = "operate"
    """Those that change instances."""
    ADMIN = "admin"
    """All, and functions of every level."""


class HostCaller(StrEnum):
    """Who asks without a key, as the audit names him."""

    LINK = "link"
    """Who has a link of an instance."""
    LOOPBACK = "loopback"
    """Anybody on this machine, of a host without keys."""
    UNKNOWN = "unknown"
    """One whose key was deleted as he asked."""


RESERVED_NAMES = frozenset({*HostCaller, MASTER_KEY_NAME, MASTER_KEY_NAME.strip("_")})
"""Names that no new system key is given: in the audit it would look like another caller."""


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made, to be shown to the operator and then forgotten."""

    kind: KeyKind
    name: str
    value: str


class StoredKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the file keeps of a key. Its function keys open all functions."""

    kind: KeyKind
    name: str
    sha256: str
    role: KeyRole | None = None
    """Of a system key; None is what its kind and name say."""

    @property
    def given_role(self) -> KeyRole | None:
        """What it may do with the host; None for nothing."""
        if self.kind is KeyKind.MASTER:
            return KeyRole.ADMIN
        if self.role is None and self.kind is KeyKind.SYSTEM and self.name == WEBHOOK_KEY_NAME:
            return KeyRole.OPERATE
        return self.role


class KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file's content. `signing_secret` is base64."""

    format: int
    keys: tuple[StoredKey, ...]
    signing_secret: str

    @property
    def secret(self) -> bytes:
        """The secret that signs links."""
        return base64.b64decode(self.signing_secret)


def open_keys(path: Path) -> tuple[KeyFile, tuple[NewKey, ...]]:
    """The keys in the file; makes the file, and gives the new keys, if there is none.

    Raises `ConfigurationError` if the file cannot be read, is damaged, or others may read it.
    """
    try:
        new = () if path.exists() else _create(path)
        return _read(path), new
    except OSError as error:
        raise ConfigurationError(
            f"The keys in {path_in_words(path)} cannot be opened: {error_in_words(error)}."
        ) from error


def shared_keys(settings: Mapping[str, str]) -> KeyFile | None:
    """The keys that the app settings give; None if they give none.

    Raises `ConfigurationError` if they cannot be read, or are given twice.
    """
    content, file = settings.get(KEYS_SETTING), settings.get(KEYS_FILE_SETTING)
    if content is not None and file is not None:
        raise ConfigurationError(f"Set {KEYS_SETTING} or {KEYS_FILE_SETTING}, not both.")
    if content is not None:
        where = f"the setting {KEYS_SETTING}"
        return _decode(content.encode("utf-8", "surrogateescape"), where, _ADVICE)
    if file is None:
        return None
    where = f"{file}, which {KEYS_FILE_SETTING} names,"
    try:  # who mounts a secret says who may read it
        return _decode(read_user_file(Path(file)), where, _ADVICE)
    except OSError as error:
        raise ConfigurationError(
            f"The keys in {where} cannot be read: {error_in_words(error)}."
        ) from error


def _create(path: Path) -> tuple[NewKey, ...]:
    new = (
        _new_key(KeyKind.MASTER, MASTER_KEY_NAME),
        _new_key(KeyKind.SYSTEM, WEBHOOK_KEY_NAME),
        _new_key(KeyKind.FUNCTION, "default"),
    )
    stored = tuple(StoredKey(kind=key.kind, name=key.name, sha256=digest(key.value)) for key in new)
    secret = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    is_ours = _write(path, KeyFile(format=_FORMAT, keys=stored, signing_secret=secret))
    return new if is_ours else ()


def _new_key(kind: KeyKind, name: str) -> NewKey:
    return NewKey(kind=kind, name=name, value=new_value())


def new_value() -> str:
    """A key that nobody has."""
    return secrets.token_urlsafe(_KEY_BYTES)


def _write(path: Path, file: KeyFile) -> bool:
    """Make the file, whole or not at all. False if another host was first."""
    make_folder(path.parent, _FOLDER_MODE)
    with _unfinished(path, msgspec.json.format(msgspec.json.encode(file))) as unfinished:
        return _publish(unfinished, path)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in place of one that is there. Raises OSError."""
    with _unfinished(path, text.encode()) as unfinished:
        unfinished.replace(path)


@contextmanager
def _unfinished(path: Path, content: bytes) -> Iterator[Path]:
    """A file beside it with the content; of what failed nothing is left."""
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def _publish(unfinished: Path, path: Path) -> bool:
    try:
        os.link(unfinished, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        unfinished.replace(path)
    return True


def _read(path: Path) -> KeyFile:
    shown = path_in_words(path)
    if os.name == "posix" and path.stat().st_mode & _OTHERS_MAY:
        raise ConfigurationError(
            f"Other users may read the keys in {shown}; run 'chmod 600 {shown}', or delete the "
            "file to have new keys made."
        )
    return _decode(read_user_file(path), shown, "delete the file to have new keys made")


def _decode(content: bytes, where: str, advice: str) -> KeyFile:
    try:
        file = msgspec.json.decode(content, type=KeyFile)
        if file.format == _FORMAT:
            _check(file)
    except (msgspec.DecodeError, ValueError) as error:
        reason = _QUOTED.sub("'...'", str(error))
        raise ConfigurationError(
            f"The keys in {where} cannot be used ({reason}); {advice}."
        ) from None  # the error holds what was read
    if file.format != _FORMAT:
        raise ConfigurationError(f"The keys in {where} were written by a newer version.")
    return file


def _check(file: KeyFile) -> None:
    """Raise `ValueError` for what would lock everybody out, or let everybody in."""
    if len(base64.b64decode(file.signing_secret, validate=True)) < _MIN_SECRET_BYTES:
        raise ValueError(f"signing_secret has fewer than {_MIN_SECRET_BYTES} bytes")
    if not file.keys:
        raise ValueError("there is no key")
    for number, key in enumerate(file.keys):
        if not _SHA256.fullmatch(key.sha256):
            raise ValueError(f"keys[{number}].sha256 is not 64 hexadecimal digits in lower case")
        if key.role is not None and key.kind is not KeyKind.SYSTEM:
            raise ValueError(f"keys[{number}].role is there, and only system keys have one")


def digest(key: str) -> str:
    """What is kept of a key's value."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
