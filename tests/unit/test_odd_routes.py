"""Routes that load and are probably not meant: other ways to write a parameter, and the prefix."""

from __future__ import annotations

import pytest

from bindings import FunctionApp, HttpRequest
from host.functions.model import App
from host.http.functions.odd_routes import odd_routes
from host.http.functions.routes import route_functions
from tests.http.hosting import host_functions


def oddities_of(route: str, prefix: str = "api") -> list[str]:
    app = FunctionApp()

    @app.route(route)
    def answers(req: HttpRequest) -> None: ...

    _, routes = route_functions(App(functions=host_functions(app)), prefix)
    assert routes.broken == ()
    return [str(each) for each in odd_routes(routes, prefix)]


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ("<id>/x", "a part that is given by the caller is written {name}"),
        ("x/<int:id>", "is written {name}"),
        (":id", "is written {name}"),
        ("x/:id/y", "is written {name}"),
        ("a?x=1", "read req.params"),
        ("a b", "a blank"),
        ("api/x", "'api' stands before every route"),
        ("API", "'api' stands before every route"),
    ],
)
def test_a_route_that_is_hardly_meant_literally_is_odd(route: str, said: str) -> None:
    (odd,) = oddities_of(route)
    assert odd.startswith(f"answers: its route is taken literally, as /api/{route}: ")
    assert said in odd


@pytest.mark.parametrize(
    "route", ["x/{id}", "x/{id?}", "{id:int:min(3)}", "{id:regex(^a b$)}", "a-b/c.d", "apis/x"]
)
def test_other_routes_are_not_odd(route: str) -> None:
    assert oddities_of(route) == []


def test_without_a_prefix_a_route_may_begin_with_api() -> None:
    assert oddities_of("api/x", prefix="") == []
