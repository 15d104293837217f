"""Whom `call_http` may connect to: by the host of a URL, and by each address that it has.

An address is judged where it is found, and nothing but addresses that were judged is connected to.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

from bindings.errors import HttpCallError
from host.core.http_urls import literal_address, origin_of
from host.http_calls.addresses import Address, read_address, refusal
from host.settings.http_calls import AllowedHost

Lookup: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, for a port. Raises OSError."""


class Gate:
    """What host.json allows, and the public internet."""

    def __init__(self, allowed: Sequence[AllowedHost]) -> None:
        self._allowed = allowed

    def check_url(self, url: str) -> None:
        """Raise `HttpCallError` for a checked URL whose host is an address that is refused."""
        origin = origin_of(url)
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        address = literal_address(host)
        if address is not None:
            self.check(origin.host, origin.port, address)

    def check(self, host: str, port: int, address: Address) -> None:
        """Raise `HttpCallError` if this address of a host is not to be connected to."""
        what = refusal(address)
        if what is None or any(_allows(each, host, port, address) for each in self._allowed):
            return
        of_host = "" if host == str(address) else f" of '{host}'"
        raise HttpCallError(
            f"The address {address}{of_host} is {what}: call_http asks only the public internet "
            "and what extensions.durableTask.httpSettings.allowedHosts in host.json names."
        )


class CheckedResolver(AbstractResolver):
    """Looks hosts up for aiohttp, each time anew, and gives addresses that the gate let through."""

    def __init__(self, gate: Gate, lookup: Lookup) -> None:
        self._gate = gate
        self._lookup = lookup

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - connectors ask for any
    ) -> list[ResolveResult]:
        """See aiohttp. If one of the addresses is refused, all are: it is no mistake of a name."""
        found = [read_address(each) for each in await self._lookup(host, port)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "it has no address")
        for address in found:
            self._gate.check(host, port, address)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _allows(entry: AllowedHost, host: str, port: int, address: Address) -> bool:
    if entry.port is not None and entry.port != port:
        return False
    if entry.network is not None:
        return address.version == entry.network.version and address in entry.network
    return host.endswith(f".{entry.host}") if entry.is_domain else host == entry.host
