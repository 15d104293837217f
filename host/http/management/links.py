"""The management URLs of an instance, as clients receive them.

The origin is the public URL of the settings, else the request's, so that the links work from where
the request came, else the host's own base URL. Ids are percent-encoded throughout (a space is %20,
never +). With keys, `code` is a token for what the link is for, on this one run of the instance.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote, urlsplit

from bindings.http import RequestHead
from host.clock import Clock
from host.http.link_tokens import LinkTokens, Use

WEBHOOKS = "/runtime/webhooks/durabletask"
CONNECTION = "Storage"


LINKS = (
    ("statusQueryGetUri", Use.READ, "?"),
    ("sendEventPostUri", Use.RAISE, "/raiseEvent/{eventName}?"),
    ("terminatePostUri", Use.MANAGE, "/terminate?reason={text}&"),
    ("rewindPostUri", Use.MANAGE, "/rewind?reason={text}&"),
    ("purgeHistoryDeleteUri", Use.MANAGE, "?"),
    ("restartPostUri", Use.MANAGE, "/restart?"),
    ("suspendPostUri", Use.MANAGE, "/suspend?reason={text}&"),
    ("resumePostUri", Use.MANAGE, "/resume?reason={text}&"),
)
"""The name of each link, what it is for, and what stands between the instance and the rest."""


class ManagementLinks:
    """Makes management URLs. `base_url` may be set once the host knows its port."""

    def __init__(
        self,
        *,
        hub_name: str,
        clock: Clock,
        base_url: str = "",
        public_url: str | None = None,
        tokens: LinkTokens | None = None,
    ) -> None:
        self.base_url = base_url
        self._public_url = public_url
        self._hub_name = hub_name
        self._clock = clock
        self._tokens = tokens

    def management_urls(self, instance_id: str, request: RequestHead | None) -> dict[str, str]:
        """All management URLs by their Durable Functions names, and the id."""
        return self._urls(_origin(request) or self.base_url, instance_id)

    def urls_at(
        self, origin: str, instance_id: str, expires_at: datetime | None = None
    ) -> dict[str, str]:
        """What a start answers with; `origin` is such as `http://localhost:7071`.

        As with Durable Functions this leaves out the rewind. `expires_at`: who came by a link gets
        others that open for as long as that one does.
        """
        urls = self._urls(origin, instance_id, expires_at)
        return {name: url for name, url in urls.items() if name != "rewindPostUri"}

    def _urls(
        self, origin: str, instance_id: str, expires_at: datetime | None = None
    ) -> dict[str, str]:
        base = (self._public_url or origin).rstrip("/")
        instance = f"{base}{WEBHOOKS}/instances/{quote(instance_id, safe='')}"
        queries = self._queries(instance_id, expires_at)
        urls = {name: f"{instance}{end}{queries[use]}" for name, use, end in LINKS}
        return {"id": instance_id, **urls}

    def _queries(self, instance_id: str, expires_at: datetime | None) -> dict[Use, str]:
        query = f"taskHub={quote(self._hub_name, safe='')}&connection={CONNECTION}"
        if self._tokens is None:
            return dict.fromkeys(Use, query)
        tokens, now = self._tokens, self._clock.now()
        return {
            use: f"{query}&code={tokens.issue(instance_id, use, now, expires_at)}" for use in Use
        }


def _origin(request: RequestHead | None) -> str:
    if request is None:
        return ""
    parts = urlsplit(request.url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
