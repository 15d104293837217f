"""The trust of connections to AWS: the system's authorities, or those of a bundle."""

from __future__ import annotations

import asyncio
import ssl

from host.errors import ConfigurationError


async def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """A context that verifies servers. Raises `ConfigurationError` for a bundle it cannot use."""
    try:
        return await asyncio.to_thread(ssl.create_default_context, cafile=ca_bundle)
    except OSError as error:
        raise ConfigurationError(f"The CA bundle '{ca_bundle}' cannot be used: {error}") from error
