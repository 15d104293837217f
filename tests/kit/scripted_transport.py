"""AWS as a script: what each attempt meets, in order, and a clock that nobody has to move.

Rules of this file: an attempt beyond the script is an error, and so is a script not used up.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from host.storage.aws.wire.client import AwsClient, Service
from host.storage.aws.wire.endpoints import Endpoint
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.signing import Credentials, Keys, StaticCredentials
from host.storage.aws.wire.transport import Failure, Request, Response, TransportError

KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
ENDPOINT = Endpoint(url="https://dynamodb.eu-central-1.amazonaws.com", region="eu-central-1")

Step = Response | TransportError


def answer(body: dict[str, Any] | None = None) -> Response:
    """A success."""
    return Response(200, {}, json.dumps(body or {}).encode())


def refusal(code: str, message: str = "No.", *, status: int = 400, **more: Any) -> Response:
    """An error as DynamoDB says it."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message, **more}
    return Response(status, {}, json.dumps(body).encode())


def broken(failure: Failure) -> TransportError:
    """An attempt without an answer."""
    return TransportError(failure, failure.value)


class LeapingClock:
    """A clock on which every sleep is over at once, and has taken its time."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = timedelta(0)
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._elapsed.total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Move the time."""
        self.sleeps.append(seconds)
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        """Move the time without a sleep."""
        self._elapsed += timedelta(seconds=seconds)


class ScriptedAws:
    """A transport that follows a script, and a client on it.

    `seconds_each` is how long an attempt takes. Waits are the longest that the rules allow.
    """

    def __init__(
        self,
        *script: Step,
        service: Service = "dynamodb",
        endpoint: Endpoint = ENDPOINT,
        credentials: Credentials | None = None,
        rules: RetryRules | None = None,
        seconds_each: float = 0,
    ) -> None:
        self._script = list(script)
        self._seconds_each = seconds_each
        self.clock = LeapingClock()
        self.requests: list[Request] = []
        self.client = AwsClient(
            service=service,
            endpoint=endpoint,
            credentials=credentials or StaticCredentials(KEYS),
            transport=self._attempt,
            clock=self.clock,
            rules=rules or RetryRules(),
            jitter=lambda: 1.0,
        )

    async def call(self, operation: str = "PutItem", **body: Any) -> dict[str, Any]:
        """One call of the client, through the whole script if it did not fail earlier."""
        result = await self.client.call(operation, body)
        assert not self._script, f"never came to {self._script}"
        return result

    @property
    def attempts(self) -> int:
        """How often it was tried."""
        return len(self.requests)

    @property
    def sleeps(self) -> list[float]:
        """How long the client waited between attempts."""
        return self.clock.sleeps

    async def _attempt(self, request: Request) -> Response:
        self.requests.append(request)
        self.clock.pass_time(self._seconds_each)
        step = self._script.pop(0)
        if isinstance(step, TransportError):
            raise step
        return step
