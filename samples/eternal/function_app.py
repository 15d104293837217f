"""Eternal orchestration: a periodic clean-up that runs until it is told to stop.

`continue_as_new` starts each round with an empty history, so a year of rounds costs no more to
load than the first one. A stop event that comes in the middle of a round is kept for the next wait.
"""

from __future__ import annotations

import fnmatch
import time
from dataclasses import dataclass, replace
from datetime import timedelta

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    when_any,
)

from confined_paths import check_paths, writable

app = FunctionApp()

STOP = "Stop"


@dataclass(frozen=True, kw_only=True)
class CleanUp:
    """Remove files that match `pattern` in `folder` and are older than `older_than_seconds`.

    The pattern is one of names, not of paths.
    """

    folder: str
    pattern: str = "*.tmp"
    older_than_seconds: float = 3600
    every_seconds: float = 60
    removed_so_far: int = 0


@app.route("clean-ups", methods=["POST"])
@app.orchestration_client("client")
async def start_clean_up(req: HttpRequest, client: DurableClient) -> HttpResponse:
    work = req.json()
    check_paths(work, writes=["folder"])
    instance_id = await client.schedule_new_orchestration(clean_up_for_ever, input=work)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger()
async def clean_up_for_ever(context: OrchestrationContext, work: CleanUp) -> int:
    removed = work.removed_so_far + await context.call_activity(remove_old_files, work)
    context.set_custom_status({"removed": removed})
    stop = context.wait_for_external_event(STOP)
    pause = context.create_timer(timedelta(seconds=work.every_seconds))
    await when_any([stop, pause])
    if not stop.is_completed:
        context.continue_as_new(replace(work, removed_so_far=removed))
    return removed


@app.activity_trigger()
def remove_old_files(work: CleanUp) -> int:
    newest_to_remove = time.time() - work.older_than_seconds
    folder = writable(work.folder)
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    matching = [path for path in files if fnmatch.fnmatchcase(path.name, work.pattern)]
    old = [path for path in matching if path.stat().st_mtime <= newest_to_remove]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
