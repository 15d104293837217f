"""What lies in deploy/ is what the commands print, and what they understand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # comes with moto, without types
from click.testing import CliRunner

from host.cli.main import main

DEPLOY = Path(__file__).parents[2] / "deploy"
VOLUME = "/var/lib/funchost"
TEMPLATES = {
    "hub.cloudformation.json": "cloudformation",
    "terraform/hub.tf.json": "terraform",
}


@pytest.mark.parametrize(("file", "format_"), TEMPLATES.items())
def test_the_templates_are_what_the_command_prints_for_the_hub_orders(
    file: str, format_: str, tmp_path: Path
) -> None:
    words = ["hub", "template", "--hub", "Orders", "--format", format_, "--app", str(tmp_path)]
    printed = CliRunner().invoke(main, words)
    assert printed.exit_code == 0
    assert (DEPLOY / file).read_text() == printed.stdout, (
        f"funchost {' '.join(words[:-2])} > {file}"
    )


def test_the_compose_file_starts_two_hosts_that_share_a_hub() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    hosts = [services[name] for name in ("host-1", "host-2")]
    assert [host["command"][:6] for host in hosts] == [
        ["start", "/app", "--storage", "aws", "--hub", "Demo"]
    ] * 2
    assert services["setup"]["command"] == ["hub", "create", "--storage", "aws", "--hub", "Demo"]
    keys = [host["environment"]["FUNCHOST_KEYS_FILE"] for host in hosts]
    assert keys == [f"{VOLUME}/shared.json"] * 2
    assert all(f"keys:{VOLUME}:ro" in host["volumes"] for host in hosts)
    assert f"funchost keys new {keys[0]}" in services["keys"]["entrypoint"][-1]
    assert services["keys"]["volumes"] == [f"keys:{VOLUME}"]
    assert all((DEPLOY / path).exists() for path in ("Dockerfile", "../samples/chaining"))
