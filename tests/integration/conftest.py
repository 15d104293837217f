"""Real host processes for integration tests. Nothing sleeps: reads block until output comes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WEBHOOKS = "/runtime/webhooks/durabletask"
LISTENING = "Listening on "


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class HostProcess:
    """One `funchost start`. `output` is what it printed before it listened, that line included."""

    process: subprocess.Popen[str]
    error_file: Path
    url: str = ""
    output: list[str] = field(default_factory=list)

    def wait_until_listening(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))
            if line.startswith(LISTENING):
                self.url = line.removeprefix(LISTENING).strip()
                return
        self.process.wait()
        raise AssertionError(f"The host did not start:\n{self.errors()}")

    def request(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send JSON to a path of the host, or to a URL it gave."""
        url = target if target.startswith("http") else self.url + target
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(url, data=data, method=method, headers=sent)
        try:
            with urllib.request.urlopen(request) as response:
                return Answer(response.status, response.read(), dict(response.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), dict(error.headers))

    def status(self, instance_id: str) -> dict[str, Any]:
        status: dict[str, Any] = self.request("GET", f"{WEBHOOKS}/instances/{instance_id}").json
        return status

    def wait_for(
        self, instance_id: str, is_reached: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """Ask for the status until it is reached; the test's own timeout is the limit."""
        while not is_reached(status := self.status(instance_id)):
            pass
        return status

    def finished(self, instance_id: str) -> dict[str, Any]:
        states = ("Completed", "Failed", "Terminated")
        return self.wait_for(instance_id, lambda status: status["runtimeStatus"] in states)

    def errors(self) -> str:
        return self.error_file.read_text()

    def wait_until_logged(self, text: str) -> None:
        while text not in self.errors():
            assert self.process.poll() is None, self.errors()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait()


StartHost = Callable[..., HostProcess]


def launch(app: Path, error_file: Path, *arguments: str, **environment: str) -> HostProcess:
    """Start a host without waiting for it."""
    with error_file.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "host", "start", str(app), *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **environment},
        )
    return HostProcess(process, error_file)


def new_keys(folder: Path) -> dict[str, str]:
    """The keys that were made in this folder, by kind and name."""
    path = folder / "new-keys.txt"
    assert path.stat().st_mode & 0o077 == 0
    return dict(line.split(": ") for line in path.read_text().splitlines())


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[StartHost]:
    """Starts hosts on a free port, waits until they serve, and ends what is left of them."""
    started: list[HostProcess] = []

    def start(app: Path, *arguments: str, port: str = "0", **environment: str) -> HostProcess:
        error_file = tmp_path / f"errors-{len(started)}.log"
        host = launch(app, error_file, "--port", port, *arguments, **environment)
        started.append(host)
        host.wait_until_listening()
        return host

    yield start
    for host in started:
        end(host)


def end(host: HostProcess) -> None:
    """Leave nothing behind."""
    if host.process.poll() is None:
        host.process.kill()
    host.process.wait()
    if host.process.stdout is not None:
        host.process.stdout.close()


@pytest.fixture(scope="module")
def samples_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the samples keep to."""
    return tmp_path_factory.mktemp("root").resolve()


@pytest.fixture(scope="module")
def samples_host(
    samples_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HostProcess]:
    """One host that serves all samples, as `make start` does, in memory."""
    error_file = tmp_path_factory.mktemp("samples") / "errors.log"
    data = str(samples_root / "data")
    arguments = ("--port", "0", "--storage", "memory", "--data", data)
    host = launch(REPOSITORY, error_file, *arguments, SAMPLES_ROOT=str(samples_root))
    host.wait_until_listening()
    yield host
    assert host.stop() == 0, host.errors()
    end(host)


@pytest.fixture
def run_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command that is expected to end by itself."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "host", *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
