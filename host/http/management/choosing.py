"""Requests that change all instances that their query finds: what says nothing is refused there.

A filter that was misspelled, or is empty since a script's variable was, would restrict nothing.
"""

from __future__ import annotations

from bindings.errors import InvalidArgumentError
from host.http.hub_meant import TASK_HUB
from host.http.management.looking import FILTERS
from host.http.operations import Asked
from host.http.parameters import Place

_OF_EVERY_WEBHOOK = frozenset({TASK_HUB.name.lower(), "code", "connection"})
_FILTERS = frozenset(each.name.lower() for each in FILTERS)


def refuse_unsure(asked: Asked) -> None:
    """Raise `InvalidArgumentError` for a name that means nothing here, and for an empty filter."""
    known = {each.name.lower() for each in asked.operation.parameters_in(Place.QUERY)}
    for name, value in asked.call.query.fields:
        if name.lower() not in known | _OF_EVERY_WEBHOOK:
            raise InvalidArgumentError(
                f"There is no filter or option '{name[:100]}' here: which instances are meant?"
            )
        if name.lower() in _FILTERS and not value.strip(" ,"):
            raise InvalidArgumentError(
                f"The filter '{name}' is empty: say which instances are meant, or leave it out."
            )
