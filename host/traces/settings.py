"""Where traces are sent to: OpenTelemetry's own environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from host.errors import ConfigurationError

_PREFIX: Final = "OTEL_EXPORTER_OTLP_"
ENDPOINT: Final = f"{_PREFIX}ENDPOINT"
_PATH: Final = "/v1/traces"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """How spans are sent."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    packs: bool = False
    """Whether what is sent is packed by gzip."""
    certificate: str | None = None
    """A file of certificates to believe in; None for those of the system."""
    resource: Mapping[str, str] = field(default_factory=dict)
    """What is said of this host."""
    delay_s: float = 1.0
    """How long spans are gathered."""


def trace_settings(environ: Mapping[str, str]) -> TraceSettings | None:
    """What the environment says; None if no traces are wanted. Raises `ConfigurationError`."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        return None
    url = environ.get(f"{_PREFIX}TRACES_ENDPOINT") or ""
    if not url and (base := environ.get(ENDPOINT)):
        url = base.rstrip("/") + _PATH
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(f"{ENDPOINT} is no URL such as http://localhost:4318: {url!a}.")
    if _value(environ, "PROTOCOL").lower() == "grpc":
        raise ConfigurationError(
            f"{_PREFIX}PROTOCOL is grpc, and traces are sent over HTTP: name the receiver's HTTP "
            "port (4318 by default), and set the protocol to http/json."
        )
    return TraceSettings(
        url=url,
        headers=_pairs(_value(environ, "HEADERS"), f"{_PREFIX}HEADERS"),
        timeout_s=_milliseconds(_value(environ, "TIMEOUT"), f"{_PREFIX}TIMEOUT", 10.0),
        packs=_value(environ, "COMPRESSION").lower() == "gzip",
        certificate=_value(environ, "CERTIFICATE") or None,
        resource=_resource(environ),
        delay_s=_milliseconds(
            environ.get("OTEL_BSP_SCHEDULE_DELAY", ""), "OTEL_BSP_SCHEDULE_DELAY", 1.0
        ),
    )


def _value(environ: Mapping[str, str], name: str) -> str:
    of_traces = environ.get(f"{_PREFIX}TRACES_{name}")
    return (of_traces or environ.get(f"{_PREFIX}{name}") or "").strip()


def _resource(environ: Mapping[str, str]) -> Mapping[str, str]:
    name = "OTEL_RESOURCE_ATTRIBUTES"
    given = _pairs(environ.get(name, ""), name)
    service = environ.get("OTEL_SERVICE_NAME") or given.get("service.name") or "funchost"
    return {**given, "service.name": service}


def _pairs(text: str, name: str) -> dict[str, str]:
    """`a=b,c=d`, percent-encoded. Raises `ConfigurationError`; it does not show the values."""
    pairs = [each.partition("=") for each in text.split(",") if each.strip()]
    if not all(key.strip() and sign for key, sign, _ in pairs):
        raise ConfigurationError(f"{name} is no list such as name=value,other=value.")
    return {unquote(key.strip()): unquote(value.strip()) for key, _, value in pairs}


def _milliseconds(text: str, name: str, default_s: float) -> float:
    if not text:
        return default_s
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 10**9):
        raise ConfigurationError(f"{name} is no number of milliseconds above 0: {text!a}.")
    return int(text) / 1000
