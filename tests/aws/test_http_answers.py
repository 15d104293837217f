"""HTTP answers, in every way they can be cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.storage.aws.wire.http_answers import MAX_HEAD_BYTES, AnswerReader, MalformedAnswerError
from host.storage.aws.wire.transport import Response

BODY = b'{"Item": {"data": {"B": "AA\r\n\r\nBB"}}}'
WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


def chunked(body: bytes, size: int, end: bytes = b"0\r\n\r\n") -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x;name=value\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n" + chunks + end


def read(reader: AnswerReader, data: bytes, cuts: list[int]) -> Response | None:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    *early, last = [reader.feed(piece) for piece in pieces if piece]
    assert early == [None] * len(early)
    return last


@given(
    answer=st.sampled_from(
        [
            WITH_LENGTH,
            chunked(BODY, 5),
            chunked(BODY, 1000),
            chunked(BODY, 7, end=b"000\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n"),
        ]
    ),
    cuts=st.lists(st.integers(min_value=0, max_value=400), max_size=12),
)
def test_an_answer_is_the_same_however_it_is_cut(answer: bytes, cuts: list[int]) -> None:
    reader = AnswerReader()
    response = read(reader, answer, cuts)
    assert response is not None
    assert (response.status, response.body) == (200, BODY)
    assert reader.is_reusable


@given(cuts=st.lists(st.integers(min_value=0, max_value=400), max_size=12))
def test_an_answer_without_a_length_ends_with_the_connection(cuts: list[int]) -> None:
    reader = AnswerReader()
    assert read(reader, b"HTTP/1.0 200 OK\r\n\r\n" + BODY, cuts) is None
    assert reader.end() == Response(200, {}, BODY)
    assert not reader.is_reusable


@pytest.mark.parametrize("answer", [WITH_LENGTH, chunked(BODY, 5)])
def test_an_answer_cut_short_is_none(answer: bytes) -> None:
    for length in range(len(answer)):
        reader = AnswerReader()
        assert reader.feed(answer[:length]) is None
        assert reader.end() is None


def test_names_of_headers_are_in_lower_case_and_values_as_they_are() -> None:
    head = b"HTTP/1.1 400 Bad Request\r\nX-Amzn-RequestId:  AbC \r\ncontent-length: 0\r\n\r\n"
    response = AnswerReader().feed(head)
    assert response == Response(400, {"x-amzn-requestid": "AbC", "content-length": "0"}, b"")


def test_an_answer_that_has_no_body_needs_no_length() -> None:
    reader = AnswerReader()
    assert reader.feed(b"HTTP/1.1 204 No Content\r\n\r\n") == Response(204, {}, b"")
    assert reader.is_reusable


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(WITH_LENGTH.replace(b"\r\n", b"\r\nConnection: Close\r\n", 1), id="close"),
        pytest.param(WITH_LENGTH.replace(b"1.1", b"1.0"), id="the old version"),
        pytest.param(WITH_LENGTH + b"HTTP/1.1 408 Request Timeout\r\n", id="more than asked"),
        pytest.param(WITH_LENGTH + b"HTTP/1.1 408 Late\r\nX: 1\r\n\r\nmore", id="another"),
        pytest.param(WITH_LENGTH + b"rubbish", id="rubbish after it"),
    ],
)
def test_a_connection_is_not_used_again_after(answer: bytes) -> None:
    reader = AnswerReader()
    response = reader.feed(answer)
    assert response is not None
    assert response.status == 200
    assert response.body == BODY
    assert not reader.is_reusable


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"\x15\x03\x01" * MAX_HEAD_BYTES,
    ],
)
def test_what_is_not_an_answer_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        AnswerReader().feed(data)
