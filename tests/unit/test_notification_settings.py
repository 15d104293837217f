"""Who is told what becomes of instances, as host.json says it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from host.clock import SystemClock
from host.core.records import NoticeKind
from host.errors import ConfigurationError
from host.notifications import webhook_of, webhook_problems
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
        ({"url": "https://example.com:/"}, "no URL such as"),
        ({"url": "https://example.com:0/"}, "no URL such as"),
        ({"url": "https://*/"}, "no URL such as"),
        ({"url": "https://{a}/"}, "no URL such as"),
        ({"url": "https://a;b/"}, "no URL such as"),
        ({"url": "https://a..b/"}, "no URL such as"),
        ({"url": "https://-a/"}, "no URL such as"),
        ({"url": "https://xn--/"}, "no URL such as"),
        ({"url": f"https://{'a' * 64}/"}, "no URL such as"),
        ({"url": f"https://{'a.' * 200}com/"}, "no URL such as"),
        ({"url": "https://256.1.1.1/"}, "no URL such as"),
        ({"url": "https://1.2.3.4.5/"}, "no URL such as"),
        ({"url": "https://127.1/"}, "no URL such as"),
        ({"url": "https://2130706433/"}, "no URL such as"),
        ({"url": "https://[::g]/"}, "no URL such as"),
        ({"url": "https://[::1]x/"}, "no URL such as"),
        ({"url": "https://x[::1]/"}, "no URL such as"),
        ({"url": "https://%HOST%/x"}, "one app setting that is the whole of it"),
        ({"url": "https://example.com/%TOKEN%"}, "one app setting that is the whole of it"),
        ({"url": "https://example.com/100%"}, "one app setting that is the whole of it"),
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
    [
        "http://localhost:8000/",
        "http://127.0.0.1:1/x",
        "http://[::1]:8000/hook?a=b",
        "http://[::1]",
    ],
)
def test_what_does_not_leave_the_machine_needs_no_tls(url: str) -> None:
    assert WebhookSettings.model_validate(HOOK | {"url": url}).url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com.:8443/a%20b?c=%41#d",
        "https://my_receiver/",
        "https://a-b.example/",
        "https://10.0.0.7/",
        "https://[2001:db8::1]:443/",
        "https://xn--bcher-kva.example/",
        "HTTPS://EXAMPLE.COM/",
    ],
)
def test_what_may_be_a_receiver_is_taken(url: str) -> None:
    assert WebhookSettings.model_validate(HOOK | {"url": url}).url == url


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"url": "https://example.com"}, "'url' belongs into \"webhook\""),
        ({"webHooks": {}}, "'webHooks' is none of webhook"),
    ],
)
def test_what_stands_beside_the_webhook_is_refused(said: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        NotificationSettings.model_validate(said)
    with pytest.raises(ValidationError, match=match):
        NotificationSettings.model_validate(said | {"Webhook": HOOK})


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


@pytest.mark.parametrize(
    ("url", "match"),
    [
        (None, "webhook.url: the app setting 'HOOK_URL' is missing or empty"),
        (" ", "webhook.url: the app setting 'HOOK_URL' is missing or empty"),
        ("http://example.com/hidden", 'webhook.url: .*"allowHttp": true'),
        ("https://%OTHER%/hidden", "webhook.url: .*one app setting that is the whole of it"),
        ("hidden", "webhook.url: It is no URL such as"),
    ],
)
def test_a_host_does_not_start_with_a_setting_that_is_no_address(
    url: str | None, match: str
) -> None:
    values = {"HOOK_SECRET": "s"} | ({} if url is None else {"HOOK_URL": url})
    found = settings(values, url="%HOOK_URL%")
    with pytest.raises(ConfigurationError, match=match) as refusal:
        webhook_of(found, SystemClock())
    assert "hidden" not in str(refusal.value)


def test_all_that_a_host_misses_is_said_at_once() -> None:
    found = settings({}, url="%HOOK_URL%")
    assert len(webhook_problems(found)) == 2
    with pytest.raises(ConfigurationError) as refusal:
        webhook_of(found, SystemClock())
    assert refusal.value.problems == tuple(f"host.json: {each}" for each in webhook_problems(found))
    assert webhook_problems(settings({"HOOK_SECRET": "s"})) == []
    assert webhook_problems(HostSettings()) == []


def test_a_secret_that_stands_where_its_name_belongs_is_not_quoted() -> None:
    secret = "9f86d081884c7d659a2feaa0c55ad015"
    for found in (settings({}, secretSettingName=secret), settings({}, url=f"%{secret}%")):
        (problem, *_) = webhook_problems(found)
        assert "the app setting that it names is missing" in problem
        assert secret not in problem


def test_a_secret_may_have_any_bytes() -> None:
    hook = webhook_of(settings({"HOOK_SECRET": " \udcff\udc80x "}), SystemClock())
    assert hook is not None
    assert hook.secret == b"\xff\x80x"


def test_a_secret_that_is_no_text_is_refused_in_words() -> None:
    with pytest.raises(ConfigurationError, match="characters that no text has"):
        webhook_of(settings({"HOOK_SECRET": "\ud800"}), SystemClock())


def test_the_secret_is_in_no_text_of_the_receiver() -> None:
    hook = webhook_of(settings({"HOOK_SECRET": "do-not-show"}), SystemClock())
    assert "do-not-show" not in repr(hook)
