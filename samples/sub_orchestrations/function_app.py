"""Sub-orchestrations: count the words of a tree of text files, one child instance per folder.

Each child has a status and a history of its own, so a large job is looked at, and fails, in parts.
"""

from __future__ import annotations

from pathlib import Path

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    when_all,
)

app = FunctionApp()

TEXT_FILES = ("*.md", "*.txt")


@app.route("word-counts", methods=["POST"])
@app.orchestration_client("client")
async def start_word_count(req: HttpRequest, client: DurableClient) -> HttpResponse:
    match req.json():
        case {"root": str(root)}:
            instance_id = await client.schedule_new_orchestration(count_tree, input=root)
        case _:
            return HttpResponse('Send {"root": "path/to/a/folder"}.\n', status_code=400)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger()
async def count_tree(context: OrchestrationContext, root: str) -> dict[str, int]:
    """Words per folder below `root`, and their `total`."""
    folders = await context.call_activity(list_folders, root)
    counts = await when_all(
        [context.call_sub_orchestrator(count_folder, folder) for folder in folders]
    )
    return {**dict(zip(folders, counts, strict=True)), "total": sum(counts)}


@app.orchestration_trigger()
async def count_folder(context: OrchestrationContext, folder: str) -> int:
    files = await context.call_activity(list_text_files, folder)
    counts = await when_all([context.call_activity(count_words, file) for file in files])
    return sum(counts)


@app.activity_trigger()
def list_folders(root: str) -> list[str]:
    folder = Path(root)
    if not folder.is_dir():
        raise ValueError(f"'{root}' is not a folder.")
    below = [path for path in folder.rglob("*") if path.is_dir()]
    return [str(path) for path in sorted([folder, *below])]


@app.activity_trigger()
def list_text_files(folder: str) -> list[str]:
    found = [path for pattern in TEXT_FILES for path in Path(folder).glob(pattern)]
    return [str(path) for path in sorted(found) if path.is_file()]


@app.activity_trigger()
def count_words(file: str) -> int:
    return len(Path(file).read_text(encoding="utf-8", errors="replace").split())
