"""`retry` of functions: how it is written, what is refused, and how long its delays are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import FunctionApp, FunctionDefinitionError
from bindings.app import FaultyFunction
from bindings.function_retry import FunctionRetry, RetryStrategy, read_retry
from host.errors import ConfigurationError
from host.functions.loader import load_app
from host.functions.model import App
from host.settings import load_settings

MakeApp = Callable[[Mapping[str, str]], Path]

FIXED = {"strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:00:05"}
GROWING = {
    "strategy": "exponentialBackoff",
    "maxRetryCount": 5,
    "minimumInterval": "00:00:02",
    "maximumInterval": "00:01:00",
}
SECOND = timedelta(seconds=1)


def without(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


@pytest.mark.parametrize(
    "document",
    [
        FIXED,
        FIXED | {"maxRetryCount": "3"},
        FIXED | {"strategy": "fixed_delay", "minimumInterval": None},
        {key.upper(): value for key, value in FIXED.items()},
    ],
)
def test_a_fixed_delay_is_read(document: Mapping[str, Any]) -> None:
    retry = read_retry(document)
    assert retry.to_json() == FIXED
    assert [retry.delay(number, 0.9) for number in (1, 2, 900)] == [5 * SECOND] * 3


def test_a_growing_delay_doubles_by_chance_and_keeps_its_bounds() -> None:
    retry = read_retry(GROWING)
    assert retry.to_json() == GROWING
    assert [retry.delay(number, 0.5) / SECOND for number in range(1, 8)] == [
        2,
        4,
        8,
        16,
        32,
        60,
        60,
    ]
    assert [retry.delay(3, chance) / SECOND for chance in (0.0, 1.0)] == [6.4, 9.6]
    assert retry.delay(1, 0.0) == 2 * SECOND
    assert retry.delay(10**9, 1.0) == 60 * SECOND
    assert retry.delay(10**9, 0.0) == 48 * SECOND


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (7, "must be an object"),
        ({}, "has no 'strategy': write one of fixedDelay, exponentialBackoff"),
        (FIXED | {"strategy": "linear"}, "has the strategy 'linear': write one of"),
        (without(FIXED, "maxRetryCount"), "has no 'maxRetryCount'"),
        (FIXED | {"maxRetryCount": -2}, "has the maxRetryCount -2"),
        (FIXED | {"maxRetryCount": 1.5}, "has the maxRetryCount 1.5"),
        (FIXED | {"maxRetryCount": True}, "has the maxRetryCount True"),
        (FIXED | {"maxRetryCount": "many"}, "has the maxRetryCount 'many'"),
        (FIXED | {"maxRetryCount": 2**31}, "has the maxRetryCount 2147483648"),
        (without(FIXED, "delayInterval"), "has no 'delayInterval'"),
        (FIXED | {"delayInterval": 5}, "is 5. Write a duration as hh:mm:ss"),
        (FIXED | {"delayInterval": "1.00:00:01"}, "it is at most 1.00:00:00"),
        (FIXED | {"minimumInterval": "00:00:01"}, "it takes delayInterval"),
        (FIXED | {"maxRetries": 3}, "'maxRetries', which means nothing: is 'maxRetryCount' meant?"),
        (without(GROWING, "maximumInterval"), "has no 'maximumInterval'"),
        (GROWING | {"minimumInterval": "00:02:00"}, "is longer than 'maximumInterval'"),
        (GROWING | {"minimumInterval": "00:00:00"}, "is 0, which never grows"),
        (FIXED | {"maxRetryCount": -1, "delayInterval": "00:00:00.5"}, "shorter than 00:00:01"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(document: object, said: str) -> None:
    with pytest.raises(FunctionDefinitionError) as caught:
        read_retry(document)
    assert said in str(caught.value)


# ---- where it is written -------------------------------------------------------------------------

TIMER = """
from datetime import timedelta
from funchost import FunctionApp

app = FunctionApp()

@app.timer_trigger("timer", schedule="0 0 0 * * *")
{retry}
def nightly(timer) -> None: ...
"""
ARGUMENTS = {
    "strategy": "strategy",
    "maxRetryCount": "max_retry_count",
    "delayInterval": "delay_interval",
    "minimumInterval": "minimum_interval",
    "maximumInterval": "maximum_interval",
}


def app_files(style: str, retry: Mapping[str, Any]) -> dict[str, str]:
    if style == "decorators":
        given = ", ".join(f"{ARGUMENTS[name]}={value!r}" for name, value in retry.items())
        return {"function_app.py": TIMER.format(retry=f"@app.retry({given})")}
    trigger = {"type": "timerTrigger", "name": "timer", "schedule": "0 0 0 * * *"}
    return {
        "nightly/function.json": json.dumps({"bindings": [trigger], "retry": retry}),
        "nightly/run.py": "def main(timer) -> None: ...",
    }


def loaded(app: Path, **environment: str) -> App:
    return load_app(app, load_settings(app, environment))


@pytest.mark.parametrize("style", ["decorators", "function.json"])
@pytest.mark.parametrize("retry", [FIXED, GROWING])
def test_both_styles_say_the_same(make_app: MakeApp, style: str, retry: Mapping[str, Any]) -> None:
    (nightly,) = loaded(make_app(app_files(style, retry))).functions
    assert nightly.retry == read_retry(retry)
    assert nightly.shown_retry == retry


@pytest.mark.parametrize("style", ["decorators", "function.json"])
def test_app_settings_give_values_that_are_not_shown(make_app: MakeApp, style: str) -> None:
    app = make_app(app_files(style, FIXED | {"maxRetryCount": "%TRIES%"}))
    (nightly,) = loaded(app, TRIES="8").functions
    assert nightly.retry is not None
    assert nightly.retry.max_retry_count == 8
    assert nightly.shown_retry == FIXED | {"maxRetryCount": "%TRIES%"}

    (broken,) = loaded(app, TRIES="a few").broken
    assert "has the maxRetryCount 'a few'" in broken.error
    (broken,) = loaded(app).broken
    assert "The app setting 'TRIES' is missing" in broken.error


@pytest.mark.parametrize("style", ["decorators", "function.json"])
def test_a_wrong_policy_breaks_its_function_and_no_other(make_app: MakeApp, style: str) -> None:
    files = app_files(style, FIXED | {"delayInterval": "5"})
    trigger = {"type": "manualTrigger", "name": "text"}
    files["other/function.json"] = json.dumps({"bindings": [trigger]})
    files["other/run.py"] = "def main(text) -> None: ..."
    app = loaded(make_app(files))
    assert [each.name for each in app.functions] == ["other"]
    (broken,) = app.broken
    assert (broken.name, "'delayInterval' of 'retry' is '5'" in broken.error) == ("nightly", True)


def test_intervals_can_be_durations() -> None:
    app = FunctionApp()

    @app.retry("fixed_delay", 2, delay_interval=timedelta(minutes=2, seconds=1.5))
    @app.timer_trigger(schedule="0 0 0 * * *")
    def nightly(timer: object) -> None: ...

    (declaration,) = app.get_functions()
    assert declaration.retry is not None
    assert declaration.retry["delayInterval"] == "00:02:01.500000"
    assert read_retry(declaration.retry).shortest == timedelta(seconds=121.5)


def test_two_policies_are_one_too_many() -> None:
    app = FunctionApp()

    @app.retry("fixed_delay", 2, "00:00:01")
    @app.retry("fixed_delay", 3, "00:00:01")
    @app.timer_trigger(schedule="0 0 0 * * *")
    def nightly(timer: object) -> None: ...

    (faulty,) = app.declarations()
    assert isinstance(faulty, FaultyFunction)
    assert "two 'retry' policies" in str(faulty.error)


@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        ("route", "start an orchestration, whose activities have a retry_policy"),
        ("activity_trigger", "give call_activity a retry_policy"),
        ("orchestration_trigger", "with a retry_policy of call_activity"),
    ],
)
def test_where_nobody_could_run_it_again_the_function_says_what_to_use(
    decorator: str, said: str
) -> None:
    app = FunctionApp()

    def run(context: object) -> None: ...

    app.retry("fixed_delay", 2, "00:00:01")(getattr(app, decorator)()(run))
    (faulty,) = app.declarations()
    assert isinstance(faulty, FaultyFunction)
    assert "cannot have a 'retry': " in str(faulty.error)
    assert said in str(faulty.error)


# ---- host.json -----------------------------------------------------------------------------------

HTTP = """
@app.route()
def answer(req) -> str:
    return "yes"
"""


def host_json(retry: object) -> str:
    return json.dumps({"version": "2.0", "retry": retry})


def retries(app: App) -> dict[str, FunctionRetry | None]:
    return {each.name: each.retry for each in app.functions}


def test_host_json_gives_it_to_all_that_a_listener_triggers(make_app: MakeApp) -> None:
    files = {"function_app.py": TIMER.format(retry="") + HTTP, "host.json": host_json(GROWING)}
    app = loaded(make_app(files))
    assert retries(app) == {"nightly": read_retry(GROWING), "answer": None}
    (nightly,) = [each for each in app.functions if each.name == "nightly"]
    assert nightly.shown_retry == GROWING


def test_a_functions_own_policy_is_stronger(make_app: MakeApp) -> None:
    files = app_files("function.json", FIXED) | {"host.json": host_json(GROWING)}
    assert retries(loaded(make_app(files))) == {"nightly": read_retry(FIXED)}


def test_the_environment_changes_that_of_host_json(make_app: MakeApp) -> None:
    files = {"function_app.py": TIMER.format(retry=""), "host.json": host_json(FIXED)}
    environment = {"AzureFunctionsJobHost__retry__maxRetryCount": "%N%", "N": "-1"}
    found = retries(loaded(make_app(files), **environment))["nightly"]
    assert found == FunctionRetry(
        strategy=RetryStrategy.FIXED_DELAY,
        max_retry_count=-1,
        shortest=5 * SECOND,
        longest=5 * SECOND,
    )


@pytest.mark.parametrize("nothing", [{}, None])
def test_host_json_may_say_nothing(make_app: MakeApp, nothing: object) -> None:
    files = {"function_app.py": TIMER.format(retry=""), "host.json": host_json(nothing)}
    assert retries(loaded(make_app(files))) == {"nightly": None}


@pytest.mark.parametrize("wrong", [FIXED | {"delayInterval": "5"}, 3, [], {"strategy": "x"}])
def test_a_wrong_one_in_host_json_ends_the_start(make_app: MakeApp, wrong: object) -> None:
    app = make_app({"function_app.py": "", "host.json": host_json(wrong)})
    with pytest.raises(ConfigurationError) as caught:
        load_settings(app, {})
    (problem,) = caught.value.problems
    assert problem.startswith("host.json: retry")
