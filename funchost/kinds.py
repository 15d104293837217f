"""What makers of binding kinds import: the public name of `bindings.kinds`."""

from bindings.kinds import (
    Binding,
    BindingKind,
    Call,
    Direction,
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
]
