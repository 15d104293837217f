"""What a small request costs, counted: times drift with the machine, and this does not."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from bindings import AuthLevel, FunctionApp, HttpRequest
from tests.http.hosting import running_host

PLACES = ("/host/http/", "/host/functions/", "/bindings/", "/aiohttp/web_response.py")
MOST_CALLS = 58
"""Python calls of a small request in these; 103 once, and 83 when metrics and logs came. Metrics
ask three things of each answer (decision 82)."""


async def test_a_small_request_takes_few_calls() -> None:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("hello", methods=["GET"])
    async def hello(req: HttpRequest) -> str:
        return "Hello!"

    calls: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        name = code.co_filename.replace("\\", "/")
        if event == "call" and any(place in name for place in PLACES):
            calls.append(f"{name.rpartition('/')[2]}:{code.co_qualname}")

    async with running_host(app=app) as host:
        client = await host.raw.connect()
        for _ in range(2):  # the first one finds its route, and what is remembered besides
            calls.clear()
            await client.send_head("GET", "/api/hello")
            sys.setprofile(note)
            try:
                assert await client.status() == 200
            finally:
                sys.setprofile(None)
            assert await client.body(6) == b"Hello!"

    assert "invocation.py:Invoker.run" in calls
    assert len(calls) <= MOST_CALLS, "\n".join(calls)
