"""What the host says of itself: alive, ready, its status, and a homepage.

Liveness and readiness are open to everybody and name no problem; the status, for administrators,
names them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from aiohttp import web

from host.engine.clock import Clock
from host.functions.model import App
from host.http import answers

JsonObject: TypeAlias = dict[str, Any]

_HOMEPAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>funchost</title></head>
<body><h1>The function host is running.</h1></body>
</html>
"""
_HOMEPAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_NO_STORE = {"Cache-Control": "no-store"}


class Health:
    """Reports on one host.

    `problems` gives what is wrong with its engine right now, `counters` what that has met so far.
    """

    def __init__(
        self,
        *,
        host_id: str,
        version: str,
        clock: Clock,
        problems: Callable[[], list[str]],
        counters: Callable[[], Mapping[str, int]],
    ) -> None:
        self._host_id = host_id
        self._version = version
        self._clock = clock
        self._started_at_s = clock.monotonic()
        self._problems = problems
        self._counters = counters

    def live(self) -> web.Response:
        """The process answers."""
        return answers.json_answer({"status": "live"}, headers=_NO_STORE)

    def ready(self) -> web.Response:
        """The engine works, or the host should be given no work for now."""
        if self._problems():
            body = {"status": "not ready"}
            return answers.json_answer(body, HTTPStatus.SERVICE_UNAVAILABLE, _NO_STORE)
        return answers.json_answer({"status": "ready"}, headers=_NO_STORE)

    def status(self, app: App) -> JsonObject:
        """The host's status as Azure Functions writes it; empty members are left out."""
        problems = self._problems()
        broken = [f"The function '{each.name}' does not load: {each.error}" for each in app.broken]
        status: JsonObject = {
            "id": self._host_id,
            "state": "Error" if problems else "Running",
            "version": self._version,
            "processUptime": int((self._clock.monotonic() - self._started_at_s) * 1000),
        }
        found = {"counters": dict(self._counters()), "errors": problems + broken}
        return status | {name: value for name, value in found.items() if value}


def homepage(*, is_disabled: bool) -> web.Response:
    """A page for those who open the host in a browser."""
    if is_disabled:
        return answers.empty(HTTPStatus.NO_CONTENT)
    return web.Response(text=_HOMEPAGE, content_type="text/html", headers=_HOMEPAGE_HEADERS)
