"""Responses whose body is there as a whole, as nearly all are.

aiohttp sends any response in seven coroutines and two steps, each of which looks at what a response
may be besides. That costs a third of all that a small function's request costs, so what is nothing
but a status, headers and bytes goes the short way here. On the wire both ways are the same.
"""

from __future__ import annotations

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import must_be_empty_body, rfc822_formatted_time


class WholeResponse(web.Response):
    """A response whose body is bytes.

    It looks at aiohttp's fields, not at its properties: of these each would be one more call, and
    there are ten of them (tests/http/test_request_cost.py counts calls).
    """

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send all of it; what is out of the ordinary is left to aiohttp, and to `write_eof`."""
        body = self.body
        if not isinstance(body, bytes) or not self._is_plain(request):
            return await super().prepare(request)
        headers = self._headers
        headers[hdrs.CONTENT_LENGTH] = str(len(body))
        if hdrs.DATE not in headers:
            headers[hdrs.DATE] = rfc822_formatted_time()
        writer = request.writer
        await writer.write_headers(f"HTTP/1.1 {self._status} {self._reason}", headers)
        await writer.write_eof(body)
        self._keep_alive = True
        self._eof_sent = True  # so `write_eof` sends nothing more
        return writer

    def _is_plain(self, request: web.BaseRequest) -> bool:
        """Whether neither the request nor the response is in any way out of the ordinary."""
        headers = self._headers
        return (
            request.version == HttpVersion11
            and request.keep_alive
            and not must_be_empty_body(request.method, self._status)
            and self._keep_alive is None
            and not (self._eof_sent or self._payload_writer is not None)
            and not (self._chunked or self._compression or self._cookies)
            and hdrs.CONTENT_TYPE in headers
            and hdrs.CONTENT_LENGTH not in headers
            and hdrs.TRANSFER_ENCODING not in headers
            and hdrs.CONNECTION not in headers
        )
