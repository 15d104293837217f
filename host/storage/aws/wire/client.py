"""The lean client: one JSON call to DynamoDB or SQS, retried until there is an answer.

Rules of this file: `call` is all there is to a service; what the operations mean is the caller's.
An attempt without a clear answer may have been carried out, so a condition that fails after it says
so (`ConditionFailedError.may_be_own`). Each attempt is signed anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from host.clock import Clock
from host.logs import HostLog
from host.storage.aws.wire.clock_skew import told_skew
from host.storage.aws.wire.endpoints import Endpoint
from host.storage.aws.wire.problems import Kind, Problem, read_answer, read_failure
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.signing import Credentials, Keys, Signer
from host.storage.aws.wire.transport import Request, Response, Transport, TransportError

Service = Literal["dynamodb", "sqs"]

DEFAULT_RULES: Final = RetryRules()

_TARGET_PREFIXES: Final = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"}

_logger = HostLog("funchost.storage")


class AwsClient:
    """Calls to one service. Holds no connection of its own and needs no closing."""

    def __init__(
        self,
        *,
        service: Service,
        endpoint: Endpoint,
        credentials: Credentials,
        transport: Transport,
        clock: Clock,
        rules: RetryRules = DEFAULT_RULES,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._url = f"{endpoint.url}/"
        self.region = endpoint.region
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._rules = rules
        self._jitter = jitter
        self._looks_at_clock = service == "dynamodb"  # one of the two is enough
        self._encode = msgspec.json.Encoder().encode
        self._signer = Signer(
            service=service,
            region=endpoint.region,
            url=self._url,
            target_prefix=_TARGET_PREFIXES[service],
        )

    async def call(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Do one operation, e.g. `call("PutItem", {...})`; bytes are written as base64.

        Raises an error of `host.storage.aws.wire.errors`, or `StorageUnavailableError` if nobody
        answered or there are no credentials.
        """
        answer, _ = await self.timed_call(operation, body)
        return answer

    async def timed_call(
        self, operation: str, body: Mapping[str, Any]
    ) -> tuple[dict[str, Any], float]:
        """The same, and when the attempt began that was answered, by the monotonic clock."""
        content = self._encode(body)
        timeout_s = self._rules.timeout_s + body.get("WaitTimeSeconds", 0)
        began = self._clock.monotonic()
        attempt, may_be_own = 1, False
        while True:
            attempted = self._clock.monotonic()
            outcome = await self._attempt(operation, content, timeout_s)
            if not isinstance(outcome, Problem):
                return outcome, attempted
            await self.rest(operation, outcome, attempt, began, may_be_own=may_be_own)
            may_be_own = may_be_own or outcome.may_have_landed
            attempt += 1

    async def rest(
        self,
        operation: str,
        problem: Problem,
        attempt: int,
        began: float,
        *,
        may_be_own: bool = False,
    ) -> None:
        """Wait after attempt number `attempt` (from 1), the first of which began at `began`.

        `began` is of the monotonic clock. Raises the problem as an error if the attempt was the
        last one that the rules allow. `may_be_own`: an earlier attempt may have landed.
        """
        elapsed_s = self._clock.monotonic() - began
        wait_s = self._rules.wait_s(problem.kind, attempt, elapsed_s, self._jitter())
        if wait_s is None:
            raise problem.to_error(operation, self._url, may_be_own=may_be_own)
        _logger.debug("%s, attempt %d: %s; again in %.2f s", operation, attempt, problem, wait_s)
        await self._clock.sleep(wait_s)

    async def back_off(self, attempt: int) -> None:
        """Wait after attempt number `attempt` (from 1): for what a batch call left undone."""
        await self._clock.sleep(
            self._rules.back_off_s(attempt, self._rules.throttled_base_s, self._jitter())
        )

    async def _attempt(
        self, operation: str, content: bytes, timeout_s: float
    ) -> dict[str, Any] | Problem:
        keys = await self._credentials.keys()
        sent_at = self._clock.now() if self._looks_at_clock else None
        try:
            response = await self._transport(self._request(operation, content, keys, timeout_s))
        except TransportError as error:
            return read_failure(error)
        if sent_at is not None:
            self._look_at_clock(response, sent_at)
        outcome = read_answer(response)
        if isinstance(outcome, Problem) and outcome.kind is Kind.KEYS_REFUSED:
            await self._credentials.renew(keys)
        return outcome

    def _look_at_clock(self, response: Response, sent_at: datetime) -> None:
        """Once, at the first answer: a clock that is wrong later is refused, or set by then."""
        self._looks_at_clock = False
        told = told_skew(response.headers.get("date", ""), sent_at, self._clock.now())
        if told is not None:
            _logger.warning("%s", told)

    def _request(self, operation: str, content: bytes, keys: Keys, timeout_s: float) -> Request:
        headers = self._signer.headers(operation, content, keys, self._clock.now())
        return Request("POST", self._url, headers, content, timeout_s)
