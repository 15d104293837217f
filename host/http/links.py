"""The management URLs of an instance, as clients receive them.

The origin is the request's, so that the links work from where the request came, else the host's own
base URL. Ids are percent-encoded throughout (a space is %20, never +). With keys, `code` is a token
for this one instance.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from bindings.http import HttpRequest
from host.engine.clock import Clock
from host.http.link_tokens import LinkTokens

WEBHOOKS = "/runtime/webhooks/durabletask"
CONNECTION = "Storage"


class ManagementLinks:
    """Makes management URLs. `base_url` may be set once the host knows its port."""

    def __init__(
        self, *, hub_name: str, clock: Clock, base_url: str = "", tokens: LinkTokens | None = None
    ) -> None:
        self.base_url = base_url
        self._hub_name = hub_name
        self._clock = clock
        self._tokens = tokens

    def management_urls(self, instance_id: str, request: HttpRequest | None) -> dict[str, str]:
        """All management URLs by their Durable Functions names, and the id."""
        return self.urls_at(_origin(request) or self.base_url, instance_id)

    def urls_at(self, origin: str, instance_id: str) -> dict[str, str]:
        """The same for an origin such as `http://localhost:7071`."""
        instance = f"{origin.rstrip('/')}{WEBHOOKS}/instances/{quote(instance_id, safe='')}"
        query = self._query(instance_id)
        return {
            "id": instance_id,
            "statusQueryGetUri": f"{instance}?{query}",
            "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
            "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
            "purgeHistoryDeleteUri": f"{instance}?{query}",
            "restartPostUri": f"{instance}/restart?{query}",
            "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
            "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
        }

    def _query(self, instance_id: str) -> str:
        query = f"taskHub={quote(self._hub_name, safe='')}&connection={CONNECTION}"
        if self._tokens is None:
            return query
        return f"{query}&code={self._tokens.issue(instance_id, self._clock.now())}"


def _origin(request: HttpRequest | None) -> str:
    if request is None:
        return ""
    parts = urlsplit(request.url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
