"""The host's keys: a master key, the webhooks' system key and a default function key.

The file (mode 0600) holds hashes, never keys; the keys are given out once, by the call that makes
the file. It also holds the secret that signs links. Of one name there may be several hashes, so
that a new key works before the old one is taken away. All of this blocks: it is done before
serving.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from enum import StrEnum
from pathlib import Path

import msgspec

from host.errors import ConfigurationError

WEBHOOK_KEY_NAME = "durabletask_extension"

_OTHERS_MAY = 0o077
_FILE_MODE = 0o600
_FOLDER_MODE = 0o700
_FORMAT = 1
_KEY_BYTES = 32


class KeyKind(StrEnum):
    """What a key opens: everything, one extension's webhooks, or functions."""

    MASTER = "master"
    SYSTEM = "system"
    FUNCTION = "function"


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made, to be shown to the operator and then forgotten."""

    kind: KeyKind
    name: str
    value: str


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key."""

    kind: KeyKind
    name: str
    sha256: str


class KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file's content. `signing_secret` is base64."""

    format: int
    keys: tuple[StoredKey, ...]
    signing_secret: str


class KeyRing:
    """The keys that this host accepts."""

    def __init__(self, file: KeyFile) -> None:
        self._keys = file.keys
        self.signing_secret = base64.b64decode(file.signing_secret)

    def find(self, presented: str) -> StoredKey | None:
        """The key that was presented; takes as long whether and wherever it is found."""
        digest = _digest(presented)
        found: StoredKey | None = None
        for key in self._keys:
            if hmac.compare_digest(key.sha256.encode(), digest.encode()):
                found = key
        return found


def open_keys(path: Path) -> tuple[KeyRing, tuple[NewKey, ...]]:
    """The keys in the file; makes the file, and gives the new keys, if there is none.

    Raises `ConfigurationError` if the file cannot be read, is damaged, or others may read it.
    """
    try:
        new = () if path.exists() else _create(path)
        return KeyRing(_read(path)), new
    except OSError as error:
        raise ConfigurationError(f"The keys in {path} cannot be opened: {error}") from error


def _create(path: Path) -> tuple[NewKey, ...]:
    new = (
        _new_key(KeyKind.MASTER, "_master"),
        _new_key(KeyKind.SYSTEM, WEBHOOK_KEY_NAME),
        _new_key(KeyKind.FUNCTION, "default"),
    )
    stored = tuple(
        StoredKey(kind=key.kind, name=key.name, sha256=_digest(key.value)) for key in new
    )
    secret = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    _write(path, KeyFile(format=_FORMAT, keys=stored, signing_secret=secret))
    return new


def _new_key(kind: KeyKind, name: str) -> NewKey:
    return NewKey(kind=kind, name=name, value=secrets.token_urlsafe(_KEY_BYTES))


def _write(path: Path, file: KeyFile) -> None:
    path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(file)))
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)


def _read(path: Path) -> KeyFile:
    if os.name == "posix" and path.stat().st_mode & _OTHERS_MAY:
        raise ConfigurationError(
            f"Other users may read the keys in {path}; run 'chmod 600 {path}', or delete the file "
            "to have new keys made."
        )
    try:
        file = msgspec.json.decode(path.read_bytes(), type=KeyFile)
        base64.b64decode(file.signing_secret, validate=True)
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigurationError(
            f"The keys in {path} cannot be read ({error}); delete the file to have new keys made."
        ) from error
    if file.format != _FORMAT:
        raise ConfigurationError(f"The keys in {path} were written by a newer version.")
    return file


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
