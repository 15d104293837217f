"""Whatever the store refuses, `funchost hub` says so in one line, and not in a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from click.testing import CliRunner, Result

from host.cli.main import main
from tests.kit.aws_servers import ACCESS_KEY, REGION, SECRET_KEY, aws_environment

pytestmark = pytest.mark.aws

COULD_NOT = 2


class Setup:
    """A hub of its own, the commands on it, and its table and queues for writing by hand."""

    def __init__(self, url: str, app: Path) -> None:
        self.name = f"T{uuid4().hex[:12]}"
        self.table = f"funchost-{self.name}"
        self._url = url
        self._app = app
        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
        where = {"endpoint_url": url, "region_name": REGION}
        self.dynamodb = boto3.client("dynamodb", **where, **keys)
        self.sqs = boto3.client("sqs", **where, **keys)

    def run(self, command: str) -> Result:
        words = ["hub", command, "--hub", self.name, "--app", str(self._app)]
        return CliRunner().invoke(main, words, env=aws_environment(self._url))

    def lose_the_index(self) -> None:
        """The table as somebody left it who made it by hand and knew only its keys."""
        self.dynamodb.delete_table(TableName=self.table)
        self.dynamodb.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )

    def lose_the_table(self) -> None:
        self.dynamodb.delete_table(TableName=self.table)

    def lose_a_queue(self) -> None:
        url = self.sqs.get_queue_url(QueueName=f"{self.table}-wakeups.fifo")["QueueUrl"]
        self.sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def setup(aws_url: str, tmp_path: Path) -> Setup:
    """A hub that was just created."""
    setup = Setup(aws_url, tmp_path)
    assert setup.run("create").exit_code == 0
    return setup


@pytest.mark.parametrize(
    ("lose", "said"),
    [
        pytest.param(Setup.lose_the_index, "Query failed: ", id="an index"),
        pytest.param(Setup.lose_the_table, "There is no table", id="the table"),
        pytest.param(Setup.lose_a_queue, "There is no SQS queue", id="a queue"),
    ],
)
def test_a_repair_that_the_store_refuses_is_one_line(
    setup: Setup, lose: Callable[[Setup], None], said: str
) -> None:
    lose(setup)
    result = setup.run("repair")
    assert result.exit_code == COULD_NOT
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(said), line
