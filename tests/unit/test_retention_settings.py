"""How long finished instances are kept, as host.json says it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from host.settings.durable_task import DurableTaskSettings, RetentionSettings


def test_what_is_not_said_differs_from_what_is_kept_for_ever() -> None:
    given = {"Completed": "1.00:00:00", "failed": None}
    given |= {"Entities": "7.00:00:00"}
    settings = RetentionSettings.model_validate(given)
    kept = {"completed": timedelta(days=1), "failed": None, "entities": timedelta(days=7)}
    assert settings.given == kept
    assert RetentionSettings().given == {}


@pytest.mark.parametrize("name", ["running", "canceled", "compleeted"])
def test_found_a_name_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=f"'{name}' is none of completed, failed, termi"):
        RetentionSettings.model_validate({name: None})


@pytest.mark.parametrize("said", [None, [], "30.00:00:00"])
def test_found_what_is_no_object_gets_the_right_form(said: Any) -> None:
    with pytest.raises(ValidationError, match=r'Write an object such as \{"completed": "30.00:00:'):
        DurableTaskSettings.model_validate({"retention": said})


@pytest.mark.parametrize(
    ("period", "message"),
    [
        ("3000000.00:00:00", "A duration has at most 999999 days; null keeps them for ever"),
        ("9" * 5000 + ".00:00:00", "A duration has at most 999999 days"),
        ("30d", "hh:mm:ss or d.hh:mm:ss, such as 00:05:00 or 30.00:00:00; null keeps"),
        ([], "or 30.00:00:00; null keeps them for ever"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_found_a_wrong_time_gets_the_right_form_and_the_limit(period: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RetentionSettings.model_validate({"completed": period})


@pytest.mark.parametrize("period", ["00:00:00", "00:00:00.5", "tomorrow", 5, True, "-1"])
def test_what_is_no_time_to_keep_anything_is_refused(period: Any) -> None:
    with pytest.raises(ValidationError):
        RetentionSettings.model_validate({"terminated": period})


def test_an_entity_is_kept_for_half_an_hour_at_least() -> None:
    assert RetentionSettings.model_validate({"entities": "00:30:00"}).entities is not None
    assert RetentionSettings.model_validate({"entities": None}).given == {"entities": None}
    with pytest.raises(ValidationError, match="half an hour at least; null keeps them for ever"):
        RetentionSettings.model_validate({"entities": "00:29:59"})
