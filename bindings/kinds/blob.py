"""`blobTrigger` and `blob`: files in containers, which are buckets of S3 or folders.

A trigger's path is a pattern whose captures are names for expressions; the path of an input or
output is a text with expressions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, get_args, get_origin

from bindings.blob_names import (
    PathPattern,
    check_container,
    check_name,
    path_pattern,
    split_path,
)
from bindings.blobs import InputStream
from bindings.errors import BlobNotFoundError, FunctionDefinitionError, InvalidArgumentError
from bindings.expressions import Template, template
from bindings.functions import Binding, Direction, FunctionDeclaration, names_setting
from bindings.hints import is_optional
from bindings.invocation import Out
from bindings.kinds.blob_values import DATA_TYPES, parts_of, reading
from bindings.kinds.blobs import BlobContainer, BlobFacts
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.records import (
    NOT_GIVEN,
    BindingKind,
    Call,
    FunctionFacts,
    Giver,
    Input,
    Loader,
    Output,
    Place,
    Taker,
    Trigger,
)

TRIGGER_TYPE: Final = "blobTrigger"
TYPE: Final = "blob"
_STREAM: Final = "stream"
_TEXTS: Final = ("path", "connection", "dataType", "source", "queueName")
_CHANGING: Final = frozenset({"rand-guid", "datetime", "sys.utcnow", "sys.randguid"})


class BlobDecorators(Decorating):
    """The decorators for blobs."""

    def blob_trigger(
        self,
        arg_name: str | None = None,
        path: str | None = None,
        connection: str | None = None,
        source: str | None = None,
        data_type: str | None = None,
        *,
        queue_name: str | None = None,
    ) -> Callable[[F], F]:
        """Run the function for each blob that is new or has changed.

        `path` is `container/pattern`: `{name}` in it stands for any text, and is a name for
        expressions of other bindings. On S3, `queue_name` is the queue that gets the bucket's
        notifications. `source` is not used.
        """
        check_called(arg_name, "blob_trigger")
        return self.add_binding(
            TRIGGER_TYPE,
            Direction.IN,
            arg_name,
            path=path,
            connection=connection,
            source=source,
            dataType=data_type,
            queueName=queue_name,
        )

    def blob_input(
        self,
        arg_name: str | None = None,
        path: str | None = None,
        connection: str | None = None,
        data_type: str | None = None,
    ) -> Callable[[F], F]:
        """Give the function a blob: an `InputStream`, or what the parameter's annotation says."""
        check_called(arg_name, "blob_input")
        return self._blob(Direction.IN, arg_name, path, connection, data_type)

    def blob_output(
        self,
        arg_name: str | None = None,
        path: str | None = None,
        connection: str | None = None,
        data_type: str | None = None,
    ) -> Callable[[F], F]:
        """Write a blob in the end: what an `Out` was set to, or (`$return`) what is returned."""
        check_called(arg_name, "blob_output")
        return self._blob(Direction.OUT, arg_name, path, connection, data_type)

    def blob_inout(
        self,
        arg_name: str | None = None,
        path: str | None = None,
        connection: str | None = None,
        data_type: str | None = None,
    ) -> Callable[[F], F]:
        """Give the function an `Out` that holds the blob, and write it anew if it was set."""
        check_called(arg_name, "blob_inout")
        return self._blob(Direction.INOUT, arg_name, path, connection, data_type)

    def _blob(
        self,
        direction: Direction,
        arg_name: str | None,
        path: str | None,
        connection: str | None,
        data_type: str | None,
    ) -> Callable[[F], F]:
        return self.add_binding(
            TYPE, direction, arg_name, path=path, connection=connection, dataType=data_type
        )


@dataclass(slots=True, kw_only=True)
class BlobEvent:
    """A blob that triggers a function."""

    container: str
    name: str
    captures: Mapping[str, str]
    """What the captures of the trigger's path stand for."""
    facts: BlobFacts | None = None
    """Known since it was opened, which is before any expression asks."""

    @property
    def path(self) -> str:
        """`container/name`."""
        return f"{self.container}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSource:
    """What a complete trigger says."""

    pattern: PathPattern
    connection: str | None
    queue_name: str | None

    def event(self, name: str) -> BlobEvent | None:
        """What triggers the function for a blob of this name; None if it is not meant."""
        captures = self.pattern.match(name)
        if captures is None:
            return None
        return BlobEvent(container=self.pattern.container, name=name, captures=captures)


def source_of(trigger: Binding) -> BlobSource:
    """What a trigger says whose settings have their values. Raises `FunctionDefinitionError`."""
    given = _texts(trigger)
    return BlobSource(
        pattern=path_pattern(given["path"]),
        connection=given.get("connection"),
        queue_name=given.get("queueName"),
    )


class _Where:
    """Which blob an input or output is about, in each call."""

    def __init__(self, binding: Binding) -> None:
        given = _texts(binding)
        self._container, self._name = _templates(given["path"])
        self._connection = given.get("connection")

    def of(self, call: Call) -> tuple[BlobContainer, str]:
        """The container and the blob's name. Raises `InvalidArgumentError` for what cannot be."""
        container = self._container.render(call.data)
        if self._name is None:
            container, name = split_path(container)
        else:
            check_container(container)
            name = self._name.render(call.data)
            check_name(name)
        return call.resources.container(container, self._connection), name


# ---- what a binding says -----------------------------------------------------------------------


def _complete_trigger(trigger: Binding, _: FunctionFacts) -> Binding:
    """The trigger as it is, if it is right. What names an app setting is looked at later again."""
    if not _names_settings(trigger):
        source_of(trigger)
    return trigger


def _complete(binding: Binding, _: FunctionFacts) -> Binding:
    """The same for inputs and outputs."""
    if _names_settings(binding):
        return binding
    container, name = _templates(_texts(binding)["path"])
    try:
        if container.is_constant and name is not None:
            check_container(container.text)
        if name is not None and name.is_constant:
            check_name(name.text)
    except InvalidArgumentError as error:
        raise FunctionDefinitionError(
            f"The path of '{binding.name}' does not do: {error}"
        ) from None
    if binding.direction is Direction.INOUT:
        _check_steady((container, name), binding.name)
    return binding


def _names_settings(binding: Binding) -> bool:
    return any(map(names_setting, binding.properties.values()))


def _texts(binding: Binding) -> dict[str, str]:
    """Its properties. Raises `FunctionDefinitionError` for what is no text, or without a path."""
    given = {name: binding.properties[name] for name in _TEXTS if name in binding.properties}
    for name, value in given.items():
        if not isinstance(value, str) or not value:
            raise FunctionDefinitionError(
                f"'{name}' of '{binding.name}' must be a text and not empty, it is {value!r:.60}."
            )
    if "path" not in given:
        raise FunctionDefinitionError(
            f"The {binding.type} binding '{binding.name}' has no path: write one such as "
            "'container/{name}'."
        )
    if given.get("dataType", _STREAM).lower() not in DATA_TYPES:
        raise FunctionDefinitionError(
            f"The dataType '{given['dataType']:.60}' does not exist; it is one of "
            f"{', '.join(DATA_TYPES)}."
        )
    return given


def _templates(path: str) -> tuple[Template, Template | None]:
    """The container and the name. Without a slash outside of expressions both are in the first."""
    depth = 0
    for place, sign in enumerate(path):
        depth += (sign == "{") - (sign == "}")
        if sign == "/" and depth == 0:
            return (
                template(path[:place], "The container in 'path'"),
                template(path[place + 1 :], "'path'"),
            )
    whole = template(path, "'path'")
    if whole.is_constant:
        raise FunctionDefinitionError(
            f"The path '{path:.200}' has no '/': write container/name, as in 'reports/{{id}}.csv'."
        )
    return whole, None


def _check_steady(parts: tuple[Template | None, ...], name: str) -> None:
    for part in parts:
        for each in () if part is None else part.parts:
            if not isinstance(each, str) and each.name.lower() in _CHANGING:
                raise FunctionDefinitionError(
                    f"The path of '{name}' has {{{each.name}}}, which is another one when it is "
                    "written than when it was read: use an input and an output."
                )


def _hint_of(place: Place) -> Any:
    """What the parameter is to get."""
    hint = place.annotation
    if place.binding.direction is Direction.INOUT:
        hint = (get_args(hint) or (None,))[0] if get_origin(hint) is Out else None
    if hint is None:
        hint = DATA_TYPES[str(place.binding.properties.get("dataType", _STREAM)).lower()]
    return hint


# ---- what a call does --------------------------------------------------------------------------


def _load(place: Place) -> Loader:
    connection = source_of(place.binding).connection
    read = reading(_hint_of(place), place.binding.name)

    async def load(event: object, call: Call) -> object:
        if not isinstance(event, BlobEvent):
            return event
        container = call.resources.container(event.container, connection)
        blob = await container.open(event.name)
        if blob is None:
            raise BlobNotFoundError(event.path)
        call.at_end.append(blob.close)
        event.facts = blob.facts
        return await read(blob, event.path, container.rules, call)

    return load


def _data(event: object) -> Mapping[str, object]:
    if not isinstance(event, BlobEvent):
        return {}
    known: dict[str, object] = {"blobTrigger": event.path, "name": event.name}
    if event.facts is not None:
        known |= {
            "uri": event.facts.uri,
            "metadata": event.facts.metadata,
            "properties": {
                "length": event.facts.length,
                "eTag": event.facts.etag,
                "lastModified": event.facts.last_modified,
            },
        }
    return {**known, **event.captures}


def _give(place: Place) -> Giver:
    where = _Where(place.binding)
    read = reading(_hint_of(place), place.binding.name)
    is_both = place.binding.direction is Direction.INOUT
    may_miss = is_both or place.annotation is None or is_optional(place.annotation)

    async def give(call: Call) -> object:
        container, name = where.of(call)
        blob = await container.open(name)
        if blob is not None:
            call.at_end.append(blob.close)
            return await read(blob, f"{container.name}/{name}", container.rules, call)
        if place.has_default:
            return NOT_GIVEN
        if may_miss:
            return None
        raise BlobNotFoundError(f"{container.name}/{name}")

    return give


def _take(place: Place) -> Taker:
    where = _Where(place.binding)
    name = place.binding.name
    what = "What the function returned for a blob" if name == "$return" else f"The output '{name}'"

    async def write(value: object, call: Call, container: BlobContainer, blob_name: str) -> None:
        async with aclosing(parts_of(value, call, what, container.rules)) as parts:
            await container.write(blob_name, parts)

    def take(value: object, call: Call) -> Awaitable[None] | None:
        return None if value is None else write(value, call, *where.of(call))

    return take


def _by_hand(text: str | None, trigger: Binding) -> BlobEvent:
    """A run for the blob whose path the text is."""
    source = source_of(trigger)
    wanted = trigger.properties["path"]
    if not text:
        raise InvalidArgumentError(f"Say for which blob: the path of one that fits '{wanted}'.")
    container, name = split_path(text)
    event = source.event(name) if container == source.pattern.container else None
    if event is None:
        raise InvalidArgumentError(f"The blob '{text:.200}' does not fit the path '{wanted}'.")
    return event


# ---- what is said ------------------------------------------------------------------------------


def _shown(trigger: Binding, _: str) -> str:
    return str(trigger.properties["path"])


def _odd(function: FunctionDeclaration) -> Iterator[str]:
    """Outputs that may trigger the function again."""
    source = source_of(function.trigger)
    for binding in function.bindings:
        is_output = binding.type == TYPE and binding.direction is not Direction.IN
        if is_output and _may_trigger(source, binding):
            yield (
                f"its output '{binding.name}' ({binding.properties['path']}) may trigger it again, "
                f"since it runs for {function.trigger.properties['path']}: write into another "
                "container, or under names that the path does not fit."
            )


def _may_trigger(source: BlobSource, output: Binding) -> bool:
    container, name = _templates(output.properties["path"])
    is_elsewhere = output.properties.get("connection") != source.connection
    if is_elsewhere or name is None or container.text != source.pattern.container:
        return False
    if name.is_constant:
        return source.pattern.match(name.text) is not None
    begin, end = _ends(name)
    first, last = source.pattern.texts[0], source.pattern.texts[-1]
    has_begin = begin.startswith(first) or first.startswith(begin)
    return has_begin and (end.endswith(last) or last.endswith(end))


def _ends(name: Template) -> tuple[str, str]:
    """The texts that all names of an output begin and end with."""
    begin, end = name.parts[0], name.parts[-1]
    return (begin if isinstance(begin, str) else ""), (end if isinstance(end, str) else "")


_PROPERTIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "connection": {
        "type": "string",
        "description": "the app settings that say where the container is; without it the place "
        "that goes with the hub",
    },
    "dataType": {
        "type": "string",
        "enum": ["string", "binary", "stream"],
        "default": "stream",
        "description": "what the parameter gets if it has no annotation: `str`, `bytes` or an "
        "`InputStream`",
    },
}

BLOB_TRIGGER = BindingKind(
    type=TRIGGER_TYPE,
    about="an `InputStream`; annotated otherwise, the content as that (`str`, `bytes`, JSON)",
    trigger=Trigger(
        decorator="blob_trigger",
        load=_load,
        data=_data,
        by_hand_for=_by_hand,
        shown=_shown,
        odd_function=_odd,
    ),
    properties={
        "path": {
            "type": "string",
            "description": "`container/pattern`; `{name}` in it stands for any text. A container "
            "alone means all that is in it",
        },
        "queueName": {
            "type": "string",
            "description": "on S3: the queue that gets the bucket's notifications",
        },
        **_PROPERTIES,
        "source": {"type": "string", "description": "not used"},
    },
    annotation=InputStream,
    customary_names=("blob", "myblob"),
    default_name="blob",
    complete=_complete_trigger,
)
BLOB = BindingKind(
    type=TYPE,
    about="an `InputStream`; annotated otherwise, the content as that; or a value to write. "
    "For `inout` an `Out` of it",
    input=Input(give=_give, decorator="blob_input"),
    output=Output(take=_take, decorator="blob_output"),
    is_inout=True,
    properties={
        "path": {"type": "string", "description": "`container/name`, with expressions"},
        **_PROPERTIES,
    },
    complete=_complete,
)
