"""HTTP monitor: give a service a job over HTTP, and wait until it says that the job is done.

The service answers 202 with a `Location`; `call_http` asks there again after each `Retry-After`.
Each pause is a durable timer: nothing runs meanwhile, and a restart changes nothing about it. So
that there is one to try, the service is here, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    RetryPolicy,
    ReusePolicy,
    RuntimeStatus,
)

app = FunctionApp()

PATIENTLY = RetryPolicy(
    first_retry_interval=timedelta(seconds=1), max_number_of_attempts=5, backoff_coefficient=2
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be done, and by which service."""

    service: str
    text: str
    seconds: float = 5
    expires_after_seconds: float = 3600


@app.route("jobs", methods=["POST"])
@app.orchestration_client("client")
async def start_job(req: HttpRequest, client: DurableClient) -> HttpResponse:
    body = req.json()
    if not isinstance(body, dict):
        return HttpResponse('A job is an object: {"text": "hello"}', status_code=400)
    job: Any = {"service": urljoin(req.url, "shouting"), **body}
    instance_id = await client.schedule_new_orchestration(watch_job, input=job)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger()
async def watch_job(context: OrchestrationContext, job: Job) -> str:
    try:
        response = await context.call_http(
            "POST",
            job.service,
            {"text": job.text, "seconds": job.seconds},
            {"Idempotency-Key": str(context.new_uuid())},
            retry=PATIENTLY,
            timeout=timedelta(seconds=job.expires_after_seconds),
        )
    except TimeoutError:
        return "It was not done in time."
    if not response.is_success:
        return f"The service answers {response.status_code}: {response.content}"
    return str(response.json()["result"])


@app.route("shouting", methods=["POST"])
@app.orchestration_client("client")
async def begin_shouting(req: HttpRequest, client: DurableClient) -> HttpResponse:
    """The service: takes a job once for each `Idempotency-Key`, and says where to ask for it."""
    instance_id = f"shouting-{req.headers['Idempotency-Key']}"
    await client.schedule_new_orchestration(
        shout, input=req.json(), instance_id=instance_id, reuse=ReusePolicy.KEEP
    )
    return _later(f"/api/shouting/{instance_id}")


@app.route("shouting/{instance_id}", methods=["GET"])
@app.orchestration_client("client")
async def ask_for_shouting(
    req: HttpRequest, client: DurableClient
) -> HttpResponse | dict[str, str]:
    instance_id = req.route_params["instance_id"]
    state = await client.get_instance(instance_id)
    if state is None or state.name != "shout":
        return HttpResponse("There is no such job.", status_code=404)
    if state.runtime_status is not RuntimeStatus.COMPLETED:
        return _later(f"/api/shouting/{instance_id}")
    return {"result": state.output}


@app.orchestration_trigger()
async def shout(context: OrchestrationContext, order: dict[str, object]) -> str:
    await context.create_timer(timedelta(seconds=float(str(order["seconds"]))))
    return str(order["text"]).upper() + "!"


def _later(location: str) -> HttpResponse:
    return HttpResponse(status_code=202, headers={"Location": location, "Retry-After": "1"})
