"""Which web pages of other sites may ask the app's functions, and what browsers are to remember.

Pages are named in `extensions.http.cors` of host.json, in `Host` of local.settings.json, or on the
command line; what is said nearer to the start comes first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import Field, ValidationError, field_validator, model_validator

from bindings.timespans import parse_timespan
from host.settings.sections import Section

ANY_ORIGIN: Final = "*"

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@,*]+")
HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_USUAL_PORTS: Final = {"http": ":80", "https": ":443"}
_MIN_HSTS: Final = timedelta(seconds=1)


class CorsSettings(Section):
    """`extensions.http.cors`: pages of which sites may ask functions, and never the host itself.

    `allowedOrigins` are such as `https://shop.example`, or `*` alone for all of them. With
    `supportCredentials` their browsers send cookies, too. `exposedHeaders` are those of answers
    that pages can read besides the few that they always can.
    """

    allowed_origins: tuple[str, ...] = ()
    support_credentials: bool = False
    exposed_headers: tuple[str, ...] = ()

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_origin(each) for each in origins)

    @field_validator("exposed_headers")
    @classmethod
    def _check_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"'{name}' cannot be a header's name")
        return names

    @model_validator(mode="after")
    def _refuse_all_with_credentials(self) -> CorsSettings:
        if self.support_credentials and ANY_ORIGIN in self.allowed_origins:
            raise ValueError(
                "Credentials and the origin * do not go together: any page could act for whoever "
                "looks at it. Name the origins"
            )
        return self

    @property
    def allows_any(self) -> bool:
        """Whether pages of all sites may ask."""
        return ANY_ORIGIN in self.allowed_origins


NO_CORS: Final = CorsSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsWish:
    """What is said elsewhere than in host.json; None where nothing is."""

    origins: str | None = None
    """Origins with commas between them; an empty text for none."""
    credentials: bool | None = None

    def or_else(self, other: CorsWish) -> CorsWish:
        """What is said here, and else what the other one says."""
        return CorsWish(
            origins=other.origins if self.origins is None else self.origins,
            credentials=other.credentials if self.credentials is None else self.credentials,
        )

    def over(self, settings: CorsSettings) -> CorsSettings:
        """These settings, but for what is said here. Raises ValueError with the reason."""
        said: dict[str, Any] = {}
        if self.origins is not None:
            parts = (part.strip() for part in self.origins.split(","))
            said["allowedOrigins"] = [part for part in parts if part]
        if self.credentials is not None:
            said["supportCredentials"] = self.credentials
        if not said:
            return settings
        try:
            return CorsSettings.model_validate({**settings.model_dump(by_alias=True), **said})
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


NO_WISH: Final = CorsWish()


class HstsSettings(Section):
    """`extensions.http.hsts`: have browsers come by https only, for `maxAge`, once they did.

    Sent where a request came by https, and never for names of this machine.
    """

    is_enabled: bool = False
    max_age: timedelta = Field(default=timedelta(days=30))
    include_sub_domains: bool = False
    preload: bool = False

    @field_validator("max_age", mode="before")
    @classmethod
    def _check_age(cls, value: Any) -> timedelta:
        """A timespan; a number alone is days, as in .NET."""
        text = str(value).strip()
        is_days = text.isascii() and text.isdecimal() and not isinstance(value, bool)
        age = parse_timespan(f"{text}.00:00:00" if is_days else value)
        if age < _MIN_HSTS:
            raise ValueError("Browsers are to remember it for 1 second at least")
        return age

    @property
    def header(self) -> str:
        """The value of `Strict-Transport-Security`."""
        parts = [f"max-age={int(self.max_age.total_seconds())}"]
        parts += ["includeSubDomains"] if self.include_sub_domains else []
        return "; ".join([*parts, "preload"] if self.preload else parts)


def _origin(text: str) -> str:
    """An origin as browsers write it. Raises ValueError."""
    origin = text.strip().lower().removesuffix("/")
    if origin == ANY_ORIGIN:
        return origin
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(
            f"'{text}' is no origin such as https://shop.example or http://localhost:3000 (without "
            "a path, and without *), nor * alone for all"
        )
    return origin.removesuffix(_USUAL_PORTS.get(origin.partition("://")[0], "/"))
