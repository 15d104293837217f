"""Signing in and out: a key becomes a session, which the browser keeps in cookies.

The cookies are for the paths of the host's operations and of the dashboard alone: no function ever
gets to see one. Without keys there are no sessions, and everybody who reaches the host is
administrator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import pydantic_core
from aiohttp import hdrs, web

from bindings.errors import InvalidArgumentError
from host.http import answers
from host.http.access import InsufficientKeyError
from host.http.auditing import name_of
from host.http.browser_sessions import LIFETIME, BrowserSession
from host.http.calls import Call
from host.http.dashboard.room import Dashboard
from host.http.keys import KeyRole
from host.http.operations import Asked
from host.http.shapes import TEXT, TIME, Shape, object_of

MAX_BODY_BYTES: Final = 4096
_PATHS: Final = ("/dashboard", "/admin", "/runtime/webhooks/durabletask")
_WHOLE: Final = "/"
"""No cookie of ours has this path: one that has it was put there by somebody else's page."""
_REFUSED: Final = "A sign-in from %s failed: %s"
_NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}

SESSION = Shape(
    "Session",
    object_of(
        {
            "role": {"enum": [str(role) for role in KeyRole]},
            "keyName": {"type": ["string", "null"]},
            "hub": TEXT,
            "hostVersion": TEXT,
            "csrfToken": TEXT,
            "expiresAt": TIME,
        },
        "csrfToken",
        "expiresAt",
    ),
)


async def sign_in(here: Dashboard, asked: Asked) -> web.Response:
    """Open a session with the key in the body."""
    if not here.access.is_own_page(asked.call):
        return answers.message(
            HTTPStatus.FORBIDDEN, "This host takes no sign-ins from pages of other sites."
        )
    value = _key_in(await asked.body(MAX_BODY_BYTES))
    if not here.access.has_keys:
        return _shown(here, KeyRole.ADMIN, None, None)
    address = here.auditor.address_of(asked.call)
    try:
        signed_in = await here.access.sign_in(value)
    except InsufficientKeyError as error:
        here.sign_ins.warn(_REFUSED, address, error)
        raise
    if signed_in is None:
        here.sign_ins.warn(_REFUSED, address, "there is no such key")
        return answers.message(HTTPStatus.UNAUTHORIZED, "There is no such key.", _NO_STORE)
    key = signed_in.key
    response = _shown(here, key.role, key.name, signed_in.session)
    lifetime_s = int(LIFETIME.total_seconds())
    for cookie in _cookies(asked.call, signed_in.cookie, signed_in.text, lifetime_s):
        response.headers.add(hdrs.SET_COOKIE, cookie)
    here.sign_ins.note("From %s somebody signed in with %s.", address, key)
    await here.auditor.note(name_of(key), asked, response)
    return response


async def sign_out(here: Dashboard, asked: Asked) -> web.Response:
    """Have the browser forget the session."""
    response = answers.empty(HTTPStatus.NO_CONTENT, _NO_STORE)
    who = await here.auditor.who(asked.call)
    if here.access.cookie is not None:
        for cookie in _cookies(asked.call, here.access.cookie, "", 0):
            response.headers.add(hdrs.SET_COOKIE, cookie)
    if here.access.session(asked.call) is not None:
        await here.auditor.note(who, asked, response)
    return response


async def show_session(here: Dashboard, asked: Asked) -> web.Response:
    """Who is signed in, and what the page shows of its host."""
    if not here.access.has_keys:
        return _shown(here, KeyRole.ADMIN, None, None)
    key = await here.access.key(asked.call)
    if key is None:  # it was deleted meanwhile
        return answers.message(HTTPStatus.UNAUTHORIZED, answers.NO_KEY, _NO_STORE)
    return _shown(here, key.role, key.name, here.access.session(asked.call))


def _shown(
    here: Dashboard, role: KeyRole | None, key_name: str | None, session: BrowserSession | None
) -> web.Response:
    body: dict[str, Any] = {
        "role": role,
        "keyName": key_name,
        "hub": here.hub_name,
        "hostVersion": here.version,
    }
    if session is not None:
        body |= {"csrfToken": session.csrf_token, "expiresAt": session.expires_at}
    return answers.json_answer(body, headers=_NO_STORE)


def _key_in(body: bytes) -> str:
    """The key in the body. Raises `InvalidArgumentError`, which quotes nothing of it."""
    try:
        document = pydantic_core.from_json(body)
    except ValueError:  # the error may quote the key
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("key"), str):
        raise InvalidArgumentError('The request\'s body is not JSON such as {"key": "..."}.')
    return str(document["key"])


def _cookies(call: Call, name: str, value: str, lifetime_s: int) -> Iterator[str]:
    origin = urlsplit(call.origin)
    secure = "; Secure" if origin.scheme == "https" else ""
    marks = f"HttpOnly; SameSite=Strict{secure}"
    for path in _PATHS:
        yield f"{name}={value}; Path={origin.path}{path}; Max-Age={lifetime_s}; {marks}"
    yield f"{name}=; Path={_WHOLE}; Max-Age=0; {marks}"
