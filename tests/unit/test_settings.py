"""host.json, local.settings.json and the environment."""

import json
import math
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings.timespans import parse_timespan
from host.errors import ConfigurationError
from host.settings import HostSettings, load_settings
from host.settings.durable_task import DurableTaskSettings, OverridableStates
from host.settings.versions import VersionFailure, VersionMatch


def load(
    app_dir: Path,
    host: object = None,
    *,
    local: object = None,
    environ: Mapping[str, str] | None = None,
) -> HostSettings:
    for name, content in (("host.json", host), ("local.settings.json", local)):
        if content is not None:
            text = content if isinstance(content, str) else json.dumps(content)
            (app_dir / name).write_text(text, encoding="utf-8")
    return load_settings(app_dir, environ or {})


def problems(app_dir: Path, host: object = None, **options: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(app_dir, host, **options)
    return caught.value.problems


def durable(**keys: object) -> dict[str, object]:
    return {"version": "2.0", "extensions": {"durableTask": keys}}


@pytest.mark.parametrize("content", [None, "", "  \n", "\ufeff"])
def test_a_missing_or_empty_host_json_means_all_defaults(
    tmp_path: Path, content: str | None
) -> None:
    settings = load(tmp_path, content)

    assert settings.version == "2.0"
    assert settings.functions is None
    assert settings.function_timeout is None
    assert settings.extensions.http.route_prefix == "api"
    assert settings.extensions.http.max_outstanding_requests == 500
    assert settings.extensions.durable_task.hub_name == "TestHubName"
    assert settings.extensions.durable_task.max_concurrent_activity_functions is None
    assert settings.extensions.durable_task.max_payload_bytes == 16 * 1024 * 1024
    assert settings.funchost.include == ()


def test_all_sections_are_read(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        {
            "version": "2.0",
            "functionTimeout": "1.00:05:00",
            "functions": ["A", "B"],
            "extensions": {
                "http": {"routePrefix": "/v1/", "maxOutstandingRequests": 7},
                "durableTask": {
                    "hubName": "Orders",
                    "maxConcurrentActivityFunctions": 3,
                    "maxConcurrentOrchestratorFunctions": 4,
                    "overridableExistingInstanceStates": "anystate",
                    "storageProvider": {"type": "sqlite", "nested": {"a": 1}},
                    "maxPayloadBytes": 1000,
                },
            },
            "funchost": {"include": ["samples/*"]},
        },
    )

    task = settings.extensions.durable_task
    assert settings.function_timeout == timedelta(days=1, minutes=5)
    assert settings.functions == ("A", "B")
    assert settings.extensions.http.route_prefix == "v1"
    assert settings.extensions.http.max_outstanding_requests == 7
    assert (task.hub_name, task.max_payload_bytes) == ("Orders", 1000)
    assert task.max_concurrent_activity_functions == 3
    assert task.max_concurrent_orchestrator_functions == 4
    assert task.overridable_existing_instance_states is OverridableStates.ANY
    assert task.storage_provider == {"type": "sqlite", "nested": {"a": 1}}
    assert settings.funchost.include == ("samples/*",)


def test_keys_match_in_any_case_and_unknown_ones_are_tolerated(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        {
            "Version": "2.0",
            "extensionBundle": {"id": "x"},
            "Extensions": {"DURABLETASK": {"HubName": "Orders", "tracing": {}}, "queues": {}},
        },
    )

    assert settings.extensions.durable_task.hub_name == "Orders"


def test_all_problems_are_reported_at_once_with_their_places(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        {
            "version": "1.0",
            "functionTimeout": "5 minutes",
            "extensions": {
                "http": {"maxOutstandingRequests": 0},
                "durableTask": {"maxConcurrentActivityFunctions": 0, "hubName": "9"},
            },
            "funchost": {"include": ["/etc"]},
        },
        local={"Values": {"A": {"b": 1}}, "Host": {"LocalHttpPort": 99999}},
    )

    text = "\n".join(found)
    assert len(found) == 8
    for place in (
        "local.settings.json: Values.A must be a text",
        "local.settings.json: Host.LocalHttpPort must be",
        "host.json: version: ",
        "host.json: functionTimeout: Write a duration as hh:mm:ss",
        "host.json: extensions.http.maxOutstandingRequests: ",
        "host.json: extensions.durableTask.maxConcurrentActivityFunctions: ",
        "host.json: extensions.durableTask.hubName: '9' cannot be",
        "host.json: funchost.include: '/etc' must be a folder relative",
    ):
        assert place in text


def durable_task(tmp_path: Path, **given: object) -> DurableTaskSettings:
    return load(tmp_path, durable(**given)).extensions.durable_task


def test_versions_of_orchestrations(tmp_path: Path) -> None:
    task = durable_task(tmp_path)
    assert (task.default_version, task.version_match_strategy) == (None, None)
    assert task.version_failure_strategy is VersionFailure.REJECT
    task = durable_task(
        tmp_path,
        defaultVersion=" 2.0 ",
        versionMatchStrategy="currentOrOlder",
        versionFailureStrategy="FAIL",
    )
    assert task.default_version == "2.0"
    assert task.version_match_strategy is VersionMatch.CURRENT_OR_OLDER
    assert task.version_failure_strategy is VersionFailure.FAIL
    assert durable_task(tmp_path, defaultVersion=None).default_version is None
    assert durable_task(tmp_path, defaultVersion="").default_version is None


def test_wrong_words_about_versions_are_refused(tmp_path: Path) -> None:
    for given in (
        {"versionMatchStrategy": "Newer"},
        {"versionFailureStrategy": "Ignore"},
        {"defaultVersion": 2},
        {"defaultVersion": "v" * 1025},
        {"defaultVersion": "%NO_SUCH_SETTING%"},
    ):
        (problem,) = problems(tmp_path, durable(**given))
        assert f"host.json: extensions.durableTask.{next(iter(given))}: " in problem


def test_found_what_should_be_an_object_is_told_in_words(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, {"version": "2.0", "extensions": {"http": []}})
    assert problem == "host.json: extensions.http: An object belongs here, such as {} (it is [])."


def test_a_host_json_without_a_version_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, {}) == ('host.json: version: is missing; write "version": "2.0".',)


@pytest.mark.parametrize(
    ("webhook", "problem"),
    [
        ("https://h/hidden", ": An object belongs here, such as {}."),
        (["hidden"], ": An object belongs here, such as {}."),
        ({"url": ["hidden"], "secretSettingName": "S"}, ".url: Input should be a valid string."),
        ({"url": "https://h/", "secretSettingName": 5}, ".secretSettingName: Input should be a "),
        ({"url": "https://h/", "secretSettingName": "S", "allowHttp": "hidden"}, ".allowHttp: "),
        ({"url": "https://h/", "secretSettingName": "S", "format": "hidden"}, ".format: Input "),
        ({"url": "https://h/", "secretSettingName": "S", "events": "hidden"}, ".events: Write a "),
        ({"url": "https://h/hidden x", "secretSettingName": "S"}, ": url: It is no URL such as "),
    ],
)
def test_what_may_be_the_secret_of_a_webhook_is_not_quoted(
    tmp_path: Path, webhook: object, problem: str
) -> None:
    (found,) = problems(tmp_path, durable(notifications={"webhook": webhook}))
    assert f"host.json: extensions.durableTask.notifications.webhook{problem}" in found
    assert "hidden" not in found
    assert "it is " not in found.lower().replace("it is no url", "")


def test_a_missing_key_of_a_section_has_no_advice_of_another(tmp_path: Path) -> None:
    found = problems(tmp_path, durable(notifications={"webhook": {}}))
    place = "host.json: extensions.durableTask.notifications.webhook"
    assert found == (f"{place}.url: is missing.", f"{place}.secretSettingName: is missing.")


@pytest.mark.parametrize("content", ["{", "[]", '"text"', '{"version": "2.0",}'])
def test_what_is_not_a_json_object_is_refused(tmp_path: Path, content: str) -> None:
    (problem,) = problems(tmp_path, content)
    assert problem.startswith("host.json ")
    assert "JSON" in problem


def test_a_missing_app_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_settings(tmp_path / "nowhere", {})


def test_the_environment_overrides_host_json(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        {"version": "2.0", "functions": ["A", "B"], **durable(hubName="Orders")},
        environ={
            "AzureFunctionsJobHost__extensions__DurableTask__hubName": "Other",
            "AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions": "5",
            "AzureFunctionsJobHost__functions__1": "C",
            "AZUREFUNCTIONSJOBHOST__functionTimeout": "-1",
        },
    )

    assert settings.extensions.durable_task.hub_name == "Other"
    assert settings.extensions.durable_task.max_concurrent_activity_functions == 5
    assert settings.functions == ("A", "C")
    assert settings.function_timeout is None


def test_the_environment_alone_can_hold_the_configuration(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        environ={
            "AzureFunctionsJobHost__functions__0": "A",
            "AzureFunctionsJobHost__extensions__http__routePrefix": "",
        },
    )

    assert settings.functions == ("A",)
    assert settings.extensions.http.route_prefix == ""


def test_a_bad_override_is_reported_by_the_name_of_its_variable(tmp_path: Path) -> None:
    name = "AzureFunctionsJobHost__extensions__durableTask__maxPayloadBytes"
    (problem,) = problems(tmp_path, environ={name: "much"})
    assert problem.startswith(f"The environment variable {name}: ")


def test_local_values_become_app_settings_unless_the_environment_has_them(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        local={
            "IsEncrypted": False,
            "Values": {"A": "local", "B": "local", "C": "local", "D": None, "E": True, "F": 5},
            "Host": {"LocalHttpPort": 7072, "LocalHttpAddress": "127.0.0.1", "CORS": "*"},
        },
        environ={"A": "environment", "B": "", "Z": "z"},
    )

    assert dict(settings.values) == {
        "A": "environment",
        "B": "local",
        "C": "local",
        "E": "true",
        "F": "5",
        "Z": "z",
    }
    assert settings.exports == {"B": "local", "C": "local", "E": "true", "F": "5"}
    assert (settings.local.http_port, settings.local.http_address) == (7072, "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "value"),
    [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0y"), ("A", "\ud800"), ("\ud800", "x")],
)
def test_a_local_value_that_no_environment_can_hold_is_named(
    tmp_path: Path, name: str, value: str
) -> None:
    (problem,) = problems(tmp_path, local={"Values": {name: value, "GOOD": "x"}})
    assert problem.startswith(f"local.settings.json: Values.{name!r} cannot be")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nSet-Cookie: b=c"),
        ("X-A", "a\nb"),
        ("X-A", "a\rb"),
        ("X-A", "a\0b"),
        ("X-A", "\u20ac"),
        ("X-A\r\nX-B", "a"),
        ("X A", "a"),
        ("", "a"),
    ],
)
def test_a_custom_header_that_would_be_several_or_none_is_refused(
    tmp_path: Path, name: str, value: str
) -> None:
    http = {"customHeaders": {name: value, "X-Good": "tab\tand \u00e9"}}
    (problem,) = problems(tmp_path, {"version": "2.0", "extensions": {"http": http}})
    assert problem.startswith("host.json: extensions.http.customHeaders: ")
    assert f"'{name}' cannot be a header" in problem


def test_encrypted_local_settings_are_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, local={"IsEncrypted": True, "Values": {"A": "?"}})
    assert "IsEncrypted is true" in problem


def test_local_values_can_override_host_json(tmp_path: Path) -> None:
    local = {"Values": {"AzureFunctionsJobHost__extensions__durableTask__hubName": "Local"}}
    assert load(tmp_path, local=local).extensions.durable_task.hub_name == "Local"


def test_a_name_in_percent_signs_is_an_app_setting(tmp_path: Path) -> None:
    environ = {"HUB": "Orders", "A__B": "ab", "two words": "2"}
    settings = load(tmp_path, durable(hubName="%HUB%"), environ=environ)

    assert settings.extensions.durable_task.hub_name == "Orders"
    assert settings.resolve("%hub%") == "Orders"
    assert settings.resolve("%A:B%") == "ab"
    assert settings.resolve("%two words%") == "2"
    assert settings.resolve("x%HUB%/%a:b%%hub%") == "xOrders/abOrders"
    assert settings.resolve("%%") == "%%"
    assert settings.resolve("50 % of 20 % and %20a%") == "50 % of 20 % and %20a%"


def test_a_missing_app_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="The app setting 'NOPE' is missing"):
        load(tmp_path).resolve("%NOPE%")
    (problem,) = problems(tmp_path, durable(hubName="%NOPE%"))
    assert problem.startswith("host.json: extensions.durableTask.hubName: The app setting 'NOPE'")


@pytest.mark.parametrize(
    ("name", "value", "is_disabled"),
    [
        ("AzureWebJobs.Hello.Disabled", "true", True),
        ("azurewebjobs.hello.disabled", "True", True),
        ("AzureWebJobs_Hello_Disabled", "1", True),
        ("AzureWebJobs.Hello.Disabled", "false", False),
        ("AzureWebJobs.Other.Disabled", "true", False),
    ],
)
def test_an_app_setting_switches_a_function_off(
    tmp_path: Path, name: str, value: str, is_disabled: bool
) -> None:
    assert load(tmp_path, environ={name: value}).is_disabled("Hello") is is_disabled


def test_settings_do_not_show_their_values(tmp_path: Path) -> None:
    assert "s3cret" not in repr(load(tmp_path, environ={"PASSWORD": "s3cret"}).values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:05:00", timedelta(minutes=5)),
        ("1:00:00", timedelta(hours=1)),
        ("2.01:02:03.5", timedelta(days=2, hours=1, minutes=2, seconds=3.5)),
    ],
)
def test_timespans_are_read(text: str, expected: timedelta) -> None:
    assert parse_timespan(text) == expected


@pytest.mark.parametrize("text", ["", "5", "24:00:00", "00:60:00", "-00:05:00", "00:05", 5, None])
def test_what_is_not_a_timespan_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="hh:mm:ss"):
        parse_timespan(text)


def test_a_function_timeout_is_at_least_a_second(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, {"version": "2.0", "functionTimeout": "00:00:00"})
    assert "at least 1 second" in problem


def test_the_watchdogs_limits_are_durations_or_never(tmp_path: Path) -> None:
    document = {
        "version": "2.0",
        "funchost": {"watchdog": {"reportAfterSeconds": 1.5, "endHostAfterSeconds": -1}},
    }
    watchdog = load(tmp_path, document).funchost.watchdog
    assert (watchdog.report_after_seconds, watchdog.break_off_after_seconds) == (1.5, 60.0)
    assert watchdog.end_host_after_seconds == math.inf


@pytest.mark.parametrize("value", ["00:00:05", 0, 0.01, -2, None, "soon"])
def test_a_limit_of_the_watchdog_that_is_none_is_refused(tmp_path: Path, value: object) -> None:
    document = {"version": "2.0", "funchost": {"watchdog": {"breakOffAfterSeconds": value}}}
    (problem,) = problems(tmp_path, document)
    assert problem.startswith("host.json: funchost.watchdog.breakOffAfterSeconds: ")


def test_found_h14_levels_are_set_by_category(tmp_path: Path) -> None:
    levels = {"Default": "warning", "httpx": "Error", "function_app": "DEBUG", "funchost": "Trace"}

    settings = load(tmp_path, {"version": "2.0", "logging": {"logLevel": levels}})

    assert settings.log_level == "Warning"
    assert settings.log_categories == {
        "httpx": "Error",
        "function_app": "Debug",
        "funchost": "Trace",
    }


def test_found_h14_a_level_that_is_none_is_refused_by_category(tmp_path: Path) -> None:
    found = problems(tmp_path, {"version": "2.0", "logging": {"logLevel": {"httpx": "Loud"}}})
    assert len(found) == 1
    assert "httpx" in found[0]
    assert "'Loud'" in found[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"extension": {}}, "is 'extensions' meant?"),
        ({"functionTimout": "00:05:00"}, "is 'functionTimeout' meant?"),
        ({"funchost": {"stopGraceSecond": 9}}, "is 'stopGraceSeconds' meant?"),
        (
            {
                "extensions": {
                    "durableTask": {"notifications": {"EventGrid": {"topicEndpoint": "x"}}}
                }
            },
            "'extensions.durableTask.notifications.EventGrid' is Azure's, and here nobody is told.",
        ),
        (
            {"funchost": {"colour": "red"}},
            "'funchost.colour' means nothing here. There are dashboard, http, ",
        ),
        ({"funchost": {"http": {"colour": "red"}}}, "'funchost.http.colour' means nothing here."),
        ({"extensions": {"http": {"routePrefx": ""}}}, "is 'routePrefix' meant?"),
        (
            {"Extensions": {"durabletask": {"maxConcurrentActivityFunction": 1}}},
            "'extensions.durableTask.maxConcurrentActivityFunction' means nothing here: is "
            "'maxConcurrentActivityFunctions' meant?",
        ),
        (
            {"extensions": {"durableTask": {"storageProvider": {"type": "sqlite", "foo": 1}}}},
            "'extensions.durableTask.storageProvider.foo' means nothing here: sqlite has no",
        ),
    ],
)
def test_a_key_that_is_probably_misspelt_is_told(
    tmp_path: Path, content: dict[str, Any], said: str
) -> None:
    [told] = load(tmp_path, {"version": "2.0", **content}).unknown
    assert said in told


def test_keys_that_mean_something_on_azure_are_nothing_to_be_told(tmp_path: Path) -> None:
    content = {
        "version": "2.0",
        "aggregator": {},
        "extensionBundle": {},
        "retry": {},
        "watchFiles": [],
        "logging": {"applicationInsights": {}, "logLevel": {"Host.Results": "Error"}},
        "extensions": {
            "http": {"hsts": {}, "dynamicThrottlesEnabled": True},
            "queues": {},
            "durableTask": {
                "maxConcurrentEntityFunctions": 1,
                "maxQueuePollingInterval": "00:00:01",
                "extendedSessionsEnabled": True,
                "maxEntityOperationBatchSize": 1,
                "versionMatchStrategy": "Strict",
                "storageProvider": {"type": "aws", "region": "eu-central-1"},
            },
        },
    }
    assert load(tmp_path, content).unknown == ()


@pytest.mark.parametrize("name", ["host.json", "local.settings.json"])
def test_found_g13_a_settings_file_that_is_a_pipe_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert problems(tmp_path)[0].startswith(f"{name} cannot be read: it is no file but a pipe")


@pytest.mark.parametrize("value", [True, False])
def test_found_h13_a_truth_is_no_number(tmp_path: Path, *, value: bool) -> None:
    limits = {"maxConcurrentActivityFunctions": value, "maxPayloadBytes": value}
    host = {
        "version": "2.0",
        "extensions": {"durableTask": limits, "http": {"maxOutstandingRequests": value}},
        "funchost": {"http": {"maxConnections": value, "headTimeoutSeconds": value}},
    }
    found = problems(tmp_path, host)
    assert len(found) == 5
    assert all(f"Write a number; it is {str(value).lower()}" in each for each in found)
