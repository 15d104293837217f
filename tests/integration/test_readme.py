"""The README's commands, as they are typed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import REPOSITORY, StartHost

README = (REPOSITORY / "README.md").read_text()


def posted(path: str) -> Any:
    """The body that the README posts to this path."""
    (found,) = re.findall(rf"localhost:7071{path} -d '(.+)'", README)
    return json.loads(found)


@pytest.mark.process
def test_found_e4_the_example_goes_on_after_its_host_was_killed_in_its_midst(
    tmp_path: Path, start_host: StartHost
) -> None:
    data = ("--data", str(tmp_path / "data"))
    first = start_host(REPOSITORY, *data, SAMPLES_ROOT=str(tmp_path))
    instance_id = first.request("POST", "/api/purchases", posted("/api/purchases")).json["id"]
    first.wait_for(instance_id, lambda status: status["customStatus"] == "Waiting for a decision")
    first.process.kill()
    first.process.wait()

    second = start_host(REPOSITORY, *data, SAMPLES_ROOT=str(tmp_path))
    decision = posted("/api/purchases/ID/decision")
    answer = second.request("POST", f"/api/purchases/{instance_id}/decision", decision)

    assert answer.status == 202
    assert second.finished(instance_id)["output"] == f"Approved: {decision['comment']}"


def test_found_e1_the_readme_names_both_commands_and_the_setup_says_what_it_does() -> None:
    assert "`make start`" in README
    assert "`make test`" in README
    for target in ("start", "test"):
        planned = subprocess.run(
            ["make", "--dry-run", "--always-make", target],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "MAKEFLAGS": ""},
        ).stdout
        assert "Making a virtual environment" in planned
        assert "Installing the host" in planned
        assert "--quiet" not in planned
