from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

from surrogate_nas._types import IntArray
from surrogate_nas.predictors.structure.decision_columns import (
    OPTIONS,
    VALUES,
    DecisionColumns,
    graph_is_the_description,
)
from surrogate_nas.registry import SPACES
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from tests.predictors.spaces_of_decisions import Conditional, unknown_space, with_numbers

DECISIONS = {"norm": ["batch", "layer", "none_"], "depth": ["d2", "d4", "d8"], "same": ["only"]}


def test_columns_of_categorical_decisions_are_those_of_scikit_learn() -> None:
    space = unknown_space(DECISIONS)
    pool = space.unique()
    columns = DecisionColumns(space)
    assert columns.names == (
        *(f"norm={o}" for o in DECISIONS["norm"]),
        "depth=d2",
        "depth=d4",
        "depth=d8",
    )
    assert set(columns.families) == {OPTIONS}
    found = columns.transform(pool)
    np.testing.assert_array_equal(found, OneHotEncoder().fit_transform(pool[:, :2]).toarray())
    np.testing.assert_allclose(columns.centre, found.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(columns.scale, found.std(axis=0), rtol=1e-6)


def test_numbers_and_ordinals_have_their_value_or_rank_beside_their_options() -> None:
    space = with_numbers(unknown_space(DECISIONS), {"depth": [2.0, 4.0, 8.0]})
    columns = DecisionColumns(space)
    assert columns.names[-1] == "depth"
    assert columns.families == (OPTIONS,) * 6 + (VALUES,)
    pool = space.unique()
    values = np.array([2.0, 4.0, 8.0])[pool[:, 1]]
    np.testing.assert_array_equal(columns.transform(pool)[:, -1], values)
    np.testing.assert_allclose(columns.centre[-1], values.mean())
    np.testing.assert_allclose(columns.scale[-1], values.std())


def test_an_inactive_decision_has_a_state_of_its_own() -> None:
    plain = unknown_space({"kind": ["a", "b"], "size": ["s", "m"]})
    space = with_numbers(Conditional(plain.definition), {"size": [1.0, 5.0]})
    columns = DecisionColumns(space)
    expected = ("kind=a", "kind=b", "size=s", "size=m", "size=inactive", "size")
    assert columns.names == expected
    rows = columns.transform(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
    np.testing.assert_array_equal(rows[:2, 2:], [[0, 0, 1, 3]] * 2)
    np.testing.assert_array_equal(rows[2:, 2:], [[1, 0, 0, 1], [0, 1, 0, 5]])


def test_columns_that_are_constant_in_a_part_of_a_space_are_left_out() -> None:
    space = unknown_space(DECISIONS)
    part = space.restricted(np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]]))
    columns = DecisionColumns.of(part)
    assert columns.names == ("norm=batch", "norm=layer")
    assert DecisionColumns.of(part) is columns
    assert len(DecisionColumns.of(space.restricted(np.zeros((1, 3), dtype=int)))) == 0


def test_all_options_of_a_space_too_large_to_list_have_columns() -> None:
    space = unknown_space({f"d{i}": [f"o{i}x{j}" for j in range(40)] for i in range(8)})
    columns = DecisionColumns(space)
    assert len(columns) == 320
    assert (columns.scale > 0).all()


class Unordered(CustomSpace):
    """The order of decisions does not matter."""

    def canonicalise(self, choices: IntArray) -> IntArray:
        """Sorted."""
        return np.sort(np.asarray(choices), axis=1)


@pytest.mark.parametrize(("operation", "columns"), [("unknown", 6), ("conv", 0)])
def test_where_encodings_are_names_of_graphs_these_are_enough(operation: str, columns: int) -> None:
    options = ["a", "b", "c"]
    known = {"a": "linear", "b": "max_pool", "c": operation}
    space = Unordered(unknown_space({"x": options, "y": options}, known).definition)
    assert len(DecisionColumns(space)) == columns
    assert len(DecisionColumns(space.restricted(space.unique()[:7]))) == columns


def test_published_cells_are_described_by_their_graphs() -> None:
    assert graph_is_the_description(NASBench201Space())
    assert not graph_is_the_description(unknown_space(DECISIONS))
    conditional = Conditional(unknown_space({"a": ["x", "y"], "b": ["u", "v"]}).definition)
    assert not graph_is_the_description(conditional)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_spaces_whose_graphs_are_complete_have_no_columns(name: str) -> None:
    """Published spaces predict as before; spaces of designs, numbers and conditions see more."""
    sees = name in {"gnn-design", "graphgym", "mobilenet", "transformer"}
    assert bool(len(DecisionColumns.of(open_space(name)))) == sees
