"""Defects can only be planted where the code is as they expect it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.rough.mutants import MUTATIONS as ROUGH_MUTATIONS
from tests.simulation.mutants import AWS_MUTATIONS, MUTATIONS, Mutation
from tests.simulation.mutations import SEEN_AT

NAMES = [each.name for each in (*MUTATIONS, *AWS_MUTATIONS)]
ROUGH = [each.mutation for each in ROUGH_MUTATIONS]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "mutation", [*MUTATIONS, *AWS_MUTATIONS, *ROUGH], ids=lambda each: each.name
)
def test_a_defect_to_be_planted_finds_its_place(mutation: Mutation) -> None:
    text = (ROOT / mutation.path).read_text()
    assert text.count(mutation.old) == 1, f"move the mutation along with {mutation.path}"
    if mutation.path.endswith(".py"):  # what does not even load is no defect to look for
        compile(text.replace(mutation.old, mutation.new), mutation.path, "exec")


def test_seeds_are_remembered_of_defects_that_there_are() -> None:
    assert set(json.loads(SEEN_AT.read_text())) <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)
