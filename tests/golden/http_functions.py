"""The code of the golden histories of `call_http`. It is never changed, as that of `functions`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from bindings import AwsSignature, OrchestrationContext, RetryPolicy, SettingToken

RETRIES = RetryPolicy(timedelta(seconds=5), 3, backoff_coefficient=2)


async def http_jobs(context: OrchestrationContext) -> list[Any]:
    done = await context.call_http(
        "POST",
        "https://example.com/jobs?x=1",
        {"n": 1},
        {"X-Own": "o"},
        SettingToken("KEY"),
        retry=RETRIES,
        timeout=timedelta(hours=1),
    )
    source = AwsSignature("s3", "eu-west-1")
    raw = await context.call_http(
        "PUT", "https://example.com/raw", b"\xff", token_source=source, poll=False
    )
    return [done.status_code, done.json(), done.headers["X-End"], raw.status_code, len(raw.body)]


ORCHESTRATORS: Sequence[Callable[..., Any]] = (http_jobs,)
