"""Hosts that cannot work on AWS say why in one message; others know nothing of AWS."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path

import pytest

from host.clock import SystemClock
from host.errors import StorageUnavailableError
from host.storage.aws import opening
from host.storage.aws.opening import opened_hub
from host.storage.aws.schema import HubLayout, table_definition
from tests.kit.aws_engine import aws_hub
from tests.kit.aws_servers import aws_environment
from tests.kit.closed_ports import closed_port

REPOSITORY = Path(__file__).resolve().parents[2]
HUB = "Nowhere"
CONFIGURATION_EXIT = 2
PATIENCE_S = 30
"""A bound for broken runs; what is refused is refused within ten seconds."""

KNOWS_NO_AWS = """
import asyncio, sys
from pathlib import Path
import host.cli.start
from host.app import running_host
from host.wiring.options import HostOptions, read_settings

async def run():
    options = HostOptions(app_dir=Path(sys.argv[1]), port=0)
    async with running_host(options, read_settings(options)):
        unwanted = ("boto3", "botocore", "host.storage.aws")
        print([name for name in sys.modules if name.startswith(unwanted)])

asyncio.run(run())
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The folder of an app without functions."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text("from bindings import FunctionApp\napp = FunctionApp()")
    host_json = {"version": "2.0", "funchost": {"startPatienceSeconds": 0}}
    (folder / "host.json").write_text(json.dumps(host_json))
    return folder


@pytest.fixture
def closed_url() -> Iterator[str]:
    """A URL that nobody serves, and nobody will meanwhile."""
    with closed_port() as url:
        yield url


def run(
    app: Path, environment: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """A Python process to its end, with nothing of this machine's AWS configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=kept | {"HOME": str(app), "AWS_EC2_METADATA_DISABLED": "true"} | dict(environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def refusal(app: Path, environment: Mapping[str, str], hub: str = HUB) -> str:
    """The one line with which a host does not start."""
    start = ("-m", "host", "start", str(app), "--storage", "aws", "--hub", hub, "--port", "0")
    ended = run(app, environment, *start)
    assert ended.returncode == CONFIGURATION_EXIT, ended.stderr
    assert not ended.stdout
    (line,) = ended.stderr.splitlines()
    return line


def without(environment: Mapping[str, str], words: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not re.search(words, name)}


@pytest.mark.process
def test_a_host_without_credentials_says_how_to_give_it_some(app: Path, closed_url: str) -> None:
    said = refusal(app, without(aws_environment(closed_url), "KEY"))
    assert said.startswith("No AWS credentials were found: set AWS_ACCESS_KEY_ID")


@pytest.mark.process
def test_a_host_without_a_region_says_how_to_set_one(app: Path, closed_url: str) -> None:
    said = refusal(app, without(aws_environment(closed_url), "REGION"))
    assert said.startswith("No AWS region is set: set AWS_REGION")


@pytest.mark.process
def test_a_host_names_the_profile_that_does_not_exist(app: Path, closed_url: str) -> None:
    said = refusal(app, aws_environment(closed_url) | {"AWS_PROFILE": "nobody"})
    assert said.startswith("The AWS configuration cannot be used: The config profile (nobody)")


@pytest.mark.process
def test_a_host_says_which_endpoint_it_could_not_reach(app: Path, closed_url: str) -> None:
    said = refusal(app, aws_environment(closed_url))
    assert f"AWS cannot be reached at {closed_url}" in said
    assert said.endswith("Check the network, the region and the endpoint URL.")


@pytest.mark.process
@pytest.mark.aws
def test_a_host_without_a_table_says_how_to_create_the_hub(app: Path, ministack_url: str) -> None:
    said = refusal(app, aws_environment(ministack_url))
    assert said == (
        f"There is no table 'funchost-{HUB}' in us-east-1, in this account: "
        "create the hub with `funchost hub create`."
    )


@pytest.mark.process
@pytest.mark.aws
async def test_a_host_does_not_take_the_table_of_something_else(
    app: Path, ministack_url: str
) -> None:
    definition = table_definition(HubLayout(hub="Taken"))
    definition["KeySchema"] = [{"AttributeName": "sk", "KeyType": "HASH"}]
    definition["AttributeDefinitions"] = definition["AttributeDefinitions"][1:]
    async with aws_hub(ministack_url) as other:
        dynamodb = other.client("dynamodb")
        await dynamodb.call("CreateTable", definition)
        said = refusal(app, aws_environment(ministack_url), "Taken")
        await dynamodb.call("DeleteTable", {"TableName": definition["TableName"]})
    assert said == (
        "The table 'funchost-Taken' in us-east-1 is no hub's: its keys are others."
        " Check the hub's name, tablePrefix and tableName."
    )


@pytest.mark.process
@pytest.mark.aws
async def test_a_host_without_a_queue_says_how_to_create_it(app: Path, ministack_url: str) -> None:
    layout = HubLayout(hub="Half")
    async with aws_hub(ministack_url) as other:
        dynamodb = other.client("dynamodb")
        await dynamodb.call("CreateTable", table_definition(layout))
        said = refusal(app, aws_environment(ministack_url), layout.hub)
        await dynamodb.call("DeleteTable", {"TableName": layout.table_name})
    assert said.startswith(
        "There is no SQS queue 'funchost-Half-wakeups.fifo' in us-east-1. `funchost hub create`"
    )


@pytest.mark.process
def test_found_f14_a_host_waits_for_its_store_alive_and_not_ready_until_it_is_told_to_stop(
    app: Path, closed_url: str
) -> None:
    (app / "host.json").unlink()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start = ("-m", "host", "start", str(app), "--storage", "aws", "--port", str(port))
    with subprocess.Popen(
        [sys.executable, *start],
        cwd=REPOSITORY,
        env={**os.environ, "HOME": str(app), **aws_environment(closed_url)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as host:
        assert host.stderr is not None
        try:
            said = host.stderr.readline()
            if "The store has not answered for " in said:  # it is said when that takes seconds
                said = host.stderr.readline()
            assert "The host waits for its store, for 8" in said
            assert f"AWS cannot be reached at {closed_url}" in said
            assert status_of(port, "/healthz") == 200
            assert status_of(port, "/readyz") == 503
            assert status_of(port, "/api/anything") == 503
            host.send_signal(signal.SIGTERM)
            assert host.wait(PATIENCE_S) == 0
        finally:
            host.kill()  # one that is not told to stop would be waited for


def status_of(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("GET", path)
    return connection.getresponse().status


async def test_an_endpoint_that_never_answers_is_given_up_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "OPENING_S", 0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for name, value in aws_environment(url).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StorageUnavailableError, match=f"gave no answer within 0 s at {url}"):
            async with opened_hub({}, HUB, SystemClock()):
                pass


@pytest.mark.process
def test_a_host_on_sqlite_imports_nothing_of_aws(app: Path) -> None:
    ended = run(app, {}, "-c", KNOWS_NO_AWS, str(app))
    assert ended.stdout == "[]\n", ended.stderr
