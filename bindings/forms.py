"""The fields and files of a form, URL-encoded or multipart, read from a request's whole body."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

from multidict import MultiDict

from bindings.errors import RequestBodyError

MULTIPART = "multipart/form-data"
URL_ENCODED = "application/x-www-form-urlencoded"
MAX_FIELDS = 1000
"""More fields than this are refused: each costs more than its bytes."""

_NOT_OF_TEXTS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7"})
"""What Python calls an encoding, and nobody sends a text in."""
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormFile:
    """A file of a multipart form. `filename` is the sender's word: never use it as a path."""

    name: str
    filename: str
    content_type: str
    body: bytes

    def read(self) -> bytes:
        """The content."""
        return self.body

    @property
    def stream(self) -> BytesIO:
        """The content as a binary file, from its beginning."""
        return BytesIO(self.body)

    def save(self, path: str | Path) -> None:
        """Write the content to this path."""
        Path(path).write_bytes(self.body)


class Form(NamedTuple):
    """A form that was read; both hold all values of a name, in order."""

    fields: MultiDict[str]
    files: MultiDict[FormFile]


def kind_of_content(content_type: str) -> str:
    """What a `Content-Type` says, without its parameters, in lower case; "" if it says nothing."""
    return content_type.partition(";")[0].strip().lower()


def charset_of(content_type: str) -> str:
    """The charset that a `Content-Type` says, else UTF-8."""
    found = _CHARSET.search(content_type)
    return found[1] if found else "utf-8"


def decoded(body: bytes, charset: str) -> str:
    """The text. Raises `LookupError` for no charset, and `UnicodeError` if the body is no text."""
    if codecs.lookup(charset).name in _NOT_OF_TEXTS:
        raise LookupError(charset)
    return body.removeprefix(codecs.BOM_UTF8).decode(charset)


def read_form(content_type: str, body: bytes) -> Form:
    """The form in a body: multipart, or URL-encoded, which is meant where no type is given.

    A body of another type (JSON, say) holds no form, and an empty one is given.

    Raises `RequestBodyError` for a multipart body that is not what its headers say, and for more
    than `MAX_FIELDS` fields.
    """
    kind = kind_of_content(content_type)
    if kind == MULTIPART:
        return _read_multipart(content_type, body)
    if kind not in {"", URL_ENCODED}:
        return Form(MultiDict(), MultiDict())
    try:
        text = body.decode("utf-8", "replace")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise RequestBodyError(f"The request's form has more than {MAX_FIELDS} fields.") from error
    return Form(MultiDict(pairs), MultiDict())


def _read_multipart(content_type: str, body: bytes) -> Form:
    from multipart import (  # noqa: PLC0415 - few functions read multipart forms
        MultipartError,
        MultipartParser,
        parse_options_header,
    )

    _, options = parse_options_header(content_type)
    boundary = options.get("boundary")
    if not boundary:
        raise RequestBodyError("The request's Content-Type names no boundary of its form's parts.")
    form = Form(MultiDict(), MultiDict())
    size = len(body) + 1
    try:
        parts = MultipartParser(
            BytesIO(body),
            boundary,
            part_limit=MAX_FIELDS,
            spool_limit=size,
            memory_limit=size,
        )
        for part in parts:
            if part.filename is None:
                form.fields.add(part.name, part.value)
            else:
                form.files.add(
                    part.name,
                    FormFile(
                        name=part.name,
                        filename=part.filename,
                        content_type=part.content_type,
                        body=part.raw,
                    ),
                )
    except (MultipartError, ValueError, LookupError) as error:
        raise RequestBodyError(f"The request's body is no multipart form: {error}") from error
    return form
