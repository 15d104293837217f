"""A request's body as its function reads it, chunk by chunk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from http import HTTPStatus

from bindings.errors import InvalidArgumentError, PayloadTooLargeError, RequestBodyError
from host.http import answers
from host.http.bodies import HeldBody
from host.http.refusals import RefusalError


async def chunks_of(body: HeldBody, limit: int) -> AsyncIterator[bytes]:
    """What comes of it. Raises `RequestBodyError`, whose status says what was wrong."""
    try:
        async with aclosing(body.stream(limit)) as pieces:
            async for piece in pieces:
                yield piece
    except PayloadTooLargeError as error:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        raise RequestBodyError(answers.BODY_TOO_LARGE, status=status) from error
    except InvalidArgumentError as error:
        raise RequestBodyError(str(error)) from error
    except RefusalError as error:
        raise RequestBodyError(f"{error.summary}. {error}", status=error.status) from error
