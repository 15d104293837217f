"""Who may do what.

With keys, a request shows one in the header `x-functions-key`, which hides any `code` in its query.
Without keys the host serves its loopback address only and everybody who reaches it is
administrator; so a request must name a loopback host, must not have come through a proxy, and must
not be of a foreign page, which may only lead a person to pages of the host itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from http import HTTPStatus

from aiohttp import web

from bindings.http import AuthLevel
from host.clock import Clock
from host.http import answers
from host.http.calls import Call
from host.http.keys import WEBHOOK_KEY_NAME, KeyKind, KeyRing, StoredKey
from host.http.link_tokens import LinkTokens, Pass
from host.http.loopback import is_loopback_host
from host.http.pages import Source, source_of
from host.http.proxies import came_through_proxy

KEY_HEADER = "x-functions-key"


class Need(IntEnum):
    """What opens an operation: each needs more than the one before it."""

    NOTHING = 0
    """Anybody may."""
    WEBHOOKS = 1
    """The webhooks' system key, or the master key."""
    ADMINISTRATION = 2
    """The master key."""


class Verdict(Enum):
    """Whether a request may do what it asks."""

    ALLOWED = "allowed"
    UNKNOWN = "unknown"
    """No key, or none that exists: 401."""
    INSUFFICIENT = "insufficient"
    """A key that exists, but opens something else: 403."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The keys of a host and what signs the tokens in its links."""

    keys: KeyRing
    tokens: LinkTokens


class Access:
    """Decides for every request; `lock` is None on a host without keys."""

    def __init__(self, lock: Lock | None, clock: Clock) -> None:
        self._lock = lock
        self._clock = clock

    @property
    def has_keys(self) -> bool:
        """Whether requests need a key."""
        return self._lock is not None

    def refuse(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a request that must not be looked at any further, if it is one."""
        if self._lock is not None:
            return None
        headers = request.headers
        if not is_loopback_host(headers.get("Host", "")):
            return answers.message(
                HTTPStatus.MISDIRECTED_REQUEST,
                "This host has no keys, so it answers to loopback names only, such as localhost.",
            )
        if came_through_proxy(headers):
            return answers.message(
                HTTPStatus.FORBIDDEN,
                "This host has no keys, so it serves this machine only, and this request came "
                "through a proxy. Start the host with --keys, or give it keys in its settings.",
            )
        return _other_site() if source_of(request) is Source.FOREIGN else None

    def refuse_function(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a request that must not run a function: it may change something."""
        if self._lock is not None or source_of(request) is Source.OWN:
            return None
        return _other_site()

    def to_function(self, call: Call, level: AuthLevel) -> Verdict:
        """Whether the call may run a function of this level."""
        if self._lock is None or level is AuthLevel.ANONYMOUS:
            return Verdict.ALLOWED
        key = self._key(call)
        if key is None:
            return Verdict.UNKNOWN
        is_enough = key.kind is KeyKind.FUNCTION and level is AuthLevel.FUNCTION
        return _verdict(allowed=is_enough or key.kind is KeyKind.MASTER)

    def to_disabled_function(self, call: Call) -> bool:
        """Whether the call may run a disabled function: it must really show the master key."""
        key = self._key(call)
        return key is not None and key.kind is KeyKind.MASTER

    def to_operation(self, call: Call, need: Need) -> Verdict:
        """Whether the call may use an operation that needs this."""
        if self._lock is None or need is Need.NOTHING:
            return Verdict.ALLOWED
        key = self._key(call)
        if key is None:
            return Verdict.UNKNOWN
        is_webhook_key = key.kind is KeyKind.SYSTEM and key.name == WEBHOOK_KEY_NAME
        is_enough = need is Need.WEBHOOKS and is_webhook_key
        return _verdict(allowed=is_enough or key.kind is KeyKind.MASTER)

    def pass_of(self, call: Call, instance_id: str) -> Pass | None:
        """What the link says by which the call comes, if it is one of this instance."""
        if self._lock is None:
            return None
        return self._lock.tokens.read(_presented(call), instance_id, self._clock.now())

    def _key(self, call: Call) -> StoredKey | None:
        presented = _presented(call)
        return self._lock.keys.find(presented) if self._lock is not None and presented else None


def refused(verdict: Verdict) -> web.Response | None:
    """The answer to a verdict other than ALLOWED."""
    if verdict is Verdict.ALLOWED:
        return None
    if verdict is Verdict.UNKNOWN:
        return answers.message(HTTPStatus.UNAUTHORIZED, answers.NO_KEY)
    return answers.message(HTTPStatus.FORBIDDEN, answers.WRONG_KEY)


def _other_site() -> web.Response:
    return answers.message(
        HTTPStatus.FORBIDDEN, "This host has no keys, so it takes no requests of other sites."
    )


def _presented(call: Call) -> str:
    header = call.request.headers.get(KEY_HEADER)
    return header if header is not None else call.query.text("code") or ""


def _verdict(*, allowed: bool) -> Verdict:
    return Verdict.ALLOWED if allowed else Verdict.INSUFFICIENT
