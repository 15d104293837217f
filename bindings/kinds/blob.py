"""`blobTrigger` and `blob`: files in containers, which are buckets of S3 or folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from bindings.blobs import InputStream
from bindings.expressions import Template
from bindings.functions import Binding, Direction, FunctionDeclaration
from bindings.kinds.blob_calls import binding_data, by_hand, giving, loading, taking
from bindings.kinds.blob_places import (
    BlobSource,
    complete,
    complete_trigger,
    source_of,
    templates,
)
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.records import BindingKind, Input, Output, Trigger

TRIGGER_TYPE: Final = "blobTrigger"
TYPE: Final = "blob"


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
    container, name = templates(output.properties["path"])
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
        load=loading,
        data=binding_data,
        by_hand_for=by_hand,
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
    complete=complete_trigger,
)
BLOB = BindingKind(
    type=TYPE,
    about="an `InputStream`; annotated otherwise, the content as that; or a value to write. "
    "For `inout` an `Out` of it",
    input=Input(give=giving, decorator="blob_input"),
    output=Output(take=taking, decorator="blob_output"),
    is_inout=True,
    properties={
        "path": {"type": "string", "description": "`container/name`, with expressions"},
        **_PROPERTIES,
    },
    complete=complete,
)
