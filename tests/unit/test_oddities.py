"""What loads and is probably not meant is said: names, annotations, clients, code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from host.functions.blueprints import unread_blueprints
from host.functions.code_reading import odd_code
from host.functions.loader import load_app
from host.functions.model import Oddity
from host.functions.oddities import odd_names
from host.settings import load_settings
from tests.kit.no_rights import no_rights_of_root

MakeApp = Callable[[Mapping[str, str]], Path]

HEAD = """
from __future__ import annotations
import asyncio, datetime as dt, os, random, subprocess, time, uuid
from datetime import datetime, timezone
from time import sleep
from typing import TYPE_CHECKING
import urllib.request
from funchost import DurableClient, FunctionApp, HttpRequest, OrchestrationContext
if TYPE_CHECKING:
    from models import Order
app = FunctionApp()
"""
ORCHESTRATOR = """
@app.orchestration_trigger()
async def led(context: OrchestrationContext):
    {code}
"""
TASKS = """
from funchost import when_all, when_any
@app.activity_trigger()
def act(name: str): ...
def gives(context): return context.call_activity(act)
def tells(context): return str(context.call_activity(act))
"""
COROUTINES = {
    "activity": "@app.activity_trigger()\nasync def does(name: str):\n    {code}\n",
    "http": "@app.route('x')\nasync def answers(req: HttpRequest):\n    {code}\n",
}


def oddities(make_app: MakeApp, source: str, **files: str) -> tuple[list[str], list[str]]:
    """What is odd at load, and what is odd in the code."""
    others = {f"{name}.py": text for name, text in files.items()}
    app_dir = make_app({"function_app.py": HEAD + source, **others})
    app = load_app(app_dir, load_settings(app_dir, {}))
    assert app.broken == ()
    return [str(each) for each in app.oddities], [str(each) for each in odd_code(app, app_dir)]


@pytest.mark.parametrize("name", ["host", "bindings", "funchost"])
def test_found_b5_a_module_that_loses_against_the_hosts_own_is_named(
    make_app: MakeApp, name: str
) -> None:
    at_load, _ = oddities(make_app, TASKS, **{name: ""})
    assert at_load == [
        f"{name}.py: 'import {name}' gives the host's own package, not this module: rename it."
    ]


def test_found_b5_a_module_that_hides_pythons_own_is_named(make_app: MakeApp) -> None:
    app_dir = make_app({"queue.py": "", "email/__init__.py": "", "orders.py": "", "xml/x.txt": ""})
    assert [each.where for each in odd_names(app_dir)] == ["email", "queue.py"]


def test_found_b5_a_module_that_hides_an_installed_package_is_named(make_app: MakeApp) -> None:
    app_dir = make_app({"click.py": "", "orders.py": ""})
    text = "it hides the installed package 'click': rename it."
    assert list(odd_names(app_dir, installed=True)) == [Oddity(where="click.py", text=text)]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("datetime.now(timezone.utc)", "use context.current_utc_datetime"),
        ("datetime.utcnow()", "use context.current_utc_datetime"),
        ("dt.date.today()", "use context.current_utc_datetime"),
        ("time.time()", "use context.current_utc_datetime"),
        ("time.monotonic_ns()", "use context.current_utc_datetime"),
        ("from time import perf_counter; perf_counter()", "use context.current_utc_datetime"),
        ("random.choice([1, 2])", "use context.new_uuid()"),
        ("random.Random().random()", "use context.new_uuid()"),
        ("uuid.uuid4()", "use context.new_uuid()"),
        ("from secrets import token_hex; token_hex(4)", "use context.new_uuid()"),
        ("os.urandom(4)", "use context.new_uuid()"),
        ("os.environ['A']", "settings differ between deploys"),
        ("os.environ.get('A')", "settings differ between deploys"),
        ("os.getenv('A')", "settings differ between deploys"),
        ("open('x')", "do it in an activity"),
        ("urllib.request.urlopen('http://x')", "do it in an activity"),
        ("subprocess.run(['x'])", "do it in an activity"),
        ("time.sleep(1)", "await context.create_timer instead"),
        ("sleep(1)", "await context.create_timer instead"),
        ("await asyncio.sleep(1)", "use context.create_timer, when_all or when_any"),
        ("asyncio.run(x())", "a loop of its own blocks the host"),
        ("asyncio.new_event_loop()", "a loop of its own blocks the host"),
        ("with asyncio.Runner() as runner: pass", "a loop of its own blocks the host"),
        ("print('x')", "use context.create_replay_safe_logger(logger)"),
        ("asyncio.gather()", "use context.create_timer, when_all or when_any"),
        ("return [uuid.uuid4() for _ in range(2)]", "use context.new_uuid()"),
    ],
)
def test_found_b6_what_differs_at_every_replay_is_found_in_the_code(
    make_app: MakeApp, code: str, said: str
) -> None:
    _, (odd,) = oddities(make_app, ORCHESTRATOR.format(code=code))
    assert odd.startswith("led: ")
    assert "function_app.py:" in odd
    assert said in odd


@pytest.mark.parametrize(
    "code",
    [
        "random.Random(5).random()",
        "context.current_utc_datetime + dt.timedelta(days=1)",
        "datetime(2026, 1, 1)",
        "datetime.fromisoformat('2026-01-01')",
        "uuid.UUID(int=5)",
        "os.path.join('a', 'b')",
        "await context.create_timer(dt.timedelta(days=1))",
        "unknown_name.now()",
    ],
)
def test_found_b6_what_is_the_same_at_every_replay_is_not_odd(make_app: MakeApp, code: str) -> None:
    _, found = oddities(make_app, ORCHESTRATOR.format(code=code))
    assert found == []


def test_found_b6_functions_of_the_app_that_are_called_are_read_too(make_app: MakeApp) -> None:
    source = "from helper import stamp\n" + ORCHESTRATOR.format(code="stamp()")
    helper = "import time\ndef stamp(): return again()\ndef again(): return time.time() or stamp()"
    _, (odd,) = oddities(make_app, source, helper=helper)
    assert "helper.py:3" in odd


def test_found_b6_an_activity_that_is_called_is_found_and_one_that_is_scheduled_is_not(
    make_app: MakeApp,
) -> None:
    source = """
@app.activity_trigger()
def act(name: str) -> float:
    return time.time()

@app.orchestration_trigger()
async def led(context):
    await context.call_activity(act, "x")
    act("x")
"""
    _, (odd,) = oddities(make_app, source)
    assert "await context.call_activity(act, ...)" in odd


@pytest.mark.parametrize(
    "code",
    [
        "return f'{context.call_activity(act)}'",
        "return str(context.call_activity(act))",
        "return 1 + context.call_activity(act)",
        "x = context.call_activity(act); return x + 1",
        "return context.call_activity(act) == 'a'",
        "x = context.call_activity(act); return x > 5",
        "x = context.call_activity(act)\n    if x: return 1",
        "if not context.wait_for_external_event('go'): return 1",
        "while context.call_activity(act): pass",
        "return context.call_activity(act)",
        "x = context.call_activity(act); return x",
        "return [context.call_activity(act) for _ in range(3)]",
        "return {'a': context.call_sub_orchestrator('led'), 'c': 1}",
        "return when_all([context.call_activity(act)])",
        "return await when_any([context.call_activity(act)])",
        "await context.call_activity(act, context.call_activity(act))",
        "context.set_custom_status({'at': context.call_activity(act)})",
        "for each in context.call_activity(act): pass",
        "return context.call_activity(act)['name']",
        "return 'a' if context.call_activity(act) else 'b'",
        "context.create_timer(dt.timedelta(1)) and 5",
        "return tells(context)",
    ],
)
def test_a_task_that_is_used_as_its_result_is_found(make_app: MakeApp, code: str) -> None:
    source = TASKS + ORCHESTRATOR.format(code=code)
    _, (odd,) = oddities(make_app, source)
    assert "write await (in a generator, yield) before it" in odd


@pytest.mark.parametrize(
    "code",
    [
        "return f'{await context.call_activity(act)}'",
        "x = context.call_activity(act); return await x + 1",
        "x = context.call_activity(act); return x.is_completed",
        "tasks = [context.call_activity(act)]; tasks += [context.call_activity(act)]",
        "tasks = [context.call_activity(act)] + [context.call_activity(act)]",
        "tasks = [context.call_activity(act)]\n    if tasks: return len(tasks)",
        "a = context.call_activity(act); b = await when_any([a]); return a is b or a == b",
        "a = await when_any([context.call_activity(act)]); return await a",
        "x = None\n    x = context.call_activity(act)\n    if x: return 1",
        "x = context.call_activity(act); x = await x; return x + 1",
        "a = context.call_activity(act)\n    if a in [a]: return 1",
        "return [await each for each in [context.call_activity(act)]]",
        "return await when_all([context.call_activity(act)])",
        "return await gives(context)",
        "def starts(): return context.call_activity(act)\n    return await starts()",
        "return 5 if 'a' == 'b' else await context.call_activity(act)",
        "context.call_activity(act)",
    ],
)
def test_a_task_that_is_used_as_a_task_is_not_odd(make_app: MakeApp, code: str) -> None:
    _, found = oddities(make_app, TASKS + ORCHESTRATOR.format(code=code))
    assert found == []


@pytest.mark.parametrize("kind", COROUTINES)
@pytest.mark.parametrize(
    "code", ["time.sleep(12)", "subprocess.run(['x'])", "urllib.request.urlopen('http://x')"]
)
def test_found_h4_a_call_that_blocks_in_a_coroutine_is_found(
    make_app: MakeApp, kind: str, code: str
) -> None:
    _, (odd,) = oddities(make_app, COROUTINES[kind].format(code=code))
    assert "it blocks the host's event loop" in odd


def test_found_h4_a_plain_function_may_block(make_app: MakeApp) -> None:
    source = "@app.activity_trigger()\ndef does(name: str):\n    time.sleep(12)\n"
    assert oddities(make_app, source) == ([], [])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def does(order: Order) -> str: ...", "the parameter 'order'"),
        ("def does(order: str) -> Order: ...", "its result"),
        ("def does(order: list[Undefined]) -> str: ...", "the parameter 'order'"),
        ("def does(order: 'a b') -> str: ...", "the parameter 'order'"),
    ],
)
def test_found_h5_an_annotation_that_cannot_be_resolved_is_said(
    make_app: MakeApp, source: str, said: str
) -> None:
    (odd,), _ = oddities(make_app, f"@app.activity_trigger()\n{source}\n")
    assert odd.startswith(f"does: the annotation of {said} cannot be resolved (")


def test_found_h5_annotations_that_resolve_are_not_odd(make_app: MakeApp) -> None:
    source = """
@app.activity_trigger()
def does(order: list[Model]) -> Model: ...

from dataclasses import dataclass
@dataclass
class Model:
    x: int
"""
    assert oddities(make_app, source) == ([], [])


def test_a_client_in_a_plain_function_is_said(make_app: MakeApp) -> None:
    source = """
@app.route("a")
@app.orchestration_client("client")
def plain(req: HttpRequest, client: DurableClient) -> str: ...

@app.route("b")
@app.orchestration_client("client")
async def awaits(req: HttpRequest, client: DurableClient) -> str: ...
"""
    (odd,), _ = oddities(make_app, source)
    assert odd.startswith("plain: it is a plain def with a durable client")


def test_a_name_in_host_json_that_no_function_has_is_said(make_app: MakeApp) -> None:
    app_dir = make_app({"host.json": '{"version": "2.0", "functions": ["Gone"]}'})
    app = load_app(app_dir, load_settings(app_dir, {}))
    assert [str(each) for each in app.oddities] == [
        "host.json: 'functions' names 'Gone': there is none."
    ]


def test_a_folder_that_may_not_be_read_is_said_and_the_rest_runs(make_app: MakeApp) -> None:
    app_dir = make_app({"function_app.py": HEAD + TASKS, "secret/function.json": "{}"})
    (app_dir / "secret").chmod(0)
    try:
        with no_rights_of_root():
            app = load_app(app_dir, load_settings(app_dir, {}))
            odd = [str(each) for each in odd_names(app_dir, installed=True)]
    finally:
        (app_dir / "secret").chmod(0o700)
    assert [each.name for each in app.functions] == ["act"]
    assert [str(each) for each in app.oddities] == odd
    assert odd[0].startswith("secret: it is left out, as it cannot be looked into: this user may")


def test_a_module_that_wins_against_the_hosts_own_is_said(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app_dir = make_app({"funchost.py": "FunctionApp = object"})
    monkeypatch.delitem(sys.modules, "funchost", raising=False)
    assert [str(each) for each in odd_names(app_dir)] == [
        "funchost.py: it hides the host's own package 'funchost' from the app: rename it."
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "add a function_app.py with functions, or folders with a function.json."),
        (
            {"function_app.py": HEAD + TASKS, "host.json": '{"version": "2.0", "functions": []}'},
            "the list 'functions' in host.json is empty.",
        ),
        ({"function_app.py": HEAD}, "its function_app.py has none."),
        (
            {"shop/function_app.py": HEAD + TASKS},
            "add a function_app.py with functions, or folders with a function.json. "
            "Is the folder 'shop' in it meant?",
        ),
    ],
)
def test_an_app_without_functions_says_what_to_do(
    make_app: MakeApp, files: Mapping[str, str], said: str
) -> None:
    app_dir = make_app(files)
    (odd,) = load_app(app_dir, load_settings(app_dir, {})).oddities
    assert str(odd).startswith(f"No functions found in {app_dir}: {said}")


BLUEPRINT = """
from funchost import Blueprint
bp = Blueprint()
@bp.activity_trigger()
def cook(name: str): ...
"""


@pytest.mark.parametrize("place", ["kitchen", "parts/kitchen"])
def test_a_blueprint_that_is_not_registered_is_found(make_app: MakeApp, place: str) -> None:
    module = place.replace("/", ".")
    found, _ = oddities(make_app, f"{TASKS}\nimport {module}", **{place: BLUEPRINT})
    assert found == [
        f"{place}.py: the Blueprint 'bp' is not registered, so its functions do not run: in "
        f"function_app.py write `from {module} import bp` and `app.register_functions(bp)`."
    ]


def test_a_blueprint_that_was_only_imported_is_found(make_app: MakeApp) -> None:
    found, _ = oddities(make_app, f"{TASKS}\nfrom kitchen import bp", kitchen=BLUEPRINT)
    assert found == [
        "function_app.py: the Blueprint 'bp' is not registered, so its functions do not run: in "
        "function_app.py write `app.register_functions(bp)`."
    ]


def test_a_blueprint_that_nothing_imports_is_found(make_app: MakeApp) -> None:
    app_dir = make_app({"function_app.py": HEAD + TASKS, "kitchen.py": BLUEPRINT})
    assert load_app(app_dir, load_settings(app_dir, {})).oddities == ()
    (odd,) = unread_blueprints(app_dir)
    assert str(odd).startswith("kitchen.py: the Blueprint 'bp' is not registered")


@pytest.mark.parametrize(
    "more", ["app.register_functions(bp)", "empty = type(bp)()\napp.register_functions(bp)"]
)
def test_a_blueprint_that_is_registered_or_empty_is_not_odd(make_app: MakeApp, more: str) -> None:
    source = f"from kitchen import bp\n{more}"
    app_dir = make_app({"function_app.py": HEAD + source, "kitchen.py": BLUEPRINT})
    assert load_app(app_dir, load_settings(app_dir, {})).oddities == ()
    assert list(unread_blueprints(app_dir)) == []


PORTED = """
@app.activity_trigger()
def pack_box(name: str): ...
@app.orchestration_trigger()
async def send_box(context: OrchestrationContext): ...
def helper(n): ...
"""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("await context.call_activity('pack_bok', 1)", "'pack_bok' (near: 'pack_box'): unless"),
        (
            "await context.call_activity('nonsense', 1)",
            "'nonsense': unless another host of the hub",
        ),
        (
            "await context.call_activity('Send_Box')",
            "is an orchestrator: use call_sub_orchestrator",
        ),
        ("await context.call_sub_orchestrator('send', 1)", "no orchestrator of this app is named"),
        ("await context.call_sub_orchestrator('pack_box', 1)", "is an activity: use call_activity"),
        ("await context.call_activity(helper, 1)", "decorate it with @app.activity_trigger()"),
        ("await context.call_sub_orchestrator(helper)", "@app.orchestration_trigger()"),
        ("await context.call_activity(pack_box, 1, 2)", "pass a list or dict"),
        ("await context.call_sub_orchestrator(send_box, 1, 'id')", "instance_id=... by name"),
        ("await context.set_custom_status('x')", "do not await it"),
        ("await context.continue_as_new(1)", "do not await it"),
        ("await context.send_event('x', 'y')", "do not await it"),
        ("await context.create_timer(5)", "timedelta(seconds=...)"),
        ("context.create_timer(dt.timedelta(1))", "nothing waits for it"),
        ("context.wait_for_external_event('x')", "nothing waits for it"),
    ],
)
def test_calls_of_the_context_that_cannot_be_meant_are_odd(
    make_app: MakeApp, code: str, said: str
) -> None:
    _, (odd,) = oddities(make_app, PORTED + ORCHESTRATOR.format(code=code))
    assert odd.startswith("led: context.")
    assert "function_app.py:" in odd
    assert said in odd


def test_yield_from_and_yields_of_what_gives_nothing_are_odd(make_app: MakeApp) -> None:
    source = """
@app.orchestration_trigger()
def led(context: OrchestrationContext):
    yield from context.call_activity(pack_box, 1)
    yield context.set_custom_status("x")
"""
    _, found = oddities(make_app, PORTED + source)
    assert len(found) == 2
    assert any("write await (in a generator, yield)" in each for each in found)
    assert any("do not await it" in each for each in found)


@pytest.mark.parametrize(
    "code",
    [
        "await context.call_activity('PACK_BOX', 1)",
        "await context.call_activity(pack_box, 1)",
        "name = 'x' + 'y'; await context.call_activity(name, 1)",
        "await context.call_sub_orchestrator('send_box', 1, instance_id='x')",
        "await context.call_activity(pack_box, *[1])",
        "context.set_custom_status('x')",
        "timer = context.create_timer(dt.timedelta(1)); timer.cancel()",
        "context.call_activity(pack_box, 1)",
    ],
)
def test_calls_of_the_context_that_can_be_meant_are_not_odd(make_app: MakeApp, code: str) -> None:
    _, found = oddities(make_app, PORTED + ORCHESTRATOR.format(code=code))
    assert found == []


def test_names_are_not_missed_while_a_module_is_broken(make_app: MakeApp) -> None:
    files = {
        "function_app.py": HEAD
        + ORCHESTRATOR.format(code="await context.call_activity('elsewhere', 1)"),
        "more/function_app.py": "nonsense(",
        "host.json": '{"version": "2.0", "funchost": {"include": ["more"]}}',
    }
    app_dir = make_app(files)
    app = load_app(app_dir, load_settings(app_dir, {}))
    assert len(app.broken) == 1
    assert list(odd_code(app, app_dir)) == []


WITH_CLIENT = """
@app.route("r")
@app.durable_client_input("client")
async def r(req: HttpRequest, client):
    {code}
"""


@pytest.mark.parametrize(
    "code",
    [
        "client.raise_event('w1', 'A', 1); return 'event sent'",
        "if client.get_instance('x'): return 1",
        "return client.get_instance('x').runtime_status",
        "i = client.schedule_new_orchestration('led'); return f'{i}'",
        "i = client.schedule_new_orchestration('led')\n"
        "    return client.create_check_status_response(req, i)",
        "return client.create_check_status_response(req, client.restart_instance('led'))",
        "state = client.get_instance('x'); return state.output",
        "i = client.schedule_new_orchestration('led')",
        "return await helps(client)",
        "def inner(): client.terminate_instance('x')\n    return inner()",
    ],
)
def test_calls_of_a_client_that_nobody_awaits_are_odd(make_app: MakeApp, code: str) -> None:
    helper = """
async def helps(c: DurableClient): c.raise_event("w1", "A")
""" + ORCHESTRATOR.format(code="pass")
    _, (odd,) = oddities(make_app, helper + WITH_CLIENT.format(code=code))
    assert odd.startswith(("r: client.", "r: c.raise_event"))
    assert "it is not awaited, so it does nothing: write await before it" in odd


@pytest.mark.parametrize(
    "code",
    [
        "await client.raise_event('w1', 'A', 1)",
        "return (await client.get_instance('x')).runtime_status",
        "i = client.schedule_new_orchestration('led'); return await i",
        "await asyncio.gather(client.raise_event('w1', 'A'), client.raise_event('w2', 'A'))",
        "calls = [client.get_instance('x') for x in 'ab']; await asyncio.gather(*calls)",
        "task = asyncio.create_task(client.raise_event('w1', 'A')); await task",
        "return client.create_check_status_response(req, 'x')",
        "return [each async for each in client.get_all_instances()]",
        "other = object(); other.raise_event('x')",
    ],
)
def test_calls_of_a_client_that_are_awaited_are_not_odd(make_app: MakeApp, code: str) -> None:
    source = ORCHESTRATOR.format(code="pass") + WITH_CLIENT.format(code=code)
    _, found = oddities(make_app, source)
    assert found == []


def test_a_start_of_an_orchestrator_that_is_not_there_is_odd(make_app: MakeApp) -> None:
    code = "await client.schedule_new_orchestration('nope')"
    _, (odd,) = oddities(make_app, PORTED + WITH_CLIENT.format(code=code))
    assert "no orchestrator of this app is named 'nope'" in odd


def test_names_of_azures_contexts_and_clients_are_odd(make_app: MakeApp) -> None:
    source = """
@app.orchestration_trigger()
async def led(ctx):
    await ctx.call_activity_with_retry("pack_box", None, 1)
    await helps(ctx)
async def helps(c: "OrchestrationContext"): c.new_guid()
@app.route("r")
@app.durable_client_input("starter")
async def r(req: HttpRequest, starter):
    await starter.start_new("led", None, 1)
"""
    _, found = oddities(make_app, PORTED + source)
    assert [each.partition(": ")[0] for each in found] == ["led", "led", "r"]
    assert "no 'call_activity_with_retry' here: use call_activity(" in found[0]
    assert "no 'new_guid' here: use new_uuid()" in found[1]
    assert "no 'start_new' here: use schedule_new_orchestration(" in found[2]


def test_a_property_that_means_nothing_and_looks_like_another_is_odd(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "function_app.py": """
from funchost import FunctionApp
app = FunctionApp()
@app.generic_trigger("timer", "timerTrigger", schedule="0 0 * * * *", useMonitr=True, other=1)
def tick(timer): ...
"""
        }
    )
    texts = [each.text for each in load_app(app_dir, load_settings(app_dir, {})).oddities]
    assert texts == [
        "the property 'useMonitr' of its timerTrigger binding means nothing: is 'useMonitor' meant?"
    ]


QUEUES = """
@app.queue_trigger("a", queue_name="orders")
def first(a): ...
@app.queue_trigger("a", queue_name="{name}", connection={connection})
def second(a): ...
"""


@pytest.mark.parametrize(
    ("name", "connection", "are_odd"),
    [
        ("orders", "None", True),
        ("%QUEUE%", "None", True),
        ("Orders", "None", False),
        ("others", "None", False),
        ("orders", "'elsewhere'", False),
    ],
)
def test_two_functions_that_take_from_one_queue_are_odd(
    make_app: MakeApp, name: str, connection: str, are_odd: bool
) -> None:
    app_dir = make_app({"function_app.py": HEAD + QUEUES.format(name=name, connection=connection)})
    app = load_app(
        app_dir, load_settings(app_dir, {"QUEUE": "orders", "elsewhere__region": "eu-west-1"})
    )
    assert app.broken == ()
    found = [str(each) for each in app.oddities]
    said = "second: it takes from the queue 'orders', as 'first' does"
    assert [each.startswith(said) for each in found] == [True] * are_odd


def test_a_disabled_function_takes_from_no_queue(make_app: MakeApp) -> None:
    source = HEAD + QUEUES.format(name="orders", connection="None")
    app_dir = make_app({"function_app.py": source})
    settings = load_settings(app_dir, {"AzureWebJobs.first.Disabled": "true"})
    assert load_app(app_dir, settings).oddities == ()
