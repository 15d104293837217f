"""Fan-out, fan-in: back up a directory tree, many files at a time, with checksums.

The files are copied in chunks, so that a large tree does not mean a hundred thousand activities.
Regular files are copied; symbolic links are not followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    RetryPolicy,
    when_all,
)

from confined_paths import check_paths, shown
from file_copies import CopiedFile, checked_folders, copy_verified, files_below, write_checksums

app = FunctionApp()

FILES_PER_CHUNK = 100
COPY_AGAIN = RetryPolicy(timedelta(seconds=1), max_number_of_attempts=3, backoff_coefficient=2)


@dataclass(frozen=True, kw_only=True)
class BackupOrder:
    """Copy everything below `source` to `target`; neither may lie inside the other."""

    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class BackupSummary:
    """What was copied, and where the SHA-256 checksums are."""

    files: int
    bytes: int
    checksums: str


@app.route("backup", methods=["POST"])
@app.orchestration_client("client")
async def start_backup(req: HttpRequest, client: DurableClient) -> HttpResponse:
    order = req.json()
    check_paths(order, reads=["source"], writes=["target"])
    instance_id = await client.schedule_new_orchestration(back_up, input=order)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger()
async def back_up(context: OrchestrationContext, order: BackupOrder) -> BackupSummary:
    chunks = await context.call_activity(list_files, order)
    context.set_custom_status(f"Copying {sum(map(len, chunks))} files")
    copies = await when_all(
        [
            context.call_activity(
                copy_files, {"order": order, "paths": paths}, retry_policy=COPY_AGAIN
            )
            for paths in chunks
        ]
    )
    copied = [file for chunk in copies for file in chunk]
    checksums = await context.call_activity(save_checksums, {"order": order, "copied": copied})
    return BackupSummary(
        files=len(copied), bytes=sum(file.bytes for file in copied), checksums=checksums
    )


@app.activity_trigger()
def list_files(order: BackupOrder) -> list[list[str]]:
    """The paths to copy, in chunks. An impossible order fails here, before anything is written."""
    source, _ = checked_folders(order.source, order.target)
    paths = files_below(source)
    return [paths[i : i + FILES_PER_CHUNK] for i in range(0, len(paths), FILES_PER_CHUNK)]


@app.activity_trigger()
def copy_files(order: BackupOrder, paths: list[str]) -> list[CopiedFile]:
    """Copy one chunk. Doing it again writes the same files again, so a retry is safe."""
    source, target = checked_folders(order.source, order.target)
    return [copy_verified(source, target, path) for path in paths]


@app.activity_trigger()
def save_checksums(order: BackupOrder, copied: list[CopiedFile]) -> str:
    _, target = checked_folders(order.source, order.target)
    return shown(write_checksums(target, copied))
