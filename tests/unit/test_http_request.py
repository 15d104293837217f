"""Requests as functions, and those who test functions, have them in hand."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from bindings import HttpRequest

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_request_needs_a_method_and_a_url_and_is_empty_besides() -> None:
    request = HttpRequest(method="GET", url="http://localhost/a")

    assert (request.headers, request.params, request.route_params) == ({}, {}, {})
    assert request.body == b""
    assert [each.name for each in fields(request)] == [
        *("method", "url", "headers", "params", "route_params", "body")
    ]


def test_two_requests_share_nothing() -> None:
    first, second = (HttpRequest(method="GET", url="/") for _ in range(2))

    assert first.params is not second.params


@pytest.mark.parametrize("name", ["method", "body", "other"])
def test_a_request_cannot_be_changed(name: str) -> None:
    request = HttpRequest(method="GET", url="/")

    with pytest.raises(FrozenInstanceError):
        setattr(request, name, "b")


def test_a_request_is_compared_shown_copied_and_kept_by_what_it_says() -> None:
    request = HttpRequest(method="POST", url="/", headers=FORM, body=b"a=1&a=2")
    assert request.form.getall("a") == ["1", "2"]  # which is kept, and is no part of it

    assert request == HttpRequest(method="POST", url="/", headers=FORM, body=b"a=1&a=2")
    assert request != replace(request, body=b"a=1")
    assert replace(request, body=b"a=3").form.getall("a") == ["3"]
    assert "body=b'a=1&a=2'" in repr(request)
    assert "_form" not in repr(request)
    assert pickle.loads(pickle.dumps(request)) == request
    assert request.form is request.form
