"""What host.json says of notifications: who is told what becomes of instances."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from host.settings.sections import Section, member, with_values

NOTICE_EVENTS = ("started", "completed", "failed", "terminated", "quarantined")
"""What of an instance's life can be told outside of the hub."""


class WebhookFormat(StrEnum):
    """What a receiver of notifications gets."""

    FUNCHOST = "funchost"
    EVENT_GRID = "eventGrid"


class WebhookSettings(Section):
    """`extensions.durableTask.notifications.webhook`: who is told what becomes of instances.

    `url` is https, or leads to this machine, unless `allowHttp` is true; it may name an app
    setting, as `%WEBHOOK_URL%`. `secretSettingName` is the name of the app setting whose value
    signs each request. `events` are all that there are, unless some are named.
    """

    url: str
    secret_setting_name: Annotated[str, Field(min_length=1)]
    events: tuple[str, ...] = NOTICE_EVENTS
    format: WebhookFormat = WebhookFormat.FUNCHOST
    allow_http: bool = False

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, said: Any) -> Any:
        """What is misspelt here would be told to nobody, and nobody would miss it."""
        names = [to_camel(name) for name in cls.model_fields]
        for name in said if isinstance(said, dict) else ():
            if str(name).lower() not in map(str.lower, names):
                raise ValueError(f"'{name}' is none of {', '.join(names)}")
        return said

    @field_validator("url")
    @classmethod
    def _resolve_url(cls, url: str, info: ValidationInfo) -> str:
        return with_values(url, info).strip()

    @field_validator("events", mode="before")
    @classmethod
    def _fold_events(cls, events: Any) -> Any:
        if not isinstance(events, list | tuple) or not events:
            raise ValueError(f"Write a list of some of {', '.join(NOTICE_EVENTS)}")
        for each in events:
            if str(each).lower() not in NOTICE_EVENTS:
                raise ValueError(f"'{each}' is none of {', '.join(NOTICE_EVENTS)}")
        return tuple(str(each).lower() for each in events)

    @field_validator("format", mode="before")
    @classmethod
    def _fold_format(cls, value: Any) -> Any:
        return member(WebhookFormat, value)

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        """Not quoted: it may hold a secret."""
        try:
            parts = urlsplit(self.url)
            port_is_valid = parts.port is None or parts.port > 0
        except ValueError:
            raise ValueError("url: It is no URL such as https://example.com/hook") from None
        is_odd = not self.url.isascii() or any(x <= " " or x in "\\<>" for x in self.url)
        if (
            parts.scheme not in {"http", "https"}
            or not (parts.hostname and port_is_valid)
            or is_odd
        ):
            raise ValueError("url: It is no URL such as https://example.com/hook")
        if parts.username is not None or parts.password is not None:
            raise ValueError("url: It holds a user or a password; requests are signed instead")
        is_here = _is_this_machine(parts.hostname)
        if parts.scheme == "http" and not (is_here or self.allow_http):
            raise ValueError(
                "url: Anybody on the way could read what http carries: use https, or say "
                '"allowHttp": true'
            )
        return self


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class NotificationSettings(Section):
    """`extensions.durableTask.notifications`."""

    webhook: WebhookSettings | None = None
