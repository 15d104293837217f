"""The kinds of bindings: one record per kind, one file per subject, and the registry of all.

Whoever makes a kind of his own writes a `BindingKind` and names it in the entry point group
`funchost.bindings` of his package.
"""

from bindings.functions import Binding, Direction
from bindings.kinds.records import (
    BindingKind,
    Call,
    FunctionFacts,
    Giver,
    Input,
    JsonReader,
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

__all__ = [
    "Binding",
    "BindingKind",
    "Call",
    "Direction",
    "FunctionFacts",
    "Giver",
    "Input",
    "JsonReader",
    "Output",
    "Place",
    "Reader",
    "Reply",
    "Role",
    "Taker",
    "Trigger",
    "TriggerListener",
    "TriggeredFunction",
]
