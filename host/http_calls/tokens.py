"""What proves who asks, from its sources: app settings, OAuth 2.0 servers, the host's AWS keys.

Rules of this file: nothing here is stored, or shown in a message. A source that says the name of an
app setting is looked up when a request is sent, in the settings as they are then.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote_plus, urlencode

import msgspec

from bindings.errors import HttpCallError
from bindings.token_sources import AwsSignature, ClientCredentials, SettingToken, TokenSource
from host.clock import Clock
from host.core.http_urls import checked_url, shown_url
from host.http_calls.calls import Proof
from host.http_calls.redirects import Hop
from host.http_calls.sending import Received, Sender
from host.settings.values import AppSettings

if TYPE_CHECKING:
    from host.http_calls.aws_signatures import AwsSignatures

_AWS: Final = "host.http_calls.aws_signatures"
_NAME = re.compile(r"[A-Za-z][A-Za-z_:.-]{0,63}")
"""What is no secret: random texts have digits."""
_CODE = re.compile(r"[a-z_]{1,40}")
EARLY_S: Final = 60.0
"""A token is not used any more so long before its end: requests take time, and clocks differ."""
USUAL_LIFE_S: Final = 300.0
"""How long a token is used of which the server does not say how long it lasts."""


class _Granted(msgspec.Struct):
    """What an OAuth 2.0 server answers."""

    access_token: str
    expires_in: float | str | None = None


class _Token(NamedTuple):
    text: str
    until: float
    """On the monotonic clock, in seconds."""


class TokenProofs:
    """The `Proofs` of a host."""

    def __init__(self, values: Callable[[], AppSettings], sender: Sender, clock: Clock) -> None:
        self._values = values
        self._sender = sender
        self._clock = clock
        self._tokens: dict[ClientCredentials, _Token] = {}
        self._fetching: defaultdict[ClientCredentials, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._aws: AwsSignatures | None = None

    async def of(self, source: TokenSource, hop: Hop) -> Proof:
        """The proof for this request."""
        match source:
            case SettingToken():
                return _bearer(self._setting(source.name))
            case ClientCredentials():
                return _bearer(await self._token(source))
            case AwsSignature():
                return await self._signatures().of(source, hop)

    def refused(self, source: TokenSource) -> None:
        """The receiver does not take it: the next request gets a new token."""
        if isinstance(source, ClientCredentials):
            self._tokens.pop(source, None)

    def _setting(self, name: str) -> str:
        """Raises `HttpCallError`."""
        text = self._values().get(name, "").strip()
        if not text or not text.isprintable():
            # Who wrote the secret itself where its name belongs is not to find it in a history.
            named = f"'{name}'" if _NAME.fullmatch(name) else "that the token source names"
            raise HttpCallError(
                f"The app setting {named} is missing, or no text of one line: set it in the "
                "environment or in the Values of local.settings.json."
            )
        return text

    async def _token(self, source: ClientCredentials) -> str:
        async with self._fetching[source]:
            known = self._tokens.get(source)
            if known is None or known.until <= self._clock.monotonic():
                known = self._tokens[source] = await self._fetch(source)
            return known.text

    async def _fetch(self, source: ClientCredentials) -> _Token:
        secret = self._setting(source.secret_setting)
        try:
            url = checked_url(source.token_url)
        except ValueError as error:
            raise HttpCallError(f"The token_url {error}.") from None
        fields = {"grant_type": "client_credentials"}
        if source.scope is not None:
            fields["scope"] = source.scope
        pair = f"{quote_plus(source.client_id)}:{quote_plus(secret)}"
        headers = {
            "Accept": "application/json",
            "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        asked_at = self._clock.monotonic()
        try:
            received = await self._sender.send("POST", url, headers, urlencode(fields).encode())
        except (ConnectionError, TimeoutError) as error:
            raise type(error)(f"{shown_url(url)} gives no token: {error}") from None
        granted = _granted(received, url)
        life_s = max(_seconds(granted.expires_in) - EARLY_S, 0.0)
        return _Token(granted.access_token, asked_at + life_s)

    def _signatures(self) -> AwsSignatures:
        """Raises `HttpCallError` if a package is missing."""
        if self._aws is None:
            try:
                self._aws = import_module(_AWS).AwsSignatures(self._clock)
            except ModuleNotFoundError as error:
                raise HttpCallError(
                    f"AwsSignature needs the package '{error.name}' on the host: "
                    "python -m pip install 'funchost[aws]'"
                ) from None
        return self._aws


def _bearer(token: str) -> Proof:
    return Proof({"Authorization": f"Bearer {token}"}, (token,))


def _granted(received: Received, url: str) -> _Granted:
    """The token that came. Raises ConnectionError for what may pass, else `HttpCallError`."""
    where = f"{shown_url(url)} gives no token"
    if received.status >= 500 or received.status == 429:
        raise ConnectionError(f"{where}: it answers {received.status}")
    if received.status != 200:
        raise HttpCallError(f"{where}: it answers {received.status}{_code_of(received)}.")
    try:
        granted = msgspec.json.decode(received.body, type=_Granted)
    except (msgspec.MsgspecError, ValueError):
        raise HttpCallError(f"{where}: its answer has no access_token.") from None
    if not granted.access_token.strip() or not granted.access_token.isprintable():
        raise HttpCallError(f"{where}: its answer has no access_token.")
    return granted


def _code_of(received: Received) -> str:
    """The code of the error; not its description, which may quote what was sent."""
    try:
        code = str(msgspec.json.decode(received.body)["error"])
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
        return ""
    return f" ({code})" if _CODE.fullmatch(code) else ""


def _seconds(said: float | str | None) -> float:
    try:
        return max(0.0, float(said)) if said is not None else USUAL_LIFE_S
    except ValueError:
        return USUAL_LIFE_S
