"""The keys of this host, found by the standard chain and kept fresh.

Rules of this file: finding keys and refreshing them may ask the network, so both happen in threads,
once for all calls that wait. Keys that are still valid go on being used while newer ones are
fetched; if that fails, it is tried again after a while, and only calls without valid keys fail.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import NamedTuple, Protocol

from botocore.exceptions import (
    ConfigParseError,
    InvalidConfigError,
    PartialCredentialsError,
    UnknownCredentialError,
)

from host.clock import Clock
from host.errors import StorageUnavailableError, StoreAwayError
from host.storage.aws.wire.signing import Keys

REFRESH_AGAIN_S = 30.0
"""How long after a refresh that changed nothing the next one is tried, while the keys are valid."""

LOOK_AGAIN_S = 5.0
"""How long after a search the next one may begin if the service refuses the keys found."""

NO_KEYS = (
    "No AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose a "
    "profile with AWS_PROFILE, or run with a task or instance role. In a container on an instance "
    "the hop limit of the instance's metadata must be 2 at least."
)


_WRONG = (ConfigParseError, InvalidConfigError, PartialCredentialsError, UnknownCredentialError)
"""What is wrong with the configuration is not mended by asking again."""


def _no_keys() -> StorageUnavailableError:
    """Those of a role may come yet, unless nobody asks the machine for one."""
    is_machine_asked = os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true"
    return StoreAwayError(NO_KEYS) if is_machine_asked else StorageUnavailableError(NO_KEYS)


class FrozenKeys(Protocol):
    """Keys that belong together, as botocore gives them."""

    @property
    def access_key(self) -> str:
        """The id of the key."""

    @property
    def secret_key(self) -> str:
        """What signatures are made with."""

    @property
    def token(self) -> str | None:
        """Sent along with temporary keys."""


class KeySource(Protocol):
    """What is used of botocore's credentials. Temporary ones have `refresh_needed` as well."""

    def get_frozen_credentials(self) -> FrozenKeys:
        """The keys, refreshed if they are near their end. May block."""


def _keys_of(frozen: FrozenKeys) -> Keys:
    # A secret that was pasted into a variable often ends with a line break, which no header may.
    token = frozen.token.strip() if frozen.token else None
    return Keys(frozen.access_key.strip(), frozen.secret_key.strip(), token)


class _Found(NamedTuple):
    source: KeySource
    keys: Keys

    def ends_within(self, seconds: float | None) -> bool:
        """Whether the keys end so soon; None for the time that the source thinks it wise."""
        refresh_needed = getattr(self.source, "refresh_needed", None)
        return refresh_needed is not None and bool(refresh_needed(seconds))


class ChainCredentials:
    """Keys from a chain of providers. `find` looks for a source of keys; it may block."""

    def __init__(self, find: Callable[[], KeySource | None], clock: Clock) -> None:
        self._find = find
        self._clock = clock
        self._found: _Found | None = None
        self._fetching: asyncio.Task[_Found] | None = None
        self._fetched_at = 0.0

    async def keys(self) -> Keys:
        """The keys to use now. Raises `StorageUnavailableError` if there are none."""
        found = self._found
        if found is None or found.ends_within(0):
            return (await asyncio.shield(self._fetch(found))).keys
        if found.ends_within(None) and self._is_later_by(REFRESH_AGAIN_S):
            self._fetch(found)
        return found.keys

    async def renew(self, refused: Keys) -> None:
        """Look for keys anew, unless that was done since, or a moment ago."""
        found = self._found
        if found is not None and found.keys == refused and self._is_later_by(LOOK_AGAIN_S):
            self._found = None

    def _is_later_by(self, seconds: float) -> bool:
        return self._clock.monotonic() - self._fetched_at >= seconds

    def _fetch(self, found: _Found | None) -> asyncio.Task[_Found]:
        if self._fetching is None:
            self._fetched_at = self._clock.monotonic()
            self._fetching = asyncio.create_task(asyncio.to_thread(self._fetch_blocking, found))
            self._fetching.add_done_callback(self._fetched)
        return self._fetching

    def _fetch_blocking(self, found: _Found | None) -> _Found:
        try:
            source = self._find() if found is None else found.source
            if source is None:
                raise _no_keys()
            frozen = source.get_frozen_credentials()
        except StorageUnavailableError:
            raise
        except Exception as error:  # providers are plug-ins and raise anything
            kind = StorageUnavailableError if isinstance(error, _WRONG) else StoreAwayError
            raise kind(f"The AWS credentials could not be obtained: {error}") from error
        return _Found(source, _keys_of(frozen))

    def _fetched(self, task: asyncio.Task[_Found]) -> None:
        self._fetching = None
        if not task.cancelled() and task.exception() is None:
            self._found = task.result()
