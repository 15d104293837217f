"""What is logged holds neither what opens the host nor what a terminal obeys."""

from __future__ import annotations

import logging

import pytest

from host.cli.log_lines import IndentingFormatter
from host.log_text import shown

KEY = "aB3-" * 10 + "x_Z"
TOKEN = f"link2.manage.6312ab.7412cd.{KEY}"
SPELLINGS = [
    "/a?code={}",
    "/a?b=1&CODE={}&c=2",
    "/a?c%6Fde={}",
    "/a?%43%4f%44%45={}",
    "/a?c%256fde={}",
    "/a?x=1;code={}",
    "http%3A%2F%2Fh%2Fa%3Fcode%3D{}",
    "/a? code={}",
    "x-functions-key: {}",
    "X-Functions-Key={}",
    "{{'x-functions-key': '{}'}}",
    "('X-FUNCTIONS-KEY', '{}')",
    "(b'x-functions-key', b'{}')",
    "HTTP_X_FUNCTIONS_KEY={}",
    "Authorization: Bearer {}",
    "authorization: {}",
]
OF_KEYS = [
    '{{"code": "{}"}}',
    '{{\\"code\\":\\"{}\\"}}',
    "code={}",
    "/a/{}/b",
    "key '{}'.",
    "{}",
    '"\\u0063ode": "{}"',
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", ["s3cret", KEY, TOKEN])
def test_found_d14_what_is_sent_as_a_key_is_not_shown(spelling: str, secret: str) -> None:
    text = shown(spelling.format(secret))
    assert secret not in text
    assert KEY[:12] not in text


@pytest.mark.parametrize("spelling", OF_KEYS)
@pytest.mark.parametrize("secret", [KEY, TOKEN, TOKEN.replace(".", "%2E")])
def test_found_d14_keys_and_tokens_are_shown_nowhere(spelling: str, secret: str) -> None:
    assert KEY[:12] not in shown(f"before {spelling.format(secret)} after")


@pytest.mark.parametrize(
    "text",
    [
        "exit code=1, status_code=404, code: 3",
        "code=ThrottlingException",
        "GET /api/a?encoded=1&b=2 -> 200",
        "instance 0123456789abcdef0123456789abcdef",
        "größe ☃ \t tab",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    "sign", ["\x00", "\x07", "\x1b", "\r", "\x7f", "\x85", "\x9b", "\u2028", "\u202e"]
)
def test_found_d14_control_characters_are_shown_not_obeyed(sign: str) -> None:
    record = logging.LogRecord("n", logging.INFO, "p", 1, "a%sb", (f"{sign}x",), None)
    text = IndentingFormatter("%(message)s").format(record)
    assert sign not in text
    assert text.isprintable()


def test_found_d14_a_message_with_line_breaks_is_one_record() -> None:
    record = logging.LogRecord("n", logging.INFO, "p", 1, "a\nERROR b", None, None)
    assert IndentingFormatter("%(message)s").format(record) == "a\n    ERROR b"


@pytest.mark.parametrize(
    "text", ["\\" * 16_000, "%25" * 5000, "code=" * 3000, "a1B" * 5000, "?code" * 3000]
)
def test_found_d14_hostile_text_is_looked_through_at_once(text: str) -> None:
    """Each of these once took minutes; the test's own timeout is the limit."""
    assert shown(text)
