"""Sub-orchestrations: count the words of a tree of text files, one child instance per folder.

Each child has a status and a history of its own, so a large job is looked at, and fails, in parts.
"""

from __future__ import annotations

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    when_all,
)

from confined_paths import check_paths, is_inside, readable, shown

app = FunctionApp()

TEXT_FILES = ("*.md", "*.txt")


@app.route("word-counts", methods=["POST"])
@app.orchestration_client("client")
async def start_word_count(req: HttpRequest, client: DurableClient) -> HttpResponse:
    body = req.json()
    check_paths(body, reads=["root"])
    match body:
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
    """The folders below the root and the root itself; no links, and nothing hidden."""
    folder = readable(root)
    if not folder.is_dir():
        raise ValueError(f"'{root}' is not a folder.")
    below = [path for path in folder.rglob("*") if path.is_dir()]
    plain = [path for path in below if path.resolve() == path and is_inside(path)]
    return [shown(path) for path in sorted([folder, *plain])]


@app.activity_trigger()
def list_text_files(folder: str) -> list[str]:
    found = [path for pattern in TEXT_FILES for path in readable(folder).glob(pattern)]
    return [shown(path) for path in sorted(found) if path.is_file() and is_inside(path)]


@app.activity_trigger()
def count_words(file: str) -> int:
    return len(readable(file).read_text(encoding="utf-8", errors="replace").split())
