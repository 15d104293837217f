"""The attacks. Each is bounded, sends what a stranger could, and gives the statuses it may get.

Rules of this file: one function an attack, named after what it abuses; no attack waits for more
than the host's own deadlines.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Iterable
from functools import cache

from tests.attacks.target import HEALTH, Attacker, Target, head

WEBHOOKS = "/runtime/webhooks/durabletask"
ANONYMOUS = "/api/measure"
GUARDED = (f"{WEBHOOKS}/orchestrators/waiting", "/api/guarded/a", "/admin/functions/measure")
CONNECTIONS = 100
"""How many connections an attack uses at a time."""

Attack = Callable[[Target], Awaitable[None]]


@cache
def bomb(size: int) -> bytes:
    """Spaces, packed: a thousandth of their size."""
    return gzip.compress(b" " * size)


async def at_once(works: Iterable[Awaitable[object]]) -> None:
    """All of them, some at a time."""
    left = iter(works)

    async def some() -> None:
        for work in left:
            await work

    await asyncio.gather(*(some() for _ in range(CONNECTIONS)))


# ---- bodies -----------------------------------------------------------------------------------


async def packed_bodies_without_a_key(target: Target) -> None:
    lines = ["Content-Encoding: gzip", "Content-Type: application/json"]
    await at_once(
        target.send("POST", GUARDED[n % 3], *lines, body=bomb(100_000_000))
        for n in target.times(300)
    )


async def packed_bodies_for_anybody(target: Target) -> None:
    await at_once(
        target.send("POST", ANONYMOUS, "Content-Encoding: gzip", body=bomb(95_000_000))
        for _ in target.times(60)
    )


async def packed_bodies_whose_last_byte_never_comes(target: Target) -> None:
    body = bomb(95_000_000)
    begun = head("POST", ANONYMOUS, "Content-Encoding: gzip", f"Content-Length: {len(body)}")
    held = [await target.connect() for _ in target.times(300)]
    for each in held:
        await each.send(begun + body[:-1])
    await all_leave(held)


async def uploads_that_are_broken_off(target: Target) -> None:
    begun = head("POST", ANONYMOUS, "Content-Length: 95000000")
    for _ in target.times(10):
        held = [await target.connect() for _ in range(3)]
        await asyncio.gather(*(each.send(begun + b"x" * 94_000_000) for each in held))
        await all_leave(held)


async def uploads_that_nobody_wants(target: Target) -> None:
    for path in (*GUARDED, "/nothing"):
        for _ in target.times(5):
            attacker = await target.connect()
            await attacker.send(head("POST", path, "Content-Length: 100000000"))
            await attacker.send(b"x" * 100_000_000)
            await attacker.leave()


async def bodies_that_trickle(target: Target) -> None:
    begun = head("POST", ANONYMOUS, "Content-Length: 1000000")
    held = [await target.connect() for _ in target.times(500)]
    for piece in (begun, *[b"x"] * 20):
        for each in held:
            await each.send(piece)
    await all_leave(held)


async def bodies_in_tiny_chunks(target: Target) -> None:
    chunks = b"1\r\nx\r\n" * 100_000
    begun = head("POST", ANONYMOUS, "Transfer-Encoding: chunked")

    async def one() -> None:
        attacker = await target.connect()
        await attacker.send(begun + chunks + b"0\r\n\r\n")
        await attacker.status()
        await attacker.leave()

    await at_once(one() for _ in target.times(20))


async def json_that_is_all_structure(target: Target) -> None:
    body = b"[" + b"[]," * 10_000_000 + b"[]]"
    for path in ("/api/json", f"{WEBHOOKS}/orchestrators/waiting"):
        sent = body if path == "/api/json" else body[: 16 * 1024 * 1024]
        for _ in target.times(4):
            await target.send("POST", path, *target.credentials, body=sent)


async def keys_with_one_hash(target: Target) -> None:
    keys = [str(number * (2**61 - 1)) for number in range(40_000)]
    body = json.dumps(dict.fromkeys(keys, 1)).encode()
    path = f"{WEBHOOKS}/orchestrators/failing"
    for _ in target.times(3):
        await target.send("POST", path, *target.credentials, body=body)


# ---- connections ------------------------------------------------------------------------------


async def connections_that_say_nothing(target: Target) -> None:
    await all_leave([await target.connect() for _ in target.times(2000)])


async def heads_that_never_end(target: Target) -> None:
    held = [await target.connect() for _ in target.times(2000)]
    for each in held:
        await each.send(HEALTH[:-2])
    await all_leave(held)


async def heads_that_are_a_flood(target: Target) -> None:
    flood = HEALTH[:-2] + b"".join(b"X-%d: " % n + b"x" * 4000 + b"\r\n" for n in range(100))
    held = [await target.connect() for _ in target.times(1000)]
    for start in range(0, len(flood), 50_000):
        for each in held:
            await each.send(flood[start : start + 50_000])
    await all_leave(held)


async def requests_sent_ahead(target: Target) -> None:
    line = head("GET", "/healthz?" + "x" * 2000)

    async def one() -> None:
        attacker = await target.connect()
        await attacker.send(line * 2000, within_s=2.0)
        await attacker.leave()

    await at_once(one() for _ in target.times(200))


async def new_connections_all_the_time(target: Target) -> None:
    await at_once(target.send("GET", "/healthz") for _ in target.times(3000))


# ---- waits and paths --------------------------------------------------------------------------


async def waits_that_are_left(target: Target) -> None:
    path = f"{WEBHOOKS}/orchestrators/waiting?timeout=3600&pollingInterval=1"

    async def one() -> None:
        attacker = await target.connect()
        await attacker.send(head("POST", path, *target.credentials, "Content-Length: 0"))
        await target.send("GET", "/healthz")  # what came before is begun when this is answered
        await attacker.leave()

    await at_once(one() for _ in target.times(3000))


async def paths_that_are_hard_to_match(target: Target) -> None:
    await at_once(
        target.send("GET", "/api/guarded/" + "a" * length + "!")
        for length in (26, 100, 7000)
        for _ in target.times(100)
    )


async def queries_with_many_fields(target: Target) -> None:
    for query in ("a=1&" * 1500, "&" * 7000, "runtimeStatus=" + "Running," * 900, "%00=" * 1500):
        for _ in target.times(100):
            await target.send("GET", f"{WEBHOOKS}/instances?{query}", *target.credentials)


async def guessed_keys(target: Target) -> None:
    """None is known, so the host looks for it; GUARDED are paths of all of its rooms."""
    await at_once(
        target.send("GET", GUARDED[n % 3], f"x-functions-key: {n:043}") for n in target.times(5000)
    )


async def all_leave(held: list[Attacker]) -> None:
    """What is held is let go."""
    for each in held:
        await each.leave()


ATTACKS: tuple[Attack, ...] = (
    packed_bodies_without_a_key,
    packed_bodies_for_anybody,
    packed_bodies_whose_last_byte_never_comes,
    uploads_that_are_broken_off,
    uploads_that_nobody_wants,
    bodies_that_trickle,
    bodies_in_tiny_chunks,
    json_that_is_all_structure,
    keys_with_one_hash,
    connections_that_say_nothing,
    heads_that_never_end,
    heads_that_are_a_flood,
    requests_sent_ahead,
    new_connections_all_the_time,
    waits_that_are_left,
    paths_that_are_hard_to_match,
    queries_with_many_fields,
    guessed_keys,
)

SHORT: tuple[Attack, ...] = (
    packed_bodies_whose_last_byte_never_comes,
    bodies_that_trickle,
    bodies_in_tiny_chunks,
    keys_with_one_hash,
    connections_that_say_nothing,
    heads_that_never_end,
    heads_that_are_a_flood,
    requests_sent_ahead,
    waits_that_are_left,
    paths_that_are_hard_to_match,
    queries_with_many_fields,
    guessed_keys,
)
"""Those of which a small part takes a moment."""
