"""What is written is read back equal, or refused where it is written, by its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
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
    model_serializer,
)

from bindings.errors import SerializationError
from host.core.converter import Converter
from host.functions.loader import load_app
from host.settings import load_settings

MakeApp = Callable[[Mapping[str, str]], Path]
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
