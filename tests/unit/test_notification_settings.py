"""Who is told what becomes of instances, as host.json says it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from host.clock import SystemClock
from host.core.records import NoticeKind
from host.errors import ConfigurationError
from host.notifications import webhook_of
from host.settings.model import HostDocument, HostSettings
from host.settings.notifications import (
    NOTICE_EVENTS,
    NotificationSettings,
    WebhookFormat,
    WebhookSettings,
)
from host.settings.values import AppSettings

HOOK: dict[str, Any] = {"url": "https://example.com/hook", "secretSettingName": "HOOK_SECRET"}


def settings(values: dict[str, str], **hook: Any) -> HostSettings:
    content = {
        "version": "2.0",
        "extensions": {"durableTask": {"notifications": {"webhook": HOOK | hook}}},
    }
    found = AppSettings(values)
    document = HostDocument.model_validate(content, context={"values": found})
    return HostSettings(document=document, values=found)


def test_without_a_word_nobody_is_told() -> None:
    assert NotificationSettings().webhook is None
    assert webhook_of(HostSettings(), SystemClock()) is None


def test_all_is_told_unless_some_is_named() -> None:
    found = WebhookSettings.model_validate(HOOK)
    assert found.events == NOTICE_EVENTS == tuple(each.value for each in NoticeKind)
    assert found.format is WebhookFormat.FUNCHOST
    some = WebhookSettings.model_validate(
        HOOK | {"Events": ["Failed", "quarantined"], "format": "EVENTGRID"}
    )
    assert some.events == ("failed", "quarantined")
    assert some.format is WebhookFormat.EVENT_GRID


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"events": ["finished"]}, "'finished' is none of started, completed, failed"),
        ({"events": []}, "Write a list of some of started"),
        ({"events": "failed"}, "Write a list of some of started"),
        ({"format": "cloudEvents"}, "eventGrid"),
        ({"event": ["failed"]}, "'event' is none of url, secretSettingName, events"),
        ({"secretSettingName": ""}, "secretSettingName"),
        ({"url": "http://example.com/hook"}, '"allowHttp": true'),
        ({"url": "ftp://example.com"}, "no URL such as"),
        ({"url": "example.com/hook"}, "no URL such as"),
        ({"url": "https://"}, "no URL such as"),
        ({"url": "https://example.com:99999/"}, "no URL such as"),
        ({"url": "https://example.com/a b"}, "no URL such as"),
        ({"url": "https://me:secret@example.com/"}, "a user or a password"),
    ],
)
def test_what_would_tell_nobody_is_refused(said: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match) as refusal:
        WebhookSettings.model_validate(HOOK | said)
    assert "secret@" not in str(refusal.value.errors()[0]["msg"])


@pytest.mark.parametrize("name", ["url", "secretSettingName"])
def test_a_receiver_has_an_address_and_a_secret(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        WebhookSettings.model_validate({key: HOOK[key] for key in HOOK if key != name})


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8000/", "http://127.0.0.1:1/x", "http://[::1]:8000/hook?a=b"],
)
def test_what_does_not_leave_the_machine_needs_no_tls(url: str) -> None:
    assert WebhookSettings.model_validate(HOOK | {"url": url}).url == url


def test_http_is_possible_for_who_says_so() -> None:
    said = HOOK | {"url": "http://receiver.internal/", "allowHttp": True}
    assert WebhookSettings.model_validate(said).allow_http


def test_the_address_may_be_an_app_setting() -> None:
    found = settings(
        {"HOOK_URL": "https://example.com/token", "HOOK_SECRET": "s"}, url="%HOOK_URL%"
    )
    hook = webhook_of(found, SystemClock())
    assert hook is not None
    assert hook.url == "https://example.com/token"
    assert "token" not in repr(hook.secret)


@pytest.mark.parametrize("values", [{}, {"HOOK_SECRET": " "}])
def test_a_host_does_not_start_without_the_secret(values: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="the app setting 'HOOK_SECRET' is missing or em"):
        webhook_of(settings(values), SystemClock())


def test_the_secret_is_in_no_text_of_the_receiver() -> None:
    hook = webhook_of(settings({"HOOK_SECRET": "do-not-show"}), SystemClock())
    assert "do-not-show" not in repr(hook)
