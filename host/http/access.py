"""Who may do what.

With keys, a request shows one in the header `x-functions-key`, which hides any `code` in its query.
One that shows none may come with a session of the dashboard (`browser_sessions.py`), which opens
the host's operations as its key does, and no function; but only for pages of the host itself.
Without keys the host serves its loopback address only and everybody who reaches it is
administrator; so a request must name a loopback host, must not have come through a proxy, and must
not be of a foreign page, which may only lead a person to pages of the host itself.

A key has a role, and an operation a need: that is all there is to say who may do what with the
host. Functions are opened by keys of their own, and by whoever has the role `admin`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from http import HTTPStatus
from typing import ClassVar, Final

from aiohttp import hdrs, web

from bindings.http import AuthLevel
from host.clock import Clock
from host.engine.repeated import RepeatedLines
from host.http import answers
from host.http.browser_sessions import CSRF_HEADER, BrowserSession, BrowserSessions, reference_of
from host.http.calls import Call
from host.http.hub_keys import HubKeys
from host.http.key_ring import Key
from host.http.keys import KeyRole, digest
from host.http.link_tokens import LinkTokens, Pass
from host.http.loopback import is_loopback_host
from host.http.pages import Source, is_told_own, source_of
from host.http.proxies import came_through_proxy
from host.http.refusals import RefusalError
from host.logs import HostLog

KEY_HEADER = "x-functions-key"


class Need(IntEnum):
    """What opens an operation: each needs more than the one before it."""

    NOTHING = 0
    """Anybody may."""
    READ = 1
    """A key with a role."""
    OPERATE = 2
    """A key with the role `operate` or `admin`."""
    ADMIN = 3
    """A key with the role `admin`, such as the master key."""

    @property
    def role(self) -> KeyRole | None:
        """The least role that is enough; None if no key is needed."""
        return _ROLES[self]


_ROLES: Mapping[Need, KeyRole | None] = {
    Need.NOTHING: None,
    Need.READ: KeyRole.READ,
    Need.OPERATE: KeyRole.OPERATE,
    Need.ADMIN: KeyRole.ADMIN,
}
_OPENS: Mapping[KeyRole | None, Need] = {role: need for need, role in _ROLES.items()}
"""The most that keys of a role open."""


_SAFE: Final = frozenset({"GET", "HEAD"})
_FORGED: Final = (
    "A session opens this to the dashboard's own pages only, and what changes something needs "
    f"the header {CSRF_HEADER}, too, with the token that GET /dashboard/session tells."
)


class InsufficientKeyError(RefusalError):
    """A key that exists, but opens no operation."""

    status: ClassVar[HTTPStatus] = HTTPStatus.FORBIDDEN
    summary: ClassVar[str] = "The key opens something else"


class Verdict(Enum):
    """Whether a request may do what it asks."""

    ALLOWED = "allowed"
    UNKNOWN = "unknown"
    """No key, or none that exists: 401."""
    INSUFFICIENT = "insufficient"
    """A key that exists, but opens something else: 403."""
    FORGED = "forged"
    """A session, but nothing says that the dashboard itself asks: 403."""
    LED_HERE = "led here"
    """A page of another site leads a person here, on a host without keys: 403."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The keys of a host, and what signs the tokens in its links and its sessions."""

    keys: HubKeys
    tokens: LinkTokens
    sessions: BrowserSessions


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session that was just opened; `text` is what the cookie says."""

    key: Key
    session: BrowserSession
    cookie: str
    text: str


class Access:
    """Decides for every request; `lock` is None on a host without keys."""

    def __init__(self, lock: Lock | None, clock: Clock) -> None:
        self._lock = lock
        self._clock = clock
        self._lines = RepeatedLines(clock, HostLog("funchost.audit"))

    @property
    def has_keys(self) -> bool:
        """Whether requests need a key."""
        return self._lock is not None

    def refuse(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a request that must not be looked at any further, if it is one."""
        if self._lock is not None:
            return None
        headers = request.headers
        if not is_loopback_host(headers.get(hdrs.HOST, "")):
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
        return None

    def refuse_page(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a page of another site that asks the host itself; it may lead here.

        Where it leads a person to, `to_operation` says: to what needs no more than reading.
        """
        is_foreign = self._lock is None and source_of(request) is Source.FOREIGN
        return _other_site() if is_foreign else None

    def refuse_function(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a page of another site that asks a function: that may change something."""
        if self._lock is not None or source_of(request) is Source.OWN:
            return None
        return _other_site()

    def is_open(self, level: AuthLevel) -> bool:
        """Whether functions of this level need no key."""
        return self._lock is None or level is AuthLevel.ANONYMOUS

    async def to_function(self, call: Call, name: str, level: AuthLevel) -> Verdict:
        """Whether the call may run the function of this name, which has this level."""
        if self.is_open(level):
            return Verdict.ALLOWED
        key = await self._shown_key(call)
        if key is None:
            return Verdict.UNKNOWN
        is_enough = level is AuthLevel.FUNCTION and key.opens_function(name)
        return _verdict(allowed=is_enough or key.role is KeyRole.ADMIN)

    async def to_disabled_function(self, call: Call) -> bool:
        """Whether the call may run a disabled function: it must really show an admin's key."""
        key = await self._shown_key(call)
        return key is not None and key.role is KeyRole.ADMIN

    async def to_operation(self, call: Call, need: Need) -> Verdict:
        """Whether the call may use an operation that needs this."""
        if self._lock is None:
            return Verdict.LED_HERE if _is_led_here(call, need) else Verdict.ALLOWED
        if need is Need.NOTHING:
            return Verdict.ALLOWED
        key = await self.key(call)
        if key is None:
            return Verdict.UNKNOWN
        if not _presented(call) and self._is_forged(call, need):
            return Verdict.FORGED
        if _OPENS[key.role] < need:
            self._lines.warn(
                "What needs the role %s was refused to %s.", need.role, str(key), kind=str(key)
            )
        return _verdict(allowed=_OPENS[key.role] >= need)

    async def caller(self, call: Call) -> str:
        """Who calls, in words."""
        if self._lock is None:
            return "somebody on this machine"
        return str(await self.key(call) or "a key that was deleted meanwhile")

    def knows(self, text: str) -> bool:
        """Whether the text is the value of one of the keys: then nothing may keep it."""
        return self._lock is not None and self._lock.keys.ring.knows(text)

    def pass_of(self, call: Call, instance_id: str) -> Pass | None:
        """What the link says by which the call comes, if it is one of this instance."""
        if self._lock is None:
            return None
        return self._lock.tokens.read(_presented(call), instance_id, self._clock.now())

    async def key(self, call: Call) -> Key | None:
        """The key by which the call comes: it shows one, or has a session of one.

        None if that is no key any more, and on a host without keys.
        """
        session = None if _presented(call) else self.session(call)
        if self._lock is None or session is None:
            return await self._shown_key(call)
        return await self._lock.keys.referred(session.reference)

    def session(self, call: Call) -> BrowserSession | None:
        """The session by which the call comes, genuine and not over; its key may be gone.

        Pages at other ports of the host's name can add cookies of this name at paths of their own.
        Those that are no sessions count for nothing. None if there are two genuine ones: nobody
        knows which of them the person has opened.
        """
        if self._lock is None:
            return None
        sessions, now = self._lock.sessions, self._clock.now()
        found = {sessions.read(text, now) for text in _cookies_of(call, sessions.cookie)}
        found.discard(None)
        return found.pop() if len(found) == 1 else None

    async def sign_in(self, value: str) -> SignedIn | None:
        """A session of the key that has this value; None if there is no such key.

        Raises `InsufficientKeyError` for one that opens no operation, and LookupError without keys.
        """
        if self._lock is None:
            raise LookupError("a host without keys has no sessions")
        key = await self._lock.keys.find(value)
        if key is None:
            return None
        if key.role is None:
            raise InsufficientKeyError("This key opens functions only. Sign in with another one.")
        now, sessions = self._clock.now(), self._lock.sessions
        text = sessions.issue(reference_of(digest(value)), now)
        session = sessions.read(text, now)
        assert session is not None  # noqa: S101 - it was made just now
        return SignedIn(key=key, session=session, cookie=sessions.cookie, text=text)

    @property
    def cookie(self) -> str | None:
        """The name of the cookie of sessions; None on a host without keys."""
        return None if self._lock is None else self._lock.sessions.cookie

    def is_own_page(self, call: Call) -> bool:
        """Whether the call comes from a page of the host itself, or from no page.

        A host that takes itself for one of plain HTTP may be behind a proxy that it was not told
        of, and that ends TLS: then the browser's page is the safer one of the same name.
        """
        origins = [call.origin]
        if call.origin.startswith("http:"):
            origins.append(call.origin.replace("http:", "https:", 1))
        return any(source_of(call.request, each) is Source.OWN for each in origins)

    async def _shown_key(self, call: Call) -> Key | None:
        presented = _presented(call)
        if self._lock is None or not presented:
            return None
        return await self._lock.keys.find(presented)

    def _is_forged(self, call: Call, need: Need) -> bool:
        """Whether a page of another site may have made the browser send a call with a session.

        Some operations that need more than reading are a GET: those need the token, too, or the
        browser's word that a page of the host asks.
        """
        session = self.session(call)
        if session is None or not self.is_own_page(call):
            return True
        shown = call.request.headers.get(CSRF_HEADER, "").encode("utf-8", "surrogateescape")
        if hmac.compare_digest(shown, session.csrf_token.encode()):
            return False
        only_reads = need is Need.READ or is_told_own(call.request)
        return call.method not in _SAFE or not only_reads


def refused(verdict: Verdict, need: Need) -> web.Response | None:
    """The answer to a verdict other than ALLOWED on an operation that needs this."""
    if verdict is Verdict.ALLOWED:
        return None
    if verdict is Verdict.UNKNOWN:
        return answers.message(HTTPStatus.UNAUTHORIZED, answers.NO_KEY)
    if verdict is Verdict.FORGED:
        return answers.message(HTTPStatus.FORBIDDEN, _FORGED)
    if verdict is Verdict.LED_HERE:
        return _other_site()
    text = f"{answers.WRONG_KEY} This needs the role {need.role}."
    return answers.message(HTTPStatus.FORBIDDEN, text)


def _other_site() -> web.Response:
    return answers.message(
        HTTPStatus.FORBIDDEN, "This host has no keys, so it takes no requests of other sites."
    )


def _is_led_here(call: Call, need: Need) -> bool:
    """Whether a page of another site leads a person to more than what may be read."""
    if need <= Need.READ or call.method not in _SAFE:
        return False
    return source_of(call.request) is not Source.OWN


def _cookies_of(call: Call, name: str) -> Iterator[str]:
    """The values of all cookies of this name."""
    for line in call.request.headers.getall(hdrs.COOKIE, ()):
        for pair in line.split(";"):
            its_name, _, value = pair.strip().partition("=")
            if its_name == name:
                yield value


def _presented(call: Call) -> str:
    header = call.request.headers.get(KEY_HEADER)
    return header if header is not None else call.query.text("code") or ""


def _verdict(*, allowed: bool) -> Verdict:
    return Verdict.ALLOWED if allowed else Verdict.INSUFFICIENT
