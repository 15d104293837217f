"""The module that `funchost hub template` prints is the hub that `funchost hub create` makes.

What Terraform itself says is asked if FUNCHOST_TERRAFORM says where its provider for AWS is: in a
folder of that name, or in the `registry` (700 MB, which nobody wants to fetch unasked).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from host.settings.connections import AwsOptions
from host.storage.aws.schema import HubLayout, queue_definitions
from host.storage.aws.setup.policies import Place, Role, policy
from host.storage.aws.setup.provision import Provisioner
from host.storage.aws.setup.templates import Format, Part, template_of
from host.storage.aws.setup.terraform import import_blocks, module
from tests.kit.aws_servers import ACCESS_KEY, REGION, SECRET_KEY, aws_environment, boto3_client
from tests.kit.hub_layouts import KEY, LAYOUT, LAYOUTS

PROVIDERS = "FUNCHOST_TERRAFORM"
SERVICES = ("dynamodb", "iam", "sqs", "sts")
PATIENCE_S = 240


class Terraform:
    """The program in a folder of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        unwanted = {"TF_CLI_CONFIG_FILE"}  # may name a file that is not there
        environment = {k: v for k, v in os.environ.items() if k not in unwanted}
        return subprocess.run(
            [self._program, *words],
            cwd=self._folder,
            env={**environment, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    def init(self) -> None:
        """Get the provider ready, or skip the test."""
        place = os.environ[PROVIDERS]
        offline = [] if place == "registry" else [f"-plugin-dir={place}"]
        self.succeed("init", "-backend=false", "-no-color", *offline)

    def succeed(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def terraform(tmp_path: Path) -> Terraform:
    """The program, if it is there."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    if PROVIDERS not in os.environ:
        pytest.skip(f"{PROVIDERS} does not say where the provider for AWS is (make terraform)")
    return Terraform(program, tmp_path)


@pytest.mark.process
@pytest.mark.timeout(PATIENCE_S)
def test_terraform_finds_the_modules_valid(terraform: Terraform) -> None:
    names = [f"hub_{number}" for number in range(len(LAYOUTS))]
    for name, layout in zip(names, LAYOUTS.values(), strict=True):
        terraform.write(f"{name}/hub.tf.json", module(layout))
    terraform.write("main.tf.json", {"module": {each: {"source": f"./{each}"} for each in names}})
    terraform.init()
    said = json.loads(terraform.succeed("validate", "-json"))
    assert (said["valid"], said["diagnostics"]) == (True, [])


@pytest.mark.aws
@pytest.mark.process
@pytest.mark.timeout(PATIENCE_S)
def test_terraform_takes_over_what_the_command_made_and_changes_nothing(
    terraform: Terraform, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environment(moto_url).items():
        monkeypatch.setenv(name, value)
    layout = HubLayout(hub=f"T{uuid4().hex[:12]}", wakeup_queues=2, tags={"team": "orders"})
    list(Provisioner(layout, AwsOptions()).create())
    terraform.write("hub.tf.json", module(layout))
    terraform.write("provider.tf.json", provider_at(moto_url))
    terraform.write("imports.tf.json", import_blocks(layout, queue_urls(moto_url, layout)))
    terraform.init()
    terraform.succeed("plan", "-out=plan")
    plan = json.loads(terraform.succeed("show", "-json", "plan"))
    changes = {each["address"]: each["change"] for each in plan["resource_changes"]}
    assert changes.pop("aws_iam_policy.host")["actions"] == ["create"]
    assert len(changes) == 1 + len(queue_definitions(layout))
    for address, change in changes.items():
        assert "importing" in change, address
        assert meaning(change["before"]) == meaning(change["after"]), address


def provider_at(url: str) -> dict[str, Any]:
    """Terraform's provider for AWS at a server that stands in for it."""
    settings = {
        "region": REGION,
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "skip_requesting_account_id": True,
        "endpoints": dict.fromkeys(SERVICES, url),
    }
    return {"provider": {"aws": settings}}


def queue_urls(url: str, layout: HubLayout) -> dict[str, str]:
    sqs = boto3_client("sqs", url)
    names = [queue.name for queue in queue_definitions(layout)]
    return {name: sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in names}


def meaning(values: Mapping[str, Any]) -> dict[str, Any]:
    """A resource without how its JSON is written, and what Terraform alone knows of it."""
    told = {name: value for name, value in values.items() if name != "timeouts"}
    return {
        name: read(value) if name == "redrive_policy" else value for name, value in told.items()
    }


def read(text: str | None) -> Any:
    return json.loads(text) if text else None


def test_the_modules_policy_is_the_hosts() -> None:
    layout = LAYOUTS["with a key"]
    found = json.loads(module(layout)["resource"]["aws_iam_policy"]["host"]["policy"])
    wanted = policy(Role.HOST, layout, Place())
    assert [each["Action"] for each in found["Statement"]] == [
        each["Action"] for each in wanted["Statement"]
    ]
    assert [each["Resource"] for each in found["Statement"]] == [
        ["${aws_dynamodb_table.hub.arn}", "${aws_dynamodb_table.hub.arn}/index/*"],
        ["${aws_sqs_queue.wakeups.arn}", "${aws_sqs_queue.work.arn}"],
        [KEY],
    ]


def test_the_modules_policy_names_many_queues_by_patterns() -> None:
    layout = replace(LAYOUT, wakeup_queues=11)
    made = module(layout)
    statements = json.loads(made["resource"]["aws_iam_policy"]["host"]["policy"])["Statement"]
    assert statements[1]["Resource"] == [
        "${local.wakeups_of_1_digits}",
        "${local.wakeups_of_2_digits}",
        "${aws_sqs_queue.work.arn}",
    ]
    (one, two) = made["locals"].values()
    assert one == '${replace(aws_sqs_queue.wakeups_0.arn, "-0.fifo", "-?.fifo")}'
    assert two == '${replace(aws_sqs_queue.wakeups_0.arn, "-0.fifo", "-??.fifo")}'


def test_nothing_that_holds_data_or_hints_is_destroyed_by_accident() -> None:
    resources = module(LAYOUT)["resource"]
    kept = [*resources["aws_dynamodb_table"].values(), *resources["aws_sqs_queue"].values()]
    assert [each["lifecycle"] for each in kept] == [{"prevent_destroy": True}] * 5


def test_the_imports_are_those_of_the_module() -> None:
    imports = template_of(
        LAYOUT, Format.TERRAFORM, Part.IMPORTS, region="eu-west-1", account="123456789012"
    )
    resources = module(LAYOUT)["resource"]
    assert [each["to"] for each in imports["import"]] == [
        f"{kind}.{name}"
        for kind in ("aws_dynamodb_table", "aws_sqs_queue")
        for name in resources[kind]
    ]
    server = "https://sqs.eu-west-1.amazonaws.com/123456789012"
    assert imports["import"][-1]["id"] == f"{server}/funchost-Orders-work"
