"""How long finished instances are kept, as host.json says it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from host.settings.model import RetentionSettings


def test_what_is_not_said_differs_from_what_is_kept_for_ever() -> None:
    given = {"Completed": "1.00:00:00", "failed": None}
    settings = RetentionSettings.model_validate(given)
    assert settings.given == {"completed": timedelta(days=1), "failed": None}
    assert RetentionSettings().given == {}


@pytest.mark.parametrize("name", ["running", "canceled", "compleeted"])
def test_found_a_name_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=f"'{name}' is none of completed, failed, termi"):
        RetentionSettings.model_validate({name: None})


@pytest.mark.parametrize("period", ["00:00:00", "00:00:00.5", "tomorrow", 5, True, "-1"])
def test_what_is_no_time_to_keep_anything_is_refused(period: Any) -> None:
    with pytest.raises(ValidationError):
        RetentionSettings.model_validate({"terminated": period})
