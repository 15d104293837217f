"""What is written is read back equal, or refused where it is written, by its place."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Generic, NewType, NotRequired, Optional, Protocol, TypeVar
from uuid import UUID

import msgspec
import pydantic
import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
    model_serializer,
)
from typing_extensions import TypedDict

from bindings.errors import SerializationError
from host.core.converter import Converter
from host.functions.loader import load_app
from host.settings import load_settings

MakeApp = Callable[[Mapping[str, str]], Path]
writes_deques = pytest.mark.skipif(
    pydantic.VERSION < "2.14", reason="an older pydantic refuses a deque, and says so"
)
CONVERTER = Converter()


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    tags: list[str] = field(default_factory=list)


class Order(BaseModel):
    name: str
    count: int = 1


class Special(Order):
    discount: float = 0.5


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class OpenSpecial(Open):
    discount: float = 0.5


class Secret(BaseModel):
    password: SecretStr | None = None


class Excluding(BaseModel):
    name: str
    hidden: str = Field(default="x", exclude=True)


class WrittenOtherwise(BaseModel):
    name: str = Field(serialization_alias="Name")


class ReadOtherwise(BaseModel):
    name: str = Field(validation_alias="Name")


class OneAlias(BaseModel):
    name: str = Field(alias="Name")


class EitherName(BaseModel):
    name: str = Field(validation_alias=AliasChoices("title", "name"))


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    name: str = Field(validation_alias="Name")


class Computed(BaseModel):
    x: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.x


class StrictComputed(Computed):
    model_config = ConfigDict(extra="forbid")


class OwnForm(BaseModel):
    hidden: str = Field(default="x", exclude=True)

    @model_serializer
    def written(self) -> dict[str, str]:
        return {"hidden": self.hidden}


class Stranger(msgspec.Struct):
    x: int = 1


class Foreign:
    pass


@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        ({"a": [1, None, "x", 1.5, True]}, Any),
        ({1: "a"}, dict[int, str]),
        ({date(2026, 1, 1): 1}, dict[date, int]),
        ({Colour.RED: 1}, dict[Colour, int]),
        ({"None": 1}, dict[str, int]),
        ("**********", str),
        ([Point(1, ["a"])], list[Point]),
        (Order(name="x"), Order),
        (Special(name="x"), Special),
        (OpenSpecial(name="x"), OpenSpecial),
        (Secret(), Secret),
        (OneAlias(Name="x"), OneAlias),
        (EitherName(name="x"), EitherName),
        (ByName(name="x"), ByName),
        (Computed(x=1), Computed),
        (OwnForm(hidden="y"), OwnForm),
        (RootModel[list[int]]([1]), RootModel[list[int]]),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime),
        (timedelta(seconds=1.5), timedelta),
        (Decimal("1.10"), Decimal),
        (UUID(int=5), UUID),
        ({1, 2}, set[int]),
        ((1, "a"), tuple[int, str]),
        (b"bytes", bytes),
        (Path("a/b"), Path),
    ],
)
def test_found_c3_what_pydantic_writes_and_reads_makes_the_round_trip(
    value: Any, read_as: Any
) -> None:
    payload = CONVERTER.to_payload(value, "It", read_as)
    assert CONVERTER.from_payload(payload, read_as, "It") == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (SecretStr("x"), "is a secret"),
        (SecretBytes(b"x"), "is a secret"),
        (Secret(password=SecretStr("x")), "password is a secret"),
        ({"a": [Secret(password=SecretStr("x"))]}, "['a'][0].password is a secret"),
        ({None: 1}, "the key None"),
        ({"a": {None: 1}}, "['a'] has the key None"),
        (Excluding(name="x"), "field 'hidden' is excluded"),
        ([Excluding(name="x")], "[0] is a Excluding"),
        (WrittenOtherwise(name="x"), "is written as 'Name'"),
        (ReadOtherwise(Name="x"), "is written as 'name'"),
        (StrictComputed(x=1), "computed field 'twice'"),
    ],
)
def test_found_h10_what_would_be_read_back_as_another_value_is_refused_by_place(
    value: Any, said: str
) -> None:
    with pytest.raises(SerializationError) as caught:
        CONVERTER.to_payload(value, "The input")
    assert "The input cannot be read back" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (Foreign(), ""),
        (Stranger(), ""),
        ({"orders": [Point(1), Foreign()]}, "at ['orders'][1] (a Foreign)"),
        ([[Stranger()]], "at [0][0] (a Stranger)"),
        (Point(Foreign()), "at x (a Foreign)"),  # type: ignore[arg-type]
        ({"a": {"b": lambda: 1}}, "at ['a']['b'] (a function)"),
    ],
)
def test_found_h10_what_cannot_be_written_names_its_place(value: Any, place: str) -> None:
    with pytest.raises(SerializationError) as caught:
        CONVERTER.to_payload(value, "The input")
    assert f"The input cannot be written as JSON{place and ' '}{place}:" in str(caught.value)


def test_found_h10_fields_that_the_reader_does_not_have_are_refused() -> None:
    with pytest.raises(SerializationError, match="has no field 'discount'"):
        CONVERTER.to_payload(Special(name="x"), "The input", Order)
    assert CONVERTER.to_payload(OpenSpecial(name="x"), "The input", Open)
    assert CONVERTER.to_payload(Special(name="x"), "The input", Special | Order)


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        ("(x: Foreign) -> int", "Its parameter 'x'"),
        ("(x: list[Struct]) -> int", "Its parameter 'x'"),
        ("(x: int, y: Foreign) -> int", "Its parameter 'y'"),
        ("(x: int) -> Foreign", "Its result"),
        ("(x: int) -> dict[str, Struct]", "Its result"),
    ],
)
def test_found_h10_what_can_never_be_read_is_found_at_load(
    make_app: MakeApp, signature: str, said: str
) -> None:
    source = f"""
        import msgspec
        from funchost import FunctionApp

        app = FunctionApp()

        class Foreign: ...
        class Struct(msgspec.Struct): ...

        @app.activity_trigger()
        def act{signature}: ...

        @app.activity_trigger()
        def well(x: int) -> int: ...
    """
    app_dir = make_app({"function_app.py": source})
    app = load_app(app_dir, load_settings(app_dir, {}))
    assert [each.name for each in app.functions] == ["well"]
    (broken,) = app.broken
    assert broken.name == "act"
    assert said in broken.error


def test_what_is_said_of_any_type_or_literal_can_be_read(make_app: MakeApp) -> None:
    source = """
        from typing import Annotated, Any, Literal, NoReturn, TypeVar
        from funchost import FunctionApp, OrchestrationContext

        app = FunctionApp()
        T = TypeVar("T")

        @app.activity_trigger()
        def one(x: Annotated[int, "note"]) -> Literal["a"]: ...

        @app.activity_trigger()
        def two(x: Any, y: object = None) -> None: ...

        @app.activity_trigger()
        def raises(x: int) -> NoReturn: ...

        @app.orchestration_trigger()
        async def three(context: OrchestrationContext, x: list[T] | None = None): ...
    """
    app_dir = make_app({"function_app.py": source})
    assert load_app(app_dir, load_settings(app_dir, {})).broken == ()


# ---- parts that are found wherever they are ------------------------------------------------------


@dataclass(slots=True)
class Slotted:
    key: Any


class Shape(BaseModel):
    x: int


class Square(Shape):
    side: int = 7


class OpenShape(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


class Box(BaseModel):
    one: Shape | None = None
    many: list[Shape] = []
    by_name: dict[str, Shape] = {}


class OwnBox(BaseModel):
    one: Shape

    @field_serializer("one")
    def written(self, value: Shape) -> dict[str, int]:
        return value.model_dump()


@dataclass
class Base:
    a: int


@dataclass
class Derived(Base):
    b: int = 5


@dataclass
class Holder:
    held: Base
    others: list[Base] = field(default_factory=list)


@dataclass
class Counted:
    a: int
    count: int = field(default=0, init=False)


@dataclass
class Sum:
    a: int
    twice: int = field(init=False)

    def __post_init__(self) -> None:
        self.twice = 2 * self.a


class Pair(Enum):
    ONE = (1, 2)


class Day(Enum):
    FIRST = date(2026, 1, 1)


class Typed(TypedDict):
    shape: Shape
    note: NotRequired[str]


class HasX(Protocol):
    x: int


Number = NewType("Number", int)
Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    items: list[Item]


def counted(count: int) -> Counted:
    value = Counted(1)
    value.count = count
    return value


OLD_TIME = timezone(timedelta(minutes=53, seconds=28))


@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        ({"shape": Square(x=1)}, Any),
        ({"shape": Shape(x=1)}, Typed),
        ({"x": 1}, HasX),
        (Shape(x=1), HasX),
        (5, Number),
        (Page[int](items=[1]), Page[int]),
        (Page[int](items=[1]), Page),
        (Square(x=1), Shape | Square),
        (Square(x=1), Annotated[Square, "note"]),
        (Square(x=1), dict[str, int]),
        ([Square(x=1)], list[Any]),
        ([Square(x=1)], list),
        ([1], list[Number]),
        (Box(one=Shape(x=1), many=[Shape(x=2)]), Box),
        (OwnBox(one=Square(x=1)), OwnBox),
        (OpenShape(x=1, y=2), OpenShape),
        (Holder(Base(1)), Holder),
        (counted(0), Counted),
        (counted(5), Any),
        (Sum(2), Sum),
        (Slotted({"a": 1}), Slotted),
        pytest.param(deque([1, "a"]), deque[Any], marks=writes_deques),
        ({1: "a", 2: "b", "3": "c"}, dict[str, str]),
        ({True: 1, 1.5: 2}, Any),
        (re.compile("(?i)a"), re.Pattern[str]),
        (re.compile("a"), Any),
        (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-5, minutes=-30))), datetime),
        pytest.param(10**4000, int, id="large"),
        pytest.param(-(10**4000), Any, id="small"),
        (Decimal("1E+3"), Decimal),
    ],
)
def test_found_c3_what_is_read_back_is_written_whatever_is_said_of_it(
    value: Any, read_as: Any
) -> None:
    assert CONVERTER.to_payload(value, "It", read_as) is not None


@pytest.mark.parametrize(
    ("value", "read_as", "said"),
    [
        (Slotted(SecretStr("x")), Any, "key is a secret"),
        ([Slotted({None: 1})], Any, "[0].key has the key None"),
        (OpenShape(x=1, key=SecretStr("x")), Any, "key is a secret"),
        (OpenShape(x=1, key={None: 1}), Any, "key has the key None"),
        pytest.param(deque([SecretStr("x")]), Any, "[0] is a secret", marks=writes_deques),
        pytest.param(deque([{None: 1}]), Any, "[0] has the key None", marks=writes_deques),
        ({1: "a", "1": "b"}, Any, "written alike"),
        ({"a": {True: "a", "true": "b"}}, Any, "['a'] has keys that differ"),
        ({date(2026, 1, 1): 1, "2026-01-01": 2}, Any, "written alike"),
        ({(1, 2): 3}, dict[tuple[int, int], int], "has the key (1, 2)"),
        ({Pair.ONE: 3}, Any, "has the key <Pair.ONE"),
        (Derived(1), Base, "it is a Derived and is read as a Base, which has no field 'b'"),
        ([Derived(1)], list[Base], "[0] is a Derived"),
        (Derived(1), Base | None, "it is a Derived"),
        ({"a": (Derived(1),)}, dict[str, tuple[Base, ...]], "['a'][0] is a Derived"),
        (Holder(Derived(1)), Holder, "held is a Derived"),
        (Holder(Base(1), [Derived(1)]), Holder, "others[0] is a Derived"),
        ([Square(x=1)], list[Shape], "[0] is a Square and is read as a Shape"),
        ([Square(x=1)], Sequence[Annotated[Shape, "note"]], "[0] is a Square"),
        (Square(x=1), Optional[Shape], "no field 'side'"),  # noqa: UP045 - as authors write it
        (Box(one=Square(x=1)), Any, "one is a Square"),
        ([Box(many=[Square(x=1)])], Any, "[0].many[0] is a Square"),
        (Box(by_name={"a": Square(x=1)}), Box, "by_name['a'] is a Square"),
        ({"shape": Square(x=1)}, Typed, "['shape'] is a Square"),
        (counted(9), Counted, "has a changed field 'count'"),
        ([counted(9)], list[Counted], "[0] has a changed field 'count'"),
        (datetime(1890, 7, 1, tzinfo=OLD_TIME), datetime, "UTC offset 0:53:28"),
        ([time(1, tzinfo=OLD_TIME)], Any, "[0] has the UTC offset"),
        (re.compile("a", re.IGNORECASE), Any, "a pattern with flags"),
        (Decimal("NaN"), Decimal, "is NaN"),
        ([Decimal("-Infinity")], Any, "[0] is -Infinity"),
        (Pair.ONE, Pair, "a member of Pair"),
        ([Day.FIRST], list[Day], "[0] is a member of Day"),
    ],
)
def test_found_c3_what_would_be_changed_is_refused_where_it_is_written(
    value: Any, read_as: Any, said: str
) -> None:
    with pytest.raises(SerializationError) as caught:
        CONVERTER.to_payload(value, "The input", read_as)
    assert "The input cannot be read back: " in str(caught.value)
    assert said in str(caught.value)


def test_found_h10_a_value_that_is_written_for_a_typed_dict_reaches_the_function() -> None:
    payload = CONVERTER.to_payload({"shape": {"x": 1}}, "The input", Typed)
    assert CONVERTER.from_payload(payload, Typed, "The input") == {"shape": Shape(x=1)}
