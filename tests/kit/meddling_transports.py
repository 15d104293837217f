"""Ways to a server on which others meddle, and on which answers get lost, at exact moments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from host.storage.aws.transport import Failure, Request, Response, Transport, TransportError


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
