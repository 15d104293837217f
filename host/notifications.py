"""What an app has told outside of its hub, as its settings say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from host.clock import Clock
from host.core.records import NoticeKind
from host.engine.notices import Notifications
from host.errors import ConfigurationError
from host.http.notifications import BodyOf, Webhook, event_grid_body, own_body
from host.settings.model import HostSettings
from host.settings.notifications import WebhookFormat

_BODIES: Mapping[WebhookFormat, BodyOf] = {
    WebhookFormat.FUNCHOST: own_body,
    WebhookFormat.EVENT_GRID: event_grid_body,
}


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
    """Who is told. Raises `ConfigurationError` if the secret is missing."""
    durable = settings.extensions.durable_task
    given = durable.notifications.webhook
    if given is None:
        return None
    secret = settings.values.get(given.secret_setting_name, "").strip()
    if not secret:
        raise ConfigurationError(
            "host.json: extensions.durableTask.notifications.webhook.secretSettingName: the app "
            f"setting '{given.secret_setting_name}' is missing or empty: set it in the environment "
            "or in the Values of local.settings.json."
        )
    return Webhook(
        url=given.url,
        secret=secret.encode(),
        hub=durable.hub_name,
        body_of=_BODIES[given.format],
        clock=clock,
    )
