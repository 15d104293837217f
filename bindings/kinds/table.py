"""`table`: rows that a function is given, and rows that it writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bindings.errors import FunctionDefinitionError, InvalidArgumentError, RowExistsError
from bindings.expressions import Template, template
from bindings.functions import Binding, Direction
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.records import BindingKind, Call, Giver, Input, Output, Place, Taker
from bindings.shown_values import shown_value
from bindings.tables.filter_reading import FilterTemplate
from bindings.tables.names import check_table_name
from bindings.tables.records import KeyNames, RowKey, Table, Wanted, parts_of
from bindings.tables.showing import Shown, shown_as
from bindings.tables.writing import (
    MAX_PARTITION_BYTES,
    STAMP,
    RowMaker,
    SizedRow,
    check_key,
    check_key_part,
    first_doubled,
    last_of_each_key,
)

TYPE: Final = "table"
MAX_ROWS: Final = 1000
"""So many rows a function is given where it does not say how many."""
MAX_TAKE: Final = 10_000
_INSERT: Final = "insert"
_MODES: Final = (_INSERT, "upsert")
_OF_INPUTS: Final = ("take", "filter")
_OF_OUTPUTS: Final = ("mode",)


class TableDecorators(Decorating):
    """The decorators of functions that read tables or write to them."""

    def table_input(  # noqa: PLR0917 - their order in Azure's model
        self,
        arg_name: str | None = None,
        connection: str | None = None,
        table_name: str | None = None,
        row_key: str | None = None,
        partition_key: str | None = None,
        take: int | str | None = None,
        filter: str | None = None,  # noqa: A002 - function.json's word
        data_type: str | None = None,
        *,
        key_attributes: Sequence[str] | None = None,
    ) -> Callable[[F], F]:
        """Give the function a row of a table, or a list of rows.

        With `row_key` and `partition_key` it is that row, or None. Else it is the rows of the
        partition, or of the whole table: at most `take` of them, and those that the `filter` (of
        OData: `Age ge 18 and City eq 'Bonn'`) is true of. `{name}` stands for a value of the call.
        """
        check_called(arg_name, "table_input")
        return self.add_binding(
            TYPE,
            Direction.IN,
            arg_name,
            connection=connection,
            tableName=table_name,
            rowKey=row_key,
            partitionKey=partition_key,
            take=take,
            filter=filter,
            dataType=data_type,
            keyAttributes=key_attributes,
        )

    def table_output(  # noqa: PLR0917 - as above
        self,
        arg_name: str | None = None,
        connection: str | None = None,
        table_name: str | None = None,
        row_key: str | None = None,
        partition_key: str | None = None,
        data_type: str | None = None,
        *,
        mode: str | None = None,
        key_attributes: Sequence[str] | None = None,
    ) -> Callable[[F], F]:
        """Write what the function gives to a table: one row, or a list of rows.

        Keys that a row has itself come before `partition_key` and `row_key`. A row that is there
        already fails the call, unless `mode` is `upsert`: then it is replaced.
        """
        check_called(arg_name, "table_output")
        return self.add_binding(
            TYPE,
            Direction.OUT,
            arg_name,
            connection=connection,
            tableName=table_name,
            rowKey=row_key,
            partitionKey=partition_key,
            dataType=data_type,
            mode=mode,
            keyAttributes=key_attributes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """What a binding says of its table and the keys."""

    table_name: Template
    connection: str | None
    names: KeyNames
    partition: Template | None
    row: Template | None

    def table(self, call: Call) -> Table:
        """The table of one call. Raises `FunchostError` if there can be none."""
        name = self.table_name.render(call.data)
        check_table_name(name)
        return call.resources.table(name, self.connection, self.names)


def _named(binding: Binding) -> _Named:
    """Read the properties that both directions have. Raises `FunctionDefinitionError`."""
    table_name = _template(binding, "tableName")
    if table_name is None:
        raise FunctionDefinitionError(
            f"The table binding '{binding.name}' has no tableName: say which table it is."
        )
    if table_name.is_constant:
        _at_load(check_table_name, table_name.text)
    named = _Named(
        table_name=table_name,
        connection=_text(binding, "connection"),
        names=_key_names(binding.properties.get("keyAttributes")),
        partition=_template(binding, "partitionKey"),
        row=_template(binding, "rowKey"),
    )
    if named.partition is not None and named.partition.is_constant:
        _at_load(check_key_part, named.partition.text, named.names.partition, MAX_PARTITION_BYTES)
    return named


def _give(place: Place) -> Giver:
    binding = place.binding
    _refuse(binding, _OF_OUTPUTS, "input")
    named = _named(binding)
    is_list = named.row is None
    shown = shown_as(
        place.annotation,
        is_list=is_list,
        is_text=str(binding.properties.get("dataType", "")).lower() == "string",
        what=f"What '{binding.name}' is given of the table {named.table_name.text}",
    )
    return _give_rows(binding, named, shown) if is_list else _give_row(binding, named, shown)


def _give_row(binding: Binding, named: _Named, shown: Shown) -> Giver:
    """One row, by its keys."""
    partition, row = named.partition, named.row
    if partition is None or row is None:
        raise FunctionDefinitionError(
            f"The table binding '{binding.name}' has a rowKey and no partitionKey: a row is found "
            "by both."
        )
    for name in _OF_INPUTS:
        if binding.properties.get(name) is not None:
            raise FunctionDefinitionError(
                f"The table binding '{binding.name}' has a rowKey, which finds one row: leave out "
                f"the rowKey or the {name}."
            )

    async def give(call: Call) -> object:
        key = RowKey(partition.render(call.data), row.render(call.data))
        check_key(key, named.names)
        found = await named.table(call).get(key)
        return shown(None if found is None else found.shown(named.names))

    return give


def _give_rows(binding: Binding, named: _Named, shown: Shown) -> Giver:
    """The rows of a partition, or of the table."""
    take = _take_count(binding.properties.get("take"))
    text = _text(binding, "filter")
    filter_ = None if text is None else FilterTemplate(text)
    what = f"The table {named.table_name.text} has more than {MAX_ROWS:,} rows"

    async def give(call: Call) -> object:
        partition = None if named.partition is None else named.partition.render(call.data)
        if partition is not None:
            check_key_part(partition, named.names.partition, MAX_PARTITION_BYTES)
        wanted = Wanted(
            limit=MAX_ROWS + 1 if take is None else take,
            partition=partition,
            filter=None if filter_ is None else filter_.bind(call.data),
        )
        rows = await named.table(call).find(wanted)
        if take is None and len(rows) > MAX_ROWS:
            raise InvalidArgumentError(
                f"{what} for '{binding.name}': say how many it is given by 'take', or which by "
                "'partitionKey' and 'filter'."
            )
        return shown([each.shown(named.names) for each in rows])

    return give


def _take(place: Place) -> Taker:
    binding = place.binding
    _refuse(binding, _OF_INPUTS, "output")
    named = _named(binding)
    mode = binding.properties.get("mode", _INSERT)
    if mode not in _MODES:
        raise FunctionDefinitionError(
            f"The mode of the table binding '{binding.name}' is {shown_value(mode)}: it is one of "
            f"{', '.join(_MODES)}."
        )
    write = _insert if mode == _INSERT else _upsert
    what = f"the output '{binding.name}'"

    def take(value: object, call: Call) -> Awaitable[None] | None:
        if value is None:
            return None
        maker = RowMaker(
            what=what,
            names=named.names,
            partition=None if named.partition is None else named.partition.render(call.data),
            row_key=None if named.row is None else named.row.render(call.data),
        )
        rows = maker.rows_of(value)
        return write(named.table(call), rows, binding.name, call.repeat_id) if rows else None

    return take


async def _insert(table: Table, rows: list[SizedRow], name: str, repeat_id: str | None) -> None:
    """Rows of an activity have stamps, so that the next run of its task knows its own."""
    doubled = first_doubled(rows)
    if doubled is not None:
        raise RowExistsError(f"The output '{name}' has two rows under the key {doubled}.")
    stamps = [
        None if repeat_id is None else f"{repeat_id}/{name}/{number}"
        for number in range(1, len(rows) + 1)
    ]
    stamped = list(zip((each.row for each in rows), stamps, strict=True))
    for part in parts_of(stamped, [each.size for each in rows]):
        await table.insert([row for row, _ in part], [stamp for _, stamp in part])


async def _upsert(table: Table, rows: list[SizedRow], name: str, repeat_id: str | None) -> None:  # noqa: ARG001 - the same again changes nothing
    last = last_of_each_key(rows)
    for part in parts_of([each.row for each in last], [each.size for each in last]):
        await table.upsert(part)


def _template(binding: Binding, name: str) -> Template | None:
    text = _text(binding, name)
    return None if text is None else template(text, f"'{name}'")


def _text(binding: Binding, name: str) -> str | None:
    value = binding.properties.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise FunctionDefinitionError(f"'{name}' must be a text, not {shown_value(value)}.")
    return value


def _key_names(value: Any) -> KeyNames:
    if value is None:
        return KeyNames()
    names = list(value) if isinstance(value, list | tuple) else []
    is_right = len(names) == 2 and all(isinstance(each, str) and each for each in names)
    if not is_right or names[0] == names[1] or STAMP in names:
        raise FunctionDefinitionError(
            "'keyAttributes' must be a list of two names, that of the partition key and that of "
            f"the row key, not {shown_value(value)}."
        )
    return KeyNames(partition=names[0], row=names[1])


def _take_count(value: Any) -> int | None:
    """A number, or its text: so it comes out of an app setting."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:10])
    is_right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_TAKE
    if value is not None and not is_right:
        raise FunctionDefinitionError(
            f"'take' must be a number from 1 to {MAX_TAKE:,}, not {shown_value(value)}."
        )
    return value if is_right else None


def _refuse(binding: Binding, names: Sequence[str], direction: str) -> None:
    for name in names:
        if binding.properties.get(name) is not None:
            raise FunctionDefinitionError(
                f"The table binding '{binding.name}' is an {direction}, which has no '{name}'."
            )


def _at_load(check: Callable[..., None], *arguments: Any) -> None:
    try:
        check(*arguments)
    except InvalidArgumentError as error:
        raise FunctionDefinitionError(str(error)) from None


TABLE = BindingKind(
    type=TYPE,
    about="a row (`None` if there is none) or a list of rows: a dict, or JSON, a model or a "
    "dataclass by annotation; as an output, a row or a list of rows to write",
    input=Input(give=_give, decorator="table_input"),
    output=Output(take=_take, decorator="table_output"),
    properties={
        "tableName": {
            "type": "string",
            "description": "the table; expressions are possible, here and in the next three",
        },
        "partitionKey": {
            "type": "string",
            "description": "in: only the rows of this partition. out: that of rows without one",
        },
        "rowKey": {
            "type": "string",
            "description": "in: only the row of this key. out: that of rows without one",
        },
        "filter": {
            "type": "string",
            "description": "in: only rows that this is true of, such as `Age ge {age}`",
        },
        "take": {
            "type": "integer",
            "description": f"in: at most so many rows, up to {MAX_TAKE:,}; without it more than "
            f"{MAX_ROWS:,} fail the call",
        },
        "mode": {
            "type": "string",
            "enum": list(_MODES),
            "default": _INSERT,
            "description": "out: whether a row that is there fails the call, or is replaced",
        },
        "keyAttributes": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["PartitionKey", "RowKey"],
            "description": "the properties that have the keys",
        },
        "connection": {
            "type": "string",
            "description": "the app settings that say where it is; without it, with the hub",
        },
    },
    customary_names=("row", "rows"),
    default_name="rows",
)
