"""host.json's storageProvider with the type `aws`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import JsonValue

from host.errors import ConfigurationError
from host.storage.aws.schema import MAX_POLLS, CapacityMode
from host.storage.aws.setup.settings import AwsSettings, read_aws_settings

PLACE = "host.json: extensions.durableTask.storageProvider"


def problems(**provider: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read_aws_settings({"type": "aws", **provider})
    return caught.value.problems


def test_nothing_has_to_be_set() -> None:
    settings = read_aws_settings({})
    assert settings == AwsSettings()
    assert (settings.visibility_timeout_seconds, settings.sweep_interval_seconds) == (30, 300)
    assert settings.full_sweep_interval_seconds == 6 * 3600


@pytest.mark.parametrize(("given", "expected"), [(3, 3), (14_400, 14_400), ("60", 60), (60.0, 60)])
def test_times_are_whole_seconds_also_as_texts_of_the_environment(
    given: object, expected: int
) -> None:
    settings = read_aws_settings(
        {"visibilityTimeoutSeconds": given, "SweepIntervalSeconds": given}  # type: ignore[dict-item]  # wrong ones are refused
    )
    assert settings.visibility_timeout_seconds == expected
    assert settings.sweep_interval_seconds == expected


@pytest.mark.parametrize(
    "name", ["visibilityTimeoutSeconds", "sweepIntervalSeconds", "fullSweepIntervalSeconds"]
)
@pytest.mark.parametrize("value", [0, -1, 1.5, "00:00:30", "", True, None, [30], {}])
def test_a_time_that_is_none_is_one_error_with_the_settings_name(name: str, value: object) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"{PLACE}.{name}: ")


def test_a_wakeup_is_held_for_longer_than_a_poll() -> None:
    (problem,) = problems(visibilityTimeoutSeconds=2)
    assert problem == (
        f"{PLACE}.visibilityTimeoutSeconds: Input should be greater than or equal to 3."
    )


@pytest.mark.parametrize("seconds", [14_401, 43_200])
def test_a_hold_leaves_room_to_be_made_longer_within_the_12_hours_of_sqs(seconds: int) -> None:
    (problem,) = problems(visibilityTimeoutSeconds=seconds)
    assert f"{PLACE}.visibilityTimeoutSeconds: " in problem
    assert "Input should be at most 14400: SQS lets a message be held for 12 hours" in problem


@pytest.mark.parametrize("name", ["sweepIntervalSeconds", "fullSweepIntervalSeconds"])
def test_lost_hints_are_looked_for_at_least_once_a_month(name: str) -> None:
    assert problems(**{name: 10**15}) == (
        f"{PLACE}.{name}: Input should be less than or equal to 2592000.",
    )


def test_how_many_polls_run_side_by_side_can_be_set() -> None:
    assert read_aws_settings({}).max_polls == MAX_POLLS
    assert read_aws_settings({"maxPolls": 16}).max_polls == 16
    (problem,) = problems(maxPolls=0)
    assert problem.startswith(f"{PLACE}.maxPolls: ")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("visibilityTimeout", "There is no such setting; is 'visibilityTimeoutSeconds' meant?"),
        ("sweepIntervalSecond", "There is no such setting; is 'sweepIntervalSeconds' meant?"),
        ("partitionCount", "There is no such setting."),
    ],
)
def test_a_setting_that_does_not_exist_is_named(name: str, hint: str) -> None:
    assert problems(**{name: 30}) == (f"{PLACE}.{name}: {hint}",)


@pytest.mark.parametrize(
    "tags",
    [
        {"team": "two\nlines"},
        {"a\tb": "x"},
        {"${aws:x}": "x"},
        {"team": "%{x}"},
        {"aws:team": "x"},
        {"AWS:team": "x"},
        {f"t{number}": "x" for number in range(50)},
    ],
)
def test_tags_that_aws_refuses_are_refused(tags: dict[str, JsonValue]) -> None:
    (problem,) = problems(tags=tags)
    assert problem.startswith(f"{PLACE}.tags")


def test_tags_in_any_script_are_taken() -> None:
    tags: dict[str, JsonValue] = {"Größe ": "大きい _.:/=+-@", "awsome": "", "funchost:hub": "x"}
    assert read_aws_settings({"tags": tags}).tags == tags


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:kms:us-east-1:123456789012:key/abc\n",
        "arn:aws:kms:us-east-1:\u0661\u0662\u0663456789012:key/abc",
        "arn:aws:kms:us-east-1:123456789012:key/*",
        "arn:aws:kms:us-east-1:123456789012:key/${x}",
    ],
)
def test_an_arn_with_anything_odd_in_it_is_refused(arn: str) -> None:
    (problem,) = problems(kmsKeyArn=arn)
    assert "is not the ARN of a key" in problem


def test_all_problems_are_told_at_once() -> None:
    found = problems(sweep=1, sweepIntervalSeconds=0, wakeupQueues=True, tablePrefix="a b")
    assert [problem.removeprefix(f"{PLACE}.").partition(":")[0] for problem in found] == [
        "sweep",
        "tablePrefix",
        "wakeupQueues",
        "sweepIntervalSeconds",
    ]


def test_settings_of_another_kind_of_storage_are_its_own() -> None:
    provider: dict[str, Any] = {
        "type": "AzureStorage",
        "partitionCount": 4,
        "capacityMode": "PROVISIONED",
    }
    assert read_aws_settings(provider).layout("Hub").capacity_mode is CapacityMode.PROVISIONED
