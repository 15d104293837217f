"""Token sources: named in the history, looked up where the request is sent, and shown nowhere."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bindings import AwsSignature, ClientCredentials, SettingToken
from bindings.token_sources import read, written
from tests.http_calls.conftest import GOOD, Caller, Names, Remote, Seen, calling, response
from tests.kit.manual_clock import ManualClock

SECRET = "s3cret-t0ken"


def of_setting(name: str = "API_TOKEN") -> dict[str, Any]:
    return {"token_source": written(SettingToken(name))}


@pytest.mark.parametrize(
    "source",
    [
        SettingToken("API_TOKEN"),
        AwsSignature("execute-api", "eu-west-1"),
        ClientCredentials("https://login.example/token", "me", "SECRET"),
        ClientCredentials("https://login.example/token", "me", "SECRET", "read write"),
    ],
)
def test_a_source_is_read_as_it_was_written(source: Any) -> None:
    assert read(json.loads(json.dumps(written(source)))) == source


async def test_a_setting_is_sent_as_a_bearer_token(
    remote: Remote, names: Names, clock: ManualClock
) -> None:
    async with calling(names, clock, {"API_TOKEN": f" {SECRET} "}) as caller:
        await caller.send("GET", remote.url(), headers={"authorization": "x"}, **of_setting())
    assert remote.seen[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("values", [{}, {"API_TOKEN": ""}, {"API_TOKEN": f"{SECRET}\nX: y"}])
async def test_a_setting_that_is_not_there_is_named_and_no_value_shown(
    remote: Remote, names: Names, clock: ManualClock, values: dict[str, str]
) -> None:
    async with calling(names, clock, values) as caller:
        said = await caller.refused("GET", remote.url(), **of_setting())
    assert "'API_TOKEN'" in said
    assert SECRET not in said
    assert not remote.seen


async def test_a_secret_in_place_of_its_name_is_not_shown(caller: Caller, remote: Remote) -> None:
    said = await caller.refused(
        "GET", remote.url(), **of_setting("a8f5f167f44f4964e6c998dee827110c")
    )
    assert "a8f5" not in said


async def test_a_server_that_sends_the_token_back_does_not_bring_it_into_the_history(
    remote: Remote, names: Names, clock: ManualClock
) -> None:
    remote.answer = lambda seen: response(
        200, json.dumps(seen.headers).encode(), X_Echo=seen.headers["authorization"]
    )
    async with calling(names, clock, {"API_TOKEN": SECRET}) as caller:
        told = await caller.send("GET", remote.url(), **of_setting())
    assert SECRET not in json.dumps(told)
    assert "Bearer ***" in told["content"]


async def test_a_token_goes_to_no_other_origin(
    remote: Remote, names: Names, clock: ManualClock
) -> None:
    names.addresses["else.example"] = ["127.0.0.1"]
    remote.answer = lambda seen: (
        response(307, Location=remote.url("/other", "else.example"))
        if seen.target == "/"
        else response(202, Location=remote.url("/status"))
    )
    async with calling(
        names, clock, {"API_TOKEN": SECRET}, allowedHosts=[GOOD, "else.example"]
    ) as caller:
        told = await caller.send("GET", remote.url(), **of_setting())
        assert told["poll"]["isOtherOrigin"]
        await caller.send("GET", told["poll"]["uri"], is_other_origin=True, **of_setting())
    assert ["authorization" in each.headers for each in remote.seen] == [True, False, False]


async def test_a_poll_of_the_same_origin_has_the_token(
    remote: Remote, names: Names, clock: ManualClock
) -> None:
    remote.answer = lambda _: response(202, Location="/status", Retry_After="3")
    async with calling(names, clock, {"API_TOKEN": SECRET}) as caller:
        told = await caller.send("GET", remote.url(), **of_setting())
    assert told["poll"] == {"uri": remote.url("/status"), "afterSeconds": 3}


class Login:
    """An OAuth 2.0 server, and the service behind it."""

    def __init__(self) -> None:
        self.asked: list[Seen] = []
        self.granted = response(200, b'{"access_token": "token-1", "expires_in": 600}')
        self.status = 200

    def answer(self, seen: Seen) -> bytes:
        if seen.target == "/token":
            self.asked.append(seen)
            return self.granted
        return response(self.status, seen.headers["authorization"].encode())


@pytest.fixture
def login(remote: Remote) -> Iterator[Login]:
    login = Login()
    remote.answer = login.answer
    yield login


def credentials(remote: Remote, url: str | None = None) -> dict[str, Any]:
    source = ClientCredentials(url or remote.url("/token"), "my id", "CLIENT_SECRET", "a b")
    return {"token_source": written(source)}


VALUES = {"CLIENT_SECRET": "pass:word"}


async def test_client_credentials_get_a_token_that_is_kept_until_shortly_before_its_end(
    remote: Remote, names: Names, clock: ManualClock, login: Login
) -> None:
    async with calling(names, clock, VALUES) as caller:
        for after_s, asked in ((0, 1), (530, 1), (11, 2)):
            await clock.advance(timedelta(seconds=after_s))
            told = await caller.send("GET", remote.url(), **credentials(remote))
            assert told["content"] == "Bearer ***"
            assert len(login.asked) == asked
    request = login.asked[0]
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["a b"],
    }
    kind, _, pair = request.headers["authorization"].partition(" ")
    assert (kind, b64decode(pair)) == ("Basic", b"my+id:pass%3Aword")


async def test_a_token_that_is_refused_is_not_used_again(
    remote: Remote, names: Names, clock: ManualClock, login: Login
) -> None:
    login.status = 401
    async with calling(names, clock, VALUES) as caller:
        for _ in range(2):
            told = await caller.send("GET", remote.url(), **credentials(remote))
            assert told["statusCode"] == 401
    assert len(login.asked) == 2


@pytest.mark.parametrize(
    ("granted", "said"),
    [
        (response(400, b'{"error": "invalid_client"}'), "400 (invalid_client)"),
        (response(401, b'{"error": "pass:word is wrong"}'), "it answers 401."),
        (response(302, Location="/elsewhere"), "302"),
        (response(200, b"{}"), "no access_token"),
        (response(200, b'{"access_token": ""}'), "no access_token"),
        (response(200, b'{"access_token": "a\\nb"}'), "no access_token"),
        (response(200, b'["pass:word"]'), "no access_token"),
        (response(200, b"\xff"), "no access_token"),
    ],
)
async def test_a_server_that_gives_no_token_is_told_and_nothing_is_sent(
    remote: Remote, names: Names, clock: ManualClock, login: Login, granted: bytes, said: str
) -> None:
    login.granted = granted
    async with calling(names, clock, VALUES) as caller:
        message = await caller.refused("GET", remote.url(), **credentials(remote))
    assert said in message
    assert "pass:word" not in message
    assert [each.target for each in remote.seen] == ["/token"]


async def test_a_token_server_that_is_down_may_be_asked_again(
    remote: Remote, names: Names, clock: ManualClock, login: Login
) -> None:
    login.granted = response(503)
    async with calling(names, clock, VALUES) as caller:
        kind, said = await caller.failed("GET", remote.url(), **credentials(remote))
    assert kind == "ConnectionError"
    assert "503" in said


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/token", "http://private.example/token", "file:///token"]
)
async def test_nobody_is_asked_for_a_token_whom_call_http_may_not_ask(
    remote: Remote, names: Names, clock: ManualClock, login: Login, url: str
) -> None:
    names.addresses["private.example"] = ["10.0.0.1"]
    async with calling(names, clock, VALUES) as caller:
        assert await caller.refused("GET", remote.url(), **credentials(remote, url))
    assert not remote.seen


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
        "AWS_SESSION_TOKEN": "session-token",
    }.items():
        monkeypatch.setenv(name, value)


def signature_of(seen: Seen, url: str, service: str) -> str:
    """What AWS would find for this request, as it came in."""
    signed = seen.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    request = AWSRequest(
        method=seen.method,
        url=url,
        headers={name: seen.headers[name] for name in signed.split(";")},
        data=seen.body,
    )
    request.context["timestamp"] = seen.headers["x-amz-date"]
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI"), service, "eu-west-1")
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    return str(auth.signature(to_sign, request))


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("path", "as_signed"),
    [
        ("/a/b?x=1&y=a%20b", "/a/b?x=1&y=a%20b"),
        ("/a/b?y=a/b:c&x", "/a/b?y=a%2Fb%3Ac&x="),
    ],
)
async def test_a_signed_request_has_a_signature_that_holds(
    remote: Remote, names: Names, clock: ManualClock, path: str, as_signed: str
) -> None:
    source = {"token_source": written(AwsSignature("execute-api", "eu-west-1"))}
    headers = {"Content-Type": "application/json", "X-Amz-Target": "T", "X-Own": "o"}
    async with calling(names, clock) as caller:
        await caller.send("POST", remote.url(path), headers=headers, content="{}", **source)
    seen = remote.seen[0]
    assert "/eu-west-1/execute-api/aws4_request" in seen.headers["authorization"]
    assert (
        "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
        in (seen.headers["authorization"])
    )
    assert seen.headers["x-amz-security-token"] == "session-token"
    found = seen.headers["authorization"].rpartition("=")[2]
    assert found == signature_of(seen, remote.url(as_signed), "execute-api")


@pytest.mark.usefixtures("keys")
async def test_requests_to_s3_say_the_digest_of_their_body(
    remote: Remote, names: Names, clock: ManualClock
) -> None:
    source = {"token_source": written(AwsSignature("s3", "eu-west-1"))}
    async with calling(names, clock) as caller:
        await caller.send("PUT", remote.url("/bucket/a%20b"), content="x", **source)
    assert "x-amz-content-sha256" in remote.seen[0].headers


async def test_without_keys_a_signature_may_come_later(
    remote: Remote, names: Names, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    source = {"token_source": written(AwsSignature("s3", "eu-west-1"))}
    async with calling(names, clock) as caller:
        kind, said = await caller.failed("GET", remote.url(), **source)
    assert kind == "ConnectionError"
    assert "AWS_ACCESS_KEY_ID" in said
    assert not remote.seen
