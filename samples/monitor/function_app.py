"""Monitor: look at something again and again until it is as it should be, or time is up.

Each pause is a durable timer: nothing runs meanwhile, and a restart changes nothing about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from funchost import DurableClient, FunctionApp, HttpRequest, HttpResponse, OrchestrationContext

from confined_paths import check_paths, readable

app = FunctionApp()


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Wait until the file `path` exists and has not grown since the last look."""

    path: str
    poll_seconds: float = 10
    expires_after_seconds: float = 3600


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """How the watch ended."""

    has_arrived: bool
    bytes: int | None
    looks: int


@app.route("watches", methods=["POST"])
@app.orchestration_client("client")
async def start_watch(req: HttpRequest, client: DurableClient) -> HttpResponse:
    watch = req.json()
    check_paths(watch, reads=["path"])
    instance_id = await client.schedule_new_orchestration(await_file, input=watch)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger()
async def await_file(context: OrchestrationContext, watch: Watch) -> Arrival:
    expires_at = context.current_utc_datetime + timedelta(seconds=watch.expires_after_seconds)
    size_before: int | None = None
    looks = 0
    while context.current_utc_datetime < expires_at:
        size = await context.call_activity(measure_file, watch.path)
        looks += 1
        if size is not None and size == size_before:
            return Arrival(has_arrived=True, bytes=size, looks=looks)
        size_before = size
        context.set_custom_status({"looks": looks, "bytes": size})
        pause_end = context.current_utc_datetime + timedelta(seconds=watch.poll_seconds)
        await context.create_timer(min(pause_end, expires_at))
    return Arrival(has_arrived=False, bytes=size_before, looks=looks)


@app.activity_trigger()
def measure_file(path: str) -> int | None:
    file = readable(path)
    return file.stat().st_size if file.is_file() else None
