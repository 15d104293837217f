"""What a limit lets begin: a function of what is stored, and never more than it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings import EntityContext, FunctionApp
from bindings.errors import FunctionDefinitionError
from host.core import limits
from host.core.converter import Converter
from host.core.limits import Holder, Limit, Rate, Room, Share, Use
from host.engine.limits.entities import key_of
from host.engine.limits.stored import decode, encode, record_key
from host.engine.limits.waiting import Waiter, WaitingLine
from host.errors import ConfigurationError
from host.functions.catalog import Catalog
from host.functions.loader import app_of, load_app
from host.settings import load_settings
from host.storage.protocol import NamedRecord

ME, OTHER = "me", "other"


def waiter(key: str, priority: int = 0) -> Waiter:
    return Waiter(key=key, priority=priority, since=0.0, grant=lambda _: None)


# ---- room ------------------------------------------------------------------------------------


def test_what_others_have_and_orchestrations_hold_is_taken() -> None:
    use = Use("l", shares={OTHER: Share(99.0, taken=2)}, holders={"i": Holder("r", 0.0)})
    assert limits.room(Limit(concurrency=5), use, ME, held=1) == Room(1)
    assert limits.room(Limit(concurrency=3), use, ME, held=1).slots == 0


def test_what_a_host_has_taken_and_does_not_use_is_its_own() -> None:
    use = Use("l", shares={ME: Share(99.0, taken=3)})
    assert limits.room(Limit(concurrency=3), use, ME, held=1) == Room(2)


def test_while_others_wait_nobody_takes_more_than_his_part() -> None:
    use = Use("l", shares={OTHER: Share(99.0, waiting=50)})
    assert limits.room(Limit(concurrency=10), use, ME, held=0) == Room(5)
    few = Use("l", shares={OTHER: Share(99.0, waiting=1)})
    assert limits.room(Limit(concurrency=10), few, ME, held=0) == Room(9)


def test_a_share_that_is_over_is_nobodys_and_so_is_one_of_a_clock_that_was_off() -> None:
    use = Use("l", shares={"old": Share(10.0), "now": Share(30.0), "wrong": Share(1e9)})
    left = limits.alive(use, 20.0, ME, longest_s=60.0, is_alone=False)
    assert set(left.shares) == {"now"}
    assert not limits.alive(use, 20.0, ME, longest_s=60.0, is_alone=True).shares


@given(
    count=st.integers(1, 7),
    per_s=st.sampled_from([0.1, 1.0, 3.0, 60.0]),
    asked=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 9)), max_size=60),
)
def test_in_no_span_of_its_time_more_begin_than_the_rate_says(
    count: int, per_s: float, asked: list[tuple[float, int]]
) -> None:
    limit, use, now = Limit(rate=Rate(count, per_s)), Use("l"), 1_000.0
    began: list[tuple[float, int]] = []
    for pause, wanted in asked:
        now += pause * per_s / 10
        use = limits.without_past(use, limit.rate, now)
        slots = min(wanted, limits.room(limit, use, ME, held=0).slots)
        use = limits.with_begun(use, limit.rate, slots, now)
        began.append((now, slots))
        in_span = sum(each for at, each in began if at > now - per_s)
        assert in_span <= count
        assert len(use.began) <= limits.SLICES + 2


def test_when_there_is_capacity_again_is_known() -> None:
    rate = Rate(2, 10.0)
    use = limits.with_begun(Use("l"), rate, 2, 100.0)
    found = limits.room(Limit(rate=rate), use, ME, held=0)
    assert found.slots == 0
    assert 110.0 < found.again_at <= 110.0 + 10.0 / limits.SLICES
    later = limits.without_past(use, rate, found.again_at)
    assert limits.room(Limit(rate=rate), later, ME, held=0) == Room(2)


def test_a_slot_is_given_back_by_the_run_that_has_it_alone() -> None:
    use = Use("l", holders={"a": Holder("1", 0.0), "b": Holder("1", 0.0)})
    left = limits.with_holders(use, come={"c": Holder("1", 1.0)}, gone={"a": "2", "b": "1"})
    assert set(left.holders) == {"a", "c"}


def test_a_record_has_room_for_so_many_orchestrations_and_more_wait() -> None:
    holders = {f"{number:032}": Holder("r" * 32, 0.0) for number in range(1500)}
    full = Use("l", holders=holders)
    assert limits.room_for_holders(full) < 10
    assert len(encode(full)) < 256 * 1024
    assert limits.room_for_holders(Use("l")) > 100


# ---- the order -------------------------------------------------------------------------------


def test_who_waits_goes_by_priority_then_keys_in_turn_then_as_they_came() -> None:
    line = WaitingLine()
    given = [("a", 0), ("a", 0), ("a", 0), ("b", 0), ("c", 5), ("b", 0), ("z", -1)]
    waiters = [waiter(*each) for each in given]
    for each in waiters:
        line.add(each)
    order = [waiters.index(each) for each in line.take(99)]
    assert order == [6, 0, 3, 1, 5, 2, 4]


def test_a_key_that_comes_later_waits_for_no_turn_that_is_over() -> None:
    line = WaitingLine()
    for _ in range(6):
        line.add(waiter("a"))
    line.take(3)
    late = waiter("b")
    line.add(late)
    assert late in line.take(2)


def test_who_leaves_and_comes_back_keeps_his_place() -> None:
    line = WaitingLine()
    first, second = waiter("a"), waiter("a")
    line.add(first)
    line.add(second)
    first.is_over = True
    again = waiter("a")
    again.place = first.place
    line.add(again)
    assert line.take(2) == [again, second]


# ---- what is stored --------------------------------------------------------------------------


def test_keys_are_told_apart_and_read_back() -> None:
    keys = ["", "a", "a/b", "/", "ü" * 300, "x" * 250, "x" * 251, "\n"]
    assert len({record_key("l", key) for key in keys}) == len(keys)
    use = Use("l", "a", shares={ME: Share(1.0, 2, 3, 4.0)}, began=((1.5, 2),))
    record = NamedRecord(kind="slots", key="l/a", stamp="1", data=encode(use))
    assert decode(record, "l", "a") == use
    assert decode(NamedRecord(kind="slots", key="l", stamp="1", data=b"{"), "l", "") == Use("l")


# ---- functions and settings ------------------------------------------------------------------


def problem_of(folder: Path, host_json: str, **decorated: object) -> str:
    """Why a function with these words does not load."""
    (folder / "host.json").write_text(host_json, encoding="utf-8")
    app = FunctionApp()

    @app.activity_trigger(**decorated)  # type: ignore[arg-type]
    def fetch(page: dict[str, str]) -> str:
        return page["host"]

    (broken,) = app_of(app, folder, load_settings(folder, {})).broken
    return broken.error


def test_a_limit_that_is_not_in_the_settings_keeps_its_function_from_loading(
    tmp_path: Path,
) -> None:
    found = problem_of(tmp_path, settings('{"a": {"concurrency": 1}}'), limit="b")
    assert "limit 'b'" in found
    assert "has a:" in found


def test_a_limit_that_counts_by_key_needs_one(tmp_path: Path) -> None:
    found = problem_of(tmp_path, settings('{"a": {"concurrency": 1, "perKey": true}}'), limit="a")
    assert "limit_key" in found


@pytest.mark.parametrize(
    ("decorated", "word"),
    [
        ({"limit": ""}, "'limit'"),
        ({"limit": 5}, "'limit'"),
        ({"limit_key": "{host}"}, "'limit'"),
        ({"priority": 1}, "'limit'"),
        ({"limit": "a", "priority": "high"}, "'priority'"),
        ({"limit": "a", "priority": True}, "'priority'"),
        ({"limit": "a", "limit_key": 5}, "'limitKey'"),
        ({"limit": "a", "limit_key": "{host"}, "brace"),
    ],
)
def test_what_a_function_cannot_say_is_refused(decorated: dict[str, object], word: str) -> None:
    app = FunctionApp()

    @app.activity_trigger(**decorated)  # type: ignore[arg-type]
    def fetch(page: str) -> str:
        return page

    with pytest.raises(FunctionDefinitionError, match=word):
        app.get_functions()


@pytest.mark.parametrize(
    ("decorated", "word"),
    [
        ({"limit": "a", "limit_key": "{host}"}, "made of its key"),
        ({"limit": "a", "limit_key": "{key}-{rand-guid}"}, "made of its key"),
        ({"limit_key": "{key}"}, "no 'limit'"),
        ({"limit": "a", "priority": 0.5}, "'priority'"),
    ],
)
def test_what_an_entity_cannot_say_is_refused(decorated: dict[str, object], word: str) -> None:
    app = FunctionApp()

    @app.entity_trigger(**decorated)  # type: ignore[arg-type]
    def counter(context: EntityContext) -> None:
        context.set_state(1)

    with pytest.raises(FunctionDefinitionError, match=word):
        app.get_functions()


def test_an_entity_with_a_limit_by_key_needs_a_key(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(settings('{"a": {"concurrency": 1, "perKey": true}}'))
    app = FunctionApp()

    @app.entity_trigger(limit="a")
    def counter(context: EntityContext) -> None:
        context.set_state(1)

    (broken,) = app_of(app, tmp_path, load_settings(tmp_path, {})).broken
    assert "limit_key, such as '{key}'" in broken.error


async def test_an_entity_in_a_folder_keeps_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(settings('{"a": {"concurrency": 1, "perKey": true}}'))
    binding = {"type": "entityTrigger", "name": "context", "direction": "in"}
    said = binding | {"limit": "a", "limitKey": "eu-{KEY}", "priority": -2}
    (tmp_path / "counter").mkdir()
    (tmp_path / "counter" / "function.json").write_text(json.dumps({"bindings": [said]}))
    (tmp_path / "counter" / "__init__.py").write_text("def main(context):\n    pass\n")
    app = load_app(tmp_path, load_settings(tmp_path, {}))
    assert not app.broken
    entity = Catalog(app, Converter()).entity("counter")
    assert entity is not None
    assert entity.limit is not None
    assert (entity.limit.name, entity.limit.priority) == ("a", -2)
    assert key_of("@counter@Some Key", entity.limit) == "eu-Some Key"


def settings(limits_json: str) -> str:
    """A host.json with these limits."""
    return f'{{"version": "2.0", "extensions": {{"durableTask": {{"limits": {limits_json}}}}}}}'


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ('{"a": {}}', "limits nothing"),
        ('{"a": {"concurrency": 0}}', "limits.a.concurrency"),
        ('{"a": {"concurency": 5}}', "concurency"),
        ('{"a": {"rate": {"count": 0}}}', "count"),
        ('{"a": {"rate": {"count": 1, "per": "1s"}}}', "hh:mm:ss"),
        ('{"a": {"rate": {"count": 1, "per": "00:00:00"}}}', "10 milliseconds"),
        ('{"a": {"rate": 10}}', "object"),
        ('{"a": 5}', "object"),
        ('{"two words": {"concurrency": 5}}', "name"),
        ("5", "limits"),
    ],
)
def test_what_host_json_cannot_say_is_refused(tmp_path: Path, said: str, word: str) -> None:
    (tmp_path / "host.json").write_text(settings(said), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=word):
        load_settings(tmp_path, {})
