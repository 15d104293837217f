"""A way to AWS that remembers what was refused, and how the clocks differ."""

from __future__ import annotations

from collections import Counter
from email.utils import parsedate_to_datetime

import msgspec

from host.clock import Clock
from host.storage.aws.wire.transport import Request, Response, Transport


class _Refusal(msgspec.Struct):
    type: str = msgspec.field(name="__type", default="")


_read_refusal = msgspec.json.Decoder(_Refusal).decode


class WatchedTransport:
    """Passes all requests on. `refused` counts answers without success by operation and code."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self.refused: Counter[str] = Counter()
        self._ahead_s: list[float] = []

    async def __call__(self, request: Request) -> Response:
        """Make one attempt."""
        response = await self._transport(request)
        self._note_date(response.headers.get("date"))
        if response.status != 200:
            operation = request.headers["x-amz-target"].rpartition(".")[2]
            self.refused[f"{operation} {_code_of(response)}"] += 1
        return response

    @property
    def clock_ahead_s(self) -> float | None:
        """By how much this machine's clock is ahead of the service's; None if it did not say.

        A `Date` has whole seconds: what was seen lies between the difference and a second more, so
        one answer tells it to half a second, and many tell it better.
        """
        if not self._ahead_s:
            return None
        least, most = min(self._ahead_s), max(self._ahead_s)
        return (least + most - 1.0) / 2

    def _note_date(self, date: str | None) -> None:
        if date is None:
            return
        try:
            said = parsedate_to_datetime(date)
        except ValueError:
            return
        self._ahead_s.append((self._clock.now() - said).total_seconds())


def _code_of(response: Response) -> str:
    try:
        code = _read_refusal(response.body).type.rpartition("#")[2]
    except msgspec.DecodeError:
        code = ""
    return code or f"status {response.status}"
