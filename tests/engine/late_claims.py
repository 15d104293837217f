"""A claim that is carried out when its host has long given it back."""

from __future__ import annotations

from typing import Any

from host.errors import StorageUnavailableError
from tests.kit.hub import Host

AWAY = StorageUnavailableError("the table is away")


class LateClaim:
    """The first claim fails its host, and is carried out when the host has given it back."""

    def __init__(self, host: Host, method: str) -> None:
        self._inner, self._method = host.store.inner, method
        self._claim: tuple[Any, ...] | None = None
        self._is_given_back = False
        self.has_landed = False
        host.store.before = self

    async def __call__(self, name: str, args: tuple[Any, ...]) -> None:
        if name == self._method and self._claim is None:
            self._claim = args
            raise AWAY
        if self._claim is not None and self._is_given_back and not self.has_landed:
            self.has_landed = True
            await getattr(self._inner, self._method)(*self._claim)
        self._is_given_back |= self._claim is not None and name == "renew_lease"
