"""A request's body as the argument of a function, by the annotation of its parameter.

`HttpRequest` (or nothing) is the request as it is, `StreamingRequest` one whose body comes while
the function runs, `str` and `bytes` are the body as it came, and every other type is what the
body's JSON is read as.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import ValidationError
from typing_extensions import is_typeddict

from bindings.azure_names import of_azure
from bindings.complaints import in_words
from bindings.errors import FunctionDefinitionError, RequestBodyError, SerializationError
from bindings.forms import MULTIPART, URL_ENCODED, kind_of_content
from bindings.functions import Binding
from bindings.hints import alternatives, is_optional
from bindings.http import HttpRequest, RequestHead
from bindings.kinds.records import NOT_GIVEN, Call, Function, Place, Reader
from bindings.signatures import hints_of, wraps_async
from bindings.streams import StreamingRequest

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_UNSUPPORTED_MEDIA_TYPE: Final = 415
_JSON_KINDS: Final = frozenset({"", "application/json", "text/json"})
_JSON_SUFFIX: Final = "+json"
_FORM_KINDS: Final = frozenset({URL_ENCODED, MULTIPART})
_STREAM: Final = "stream"
_WHAT: Final = "The request's body"

_OfBody = Callable[[HttpRequest, Call], object]
"""Makes the argument of a request whose body is not empty."""


def reader_of(place: Place) -> Reader | None:
    """Makes the argument of each request; None if that is the request itself.

    Raises `FunctionDefinitionError` for a type that nothing can be read as.
    """
    hint = place.annotation
    kinds = list(alternatives(hint))
    if _is_stream(place.binding, kinds):
        return _streaming
    if not kinds or any(map(_is_request, kinds)):
        return None
    adapter = _adapter(hint, place)
    read = _of_kinds(hint, kinds, adapter)
    when_empty = _when_empty(kinds, is_optional=is_optional(hint), place=place)

    def argument(request: object, call: Call) -> object:
        if not isinstance(request, HttpRequest):
            return request
        return read(request, call) if request.has_body else when_empty()

    return argument


def takes_stream(function: Function, trigger: Binding) -> bool:
    """Whether the body is not to be read before the function runs."""
    return _is_stream(trigger, list(alternatives(hints_of(function).get(trigger.name))))


def check_stream(function: Function, trigger: Binding) -> None:
    """Raise `FunctionDefinitionError` for a function that cannot take its body as it comes."""
    kinds = list(alternatives(hints_of(function).get(trigger.name)))
    if not _is_stream(trigger, kinds):
        return
    if not wraps_async(function):
        raise FunctionDefinitionError(
            "The function takes its request's body as it comes, which only an `async def` can: "
            "make it one, or take an HttpRequest."
        )
    if kinds and not all(kind is Any or kind is StreamingRequest for kind in kinds):
        raise FunctionDefinitionError(
            f"The request's body comes as a stream, and the parameter '{trigger.name}' is "
            f"annotated with {_shown(kinds[0])}: annotate it with StreamingRequest."
        )


def _is_stream(trigger: Binding, kinds: list[Any]) -> bool:
    data_type = str(trigger.properties.get("dataType", "")).lower()
    return StreamingRequest in kinds or data_type == _STREAM


def _streaming(request: object, _: Call) -> object:
    """A person who runs the function gives all of the body at once."""
    if not isinstance(request, HttpRequest):
        return request
    return StreamingRequest(
        method=request.method,
        url=request.url,
        headers=request.headers,
        params=request.params,
        route_params=request.route_params,
        chunks=[request.body] if request.body else [],
    )


def _of_kinds(hint: Any, kinds: list[Any], adapter: TypeAdapter[Any]) -> _OfBody:
    if kinds in ([bytes], [bytearray]):
        return lambda request, _: _checked(adapter, request.get_body())
    if kinds == [str]:
        return lambda request, _: _checked(adapter, request.text())
    takes_form = any(map(_has_fields, kinds))

    def read(request: HttpRequest, call: Call) -> object:
        return _fitting(_json_of(request, takes_form=takes_form), hint, call)

    return read


def _when_empty(kinds: list[Any], *, is_optional: bool, place: Place) -> Callable[[], object]:
    if place.has_default:
        return lambda: NOT_GIVEN
    if is_optional:
        return lambda: None
    if len(kinds) == 1 and kinds[0] in {str, bytes, bytearray}:
        return kinds[0]  # type: ignore[no-any-return]  # an empty one
    return _refuse_empty


def _refuse_empty() -> object:
    raise RequestBodyError(
        "The request has no body, and the function asks for one: send it as JSON."
    )


def _json_of(request: HttpRequest, *, takes_form: bool) -> str:
    """The body as a JSON text. Raises `RequestBodyError` if it is no JSON, and no form."""
    kind = kind_of_content(request.content_type)
    if kind in _JSON_KINDS or kind.endswith(_JSON_SUFFIX) or _is_json_called_form(kind, request):
        request.get_json()
        return request.get_body().decode("utf-8-sig")
    if not takes_form or kind not in _FORM_KINDS:
        forms = f", or as {URL_ENCODED} or {MULTIPART}" if takes_form else ""
        raise RequestBodyError(
            f"A body of the type '{kind:.100}' cannot be read here: send it as "
            f"application/json{forms}.",
            status=_UNSUPPORTED_MEDIA_TYPE,
        )
    fields: dict[str, str | list[str]] = {}
    for name in request.form:
        values = request.form.getall(name)
        fields[name] = values[0] if len(values) == 1 else values
    return json.dumps(fields)


def _is_json_called_form(kind: str, request: HttpRequest) -> bool:
    """Whether it is what `curl -d '{...}'` sends: no form begins so, its signs are escaped."""
    return kind == URL_ENCODED and request.get_body().lstrip()[:1] in {b"{", b"["}


def _fitting(text: str, hint: Any, call: Call) -> object:
    try:
        return call.json.from_payload(text, hint, _WHAT)
    except SerializationError as error:
        cause = error.__cause__
        if isinstance(cause, ValidationError):
            raise RequestBodyError(_complaint(cause)) from error
        if isinstance(cause, ValueError):
            raise RequestBodyError(str(error)) from error
        raise  # the type's own code failed


def _checked(adapter: TypeAdapter[Any], value: object) -> object:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise RequestBodyError(_complaint(error)) from error


def _complaint(error: ValidationError) -> str:
    return in_words(error.errors(include_url=False, include_context=False, include_input=False))


def _adapter(hint: Any, place: Place) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - clients of other programs need none of it

    try:
        return TypeAdapter(hint)
    except Exception as error:  # building it runs the author's code: anything may be raised
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FunctionDefinitionError(
            f"The parameter '{place.binding.name}' gets what a request brings, which cannot be "
            f"read as {_shown(hint)} ({reason.rstrip('.')}): annotate it with HttpRequest, or with "
            "a pydantic model, a dataclass, str, bytes or another type that JSON can be read as."
        ) from error


def _shown(hint: Any) -> str:
    return str(getattr(hint, "__name__", None) or hint)


def _is_request(kind: Any) -> bool:
    """Whether the request as it is will do: it is one, nothing is said, or only what it can do."""
    if kind is Any or kind is object:
        return True
    is_class = isinstance(kind, type)
    is_protocol = is_class and getattr(kind, "_is_protocol", False)
    return is_class and (
        bool(is_protocol) or issubclass(kind, RequestHead) or of_azure(kind) is not None
    )


def _has_fields(kind: Any) -> bool:
    """Whether a form can be read as this: the names of its fields are those of values."""
    is_model = isinstance(kind, type) and hasattr(kind, "model_fields")
    is_mapping = kind is dict or typing.get_origin(kind) is dict
    return is_model or is_mapping or is_dataclass(kind) or is_typeddict(kind)
