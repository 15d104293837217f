"""A crawler that asks no website for more than it may: a limit for each host, over all crawls.

Each page is an orchestration, which has a slot of the limit from its first step to its end. So that
there is a website to try, a small one is here, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    when_all,
)

app = FunctionApp()

LINK = re.compile(r"""<a\s[^>]*?href=["']([^"']+)["']""", re.IGNORECASE)
TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)
PAGES_OF_SITE = 15
MOST_PAGES = 500


@dataclass(frozen=True, kw_only=True)
class Crawl:
    start: str
    max_pages: int = 50


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page that is to be read, and whose it is."""

    host: str
    url: str


@dataclass(frozen=True, kw_only=True)
class PageRead:
    title: str
    links: list[str]


@app.route("crawls", methods=["POST"])
@app.orchestration_client("client")
async def start_crawl(req: HttpRequest, client: DurableClient) -> HttpResponse:
    body = req.json()
    if not isinstance(body, dict):
        return HttpResponse(
            'A crawl is an object: {"start": URL, "max_pages": 20}', status_code=400
        )
    order: Any = {"start": urljoin(req.url, "site/0"), **body}
    instance_id = await client.schedule_new_orchestration(crawl, input=order)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger()
async def crawl(context: OrchestrationContext, order: Crawl) -> dict[str, str]:
    """Read a website, all that is known of it at a time; gives the title of each page."""
    host = urlsplit(order.start).netloc
    most = min(order.max_pages, MOST_PAGES)
    titles: dict[str, str] = {}
    found = [order.start]
    while found and len(titles) < most:
        urls = found[: most - len(titles)]
        pages = [Page(host=host, url=url) for url in urls]
        read = await when_all([context.call_sub_orchestrator(read_page, page) for page in pages])
        titles |= {url: page.title for url, page in zip(urls, read, strict=True)}
        links = dict.fromkeys(link for page in read for link in page.links)
        found = [link for link in links if urlsplit(link).netloc == host and link not in titles]
        context.set_custom_status(f"{len(titles)} pages are read, {len(found)} more are known.")
    return titles


@app.orchestration_trigger(limit="crawler", limit_key="{host}")
async def read_page(context: OrchestrationContext, page: Page) -> PageRead:
    """Read one page; it waits until its website may be asked."""
    response = await context.call_http("GET", page.url, timeout=timedelta(minutes=1))
    if not response.is_success:
        return PageRead(title=f"The website answers {response.status_code}.", links=[])
    text = response.content or ""
    links = [urldefrag(urljoin(page.url, link)).url for link in LINK.findall(text)]
    title = TITLE.search(text)
    return PageRead(title=title[1].strip() if title else "", links=list(dict.fromkeys(links)))


@app.route("site/{number:int}", methods=["GET"])
async def show_page(req: HttpRequest) -> HttpResponse:
    """The website: each page has links to the next two."""
    number = int(req.route_params["number"])
    if not 0 <= number < PAGES_OF_SITE:
        return HttpResponse("There is no such page.", status_code=404)
    links = "".join(
        f'<a href="{each}">{each}</a> '
        for each in (number * 2 + 1, number * 2 + 2)
        if each < PAGES_OF_SITE
    )
    page = f"<html><title>Page {number}</title><body>{links}</body></html>"
    return HttpResponse(page, mimetype="text/html")
