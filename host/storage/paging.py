"""Listing instances a page at a time: what a filter finds, what fits, where the next page begins.

Rules of this file: pure functions of records, no storage; every driver lists by them.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import msgspec

from bindings.client import ListOrder, RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.core import ids
from host.core.records import Instance
from host.storage.protocol import InstanceFilter, InstancePage, RecoverablePage
from host.storage.rules import micros

_EVER = 2**62
_Moment = Annotated[int, msgspec.Meta(ge=-_EVER, le=_EVER)]
MAX_ROUNDS = 8
"""How often a listing looks at what was started meanwhile: more may be started than it reads."""


class Position(msgspec.Struct, frozen=True, array_like=True):
    """A place in a listing: the page goes on below it.

    An instance that is restarted moves to the top. So a listing of several pages goes round once
    more for what was started since the round began, until a round has only one page.
    """

    created_at: _Moment
    instance_id: str
    floor: _Moment = -_EVER
    """The round is for what was created after this."""
    top: _Moment = _EVER
    """When the newest instance was created that was there as the round began."""
    round: int = 0

    @property
    def is_start(self) -> bool:
        """Whether this is the beginning of a round."""
        return self.created_at == _EVER

    def begun(self, newest: int | None) -> Position:
        """The same, and what was newest then if this is the beginning of a round."""
        top = self.floor if newest is None else newest
        return msgspec.structs.replace(self, top=top) if self.is_start else self

    def below(self, created_at: int, instance_id: str) -> Position:
        """Where the page after this one goes on."""
        return msgspec.structs.replace(self, created_at=created_at, instance_id=instance_id)

    @property
    def may_go_round(self) -> bool:
        """Whether something may have moved to the top while this round went on."""
        return not self.is_start and self.round < MAX_ROUNDS

    def next_round(self) -> Position:
        """Where the next round begins."""
        return Position(_EVER, "", floor=self.top, round=self.round + 1)


START = Position(_EVER, "")


class _Token(msgspec.Struct, frozen=True, array_like=True):
    listing: bytes
    position: Position


_tokens = msgspec.msgpack.Decoder(_Token)


def write_token(filter_: InstanceFilter, position: Position) -> str:
    """An opaque token that continues the filter's listing below the position."""
    token = msgspec.msgpack.encode(_Token(_listing(filter_), position))
    return base64.urlsafe_b64encode(token).decode()


def read_token(filter_: InstanceFilter, token: str | None) -> Position:
    """The position of a token, `START` for no token. Raises `InvalidArgumentError`."""
    if token is None:
        return START
    try:
        found = _tokens.decode(base64.b64decode(token, altchars=b"-_", validate=True))
    except (ValueError, msgspec.DecodeError, RecursionError):  # binascii.Error is a ValueError
        found = None
    if found is None or found.listing != _listing(filter_):
        raise InvalidArgumentError(
            "The continuation token is not from this listing. Start the listing again without one, "
            "and keep all filters the same from page to page."
        )
    return found.position


def goes_round(filter_: InstanceFilter, position: Position, newest: int | None) -> bool:
    """Whether the listing is to go round once more, since the newest instance is newer now."""
    is_by_creation = filter_.order is ListOrder.CREATED
    return is_by_creation and position.may_go_round and (newest or 0) > position.top


def _listing(filter_: InstanceFilter) -> bytes:
    canonical: tuple[object, ...] = (
        sorted(filter_.statuses),
        sorted(filter_.names),
        filter_.created_from and micros(filter_.created_from),
        filter_.created_to and micros(filter_.created_to),
        filter_.updated_from and micros(filter_.updated_from),
        filter_.updated_to and micros(filter_.updated_to),
        filter_.id_prefix or None,
        sorted(filter_.tags.items()),
        filter_.text or None,
    )
    if filter_.order is not ListOrder.CREATED:
        canonical += (filter_.order,)
    if filter_.is_quarantined:
        canonical += ("quarantined",)
    return hashlib.blake2b(msgspec.msgpack.encode(canonical), digest_size=6).digest()


def matches(filter_: InstanceFilter, instance: Instance) -> bool:
    """Whether the instance, as seen, is one that the filter looks for."""
    return (
        ids.is_entity(instance.instance_id) is filter_.entities
        and (not filter_.statuses or instance.status in filter_.statuses)
        and (not filter_.names or instance.name in filter_.names)
        and (filter_.created_from is None or instance.created_at >= filter_.created_from)
        and (filter_.created_to is None or instance.created_at <= filter_.created_to)
        and instance.instance_id.startswith(filter_.id_prefix or "")
        and matches_inside(filter_, instance)
    )


def matches_inside(filter_: InstanceFilter, instance: Instance) -> bool:
    """The same for that part of the filter which only the whole row can answer."""
    return (
        filter_.tags.items() <= instance.tags.items()
        and (filter_.updated_from is None or instance.updated_at >= filter_.updated_from)
        and (filter_.updated_to is None or instance.updated_at <= filter_.updated_to)
        and matches_data(filter_, instance)
    )


def matches_data(filter_: InstanceFilter, instance: Instance) -> bool:
    """The same for that part of the filter which no column of any store answers."""
    if filter_.is_quarantined and not instance.is_quarantined:
        return False
    return not filter_.text or filter_.text.casefold() in _text_of(instance).casefold()


def looks_at_data(filter_: InstanceFilter) -> bool:
    """Whether there is such a part."""
    return bool(filter_.text or filter_.is_quarantined)


def moment_of(filter_: InstanceFilter, instance: Instance) -> int:
    """The moment by which the instance stands in the listing."""
    is_by_creation = filter_.order is ListOrder.CREATED
    return micros(instance.created_at if is_by_creation else instance.updated_at)


def looks_inside(filter_: InstanceFilter) -> bool:
    """Whether only the whole row can answer a part of the filter."""
    by_column = filter_.tags or filter_.updated_from or filter_.updated_to
    return bool(by_column) or looks_at_data(filter_)


def _text_of(instance: Instance) -> str:
    """What a text is looked for in; the parts are lines of their own."""
    failure = instance.failure
    said = () if failure is None else (failure.error_type, failure.message)
    return "\n".join((instance.instance_id, instance.custom_status or "", *said))


COUNTED_TOGETHER = 2000
"""How many rows a count reads at once if it has to read them."""


async def counted(
    query: Callable[[InstanceFilter, str | None], Awaitable[InstancePage]], filter_: InstanceFilter
) -> Counter[RuntimeStatus]:
    """How many instances there are on all pages of a listing, by status."""
    found: Counter[RuntimeStatus] = Counter()
    token: str | None = None
    while True:
        page = await query(filter_, token)
        found.update(row.status for row in page.instances)
        token = page.token
        if token is None:
            return found


def fitting(rows: Sequence[Instance], max_bytes: int | None) -> int:
    """How many of the rows, from the first on, a page of so many bytes takes; at least one."""
    left = max_bytes
    for n, row in enumerate(rows):
        if left is not None:
            left -= payload_size(row)
            if left < 0 and n:
                return n
    return len(rows)


def payload_size(row: Instance) -> int:
    """About how many bytes the row's values have: what else it holds is small."""
    return sum(len(text) for text in (row.input, row.output, row.custom_status) if text)


def recoverable_page(instance_ids: Sequence[str], limit: int) -> RecoverablePage:
    """A page of ids that were looked for up to a limit: if there are so many, there may be more."""
    is_full = len(instance_ids) == limit
    return RecoverablePage(
        instance_ids=tuple(instance_ids), rest=instance_ids[-1] if is_full else None
    )
