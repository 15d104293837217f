"""Everything that reads what others wrote: a value or an error of ours, never anything else.

Stored items, settings files, route templates, queries and continuation tokens. There are no timer
triggers yet, so there are no schedules to read either.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindings.declaring import declare
from bindings.errors import FunctionDefinitionError, InvalidArgumentError
from host.core import codec
from host.core.codec import CodecError
from host.core.history import Batch
from host.core.records import Instance, Message
from host.errors import ConfigurationError
from host.functions.function_json import read_function_json
from host.functions.model import App, HostFunction
from host.http.functions.routes import route_functions
from host.http.query import Query, parse_query
from host.http.route_constraints import RouteTemplateError
from host.http.route_templates import parse_template
from host.settings import load_settings
from host.storage.paging import Position, read_token, write_token
from host.storage.protocol import InstanceFilter
from tests.kit import event_strategies

Item: TypeAlias = Batch | Message | Instance

fuzzed = settings(
    max_examples=max(60, int(os.environ.get("FUZZ_EXAMPLES", "0")) * 5),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ITEMS: list[tuple[st.SearchStrategy[Any], Callable[[bytes], Item]]] = [
    (event_strategies.batches, codec.decode_batch),
    (event_strategies.messages, codec.decode_message),
    (event_strategies.instances, codec.decode_instance),
]
ANY_TEXT = st.text(max_size=40) | st.text(st.characters(categories=["Cs", "Cc", "Nd"]), max_size=8)
NUMBERS = (
    st.integers() | st.floats() | st.sampled_from([10**400, 2**63, -1, 0, 1, 65536, float("inf")])
)
SCALARS = st.none() | st.booleans() | NUMBERS | ANY_TEXT


# ---- what is stored -------------------------------------------------------------------------


def damaged(draw: Callable[[st.SearchStrategy[Any]], Any], data: bytes) -> bytes:
    """The bytes, with a few of them changed, lost, doubled or new."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 8)))
        new = draw(st.binary(max_size=6) | st.just(data[start:end] * 2))
        data = data[:start] + new + data[end:]
    return data


@pytest.mark.parametrize(("items", "decode"), ITEMS, ids=["batch", "message", "instance"])
@fuzzed
@given(data=st.data())
def test_a_damaged_item_is_recognised_or_is_an_item_again(
    items: st.SearchStrategy[Item], decode: Callable[[bytes], Item], data: st.DataObject
) -> None:
    stored = damaged(data.draw, codec.encode(data.draw(items)))
    with suppress(CodecError):
        found = decode(stored)
        assert decode(codec.encode(found)) == found


@pytest.mark.parametrize("decode", [each for _, each in ITEMS])
@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1x", b"\x81\xa6events\x91\x81\xa1x"])
def test_an_item_that_is_nested_without_end_is_recognised(
    decode: Callable[[bytes], Item], opening: bytes
) -> None:
    with pytest.raises(CodecError):
        decode(b"\x01" + opening * 100_000)


# ---- what clients send ----------------------------------------------------------------------

nested = st.recursive(
    SCALARS.filter(lambda value: not isinstance(value, int) or abs(value) < 2**63) | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
)


def msgpack(value: Any) -> bytes:
    """The value as MessagePack; nothing for what has no form there."""
    try:
        return msgspec.msgpack.encode(value)
    except UnicodeEncodeError:
        return b""


@fuzzed
@given(
    token=st.text(max_size=60)
    | (st.binary(max_size=60) | nested.map(msgpack)).map(
        lambda data: base64.urlsafe_b64encode(data).decode()
    )
)
def test_a_continuation_token_that_is_none_is_refused(token: str) -> None:
    with suppress(InvalidArgumentError):
        assert isinstance(read_token(InstanceFilter(), token), Position)


@pytest.mark.parametrize("depth", [10, 1_000, 6_000, 100_000])
def test_a_continuation_token_that_is_nested_deeply_is_refused(depth: int) -> None:
    data = base64.urlsafe_b64decode(write_token(InstanceFilter(), Position(0, "id")))
    token = base64.urlsafe_b64encode(b"\x93" + data[1:] + b"\x91" * depth + b"\xc0").decode()
    with suppress(InvalidArgumentError):
        assert read_token(InstanceFilter(), token) == Position(0, "id")


READERS: list[Callable[[Query, str], object]] = [
    Query.text,
    Query.integer,
    Query.seconds,
    Query.time,
    Query.statuses,
    partial(Query.flag, default=True),
]
times = st.datetimes().map(datetime.isoformat) | st.from_regex(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{0,20}[+-][0-9:]{0,8}Z?", fullmatch=True
)
values = st.text(max_size=20) | times | NUMBERS.map(str) | st.just("9" * 5000)


@fuzzed
@given(value=values, raw=st.text(max_size=60) | st.from_regex(r"([a-z%&=;0-9]|%[0-9a-fA-F]{2})*"))
def test_a_query_is_read_or_refused(value: str, raw: str) -> None:
    for query in (Query([("a", value)]), _query_of(raw), _query_of(f"a={value}")):
        for read in READERS:
            for name in ("a", *(name for name, _ in query.fields)):
                with suppress(InvalidArgumentError):
                    read(query, name)


def _query_of(raw: str) -> Query:
    try:
        return parse_query(raw)
    except InvalidArgumentError:
        return Query()


# ---- what authors write ---------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *"/{}*?=:()\\.,",
        "{id}",
        "{id:",
        "{*rest}",
        ":int",
        ":regex(",
        "^a+$",
        "{{9}}",
        "{{99999999999999999999}}",
        "(?P<a>",
        "[a-",
        ":range(1,",
        ":length(-1)",
        ":min(" + "9" * 30 + ")",
        "a" * 300,
    ]
)
paths = st.lists(ANY_TEXT | st.sampled_from(["a", "1", "2026-01-01", "a" * 300, "9" * 400]))


@fuzzed
@given(template=st.lists(PIECES | ANY_TEXT, max_size=12).map("".join), path=paths)
def test_a_route_template_is_understood_or_refused(template: str, path: list[str]) -> None:
    with suppress(RouteTemplateError):
        found = parse_template(template)
        assert all(isinstance(value, str) for value in (found.match(path) or {}).values())
        assert found.plain_paths


def documents(*names: str) -> st.SearchStrategy[Any]:
    """JSON whose members have these names or any others."""
    keys = st.sampled_from(names) | st.sampled_from(names).map(str.upper) | ANY_TEXT
    texts = st.sampled_from([*names, "%NAME%", "2.0", "00:05:00", "../x", ".", "\0", "x" * 5000])
    return st.recursive(
        SCALARS | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
        max_leaves=12,
    )


HOST_NAMES = (
    "version", "functionTimeout", "functions", "logging", "logLevel", "default", "extensions",
    "http", "routePrefix", "maxOutstandingRequests", "customHeaders", "durableTask", "hubName",
    "maxPayloadBytes", "overridableExistingInstanceStates", "storageProvider", "type", "funchost",
    "include", "0", "9" * 5000,
)  # fmt: skip
SECTION = st.dictionaries(st.sampled_from(HOST_NAMES), documents(*HOST_NAMES), max_size=6)
host_documents = documents(*HOST_NAMES) | st.fixed_dictionaries(
    {"version": st.just("2.0")},
    optional={
        "functionTimeout": SCALARS,
        "functions": documents(*HOST_NAMES),
        "logging": st.fixed_dictionaries({"logLevel": SECTION}),
        "extensions": st.fixed_dictionaries({}, optional={"http": SECTION, "durableTask": SECTION}),
        "funchost": SECTION,
        "x": documents(*HOST_NAMES),
    },
)
local_documents = documents("Values", "IsEncrypted", "Host", "LocalHttpPort") | (
    st.fixed_dictionaries(
        {},
        optional={
            "Values": st.dictionaries(ANY_TEXT, documents("a")) | documents("a"),
            "Host": st.dictionaries(
                st.sampled_from(["LocalHttpPort", "LocalHttpAddress"]), SCALARS
            ),
            "IsEncrypted": SCALARS,
        },
    )
)
BINDING_NAMES = (
    "type", "direction", "name", "route", "methods", "authLevel", "activity", "orchestration",
    "taskHub", "httpTrigger", "activityTrigger", "orchestrationTrigger", "manualTrigger", "http",
    "timerTrigger", "schedule", "timeZone",
    "orchestrationClient", "in", "out", "$return", "get", "POST", "anonymous", "req", "{*x}",
)  # fmt: skip
a_binding = st.fixed_dictionaries(
    {"type": st.sampled_from(BINDING_NAMES), "name": st.sampled_from(BINDING_NAMES) | ANY_TEXT},
    optional={name: documents(*BINDING_NAMES) for name in BINDING_NAMES[3:9]}
    | {"direction": st.sampled_from(["in", "OUT", "inout"]) | SCALARS},
)
function_documents = documents("bindings", "disabled", *BINDING_NAMES) | st.fixed_dictionaries(
    {"bindings": st.lists(a_binding, max_size=3)},
    optional={
        "scriptFile": st.sampled_from(["run.py", "../x.py", ".", "\0", "x" * 300]) | ANY_TEXT,
        "entryPoint": SCALARS,
        "disabled": SCALARS,
    },
)
deep = st.sampled_from(["[", '{"a":', '{"version":"2.0","extensions":{"x":[']).flatmap(
    lambda opening: st.sampled_from([100, 190, 250, 400, 900, 5000]).map(
        lambda depth: opening * depth + "0" + ("]" if opening == "[" else "}") * depth
    )
)


def files(written: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """A file with such a document, or with something else."""
    return (
        written.map(lambda document: json.dumps(document).encode())
        | deep.map(str.encode)
        | st.binary(max_size=30)
    )


@fuzzed
@given(content=files(host_documents), override=st.sampled_from(HOST_NAMES), value=ANY_TEXT)
def test_a_host_json_is_understood_or_its_problems_are_named(
    tmp_path: Path, content: bytes, override: str, value: str
) -> None:
    (tmp_path / "host.json").write_bytes(content)
    environ = {"NAME": "x", f"AzureFunctionsJobHost__{override}__{override}": value}
    with suppress(ConfigurationError):
        load_settings(tmp_path, environ)


@fuzzed
@given(content=files(local_documents))
def test_local_settings_are_understood_or_their_problems_are_named(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "local.settings.json").write_bytes(content)
    with suppress(ConfigurationError):
        for name, value in load_settings(tmp_path, {}).exports.items():
            assert b"\0" not in os.fsencode(f"{name}{value}")


@fuzzed
@given(content=files(function_documents))
def test_a_function_json_is_understood_or_refused(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "Fuzzed"
    folder.mkdir(exist_ok=True)
    (folder / "run.py").write_text("", encoding="utf-8")
    (folder / "function.json").write_bytes(content)
    with suppress(FunctionDefinitionError):
        found = read_function_json(folder)
        declaration = declare(found.name, lambda **_: None, found.bindings)
        function = HostFunction(
            name=declaration.name, declaration=declaration, directory=folder, is_disabled=False
        )
        app, _ = route_functions(App(functions=(function,), broken=()), "api")
        assert len(app.functions) + len(app.broken) == 1
