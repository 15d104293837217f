"""`--processes`: plain functions run in processes of their own, which may come and go."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from host.app import RunningHost
from host.wiring.options import HostOptions, read_settings
from host.wiring.versions import load_version
from tests.kit.app_folders import make_app
from tests.kit.hub import until
from tests.kit.served_app import served

if TYPE_CHECKING:
    from tests.integration.conftest import HostProcess, StartHost

__all__ = ["make_app"]

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.name != "posix", reason="no processes")]

MakeApp = Callable[[Mapping[str, str]], Path]
WEBHOOKS = "/runtime/webhooks/durabletask"

APP = """
import logging
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from funchost import FunctionApp, FunctionContext, HttpRequest, HttpResponse, RetryPolicy
from funchost import StreamingResponse
from pydantic import BaseModel

app = FunctionApp()
log = logging.getLogger("shop")


@dataclass
class Order:
    number: int


class Asked(BaseModel):
    number: int


@app.activity_trigger()
def where(order: Order) -> tuple[int, int]:
    return order.number, os.getpid()


@app.activity_trigger()
async def on_the_loop() -> int:
    return os.getpid()


@app.activity_trigger()
def fails(context: FunctionContext) -> None:
    log.warning("about to fail in %s", context.function_name)
    print("about to print in", context.function_name)
    raise KeyError("no such order")


@app.activity_trigger()
def dies_once(marker: str) -> int:
    if not Path(marker).exists():
        Path(marker).touch()
        os._exit(3)
    return os.getpid()


@app.activity_trigger()
def dies_beside(folder: str) -> str:
    # The first of the two waits for the second one, which takes the process along, once.
    first, second, dead = (Path(folder, name) for name in ("first", "second", "dead"))
    if dead.exists():
        return "runs again"
    try:
        first.touch(exist_ok=False)
    except FileExistsError:
        second.touch()
        dead.touch()
        os._exit(5)
    while True:
        pass


@app.activity_trigger(at_most_once=True)
def dies_beside_once(folder: str) -> str:
    return dies_beside(folder)


@app.activity_trigger()
def until_cancelled(marker: str, context: FunctionContext) -> None:
    Path(marker).touch()
    context.cancelled.wait()
    Path(marker).unlink()


@app.activity_trigger()
def endless(marker: str) -> None:
    Path(marker).write_text(str(os.getpid()))
    while True:
        pass


@app.orchestration_trigger()
async def call(context, what: list):
    return await context.call_activity(what[0], what[1])


@app.orchestration_trigger()
async def call_again(context, what: list):
    policy = RetryPolicy(timedelta(0), max_number_of_attempts=2)
    return await context.call_activity(what[0], what[1], retry_policy=policy)


@app.orchestration_trigger()
async def call_twice(context, what: list):
    tasks = [context.call_activity(what[0], what[1]) for _ in range(2)]
    return await context.task_all(tasks)


@app.route(methods=["POST"])
def posted(req: HttpRequest, context: FunctionContext) -> HttpResponse:
    log.info("posted to %s", req.url)
    return HttpResponse({"got": req.get_json(), "pid": os.getpid()}, status_code=201)


@app.route(methods=["POST"])
def asked(body: Asked) -> Asked:
    return Asked(number=body.number + 1)


@app.route()
def refuses(req: HttpRequest) -> str:
    return req.get_json()


@app.route()
def breaks(req: HttpRequest) -> str:
    raise ValueError("no luck")


@app.route()
def streamed(req: HttpRequest) -> StreamingResponse:
    return StreamingResponse(each for each in ("one", "two"))


@app.route()
def letters(req: HttpRequest):
    return (each for each in "abc")


@app.route()
@app.durable_client_input("client")
def with_client(req: HttpRequest, client) -> str:
    return str(os.getpid())
"""


@pytest.fixture
def app(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")
    host_json = {"version": "2.0", "funchost": {"processes": 1, "stopGraceSeconds": 1}}
    return make_app({"function_app.py": APP, "host.json": json.dumps(host_json)})


async def answer_of(
    session: aiohttp.ClientSession, method: str, path: str, **options: Any
) -> tuple[int, Any]:
    async with session.request(method, path, **options) as answer:
        is_json = "json" in answer.content_type
        return answer.status, await answer.json() if is_json else await answer.text()


async def until_ready(session: aiohttp.ClientSession) -> None:
    while (await answer_of(session, "GET", "/readyz"))[0] != 200:
        pass


async def start(session: aiohttp.ClientSession, name: str, *value: Any) -> str:
    path = f"{WEBHOOKS}/orchestrators/{name}"
    _, started = await answer_of(session, "POST", path, json=value)
    return str(started["id"])


async def end_of(session: aiohttp.ClientSession, instance_id: str) -> dict[str, Any]:
    while True:
        _, status = await answer_of(session, "GET", f"{WEBHOOKS}/instances/{instance_id}")
        if status["runtimeStatus"] in {"Completed", "Failed", "Terminated"}:
            found: dict[str, Any] = status
            return found


async def output_of(session: aiohttp.ClientSession, name: str, *value: Any) -> Any:
    return (await end_of(session, await start(session, name, *value)))["output"]


# ---- what runs where -----------------------------------------------------------------------------


async def test_plain_functions_run_in_a_worker_and_give_what_they_give_here(app: Path) -> None:
    async with served(app) as (_, session):
        await until_ready(session)
        number, worker = await output_of(session, "call", "where", {"number": 7})
        assert number == 7
        assert worker != os.getpid()
        assert await output_of(session, "call", "on_the_loop", None) == os.getpid()
        status, posted = await answer_of(session, "POST", "/api/posted", json=[1])
        assert (status, posted) == (201, {"got": [1], "pid": worker})
        asked = await answer_of(session, "POST", "/api/asked", json={"number": 3})
        assert asked == (200, {"number": 4})


async def test_what_fails_in_a_worker_fails_as_it_does_here(
    app: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with served(app) as (_, session):
        await until_ready(session)
        end = await end_of(session, await start(session, "call", "fails", None))
        cause = end["failureDetails"]["InnerFailure"]
        assert cause["ErrorType"] == "KeyError"
        assert 'raise KeyError("no such order")' in cause["StackTrace"]
        assert (await answer_of(session, "POST", "/api/asked", json={"number": "x"}))[0] == 400
        assert (await answer_of(session, "GET", "/api/refuses"))[0] == 400
        assert (await answer_of(session, "GET", "/api/breaks"))[0] == 500
    (said,) = [each for each in caplog.records if each.name == "shop"]
    assert said.getMessage() == "about to fail in fails"
    assert said.levelno == logging.WARNING
    assert (said.__dict__["function"], said.__dict__["instance_id"]) == ("fails", end["instanceId"])
    assert said.__dict__["attempt"] == 1
    printed = [each for each in caplog.records if each.name == "print"]
    assert [each.getMessage() for each in printed] == ["about to print in fails"]
    assert printed[0].__dict__["instance_id"] == end["instanceId"]
    assert "no luck" in caplog.text
    assert 'raise ValueError("no luck")' in caplog.text


async def test_what_cannot_go_to_a_worker_stays_in_a_thread_and_is_said_once(
    app: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with served(app) as (_, session):
        await until_ready(session)
        for _ in range(2):
            assert await answer_of(session, "GET", "/api/with_client") == (200, str(os.getpid()))
            assert await answer_of(session, "GET", "/api/streamed") == (200, "onetwo")
        assert (await answer_of(session, "GET", "/api/letters"))[0] == 500
        assert (await answer_of(session, "GET", "/api/letters"))[0] == 200
    stay = [each for each in caplog.messages if "runs in threads of the host" in each]
    names = [each.split(" ")[0] for each in stay]
    assert names == ["'with_client'", "'streamed'", "'letters'"]
    assert "What 'letters' returned (generator) cannot leave its worker process" in caplog.text


# ---- workers that end ----------------------------------------------------------------------------


async def test_a_worker_that_dies_is_one_failed_try_and_another_one_takes_its_place(
    app: Path, tmp_path: Path
) -> None:
    async with served(app) as (_, session):
        await until_ready(session)
        failed = await output_of(session, "call", "dies_once", str(tmp_path / "one"))
        assert "The worker process that ran 'dies_once' ended: exit code 3." in failed
        assert await output_of(session, "call_again", "dies_once", str(tmp_path / "two"))


async def test_who_ran_beside_one_that_died_runs_again(app: Path, tmp_path: Path) -> None:
    async with served(app) as (_, session):
        await until_ready(session)
        ran = await output_of(session, "call_twice", "dies_beside", str(tmp_path))
        assert ran == ["runs again"] * 2


async def test_what_begins_at_most_once_does_not_run_again(app: Path, tmp_path: Path) -> None:
    async with served(app) as (_, session):
        await until_ready(session)
        failed = await output_of(session, "call_twice", "dies_beside_once", str(tmp_path))
        assert "The worker process that ran 'dies_beside_once' ended: exit code 5." in failed


async def test_a_termination_reaches_the_function(app: Path, tmp_path: Path) -> None:
    marker = tmp_path / "runs"
    async with served(app) as (_, session):
        await until_ready(session)
        instance = await start(session, "call", "until_cancelled", str(marker))
        await until(marker.exists)
        path = f"{WEBHOOKS}/instances/{instance}/terminate?reason=enough"
        assert (await answer_of(session, "POST", path))[0] == 202
        await until(lambda: not marker.exists())


async def test_a_function_that_takes_too_long_fails(app: Path, tmp_path: Path) -> None:
    settings = json.loads((app / "host.json").read_text()) | {"functionTimeout": "00:00:01"}
    (app / "host.json").write_text(json.dumps(settings))
    async with served(app) as (_, session):
        await until_ready(session)
        failed = await output_of(session, "call", "endless", str(tmp_path / "runs"))
        assert "The function 'endless' did not end within 0:00:01" in failed


def change(app: Path, host: RunningHost, old: str, new: str) -> None:
    """Let the host run an app that says something else."""
    script = app / "function_app.py"
    script.write_text(script.read_text().replace(old, new))
    options = HostOptions(app_dir=app)
    host.registry.swap(load_version(options, read_settings(options)))


async def test_a_new_version_of_the_app_has_new_workers_and_the_old_ones_end_their_work(
    app: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "runs"
    async with served(app) as (host, session):
        await until_ready(session)
        _, before = await output_of(session, "call", "where", {"number": 1})
        instance = await start(session, "call", "until_cancelled", str(marker))
        await until(marker.exists)
        change(app, host, "return order.number, ", "return -order.number, ")
        number, now = await output_of(session, "call", "where", {"number": 1})
        assert (number, now == before) == (-1, False)
        assert is_alive(before)
        path = f"{WEBHOOKS}/instances/{instance}/terminate?reason=enough"
        await answer_of(session, "POST", path)
        await until(lambda: not is_alive(before))


async def test_a_function_whose_new_code_does_not_load_goes_on_in_the_host(app: Path) -> None:
    declared = json.dumps({"bindings": [{"type": "httpTrigger", "name": "req"}]})
    body = "import os\n\ndef main(req) -> str:\n    return str(os.getpid())\n"
    (app / "apart").mkdir()
    (app / "apart" / "function.json").write_text(declared)
    (app / "apart" / "run.py").write_text(body)
    async with served(app) as (host, session):
        await until_ready(session)
        status, pid = await answer_of(session, "GET", "/api/apart")
        assert (status, pid == str(os.getpid())) == (200, False)
        (app / "apart" / "run.py").write_text(body + "oops(")
        await host.reload()
        assert await answer_of(session, "GET", "/api/apart") == (200, str(os.getpid()))
        await until_ready(session)
        _, posted = await answer_of(session, "POST", "/api/posted", json=1)
        assert posted["pid"] not in {pid, os.getpid()}


async def test_an_app_that_loads_here_and_not_there_keeps_the_host_from_being_ready(
    app: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = app / "function_app.py"
    here = f"import os\nassert os.getpid() == {os.getpid()}, 'only here'\n"
    script.write_text(here + script.read_text())
    async with served(app) as (_, session):
        while True:
            _, status = await answer_of(session, "GET", "/admin/host/status")
            if any("does not load" in each for each in status.get("errors", [])):
                break
        (problem,) = status["errors"]
        assert "the app does not load in a worker process" in problem
        assert "AssertionError: only here" in problem
        assert (await answer_of(session, "GET", "/readyz"))[0] == 503
        assert (await answer_of(session, "GET", "/api/refuses"))[0] == 500
    assert caplog.text.count("it is tried again and again") == 1


# ---- hosts that end ------------------------------------------------------------------------------


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
def busy(app: Path, tmp_path: Path, start_host: StartHost) -> Iterator[tuple[HostProcess, int]]:
    """A host of which a worker runs something that never ends, and that worker."""
    marker = tmp_path / "runs"
    host = start_host(app, "--processes", "2", "--storage", "memory")
    path = f"{WEBHOOKS}/orchestrators/call"
    host.request("POST", path, ["endless", str(marker)])
    while not marker.exists() or not (text := marker.read_text()):
        pass
    worker = int(text)
    assert is_alive(worker)
    yield host, worker
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_host(busy: tuple[HostProcess, int], number: signal.Signals) -> None:
    host, worker = busy
    code = host.stop(number)
    assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL), host.errors()
    while is_alive(worker):
        pass


def test_signals_of_the_terminal_leave_the_end_to_the_host(busy: tuple[HostProcess, int]) -> None:
    host, worker = busy
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(worker, each)
    assert host.request("POST", "/api/asked", {"number": 1}).json == {"number": 2}
    assert is_alive(worker)
    assert host.stop(signal.SIGINT) == 0
    assert "Traceback" not in host.errors()


def test_a_socket_that_an_old_worker_had_is_not_taken_from_a_new_one(
    make_app: MakeApp, start_host: StartHost
) -> None:
    script = (
        "from funchost import FunctionApp, HttpRequest\n"
        "app = FunctionApp()\n"
        "@app.route('hello')\n"
        "def hello(req: HttpRequest) -> str:\n"
        "    return 'Hello!'\n"
    )
    app = make_app({"function_app.py": script})
    host = start_host(app, "--storage", "memory", "--processes", "2")
    for _ in range(5):
        assert host.request("GET", "/api/hello").status == 200
        assert host.request("POST", "/admin/host/reload").status == 200
    assert "Bad file descriptor" not in host.errors()
