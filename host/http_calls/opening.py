"""Makes what runs the requests of `call_http`, from an app's settings."""

from __future__ import annotations

from collections.abc import Callable

from host.clock import Clock
from host.http_calls.calls import HttpCalls
from host.http_calls.gate import Gate, Lookup
from host.http_calls.sending import Sender, look_up
from host.http_calls.tokens import TokenProofs
from host.settings.http_calls import HttpCallSettings
from host.settings.values import AppSettings


def http_calls(
    settings: HttpCallSettings,
    values: Callable[[], AppSettings],
    clock: Clock,
    lookup: Lookup = look_up,
) -> HttpCalls:
    """What runs the requests; `values` gives the app settings as they are now. Close it."""
    gate = Gate(settings.allowed)
    sender = Sender(gate, lookup=lookup, max_bytes=settings.max_response_bytes)
    return HttpCalls(
        sender,
        TokenProofs(values, sender, clock),
        clock,
        timeout_s=settings.request_timeout.total_seconds(),
        default_pause_s=settings.poll_s,
    )
