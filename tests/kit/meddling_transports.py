"""Ways to a server on which others meddle, and on which answers get lost, at exact moments."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from host.storage.aws.wire.transport import Failure, Request, Response, Transport, TransportError


class Meddler:
    """A way to the server on which something happens right before or after calls of one kind."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}
        self.after: dict[str, Callable[[], Awaitable[object]]] = {}

    async def __call__(self, request: Request) -> Response:
        operation = request.headers["x-amz-target"].rpartition(".")[2]
        if operation in self.before:
            await self.before.pop(operation)()
        response = await self._transport(request)
        if operation in self.after:
            await self.after.pop(operation)()
        return response


class LostAnswers:
    """A way to the server on which the first answer to every call gets lost."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lost: set[bytes] = set()

    async def __call__(self, request: Request) -> Response:
        response = await self._transport(request)
        if request.body not in self._lost:
            self._lost.add(request.body)
            raise TransportError(Failure.CONNECTION_LOST, "the answer is lost")
        self._lost.remove(request.body)
        return response


class TornReads:
    """A way to the server on which queries end after one item, and once something happens then."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.between: Callable[[], Awaitable[object]] | None = None

    async def __call__(self, request: Request) -> Response:
        if not request.headers["x-amz-target"].endswith(".Query"):
            return await self._transport(request)
        body = json.dumps(json.loads(request.body) | {"Limit": 1}).encode()
        response = await self._transport(request._replace(body=body))
        if self.between is not None:
            happen, self.between = self.between, None
            await happen()
        return response


class Hanging:
    """The way to the server of a host that hangs, as a stopped process does, when a moment comes.

    Nothing leaves it then until it is let go on, and what it was about to send is the first to go.
    """

    def __init__(self, transport: Transport, is_moment: Callable[[Request], bool]) -> None:
        self.held: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
        """The request at which it hangs."""
        self._transport = transport
        self._is_moment = is_moment
        self._may_go_on = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        if not self.held.done() and self._is_moment(request):
            self.held.set_result(request)
        if self.held.done():
            await self._may_go_on.wait()
        return await self._transport(request)

    def go_on(self) -> None:
        """It does not know that time went by."""
        self._may_go_on.set()
