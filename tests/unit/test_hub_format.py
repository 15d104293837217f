"""The format of a hub on AWS: what is stored of it, and how many partitions a hub wants."""

from datetime import UTC, datetime

import pytest

from host.errors import StorageUnavailableError
from host.storage.aws.schema import partitions_for
from host.storage.aws.table.hub_format import FORMAT_1, HubFormat, format_of, item_of, new_format
from host.storage.aws.table.keys import Item

MADE_AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


@pytest.mark.parametrize(
    "format_",
    [
        FORMAT_1,
        new_format(),
        new_format(40),
        new_format(4).reading(16),
        new_format(4, MADE_AT),
        new_format(4, MADE_AT).reading(16).grown(),
        FORMAT_1.reading(5),
        FORMAT_1.reading(5).grown(),
        new_format(version=2),
        new_format(version=2).reading(5),
    ],
)
def test_a_format_comes_back_as_it_went(format_: HubFormat) -> None:
    assert format_of(item_of(format_)) == format_


def test_format_1_has_four_partitions_until_it_grows() -> None:
    assert format_of({"v": {"N": "1"}}) == FORMAT_1
    assert (FORMAT_1.parts, FORMAT_1.read_parts) == (4, 4)
    grown = FORMAT_1.reading(9).grown()
    assert (grown.version, grown.parts, grown.read_parts) == (2, 9, 9)


@pytest.mark.parametrize("version", [2, 3])
def test_a_hub_that_grows_keeps_its_indexes(version: int) -> None:
    growing = new_format(4, version=version).reading(16)
    assert (growing.version, growing.grown().version) == (version, version)


def test_a_hub_says_when_it_was_made_unless_an_older_version_made_it() -> None:
    assert format_of(item_of(new_format(4, MADE_AT))).made_at == MADE_AT
    assert FORMAT_1.made_at is None
    assert format_of({"v": {"N": "2"}, "n": {"N": "4"}}).made_at is None


def test_a_hub_that_grows_reads_more_partitions_than_it_writes_to() -> None:
    growing = new_format(4).reading(16)
    assert (growing.parts, growing.read_parts, growing.is_growing) == (4, 16, True)
    assert item_of(growing)["m"] == {"N": "16"}
    assert "m" not in item_of(growing.grown())


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"v": {"N": "x"}},
        {"v": {"N": "2"}},
        {"v": {"N": "2"}, "n": {"N": "0"}},
        {"v": {"N": "2"}, "n": {"N": "4"}, "m": {"N": "3"}},
        {"v": {"N": "2"}, "n": {"N": "1000000000"}},
        {"v": {"N": "2"}, "n": {"N": "4"}, "m": {"N": "1000000000"}},
        {"v": {"S": "2"}, "n": {"N": "4"}},
        {"v": {"N": "2"}, "n": {"L": [{"S": "x" * 100_000}]}},
    ],
)
def test_a_format_that_makes_no_sense_is_not_guessed(item: Item) -> None:
    with pytest.raises(StorageUnavailableError, match="makes no sense") as caught:
        format_of(item)
    assert len(str(caught.value)) < 400


def test_a_format_of_a_newer_version_is_a_problem_whatever_it_holds() -> None:
    found = format_of({"v": {"N": "4"}})
    assert found.problem == ("its format is 4, of a newer version of funchost; this one knows 3")
    assert new_format().problem is None


def test_a_partition_is_for_250_starts_a_second() -> None:
    assert [partitions_for(rate) for rate in (1, 1000, 1001, 10_000)] == [4, 4, 5, 40]
