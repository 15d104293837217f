"""The kinds of bindings: one record per kind, one file per subject, and the registry of all.

Whoever makes a kind of his own writes a `BindingKind` and names it in the entry point group
`funchost.bindings` of his package.
"""

from bindings.expressions import BindingData, Template, template
from bindings.function_retry import NotRetried
from bindings.functions import Binding, Direction
from bindings.kinds.blobs import BlobContainer, BlobFacts, BlobFolder, BlobRules, OpenBlob, SeenBlob
from bindings.kinds.queues import (
    MessageEncoding,
    MessageQueue,
    OutgoingMessage,
    QueueFacts,
    QueueOptions,
    QueueSource,
    ReceivedMessage,
)
from bindings.kinds.records import (
    BindingKind,
    Call,
    FunctionFacts,
    Giver,
    Input,
    JsonReader,
    Listen,
    Loader,
    Output,
    Place,
    Reader,
    Reply,
    Role,
    Taker,
    Trigger,
    TriggeredFunction,
    TriggerListener,
)
from bindings.kinds.resources import Resources
from bindings.kinds.services import Clock, HubRecord, HubRecords, ListenerServices

__all__ = [
    "Binding",
    "BindingData",
    "BindingKind",
    "BlobContainer",
    "BlobFacts",
    "BlobFolder",
    "BlobRules",
    "Call",
    "Clock",
    "Direction",
    "FunctionFacts",
    "Giver",
    "HubRecord",
    "HubRecords",
    "Input",
    "JsonReader",
    "Listen",
    "ListenerServices",
    "Loader",
    "MessageEncoding",
    "MessageQueue",
    "NotRetried",
    "OpenBlob",
    "OutgoingMessage",
    "Output",
    "Place",
    "QueueFacts",
    "QueueOptions",
    "QueueSource",
    "Reader",
    "ReceivedMessage",
    "Reply",
    "Resources",
    "Role",
    "SeenBlob",
    "Taker",
    "Template",
    "Trigger",
    "TriggerListener",
    "TriggeredFunction",
    "template",
]
