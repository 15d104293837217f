"""Who listens for blobs.

Where containers are folders, it is one who looks through them. On S3 it is one who takes the
bucket's notifications out of their queue.
"""

from __future__ import annotations

from bindings.errors import FunctionDefinitionError
from bindings.kinds.blob_places import source_of
from bindings.kinds.records import TriggeredFunction, TriggerListener
from bindings.kinds.services import ListenerServices
from host.triggers.blob_folders import FolderListener
from host.triggers.blob_notifications import NotifiedFunction
from host.triggers.queues import QueueListener


def blob_listener(function: TriggeredFunction, services: ListenerServices) -> TriggerListener:
    """The listener of a blob function.

    Raises `FunctionDefinitionError` for one on S3 that names no queue.
    """
    source = source_of(function.trigger)
    container = services.resources.container(source.pattern.container, source.connection)
    if container.folder is not None:
        return FolderListener(function, services, source, container, container.folder)
    if source.queue_name is None:
        raise FunctionDefinitionError(
            f"'{container.name}' is a bucket of S3: name the queue that gets its notifications as "
            "'queueName', and have the bucket send them there."
        )
    notified = NotifiedFunction(function, source, source.queue_name, container.rules)
    return QueueListener(notified, services)
