"""Route templates as ASP.NET Core writes them: `orders/{id:int}/{part=all}/{*rest}`.

A template is parsed once and then only matches the decoded segments of a path. Literals match
without regard to case. `{id}` takes one segment, `{id?}` may be missing at the end, `{id=1}` has a
value when it is missing, `{*rest}` takes all that is left, `{name}.{ext}` takes parts of a segment.
`{{` and `}}` stand for braces. Of several templates that match, the one with the smallest
`precedence` is meant: literal before constrained before plain before catch-all, from the left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from host.http.route_constraints import Constraint, RouteTemplateError, make_constraint

_TOKEN = re.compile(
    r"(?P<slash>/)"
    r"|(?P<literal>(?:[^{}/]|\{\{|\}\})+)"
    r"|\{(?P<parameter>(?:[^{}]|\{\{|\}\})+)\}"
)
_PARAMETER = re.compile(
    r"(?P<stars>\*{0,2})(?P<name>[^*:=?/\s][^*:=?/]*)"
    r"(?P<constraints>(?::[A-Za-z]+(?:\((?:[^()\\]|\\.|\([^()]*\))*\))?)*)"
    r"(?:=(?P<default>.*?))?(?P<optional>\?)?",
    re.DOTALL,
)
_CONSTRAINT = re.compile(r":([A-Za-z]+(?:\((?:[^()\\]|\\.|\([^()]*\))*\))?)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One `{…}` of a template. `constraint_texts` are the constraints as they were written."""

    name: str
    constraints: tuple[Constraint, ...] = ()
    constraint_texts: tuple[str, ...] = ()
    default: str | None = None
    is_optional: bool = False
    is_catch_all: bool = False

    def accepts(self, text: str) -> bool:
        """Whether a segment's text may be this parameter's value."""
        return all(constraint(text) for constraint in self.constraints)


Part: TypeAlias = str | Parameter
Segment: TypeAlias = tuple[Part, ...]
Shape: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTemplate:
    """A parsed template. Two templates of the same `shape` match the same paths."""

    text: str
    segments: tuple[Segment, ...]
    precedence: tuple[int, ...]
    shape: Shape

    @property
    def plain_paths(self) -> list[str]:
        """The path with the bare names of its parameters, and without an end that is optional."""
        parts = ["".join(_plain(part) for part in segment) for segment in self.segments]
        last = self.segments[-1][0] if self.segments else ""
        is_shorter_too = isinstance(last, Parameter) and last.is_optional
        return ["/".join(parts[:-1])] * is_shorter_too + ["/".join(parts)]

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """The parameters' values if these decoded segments fit, else None."""
        values: dict[str, str] = {}
        for position, segment in enumerate(self.segments):
            first = segment[0]
            if isinstance(first, Parameter) and first.is_catch_all:
                return values if _take_rest(first, path[position:], values) else None
            if position >= len(path):
                if not _take_missing(first, values):
                    return None
            elif not _take(segment, path[position], values):
                return None
        return values if len(path) <= len(self.segments) else None


def parse_template(text: str) -> RouteTemplate:
    """The template of a text. Raises `RouteTemplateError`."""
    segments = tuple(tuple(parts) for parts in _split(text.strip("/")))
    _check(text, segments)
    return RouteTemplate(
        text=text,
        segments=segments,
        precedence=tuple(_rank(segment) for segment in segments),
        shape=tuple(tuple(_shape(part) for part in segment) for segment in segments),
    )


def _split(text: str) -> list[list[Part]]:
    if not text:
        return []
    segments: list[list[Part]] = [[]]
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise RouteTemplateError(_misplaced_brace(text, text[position:]))
        position = token.end()
        if token["slash"]:
            segments.append([])
        elif token["literal"]:
            segments[-1].append(_unescape(token["literal"]))
        else:
            segments[-1].append(_parameter(_unescape(token["parameter"])))
    return segments


def _misplaced_brace(text: str, rest: str) -> str:
    if rest.startswith("{}"):
        return f"The route '{text}' has a parameter without a name, {{}}: write {{name}}."
    return (
        f"The route '{text}' has a brace without its partner at '{rest}'; double a brace that is "
        "meant literally."
    )


def _unescape(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")


def _parameter(text: str) -> Parameter:
    found = _PARAMETER.fullmatch(text)
    if found is None:
        raise RouteTemplateError(f"'{{{text}}}' is not a route parameter{_why(text)}.")
    if found["optional"] and (found["default"] is not None or found["stars"]):
        raise RouteTemplateError(
            f"'{{{text}}}' cannot be optional: it has a value for when it is missing."
        )
    texts = tuple(_CONSTRAINT.findall(found["constraints"]))
    return Parameter(
        name=found["name"],
        constraints=tuple(make_constraint(each) for each in texts),
        constraint_texts=texts,
        default=found["default"],
        is_optional=bool(found["optional"]),
        is_catch_all=bool(found["stars"]),
    )


def _why(text: str) -> str:
    """What is wrong with a parameter, where that is plain."""
    if text.count("(") != text.count(")"):
        return ": a bracket of its constraint has no partner"
    return ": its name is missing" if text[0] in ":=?*" else ""


def _check(text: str, segments: Sequence[Segment]) -> None:
    if any(not segment for segment in segments):
        raise RouteTemplateError(f"The route '{text}' has an empty segment.")
    names = [part.name.lower() for each in segments for part in each if isinstance(part, Parameter)]
    if len(names) != len(set(names)):
        raise RouteTemplateError(f"The route '{text}' has two parameters of one name.")
    for position, segment in enumerate(segments):
        _check_segment(text, segment, is_last=position == len(segments) - 1)


def _check_segment(text: str, segment: Segment, *, is_last: bool) -> None:
    parameters = [part for part in segment if isinstance(part, Parameter)]
    if len(segment) > 1 and any(each.is_optional or each.is_catch_all for each in parameters):
        raise RouteTemplateError(
            f"In the route '{text}' an optional or catch-all parameter shares its segment."
        )
    if any(isinstance(a, Parameter) and isinstance(b, Parameter) for a, b in pairwise(segment)):
        raise RouteTemplateError(f"In the route '{text}' two parameters touch each other.")
    if not is_last and any(each.is_optional or each.is_catch_all for each in parameters):
        raise RouteTemplateError(
            f"In the route '{text}' an optional or catch-all parameter is not at the end."
        )


def _rank(segment: Segment) -> int:
    first = segment[0]
    if len(segment) > 1:
        return 2
    if isinstance(first, str):
        return 1
    rank = 6 if first.is_catch_all else 4
    return rank - 1 if first.constraints else rank


def _shape(part: Part) -> str:
    if isinstance(part, str):
        return part.lower()
    stars = "*" if part.is_catch_all else ""
    end = "?" if part.is_optional or part.default is not None else ""
    return "{" + stars + ":".join(part.constraint_texts).lower() + end + "}"


def _plain(part: Part) -> str:
    return part if isinstance(part, str) else f"{{{part.name}}}"


def _take(segment: Segment, text: str, values: dict[str, str]) -> bool:
    if len(segment) > 1:
        return _take_parts(segment, text, values)
    part = segment[0]
    if isinstance(part, str):
        return part.lower() == text.lower()
    return _assign(part, text, values)


def _take_parts(segment: Segment, text: str, values: dict[str, str]) -> bool:
    """Match from the right, so that the last literal found ends the value before it."""
    for index in range(len(segment) - 1, -1, -1):
        part = segment[index]
        if isinstance(part, str):
            if not text.lower().endswith(part.lower()):
                return False
            text = text[: len(text) - len(part)]
            continue
        before = segment[index - 1] if index else ""
        found = text.lower().rfind(str(before).lower(), 0, len(text) - 1) if index else 0
        start = found + len(str(before))
        if found < 0 or not _assign(part, text[start:], values):
            return False
        text = text[:start]
    return not text


def _assign(parameter: Parameter, text: str, values: dict[str, str]) -> bool:
    if not text or not parameter.accepts(text):
        return False
    values[parameter.name] = text
    return True


def _take_missing(part: Part, values: dict[str, str]) -> bool:
    if isinstance(part, str):
        return False
    if part.default is not None:
        values[part.name] = part.default
    return part.is_optional or part.default is not None


def _take_rest(parameter: Parameter, rest: Sequence[str], values: dict[str, str]) -> bool:
    if not rest:
        values[parameter.name] = parameter.default or ""
        return True
    values[parameter.name] = "/".join(rest)
    return parameter.accepts(values[parameter.name])
