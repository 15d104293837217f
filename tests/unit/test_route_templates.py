"""Route templates: what they match, what they give, and which of several is meant."""

from __future__ import annotations

import pytest

from host.http.route_constraints import RouteTemplateError
from host.http.route_templates import parse_template


def match(template: str, path: str) -> dict[str, str] | None:
    return parse_template(template).match([part for part in path.split("/") if part])


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("", "", {}),
        ("orders", "orders", {}),
        ("Orders/New", "oRDERS/nEW", {}),
        ("orders/{id}", "orders/7", {"id": "7"}),
        ("orders/{id}", "orders/MiXeD", {"id": "MiXeD"}),
        ("orders/{id?}", "orders", {}),
        ("orders/{id?}", "orders/7", {"id": "7"}),
        ("orders/{id:int?}", "orders", {}),
        ("orders/{id:int?}", "orders/7", {"id": "7"}),
        ("orders/{id=9}", "orders", {"id": "9"}),
        ("orders/{id:int=9}", "orders/8", {"id": "8"}),
        ("files/{*rest}", "files", {"rest": ""}),
        ("files/{*rest}", "files/a/b/c", {"rest": "a/b/c"}),
        ("files/{**rest}", "files/a", {"rest": "a"}),
        ("{name}.{ext}", "a.b.c", {"name": "a.b", "ext": "c"}),
        ("v{version:int}/x", "V12/x", {"version": "12"}),
        ("{a}-to-{b}", "x-to-y", {"a": "x", "b": "y"}),
        ("{{x}}", "{x}", {}),
        ("{id:regex(^\\d{{3}}$)}", "123", {"id": "123"}),
        ("{id:minlength(2):maxlength(3)}", "abc", {"id": "abc"}),
        ("/lead/", "lead", {}),
    ],
)
def test_a_fitting_path_gives_the_parameters(
    template: str, path: str, values: dict[str, str]
) -> None:
    assert match(template, path) == values


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("", "x"),
        ("orders", "orders/7"),
        ("orders/{id}", "orders"),
        ("orders/{id:int?}", "orders/x"),
        ("orders/{id}", "orders/7/8"),
        ("{name}.{ext}", "noext"),
        ("{name}.{ext}", ".ext"),
        ("{name}.{ext}", "name."),
        ("v{version:int}", "vx"),
        ("v{version:int}", "v"),
        ("{*rest:int}", "a/b"),
        ("{id:regex(^\\d{{3}}$)}", "1234"),
    ],
)
def test_a_path_that_does_not_fit_gives_nothing(template: str, path: str) -> None:
    assert match(template, path) is None


@pytest.mark.parametrize(
    ("constraint", "fits", "fails"),
    [
        ("int", ["0", "-5", "2147483647"], ["2147483648", "1.5", "x", "٣"]),
        ("long", ["9223372036854775807"], ["9223372036854775808", "9" * 400]),
        ("bool", ["true", "FALSE"], ["1", "yes"]),
        ("datetime", ["2024-02-29", "2024-02-29T10:00:00Z"], ["2024-02-30", "now"]),
        ("decimal", ["1", "-1.5", ".5"], ["1e5", "x", "."]),
        ("double", ["1.5", "1e5"], ["nan", "inf", "e5"]),
        ("float", ["1.5", "1e5"], ["x"]),
        (
            "guid",
            [
                "0f8fad5b-d9cb-469f-a165-70867728950e",
                "0F8FAD5BD9CB469FA16570867728950E",
                "(0f8fad5b-d9cb-469f-a165-70867728950e)",
            ],
            ["0f8fad5b", "(0f8fad5b-d9cb-469f-a165-70867728950e", "x" * 32],
        ),
        ("minlength(2)", ["ab"], ["a"]),
        ("maxlength(2)", ["ab"], ["abc"]),
        ("length(2)", ["ab"], ["a", "abc"]),
        ("length(2,3)", ["ab", "abc"], ["a", "abcd"]),
        ("min(5)", ["5", "6"], ["4", "x"]),
        ("max(5)", ["5", "-6"], ["6", "x"]),
        ("range(1, 10)", ["1", "10"], ["0", "11"]),
        ("alpha", ["abcXYZ"], ["a1", "é"]),
        ("regex(^a(b|c)$)", ["ab", "AC"], ["ad"]),
        ("required", ["x"], []),
        ("INT", ["1"], ["x"]),
    ],
)
def test_a_constraint_decides_on_the_segment(
    constraint: str, fits: list[str], fails: list[str]
) -> None:
    template = parse_template("{value:" + constraint + "}")
    assert [text for text in fits if template.match([text]) is None] == []
    assert [text for text in fails if template.match([text]) is not None] == []


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a//b", "empty segment"),
        ("a/{id", "brace"),
        ("a/id}", "brace"),
        ("{}", r"without a name, {}: write {name}"),
        ("a/{}", r"without a name, {}: write {name}"),
        ("{id:int:min(}", "a bracket of its constraint has no partner"),
        ("{id:regex(()}", "a bracket of its constraint has no partner"),
        ("{id}/{ID}", "one name"),
        ("{id?}/b", "not at the end"),
        ("{*rest}/b", "not at the end"),
        ("a{id?}", "shares its segment"),
        ("{a}{b}", "touch"),
        ("{id=1?}", "cannot be optional"),
        ("{id:nope}", "no route constraint"),
        ("{id:range(1)}", "arguments"),
        ("{id:length(a)}", "arguments"),
        ("{id:regex(()}", "not a"),
        ("{id:regex((?=a)b)}", "linear time"),
        ("{id:regex((a)\\1)}", "linear time"),
        ("{id:regex((\\w{{100}}){{100}})}", "linear time"),
        ("{id:regex([[:alpha:]])}", "nested set"),
        ("{:int}", "not a route parameter: its name is missing"),
    ],
)
def test_an_impossible_template_is_refused_with_the_reason(template: str, message: str) -> None:
    with pytest.raises(RouteTemplateError, match=message):
        parse_template(template)


@pytest.mark.timeout(20)  # Python's own engine would need years for each
@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "(a*)*b", "^(a|aa)+$", "(.*a){{20}}$", "^([a-z]+.)+[A-Z]$"]
)
def test_found_d11_no_expression_makes_a_path_slow_to_match(pattern: str) -> None:
    template = parse_template("{*value:regex(" + pattern + ")}")
    assert template.match(["a" * 8000 + "!"]) is None


def test_found_d11_expressions_mean_what_they_did() -> None:
    for pattern, fits, fails in (
        (r"^\d{{3}}-\w+$", "123-Äb", "12-ab"),
        ("(?i)x", "aXa", "b"),
        ("^(?P<year>[0-9]{{4}})(?:-[0-9]{{2}})?$", "2026-01", "2026-1"),
        ("b", "abc", "acc"),
        ("^a|b$", "cB", "ca"),
    ):
        template = parse_template("{value:regex(" + pattern + ")}")
        assert template.match([fits]) == {"value": fits}
        assert template.match([fails]) is None


def test_the_more_specific_template_comes_first() -> None:
    in_order = ["a/b", "a/b{x}", "a/{x:int}", "a/{x}", "a/{*x:int}", "a/{*x}"]
    shuffled = in_order[3:] + in_order[:3]
    assert sorted(shuffled, key=lambda text: parse_template(text).precedence) == in_order


def test_templates_that_differ_in_names_and_case_only_have_one_shape() -> None:
    assert parse_template("A/{x:int}").shape == parse_template("a/{y:INT}").shape
    assert parse_template("a/{x:int}").shape != parse_template("a/{x}").shape
    assert parse_template("a/{x}").shape != parse_template("a/x").shape


@pytest.mark.parametrize(
    ("template", "paths"),
    [
        ("", [""]),
        ("orders/{id:int}", ["orders/{id}"]),
        ("orders/{id?}", ["orders", "orders/{id}"]),
        ("orders/{id=9}", ["orders/{id}"]),
        ("{name}.{ext}/{*rest}", ["{name}.{ext}/{rest}"]),
    ],
)
def test_the_plain_paths_name_the_parameters_only(template: str, paths: list[str]) -> None:
    assert parse_template(template).plain_paths == paths
