"""What a call does with blobs: what a parameter gets, and what is written in the end."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextlib import aclosing
from typing import Any, get_args, get_origin

from bindings.blob_names import split_path
from bindings.errors import BlobNotFoundError, InvalidArgumentError
from bindings.functions import Binding, Direction
from bindings.hints import is_optional
from bindings.invocation import Out
from bindings.kinds.blob_places import BlobEvent, BlobPlace, source_of
from bindings.kinds.blob_values import DATA_TYPES, STREAM, parts_of, reading
from bindings.kinds.blobs import BlobContainer
from bindings.kinds.records import NOT_GIVEN, Call, Giver, Loader, Place, Taker


def loading(place: Place) -> Loader:
    """What gives the blob that triggers a function, as its parameter is to get it.

    Raises `FunctionDefinitionError` for an annotation that means no blob.
    """
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


def binding_data(event: object) -> Mapping[str, object]:
    """What expressions may say of the blob that triggers a function."""
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


def giving(place: Place) -> Giver:
    """What gives the blob of an input. Raises `FunctionDefinitionError` as `loading` does."""
    where = BlobPlace(place.binding)
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


def taking(place: Place) -> Taker:
    """What writes the blob of an output."""
    where = BlobPlace(place.binding)
    name = place.binding.name
    what = "What the function returned for a blob" if name == "$return" else f"The output '{name}'"

    async def write(value: object, call: Call, container: BlobContainer, blob_name: str) -> None:
        async with aclosing(parts_of(value, call, what, container.rules)) as parts:
            await container.write(blob_name, parts)

    def take(value: object, call: Call) -> Awaitable[None] | None:
        return None if value is None else write(value, call, *where.of(call))

    return take


def by_hand(text: str | None, trigger: Binding) -> BlobEvent:
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


def _hint_of(place: Place) -> Any:
    """What the parameter is to get."""
    hint = place.annotation
    if place.binding.direction is Direction.INOUT:
        hint = (get_args(hint) or (None,))[0] if get_origin(hint) is Out else None
    if hint is None:
        hint = DATA_TYPES[str(place.binding.properties.get("dataType", STREAM)).lower()]
    return hint
