"""How the files of the dashboard are served."""

from __future__ import annotations

import gzip
import itertools
import re
from pathlib import Path

import pytest

from host.http.dashboard import files
from host.http.keys import KeyKind
from tests.http.hosting import WEBHOOKS, Host, running_host

STATIC = Path(files.__file__).parent / "static"
SCRIPTS = sorted(path for path in STATIC.rglob("*.js") if path.parent.name != "vendor")
FIRST_VIEW_BYTES = 300_000


async def test_any_path_of_a_page_gives_the_page(host: Host) -> None:
    pages = ("", "/", "/instances", "/instances/a.js", "/entities/counter/a%2Fb", "/index.html")
    for path in pages:
        response = await host.call("GET", f"/dashboard{path}")
        assert (response.status, response.content_type) == (200, "text/html"), path
        assert "app.js" in await response.text()


async def test_it_can_be_switched_off_and_the_webhooks_stay() -> None:
    async with running_host(funchost={"dashboard": False}) as host:
        for path in ("/dashboard", "/dashboard/", "/dashboard/app.js", "/dashboard/session"):
            assert (await host.call("GET", path)).status == 404, path
        assert (await host.call("GET", "/")).status == 204
        described = await (await host.call("GET", "/openapi.json")).json()
        assert not [path for path in described["paths"] if path.startswith("/dashboard")]
        assert (await host.call("GET", f"{WEBHOOKS}/instances")).status == 200


async def test_files_have_their_types_and_those_that_are_not_there_are_404(host: Host) -> None:
    for path, kind in (
        ("app.js", "text/javascript"),
        ("lib/api.js", "text/javascript"),
        ("style.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/LICENSE-preact.txt", "text/plain"),
    ):
        response = await host.call("GET", f"/dashboard/{path}")
        assert (response.status, response.content_type, response.charset) == (200, kind, "utf-8")
    for path in ("lib/none.js", "pages/none", "vendor/..%2F..%2Ffiles.py", "lib/..%2Fapp.js"):
        assert (await host.call("GET", f"/dashboard/{path}")).status == 404, path


@pytest.mark.parametrize("path", ["", "/app.js", "/session/none"])
async def test_nobody_may_frame_the_dashboard_or_have_it_run_other_code(
    host: Host, path: str
) -> None:
    headers = (await host.call("GET", f"/dashboard{path}")).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_a_browser_that_has_a_file_is_not_sent_it_again(host: Host) -> None:
    first = await host.call("GET", "/dashboard/style.css", headers={"Accept-Encoding": "gzip"})
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    again = await host.call("GET", "/dashboard/style.css", headers={"If-None-Match": tag})
    assert (again.status, await again.read(), again.headers["ETag"].strip('W/"')) == (
        304,
        b"",
        tag.strip('W/"'),
    )
    other = await host.call("GET", "/dashboard/style.css", headers={"If-None-Match": '"other"'})
    assert other.status == 200


async def test_with_keys_the_files_are_open_and_hold_nothing_of_the_host(locked: Host) -> None:
    assert (await locked.call("GET", "/dashboard/")).status == 200
    assert (await locked.call("GET", "/dashboard/app.js")).status == 200
    assert (await locked.call("GET", "/dashboard/session")).status == 401
    headers = {"x-functions-key": locked.keys[KeyKind.SYSTEM]}
    told = await (await locked.call("GET", "/dashboard/session", headers=headers)).json()
    assert (told["role"], "csrfToken" in told) == ("operate", False)


async def test_no_function_can_have_its_path(host: Host) -> None:
    async with running_host(http={"routePrefix": ""}) as other:
        assert (await other.call("GET", "/dashboard/")).status == 200


async def test_the_first_view_is_small(host: Host) -> None:
    page = await (await host.call("GET", "/dashboard/")).text()
    assert "http:" not in page
    assert "https:" not in page
    paths = re.findall(r'(?:href|src)="(/dashboard/[^"]+)"', page)
    assert "/dashboard/lib/api.js" in paths
    size = len(gzip.compress(page.encode()))
    for path in set(paths):
        response = await host.call("GET", path)
        assert response.status == 200, path
        size += len(gzip.compress(await response.read(), 4))
    assert size < FIRST_VIEW_BYTES


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_scripts_make_no_markup_of_text_and_compile_none(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "dangerouslySetInnerHTML",
        "document.write",
        "eval(",
        "new Function",
        "srcdoc",
        "javascript:",
    ):
        assert forbidden not in text


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_scripts_import_what_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r'^(?:import|export)\b[^;"]*?\bfrom "([^"]+)"', text, re.MULTILINE):
        assert name.startswith("."), name
        assert (path.parent / name).resolve().is_file(), name


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_names_come_into_paths_by_what_refuses_those_that_no_url_holds(path: Path) -> None:
    """`segment` and `pagePath`: a browser would take `.` and `..` out, and ask for another."""
    makers = {STATIC / "lib" / "api.js", STATIC / "lib" / "router.js"}
    assert path in makers or "encodeURIComponent" not in path.read_text(encoding="utf-8")


def test_the_looks_of_one_page_change_those_of_no_other() -> None:
    """All style sheets are there on every page, so a class that two of them know is of neither.

    What a selector begins with is what it is about: a page may look otherwise inside of its own.
    """
    by_sheet = {path.name: classes_led(path.read_text()) for path in STATIC.glob("*.css")}
    assert "chips" in by_sheet["hub.css"]
    for one, other in itertools.combinations(by_sheet, 2):
        assert not by_sheet[one] & by_sheet[other], (one, other)


def classes_led(sheet: str) -> set[str]:
    """The first class of each selector."""
    rules = re.findall(r"([^{}]+)\{", re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL))
    selectors = [each for rule in rules if "@" not in rule for each in rule.split(",")]
    found = [re.match(r"\s*[\w-]*\.([\w-]+)", each) for each in selectors]
    return {each[1] for each in found if each}
