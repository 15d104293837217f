"""The access log: one line per request, without the keys and tokens that stand in URLs."""

from __future__ import annotations

from urllib.parse import unquote

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from host.logs import HostLog


class AccessLogger(AbstractAccessLogger):
    """Logs method, target, status and duration. Given to aiohttp's runner as its class."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log one request; `time` is its duration in seconds."""
        HostLog(self.logger).info(
            "%s %s -> %d in %.1f ms",
            request.method,
            redact(request.raw_path),
            response.status,
            time * 1000,
        )


def redact(target: str) -> str:
    """A request's target with the value of `code` taken out, and control characters shown."""
    path, mark, query = target.partition("?")
    shown = path + mark + "&".join(_redact_field(field) for field in query.split("&"))
    return shown.encode("unicode_escape").decode("ascii")


def _redact_field(field: str) -> str:
    name = field.partition("=")[0]
    return f"{name}=..." if unquote(name).strip().lower() == "code" else field
