"""What host.json says of notifications: who is told what becomes of instances."""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from host.settings.sections import Section, member

NOTICE_EVENTS = ("started", "completed", "failed", "terminated", "quarantined")
"""What of an instance's life can be told outside of the hub."""
AZURES = "eventgrid"
"""What Azure's files have in place of `webhook`, in small letters."""
ABOUT_AZURES = (
    "is Azure's, and here nobody is told. The same events go to a receiver of yours: write "
    '"webhook": {"url": "https://...", "secretSettingName": "...", "format": "eventGrid"}. '
    "A topic of Event Grid takes none of them."
)
MAX_HOST_NAME = 253

_SETTING = re.compile(r"%([^%]+)%")
_PLACE = re.compile(r"(\[[^\[\]]+\]|[^\[\]:]+)(:[0-9]+)?")
"""A host, in brackets if it is an IPv6 address, and perhaps a port."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
"""A part of a host's name; underscores are no part of the rule, and of some names."""
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NO_URL = "It is no URL such as https://example.com/hook"


class WebhookFormat(StrEnum):
    """What a receiver of notifications gets."""

    FUNCHOST = "funchost"
    EVENT_GRID = "eventGrid"


class WebhookSettings(Section):
    """`extensions.durableTask.notifications.webhook`: who is told what becomes of instances.

    `url` is https, or leads to this machine, unless `allowHttp` is true; it may name an app
    setting, as `%WEBHOOK_URL%`. `secretSettingName` is the name of the app setting whose value
    signs each request. `events` are all that there are, unless some are named.

    The app settings are not looked at here: only who sends anything needs them.
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
    def _strip_url(cls, url: str) -> str:
        return url.strip()

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
        if self.url_setting is None:
            check_address(self.url, allow_http=self.allow_http)
        return self

    @property
    def url_setting(self) -> str | None:
        """The name of the app setting that has the address; None if `url` is the address itself."""
        found = _SETTING.fullmatch(self.url)
        return found and found[1]


def check_address(url: str, *, allow_http: bool) -> None:
    """Raise `ValueError` if nothing can be posted there. It is not quoted: it may hold a secret."""
    if _BAD_PERCENT.search(url):
        raise ValueError(
            "url: A part of it cannot come from an app setting: name one app setting that is the "
            "whole of it, as %WEBHOOK_URL%"
        )
    try:
        parts = urlsplit(url)
        has_no_port = parts.port == 0
    except ValueError:
        raise ValueError(f"url: {_NO_URL}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("url: It holds a user or a password; requests are signed instead")
    is_odd = not url.isascii() or any(x <= " " or x in "\\<>" for x in url)
    if (
        parts.scheme not in {"http", "https"}
        or has_no_port
        or is_odd
        or not _PLACE.fullmatch(parts.netloc)
        or not _may_be_a_host(parts.hostname or "")
    ):
        raise ValueError(f"url: {_NO_URL}")
    if parts.scheme == "http" and not (allow_http or _is_this_machine(parts.hostname or "")):
        raise ValueError(
            "url: Anybody on the way could read what http carries: use https, or say "
            '"allowHttp": true'
        )


def _may_be_a_host(host: str) -> bool:
    """Whether it is an address, or may be a name."""
    try:
        ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        is_name = len(host) <= MAX_HOST_NAME and all(map(_LABEL.fullmatch, labels))
        return is_name and not labels[-1].isdecimal()
    return True


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

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, said: Any) -> Any:
        """What stands beside `webhook` would be told to nobody, too. Files of Azure must load."""
        for name in said if isinstance(said, dict) else ():
            if str(name).lower() not in {"webhook", AZURES}:
                raise ValueError(_about_stranger(str(name)))
        return said


def _about_stranger(name: str) -> str:
    own = [to_camel(each) for each in WebhookSettings.model_fields]
    if name.lower() in map(str.lower, own):
        return f"'{name}' belongs into \"webhook\": {{...}}"
    return f"'{name}' is none of webhook"
