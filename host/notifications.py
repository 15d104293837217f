"""What an app has told outside of its hub, as its settings say."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from host.clock import Clock
from host.core.records import NoticeKind
from host.engine.notices import Notifications
from host.errors import ConfigurationError
from host.http.notifications import BodyOf, Webhook, event_grid_body, own_body
from host.settings.loading import FILE_NAME
from host.settings.model import HostSettings
from host.settings.notifications import WebhookFormat, WebhookSettings, check_address
from host.settings.values import AppSettings

_BODIES: Mapping[WebhookFormat, BodyOf] = {
    WebhookFormat.FUNCHOST: own_body,
    WebhookFormat.EVENT_GRID: event_grid_body,
}
_NAME = re.compile(r"[A-Za-z][A-Za-z_:.-]{0,63}")
"""What is no secret: random texts have digits."""
_UNNAMED = "the app setting that it names"


@asynccontextmanager
async def notifications(
    settings: HostSettings, clock: Clock
) -> AsyncIterator[Notifications | None]:
    """What is told, and to whom; None if the app wants nothing told."""
    webhook = webhook_of(settings, clock)
    wanted = settings.extensions.durable_task.notifications.webhook
    if webhook is None or wanted is None:
        yield None
        return
    try:
        yield Notifications(wanted=frozenset(map(NoticeKind, wanted.events)), post=webhook.post)
    finally:
        await webhook.close()


def webhook_of(settings: HostSettings, clock: Clock) -> Webhook | None:
    """Who is told. Raises `ConfigurationError` if an app setting that it takes is not right."""
    durable = settings.extensions.durable_task
    given = durable.notifications.webhook
    if given is None:
        return None
    problems = webhook_problems(settings)
    if problems:
        raise ConfigurationError(*(f"{FILE_NAME}: {each}" for each in problems))
    return Webhook(
        url=_url(given, settings.values),
        secret=_secret(given, settings.values),
        hub=durable.hub_name,
        body_of=_BODIES[given.format],
        clock=clock,
    )


def webhook_problems(settings: HostSettings) -> list[str]:
    """Why nobody can be told with these app settings. A host does not start with that.

    Each names its place in host.json, and no value.
    """
    given = settings.extensions.durable_task.notifications.webhook
    if given is None:
        return []
    found = []
    for key, read in (("url", _url), ("secretSettingName", _secret)):
        try:
            read(given, settings.values)
        except ValueError as error:
            problem = str(error).removeprefix(f"{key}: ").rstrip(".")
            found.append(f"extensions.durableTask.notifications.webhook.{key}: {problem}.")
    return found


def _url(given: WebhookSettings, values: AppSettings) -> str:
    """The address, without quoting it. Raises `ValueError`."""
    if given.url_setting is None:
        return given.url
    url = _value(given.url_setting, values)
    check_address(url, allow_http=given.allow_http)
    return url


def _secret(given: WebhookSettings, values: AppSettings) -> bytes:
    """What signs. Raises `ValueError`."""
    text = _value(given.secret_setting_name, values)
    try:
        return text.encode(errors="surrogateescape")  # the environment's own bytes
    except UnicodeEncodeError:
        raise ValueError("the app setting that it names has characters that no text has") from None


def _value(name: str, values: AppSettings) -> str:
    text = values.get(name, "").strip()
    if not text:
        # Who wrote the secret itself where its name belongs is not to find it in a log.
        named = f"the app setting '{name}'" if _NAME.fullmatch(name) else _UNNAMED
        raise ValueError(
            f"{named} is missing or empty: set it in the environment or in the Values of "
            "local.settings.json"
        )
    return text
