"""The operations of the dashboard: its files, and signing in and out (`signing_in.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from host.http import answers, parameters
from host.http.access import Need
from host.http.dashboard.room import Dashboard
from host.http.dashboard.signing_in import SESSION, show_session, sign_in, sign_out
from host.http.operations import Answer, Asked, Body, Operation, answer
from host.http.shapes import ERROR, TEXT, object_of
from host.http.whole_responses import WholeResponse

PATH: Final = "/dashboard"
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

FILE = parameters.in_path("path", "A file of the front end; any other path is one of its pages.")


async def show_page(here: Dashboard, asked: Asked) -> web.Response:
    """The dashboard's first page."""
    return _served(here, asked, "")


async def show_file(here: Dashboard, asked: Asked) -> web.Response:
    """A file of the front end, or its page, which reads the path itself."""
    return _served(here, asked, asked[FILE])


def _served(here: Dashboard, asked: Asked, path: str) -> web.Response:
    file = here.files.find(path)
    if file is None:
        return answers.message(HTTPStatus.NOT_FOUND, answers.NOTHING_HERE)
    headers = {**_HEADERS, "ETag": f'"{file.tag}"'}
    if file.tag in asked.call.request.headers.get("If-None-Match", ""):
        return answers.empty(HTTPStatus.NOT_MODIFIED, headers)
    return WholeResponse(
        body=file.content, content_type=file.content_type, charset="utf-8", headers=headers
    )


_PAGE: Answer = Answer(text="The page.", content={"text/html": None}, headers=("ETag",))
_UNCHANGED: Answer = Answer(text="The browser has it already (`If-None-Match`).", content={})

OPERATIONS: tuple[Operation[Dashboard], ...] = (
    Operation(
        id="getDashboard",
        verb="GET",
        path=PATH,
        summary="The dashboard: pages for a browser, which ask the operations of this document.",
        access=Need.NOTHING,
        answers={200: _PAGE, 304: _UNCHANGED},
        handler=show_page,
    ),
    Operation(
        id="signIn",
        verb="POST",
        path=f"{PATH}/login",
        summary="Open a session of the dashboard with a key; its cookie opens what the key opens.",
        access=Need.NOTHING,
        body=Body(form=object_of({"key": TEXT}), is_required=True),
        answers={
            200: answer("It is open.", SESSION),
            401: answer("There is no such key.", ERROR),
            403: answer("The key opens functions only, or a page of another site asks.", ERROR),
            413: answer("The body is too large.", ERROR),
        },
        handler=sign_in,
    ),
    Operation(
        id="signOut",
        verb="POST",
        path=f"{PATH}/logout",
        summary="Have the browser forget its session.",
        access=Need.READ,
        answers={204: answer("It does.")},
        handler=sign_out,
    ),
    Operation(
        id="getDashboardSession",
        verb="GET",
        path=f"{PATH}/session",
        summary="Who is signed in, with which role.",
        access=Need.READ,
        answers={200: answer("Somebody is.", SESSION)},
        handler=show_session,
    ),
    Operation(
        id="getDashboardFile",
        verb="GET",
        path=f"{PATH}/{{*path}}",
        summary="A file of the dashboard, or its page.",
        access=Need.NOTHING,
        parameters=(FILE,),
        answers={
            200: Answer(text="The file.", content={"*/*": None}, headers=("ETag",)),
            304: _UNCHANGED,
            404: answer("There is no such file.", ERROR),
        },
        handler=show_file,
    ),
)
