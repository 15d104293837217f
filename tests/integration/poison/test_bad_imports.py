"""App folders whose functions ruin the import: the host serves all that load, and says the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.poison.conftest import APP

if TYPE_CHECKING:
    from tests.integration.poison.conftest import PoisonHub

pytestmark = pytest.mark.process

RAISES = {
    "error": "raise RuntimeError('at import')",
    "exit": "import sys\nsys.exit(3)",
    "interrupt": "raise KeyboardInterrupt",
    "endless": "def deeper():\n    return deeper()\n\ndeeper()",
    "syntax": "def (",
    "null": "\0",
}


def write_apps(folder: Path) -> Path:
    """One app that includes the poison tests' and one folder for each way to ruin an import."""
    folder.mkdir()
    (folder / "teams").mkdir()
    (folder / "teams" / "good").symlink_to(APP)
    for name, code in RAISES.items():
        (folder / "teams" / name).mkdir()
        (folder / "teams" / name / "function_app.py").write_text(code)
    settings = {"version": "2.0", "funchost": {"include": ["teams/*"]}}
    (folder / "host.json").write_text(json.dumps(settings))
    return folder


async def test_an_import_that_raises_whatever_it_likes_costs_that_app_alone(hub: PoisonHub) -> None:
    host = await hub.start(write_apps(hub.folder / "apps"))
    async with hub.bystanders() as bystanders:
        await bystanders.more(2)
        errors = (await hub.client.ask("/admin/host/status")).json["errors"]
        for name in RAISES:
            assert any(name in error for error in errors), (name, errors)
    await hub.stop()
    assert "the host" not in host.errors


async def test_instances_of_a_function_that_does_not_import_wait_until_it_is_mended(
    hub: PoisonHub,
) -> None:
    app = hub.folder / "app"
    app.mkdir()
    code = (APP / "function_app.py").read_text()
    (app / "function_app.py").write_text(code)
    await hub.start(app)
    await hub.begin("listens", "waiting")
    await hub.stop()

    (app / "function_app.py").write_text("import sys\nsys.exit(0)")
    await hub.start(app)
    await hub.client.signal("waiting", "word", "hello")
    assert "missing or broken on this host" in await hub.blocked("waiting")
    await hub.stop()

    (app / "function_app.py").write_text(code)
    await hub.start(app)
    assert (await hub.client.finished("waiting"))["output"] == "hello"
