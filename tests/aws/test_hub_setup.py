"""`funchost hub` sets up, checks and takes away a hub, on both servers."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from host.cli.main import main
from host.clock import SystemClock
from host.errors import ConfigurationError, StorageUnavailableError
from host.settings.connections import AwsOptions
from host.storage.aws.opening import opened_hub
from host.storage.aws.schema import (
    CapacityMode,
    HubLayout,
    queue_definitions,
    table_definition,
)
from host.storage.aws.setup.provision import Provisioner
from host.storage.aws.setup.sessions import translated
from host.storage.aws.setup.settings import read_aws_settings
from host.storage.aws.table.keys import FORMAT_KEY
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.connections import PooledTransport
from tests.kit.aws_servers import aws_environment, boto3_client
from tests.kit.dynamo_hub import dynamo_client
from tests.kit.sqs_hub import CountingTransport

pytestmark = pytest.mark.aws

Run = Callable[..., Result]
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture
def hub_name() -> str:
    return f"T{uuid4().hex[:12]}"


@pytest.fixture
def run(aws_url: str, hub_name: str, tmp_path: Path) -> Run:
    """`funchost hub ...` on a hub of its own."""
    return lambda command, *given, answer="": hub_command(
        aws_url, command, "--hub", hub_name, "--app", str(tmp_path), *given, answer=answer
    )


def hub_command(url: str, *words: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["hub", *words], env=aws_environment(url), input=answer)


def write_provider(folder: Path, provider: Mapping[str, object], **durable_task: object) -> None:
    """A host.json with this storage provider."""
    extensions = {"durableTask": {**durable_task, "storageProvider": provider}}
    text = json.dumps({"version": "2.0", "extensions": extensions})
    (folder / "host.json").write_text(text)


def parts(hub_name: str) -> list[str]:
    names = ("-wakeups-dead.fifo", "-wakeups.fifo", "-work-dead", "-work")
    return [f"funchost-{hub_name}{end}" for end in names]


def test_a_hub_is_created_once_and_found_ready(run: Run, hub_name: str) -> None:
    first, second, status = run("create"), run("create"), run("status")
    created = [f"Created queue {name}." for name in parts(hub_name)]
    assert first.output.splitlines() == [
        f"Created table funchost-{hub_name}.",
        f"Wrote format 3, 4 partitions into table funchost-{hub_name}.",
        *created,
        f"The hub {hub_name} is ready in us-east-1.",
    ]
    assert second.output.splitlines() == [
        f"Table funchost-{hub_name} exists.",
        *[f"Queue {name} exists." for name in parts(hub_name)],
        f"The hub {hub_name} is ready in us-east-1.",
    ]
    assert status.output.splitlines() == [
        f"funchost-{hub_name}: ready, 1 items, format 3, 4 partitions",
        *[f"{name}: ready, 0 waiting, 0 held" for name in parts(hub_name)],
    ]
    assert [first.exit_code, second.exit_code, status.exit_code] == [0, 0, 0]


async def test_a_created_hub_is_opened_without_a_write(
    run: Run, aws_url: str, hub_name: str
) -> None:
    await asyncio.to_thread(run, "create")
    pool = PooledTransport()
    await pool.open()
    transport = CountingTransport(pool)
    client = dynamo_client(aws_url, transport)
    await DynamoStore(client, f"funchost-{hub_name}", SystemClock().now).open()
    await pool.close()
    assert transport.operations == {"GetItem": 1}


def test_a_table_that_no_host_and_no_command_has_opened_is_ready(
    run: Run, aws_url: str, hub_name: str
) -> None:
    run("create")
    dynamodb = boto3_client("dynamodb", aws_url)
    dynamodb.delete_item(TableName=f"funchost-{hub_name}", Key=FORMAT_KEY)
    status = run("status")
    assert status.output.startswith(f"funchost-{hub_name}: ready, 0 items, no format yet\n")
    assert status.exit_code == 0


def test_a_hub_of_a_newer_version_is_shown_and_left_alone(
    run: Run, aws_url: str, hub_name: str
) -> None:
    run("create")
    dynamodb = boto3_client("dynamodb", aws_url)
    newer = {**FORMAT_KEY, "v": {"N": "4"}, "n": {"N": "4"}}
    dynamodb.put_item(TableName=f"funchost-{hub_name}", Item=newer)
    status, create = run("status"), run("create")
    problem = "its format is 4, of a newer version of funchost; this one knows 3"
    assert f"funchost-{hub_name}: {problem}" in status.output
    assert create.stderr == f"Table funchost-{hub_name} is left as it is: {problem}\n"
    assert [status.exit_code, create.exit_code] == [1, 2]
    found = dynamodb.get_item(TableName=f"funchost-{hub_name}", Key=FORMAT_KEY)["Item"]
    assert found == newer


def test_a_hub_that_is_not_there_is_said_to_be_missing(run: Run) -> None:
    status = run("status")
    assert status.exit_code == 1
    said = "it is missing in us-east-1; `funchost hub create` makes it"
    assert status.output.count(said) == 5


def test_creating_repairs_what_was_changed(run: Run, aws_url: str, hub_name: str) -> None:
    run("create")
    sqs = boto3_client("sqs", aws_url)
    url = sqs.get_queue_url(QueueName=parts(hub_name)[1])["QueueUrl"]
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"VisibilityTimeout": "5", "DelaySeconds": "900"}
    )
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=parts(hub_name)[3])["QueueUrl"])
    status, again = run("status"), run("create")
    assert f"{parts(hub_name)[1]}: DelaySeconds, VisibilityTimeout differ" in status.output
    assert status.exit_code == 1
    assert (
        f"Queue {parts(hub_name)[1]} exists; set DelaySeconds, VisibilityTimeout." in again.output
    )
    assert f"Created queue {parts(hub_name)[3]}." in again.output
    assert run("status").exit_code == 0


def test_a_queue_whose_dead_letters_would_be_lost_is_not_ready(
    run: Run, aws_url: str, hub_name: str
) -> None:
    run("create")
    sqs = boto3_client("sqs", aws_url)
    dead_wakeups, wakeups, _, work = parts(hub_name)
    url = sqs.get_queue_url(QueueName=work)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=dead_wakeups)["QueueUrl"])
    status = run("status")
    assert f"{work}: RedrivePolicy differ; `funchost hub create` sets them" in status.output
    assert f"{wakeups}: its dead-letter queue {dead_wakeups} is missing" in status.output
    assert status.exit_code == 1
    assert f"Queue {work} exists; set RedrivePolicy." in run("create").output
    assert run("status").exit_code == 0


def test_what_is_on_a_kms_key_stays_there(run: Run, aws_url: str, hub_name: str) -> None:
    run("create")
    sqs, work = boto3_client("sqs", aws_url), parts(hub_name)[3]
    url = sqs.get_queue_url(QueueName=work)["QueueUrl"]
    on_key = {"KmsMasterKeyId": KEY, "SqsManagedSseEnabled": "false"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=on_key)
    create, status = run("create"), run("status")
    assert f"Queue {work} exists." in create.output
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["KmsMasterKeyId"] == KEY
    assert f"encrypted with the KMS key {KEY}, which kmsKeyArn does not name" in status.output
    assert status.exit_code == 0


def test_a_hub_is_made_on_a_kms_key(run: Run, aws_url: str, hub_name: str, tmp_path: Path) -> None:
    write_provider(tmp_path, {"type": "aws", "kmsKeyArn": KEY})
    assert run("create").exit_code == 0
    assert run("status").exit_code == 0
    assert key_of_table(aws_url, hub_name) == KEY


def test_a_hub_is_brought_onto_a_kms_key(ministack_url: str, hub_name: str, tmp_path: Path) -> None:
    def run(command: str) -> Result:
        return hub_command(ministack_url, command, "--hub", hub_name, "--app", str(tmp_path))

    run("create")
    write_provider(tmp_path, {"type": "aws", "kmsKeyArn": KEY})
    status, create = run("status"), run("create")
    assert "its KMS key is not that of kmsKeyArn" in status.output
    assert status.output.count("KmsDataKeyReusePeriodSeconds, KmsMasterKeyId differ") == 4
    assert f"Table funchost-{hub_name} exists; set SSESpecification." in create.output
    assert run("status").exit_code == 0
    assert key_of_table(ministack_url, hub_name) == KEY


def key_of_table(url: str, hub_name: str) -> object:
    table = boto3_client("dynamodb", url).describe_table(TableName=f"funchost-{hub_name}")
    return table["Table"]["SSEDescription"]["KMSMasterKeyArn"]


def test_what_a_stack_made_is_adopted_and_said_to_be_the_stacks(
    run: Run, aws_url: str, hub_name: str
) -> None:
    run("create")
    sqs, work = boto3_client("sqs", aws_url), parts(hub_name)[3]
    url = sqs.get_queue_url(QueueName=work)["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"aws:cloudformation:stack-name": "orders-hub"})
    assert f"Queue {work} exists, made by the stack orders-hub." in run("create").output


def test_deleting_asks_first(run: Run, hub_name: str) -> None:
    run("create")
    refused = run("delete", answer="n\n")
    assert f"Delete table funchost-{hub_name} in us-east-1, all instances" in refused.output
    assert (refused.exit_code, run("status").exit_code) == (1, 0)
    done = run("delete", answer="y\n")
    assert f"Deleted table funchost-{hub_name}." in done.output
    assert all(f"Deleted queue {name}." in done.output for name in parts(hub_name))
    again = run("delete", "--yes")
    assert (again.exit_code, again.output.count("There is no")) == (0, 5)


def of_other_keys(hub_name: str) -> dict[str, Any]:
    definition = table_definition(HubLayout(hub=hub_name))
    definition["KeySchema"] = [{"AttributeName": "sk", "KeyType": "HASH"}]
    definition["AttributeDefinitions"] = definition["AttributeDefinitions"][1:]
    return definition


def of_other_indexes(hub_name: str) -> dict[str, Any]:
    definition = table_definition(HubLayout(hub=hub_name))
    keys = {each["AttributeName"] for each in definition["KeySchema"]}
    attributes = definition["AttributeDefinitions"]
    definition["AttributeDefinitions"] = [
        each for each in attributes if each["AttributeName"] in keys
    ]
    del definition["GlobalSecondaryIndexes"]
    return definition


def test_a_table_of_something_else_is_left_alone(run: Run, aws_url: str, hub_name: str) -> None:
    boto3_client("dynamodb", aws_url).create_table(**of_other_keys(hub_name))
    result = run("create")
    assert result.exit_code == 2
    assert "cannot be this hub's: its keys are others" in result.output


@pytest.mark.parametrize(
    ("others", "problem"),
    [
        (of_other_keys, "its keys are others"),
        (of_other_indexes, "it has none of a hub's indexes"),
    ],
)
def test_a_table_of_something_else_is_not_deleted(
    run: Run,
    aws_url: str,
    hub_name: str,
    others: Callable[[str], dict[str, Any]],
    problem: str,
) -> None:
    run("create")
    dynamodb, table = boto3_client("dynamodb", aws_url), f"funchost-{hub_name}"
    dynamodb.delete_table(TableName=table)
    dynamodb.create_table(**others(hub_name))
    result = run("delete", "--yes")
    assert result.exit_code == 2
    assert f"Table {table} in us-east-1 is left as it is, and so are the queues" in result.stderr
    assert problem in result.stderr
    assert "Deleted" not in result.stdout
    assert table in dynamodb.list_tables()["TableNames"]
    assert run("status").output.count("ready, 0 waiting") == 4


def test_a_hub_that_nobody_named_is_named(aws_url: str, tmp_path: Path) -> None:
    status = hub_command(aws_url, "status", "--app", str(tmp_path))
    assert status.stderr.splitlines()[0] == (
        f"No host.json in {tmp_path} names a hub, so this is TestHubName."
        " --hub names another, --app the folder of another host.json."
    )
    write_provider(tmp_path, {"type": "aws"}, hubName="Orders")
    assert hub_command(aws_url, "status", "--app", str(tmp_path)).stderr == ""


def test_the_choices_of_host_json_are_kept(aws_url: str, tmp_path: Path, hub_name: str) -> None:
    provider = {
        "type": "aws",
        "tablePrefix": "my-",
        "wakeupQueues": 2,
        "capacityMode": "provisioned",
        "readCapacityUnits": 7,
        "tags": {"team": "orders"},
    }
    write_provider(tmp_path, provider, hubName=hub_name)
    result = hub_command(aws_url, "create", "--app", str(tmp_path))
    assert f"Created queue my-{hub_name}-wakeups-1.fifo." in result.output
    dynamodb = boto3_client("dynamodb", aws_url)
    table = dynamodb.describe_table(TableName=f"my-{hub_name}")["Table"]
    tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 7
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "team": "orders",
        "funchost:hub": hub_name,
    }


def test_the_capacity_is_the_owners_to_change(aws_url: str, hub_name: str) -> None:
    for mode in (CapacityMode.ON_DEMAND, CapacityMode.PROVISIONED):
        layout = HubLayout(hub=hub_name, capacity_mode=mode)
        created = list(provisioner(layout, aws_url).create())
    assert created[0] == f"Table funchost-{hub_name} exists."


def test_nobody_at_the_endpoint_is_one_clear_message(tmp_path: Path) -> None:
    result = hub_command("http://127.0.0.1:9", "status", "--hub", "Abc", "--app", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        'AWS cannot be used: Could not connect to the endpoint URL: "http://127.0.0.1:9/".'
        " Check the network, the region and the endpoint URL."
    ]


def test_missing_keys_are_told_as_a_host_tells_them(tmp_path: Path) -> None:
    keys = {name: None for name in aws_environment("") if "KEY" in name or "TOKEN" in name}
    environment = {**aws_environment("http://127.0.0.1:9"), **keys} | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }
    words = ["hub", "status", "--hub", "Abc", "--app", str(tmp_path)]
    result = CliRunner().invoke(main, words, env=environment)
    assert result.exit_code == 2
    assert result.stderr.startswith("No AWS credentials were found: set AWS_ACCESS_KEY_ID and")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("UnrecognizedClientException", "Check the AWS credentials of this host, and the region."),
        ("ExpiredTokenException", "Renew the AWS credentials of this host."),
        ("AccessDeniedException", "`funchost hub iam-policy --role setup` prints what is needed."),
    ],
)
def test_a_refusal_says_what_to_do(code: str, advice: str) -> None:
    answer: Any = {"Error": {"Code": code, "Message": "no"}}
    with pytest.raises(ConfigurationError) as caught, translated():
        raise ClientError(answer, "DescribeTable")
    assert str(caught.value).endswith(f"operation: no. {advice}")


def test_a_region_that_is_set_to_nothing_is_not_set(tmp_path: Path) -> None:
    environment = aws_environment("") | {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
    environment |= {"AWS_CONFIG_FILE": "/nonexistent"}
    words = ["--hub", "Abc", "--app", str(tmp_path)]
    imports = ["hub", "template", "--part", "imports", "--account", "123456789012", *words]
    result = CliRunner().invoke(main, imports, env=environment)
    assert (result.exit_code, result.stderr) == (
        2,
        "The URLs of queues hold region and account: give --region and --account.\n",
    )
    status = CliRunner().invoke(main, ["hub", "status", *words], env=environment)
    assert "No AWS region is set" in status.stderr
    policy = CliRunner().invoke(main, ["hub", "iam-policy", *words], env=environment)
    assert "arn:aws:dynamodb:*:*:table/funchost-Abc" in policy.stdout


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_what_asks_nobody_takes_the_region_of_the_environment(name: str, tmp_path: Path) -> None:
    environment = aws_environment("") | {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
    words = ["hub", "iam-policy", "--hub", "Abc", "--app", str(tmp_path)]
    result = CliRunner().invoke(main, words, env=environment | {name: "cn-north-1"})
    assert "arn:aws-cn:dynamodb:cn-north-1:*:table/funchost-Abc" in result.stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["iam-policy", "--account", "my-account"], "'my-account' is not the id of an account"),
        (["iam-policy", "--account", ""], "'' is not the id of an account"),
        (["template", "--account", "123"], "'123' is not the id of an account"),
        (["iam-policy", "--partition", "foo"], "'foo' is none of AWS's"),
    ],
)
def test_what_no_name_of_aws_can_hold_is_refused(words: list[str], problem: str) -> None:
    result = hub_command("", *words, "--hub", "Orders")
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr


@pytest.mark.parametrize("words", [["status"], ["create"], ["delete"], ["grow", "8"], ["repair"]])
def test_a_missing_region_is_one_clear_message(words: list[str]) -> None:
    nowhere = {name: None for name in aws_environment("") if name.endswith("REGION")}
    environment = {**nowhere, "AWS_CONFIG_FILE": "/nonexistent"}
    result = CliRunner().invoke(main, ["hub", *words, "--hub", "Abc"], env=environment)
    assert result.exit_code == 2
    assert "No AWS region is set: give --region" in result.stderr


@pytest.mark.parametrize(
    ("provider", "problem"),
    [
        ({"wakeupQueues": 0}, "storageProvider.wakeupQueues"),
        ({"tablePrefix": "a b"}, "storageProvider.tablePrefix"),
        ({"capacityMode": "free"}, "storageProvider.capacityMode"),
        ({"tags": {"team": "${team}"}}, "storageProvider.tags.team"),
        ({"tableName": "a b c"}, "storageProvider.tableName"),
        ({"kmsKeyArn": "alias/mine"}, "kmsKeyArn: 'alias/mine' is not the ARN of a key"),
    ],
)
def test_wrong_settings_are_named(
    tmp_path: Path, provider: dict[str, object], problem: str
) -> None:
    write_provider(tmp_path, provider)
    result = hub_command("http://127.0.0.1:9", "create", "--app", str(tmp_path))
    assert result.exit_code == 2
    assert problem in result.stderr


def test_names_that_are_too_long_for_sqs_are_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    write_provider(tmp_path, {"tablePrefix": "p" * 20}, hubName="H" * 45)
    result = hub_command("http://127.0.0.1:9", "create", "--app", str(tmp_path))
    assert result.exit_code == 2
    queue = f"{'p' * 20}{'H' * 45}-wakeups-dead.fifo"
    assert (
        f"'{queue}' has 83. Shorten tablePrefix, the hub's name or tableName by 3." in result.stderr
    )


async def test_a_host_refuses_names_that_are_too_long_as_well() -> None:
    with pytest.raises(ConfigurationError, match="by 3"):
        async with opened_hub({"tablePrefix": "p" * 20}, "H" * 45, SystemClock()):
            pass


@pytest.mark.parametrize(
    ("provider", "hub"),
    [
        ({"tablePrefix": "p" * 20}, "H" * 42),
        ({"tablePrefix": "p" * 17, "wakeupQueues": 100}, "H" * 45),
    ],
)
def test_the_longest_names_that_sqs_takes_are_taken(provider: dict[str, Any], hub: str) -> None:
    layout = read_aws_settings(provider).layout(hub)
    assert max(len(queue.name) for queue in queue_definitions(layout)) == 80


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
    ],
)
def test_a_policys_partition_is_that_of_the_region(region: str, partition: str) -> None:
    result = hub_command("", "iam-policy", "--hub", "Orders", "--region", region)
    resources = json.loads(result.stdout)["Statement"][0]["Resource"]
    assert resources[0] == f"arn:{partition}:dynamodb:{region}:*:table/funchost-Orders"


def test_a_name_that_no_hub_can_have_is_refused() -> None:
    result = hub_command("http://127.0.0.1:9", "create", "--hub", "my hub")
    assert result.exit_code == 2
    assert "'my hub' cannot be a hub's name" in result.stderr


def test_errors_of_the_library_are_errors_of_the_host() -> None:
    with pytest.raises(StorageUnavailableError, match="profile"):
        Provisioner(HubLayout(hub="Abc"), AwsOptions(region="eu-west-1", profile="nobody"))


def test_the_command_line_loads_nothing_of_aws_before_it_is_asked_to() -> None:
    code = (
        "import sys, host.cli.start; print([m for m in sys.modules if 'boto' in m or '.aws' in m])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert loaded.stdout.strip() == "[]"


def provisioner(layout: HubLayout, url: str) -> Provisioner:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment(url).items():
            patch.setenv(name, value)
        return Provisioner(layout, AwsOptions())
