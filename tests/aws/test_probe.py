"""`funchost hub probe` asks, tells what it saw, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from host.cli.main import main
from host.clock import SystemClock
from host.errors import ConfigurationError
from host.settings.connections import AwsOptions
from host.storage.aws.probe.asking import QUESTIONS, Probe, ProbeOptions
from host.storage.aws.probe.ground import Ground
from host.storage.aws.probe.records import Question, Seen, Verdict, judged
from host.storage.aws.schema import HubLayout
from host.storage.aws.setup.policies import Place, Role, policy
from host.storage.aws.setup.provision import Provisioner
from host.storage.aws.setup.scratch import any_scratch_layout, scratch_layout
from host.storage.aws.wire.connections import PooledTransport
from tests.kit.aws_servers import aws_environment, boto3_client
from tests.kit.doors import door
from tests.kit.policed_transport import PolicedTransport

pytestmark = [pytest.mark.aws, pytest.mark.timeout(300)]

PLACE = Place(region="us-east-1", account="123456789012")
LAYOUT = scratch_layout(HubLayout(hub="Orders"))
CHEAP = [question for question in QUESTIONS if not question.needs_load]
SCALE = 0.002
STOPPED, COULD_NOT = 130, 2


@pytest.fixture(autouse=True)
def environment(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)


def left(url: str) -> list[str]:
    """What is there of hubs of scratch."""
    tables = boto3_client("dynamodb", url).list_tables()["TableNames"]
    queues = boto3_client("sqs", url).list_queues().get("QueueUrls", [])
    names = [*tables, *(each.rpartition("/")[2] for each in queues)]
    return [name for name in names if name.startswith("funchost-Probe")]


def probe(folder: Path, *words: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["hub", "probe", "--app", str(folder), *words], input=answer)


def test_all_is_asked_and_nothing_is_left(aws_url: str, tmp_path: Path) -> None:
    result = probe(tmp_path, "--yes", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [each["question"] for each in found["answers"]] == [each.name for each in CHEAP]
    seen = {each["question"]: each for each in found["answers"]}
    assert seen["fair-queue"]["verdict"] == seen["key-order"]["verdict"] == "as expected"
    assert seen["endpoints"]["seen"] == f"the same: {aws_url}, {aws_url}"
    assert found["region"] == "us-east-1"
    assert left(aws_url) == []


def test_what_takes_load_is_asked_if_it_is_wanted(aws_url: str) -> None:
    questions = [question for question in QUESTIONS if question not in CHEAP]
    options = ProbeOptions(aws=AwsOptions(), questions=questions, scale=SCALE)
    run = Probe(LAYOUT, options, SystemClock(), lambda _: None)
    run.run()
    assert [answer.question for answer in run.answers] == questions
    assert not any(answer.broke for answer in run.answers)
    verdicts = {answer.question.name: answer.seen.verdict for answer in run.answers}
    assert verdicts["key-order-split"] is Verdict.AS_EXPECTED
    assert left(aws_url) == []


def test_it_says_what_it_costs_and_asks_first(aws_url: str, tmp_path: Path) -> None:
    refused = probe(tmp_path, answer="n\n")
    assert "less than 0.01 USD" in refused.stderr
    assert refused.exit_code == 1
    dear = probe(tmp_path, "--load", answer="n\n")
    assert "about 0.60 USD" in dear.stderr
    assert left(aws_url) == []


def test_one_question_is_asked_and_shown_as_a_table(aws_url: str, tmp_path: Path) -> None:
    result = probe(tmp_path, "--yes", "--only", "fair-queue")
    assert result.exit_code == 0
    head, _, row = result.stdout.splitlines()
    assert head.split() == ["question", "expected", "seen", "what", "it", "means", "here"]
    assert row.split() == ["fair-queue", "taken", "taken", "nothing", "to", "do"]


def test_a_question_that_does_not_exist_is_named(tmp_path: Path) -> None:
    result = probe(tmp_path, "--yes", "--only", "meaning-of-life")
    assert result.exit_code == COULD_NOT
    assert "There is no question 'meaning-of-life'. There are: new-queues," in result.stderr


def test_a_hub_that_is_kept_can_be_removed_as_it_says(aws_url: str, tmp_path: Path) -> None:
    result = probe(tmp_path, "--yes", "--only", "fair-queue", "--keep")
    (told,) = [line for line in result.stderr.splitlines() if "is kept" in line]
    hub = told.rpartition(" ")[2]
    assert len(left(aws_url)) == 5
    words = told.rpartition("funchost ")[2].split()
    removed = CliRunner().invoke(main, [*words, "--yes", "--app", str(tmp_path)])
    assert f"Deleted table funchost-{hub}." in removed.stdout
    assert left(aws_url) == []


def test_a_hub_that_cannot_be_made_is_told_and_not_one_that_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = probe(tmp_path, "--yes", "--only", "fair-queue")
    _, first, second, third = result.stderr.splitlines()
    assert "could not be made: AWS cannot be used: Could not connect" in first
    assert second == "If any of it is there, it could not be removed."
    assert third.startswith("Remove it with: funchost hub delete --region us-east-1 --hub Probe")
    assert result.exit_code == COULD_NOT


async def test_a_hub_that_could_be_made_in_part_only_is_removed(aws_url: str) -> None:
    async with policed(aws_url, without="sqs:CreateQueue") as (way, _):
        options = ProbeOptions(aws=AwsOptions(endpoint_url=way), questions=[])
        run = Probe(LAYOUT, options, SystemClock(), print)
        with pytest.raises(ConfigurationError, match="could not be made: AWS refused") as caught:
            await asyncio.to_thread(run.run)
    assert len(caught.value.problems) == 1
    assert left(aws_url) == []


async def breaking(_: Ground) -> Seen:
    raise LookupError("a mistake of ours")


async def breaking_off(_: Ground) -> Seen:
    raise KeyboardInterrupt


async def answering(_: Ground) -> Seen:
    return judged("so it is", as_expected=True)


def question(name: str, ask: object) -> Question:
    made = QUESTIONS[0]
    return Question(
        name=name,
        asks=made.asks,
        expected=made.expected,
        otherwise=made.otherwise,
        relied_on_by=made.relied_on_by,
        ask=ask,  # type: ignore[arg-type]
    )


def test_a_question_that_fails_keeps_none_from_being_asked(aws_url: str) -> None:
    questions = [question("one", breaking), question("other", answering)]
    run = Probe(LAYOUT, ProbeOptions(aws=AwsOptions(), questions=questions), SystemClock(), print)
    run.run()
    assert [(answer.broke, answer.seen.verdict) for answer in run.answers] == [
        (True, Verdict.UNKNOWN),
        (False, Verdict.AS_EXPECTED),
    ]
    assert left(aws_url) == []


def test_what_was_answered_before_it_was_broken_off_is_kept_and_the_hub_is_not(
    aws_url: str,
) -> None:
    questions = [question("one", answering), question("other", breaking_off)]
    run = Probe(LAYOUT, ProbeOptions(aws=AwsOptions(), questions=questions), SystemClock(), print)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert [answer.question.name for answer in run.answers] == ["one"]
    assert left(aws_url) == []


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("line", ["Created table", "aborted-poll:"])
def test_who_is_stopped_removes_what_he_made(
    aws_url: str, tmp_path: Path, number: signal.Signals, line: str
) -> None:
    command = [sys.executable, "-m", "host", "hub", "probe", "--yes", "--app", str(tmp_path)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stderr is not None
        assert any(each.startswith(line) for each in process.stderr)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert "Broken off." in said
    assert process.returncode == STOPPED
    assert left(aws_url) == []


async def test_the_policy_for_probes_is_enough_and_reaches_no_other_hub(aws_url: str) -> None:
    async with policed(aws_url) as (way, transport):
        options = ProbeOptions(aws=AwsOptions(endpoint_url=way), questions=CHEAP)
        run = Probe(LAYOUT, options, SystemClock(), print)
        await asyncio.to_thread(run.run)
    assert [answer.question for answer in run.answers] == CHEAP
    assert transport.refused == []
    assert left(aws_url) == []


async def test_a_hub_that_cannot_be_removed_is_named(aws_url: str) -> None:
    async with policed(aws_url, without="dynamodb:DeleteTable") as (way, _):
        options = ProbeOptions(aws=AwsOptions(endpoint_url=way), questions=[])
        run = Probe(LAYOUT, options, SystemClock(), print)
        with pytest.raises(
            ConfigurationError, match=f"hub delete --region us-east-1 --hub {LAYOUT.hub}"
        ):
            await asyncio.to_thread(run.run)
    await asyncio.to_thread(lambda: list(Provisioner(LAYOUT, AwsOptions()).delete()))
    assert left(aws_url) == []


@asynccontextmanager
async def policed(url: str, *, without: str = "") -> AsyncIterator[tuple[str, PolicedTransport]]:
    """A way to the server under the policy for probes, perhaps without one of its actions."""
    document = policy(Role.PROBE, any_scratch_layout(HubLayout(hub="Orders")), PLACE)
    for statement in document["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != without]
    pool = PooledTransport()
    await pool.open()
    transport = PolicedTransport(pool, document, PLACE)
    async with door(transport, url) as way:
        yield way, transport
    await pool.close()


@contextmanager
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


def test_metadata_that_are_reached_and_give_no_token_have_a_hop_limit(
    aws_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    with silent_server() as url:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        result = probe(tmp_path, "--yes", "--json", "--only", "instance-metadata")
    (answer,) = json.loads(result.stdout)["answers"]
    assert answer["seen"] == "it is reached, and its token is not: the hop limit is 1"
    assert "raise the hop limit to 2" in answer["means"]
