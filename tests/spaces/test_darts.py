"""The space of DARTS, against the published genotype, its size, and brute force over the orders."""

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.darts import DARTSSpace
from surrogate_nas.spaces.darts_cells import (
    NODES,
    OPERATIONS,
    PAIRS,
    READABLE,
    canonical_cells,
    least,
    least_of_one,
)
from surrogate_nas.spaces.operations import OPERATION_IDS
from surrogate_nas.training.networks.base import (
    NetworkTask,
    build_network,
    count_flops,
    count_parameters,
)

SPACE = DARTSSpace()
# DARTS_V2 of the paper's repository, with its order of the edges.
DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)


def cell(choices: np.ndarray[Any, Any]) -> list[list[tuple[int, str]]]:
    """For each node the states that it reads, with the operation on each."""
    return [
        [(source, OPERATIONS[op]) for source, op in zip(PAIRS[pair], ops, strict=True)]
        for pair, *ops in choices.reshape(NODES, 3).tolist()
    ]


def function(nodes: list[list[tuple[int, str]]]) -> Any:
    """What a cell computes, as nested sets, whatever the order of its nodes."""
    states: list[Any] = [0, 1]
    for edges in nodes:
        states.append(tuple(sorted(((op, repr(states[s])) for s, op in edges), key=repr)))
    return tuple(sorted(map(repr, states[2:])))


def test_size_is_the_published_one() -> None:
    # Liu et al. count 10^18 for both cells: pairs of inputs and seven operations on each edge.
    assert SPACE.encodings == (3 * 6 * 10 * 7**8) ** 2 == 1_076_746_950_455_072_400


def test_published_genotype() -> None:
    arch = SPACE.parse(DARTS_V2)
    task = NetworkTask((3, 32, 32), 10)
    network = build_network(arch, task, settings={"channels": 36, "cells": 20})
    assert count_parameters(network) == 3_349_342  # as the paper's code reports
    assert count_flops(network, task) == pytest.approx(528e6, rel=0.02)


def test_edges_of_a_node_come_in_any_order() -> None:
    turned = DARTS_V2.replace(
        "('sep_conv_3x3', 1), ('skip_connect', 0)", "('skip_connect', 0), ('sep_conv_3x3', 1)"
    )
    assert turned != DARTS_V2
    assert SPACE.parse(turned) == SPACE.parse(DARTS_V2)
    assert SPACE.parse(DARTS_V2.replace("[2, 3, 4, 5]", "range(2, 6)")) == SPACE.parse(DARTS_V2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no genotype"),
        ("Genotype(", "no genotype"),
        ("__import__('os').system('true')", "no genotype"),
        ("Genotype(normal=__import__('os'))", "no genotype"),
        ("(" * 1500, "no genotype"),
        (DARTS_V2 + " " * 3000, "too long"),
        (DARTS_V2 + " ", "blanks"),
        (DARTS_V2.replace("[2, 3, 4, 5], reduce=", "[3, 4, 5], reduce="), "2 to 5"),
        (DARTS_V2.replace("normal_concat=[2, 3, 4, 5]", "normal_concat=5"), "2 to 5"),
        (DARTS_V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 0)"), "two different states"),
        (DARTS_V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 5)"), "two different states"),
        (DARTS_V2.replace("dil_conv_3x3", "none"), "unknown"),
        (DARTS_V2.replace("('dil_conv_3x3', 2)", "'dil_conv_3x3'"), "an edge is"),
        (DARTS_V2.replace("('dil_conv_3x3', 2)]", "]"), "8 edges"),
    ],
)
def test_what_is_no_genotype_of_the_space(text: str, said: str) -> None:
    with pytest.raises(ArchitectureError, match=said):
        SPACE.parse(text)


def test_canonical_form_is_that_of_the_function() -> None:
    """Two cells have one canonical form if and only if they compute the same."""
    rng = np.random.default_rng(0)
    few = SPACE.sample_choices(rng, 300)[:, :12] % np.array([[99, 2, 2] * NODES])
    equal = least(few)
    functions = [function(cell(row)) for row in few]
    for i, j in product(range(len(few)), repeat=2):
        assert (functions[i] == functions[j]) == np.array_equal(equal[i], equal[j])


def test_canonical_form_is_the_least_of_all_orders() -> None:
    rng = np.random.default_rng(1)
    for row in SPACE.sample_choices(rng, 40)[:, :12]:
        nodes = cell(row)
        found = []
        for order in permutations(range(NODES)):
            place = {0: 0, 1: 1, **{2 + i: 2 + new for i, new in enumerate(order)}}
            moved: list[list[tuple[int, str]]] = [[] for _ in nodes]
            for i, edges in enumerate(nodes):
                moved[order[i]] = sorted((place[source], op) for source, op in edges)
            if all(source < 2 + i for i, edges in enumerate(moved) for source, _ in edges):
                found.append(
                    [
                        number
                        for (a, op_a), (b, op_b) in moved
                        for number in (
                            PAIRS.index((a, b)),
                            OPERATIONS.index(op_a),
                            OPERATIONS.index(op_b),
                        )
                    ]
                )
        assert min(found) == least(row[None])[0].tolist()
        assert tuple(min(found)) == least_of_one(tuple(row.tolist()))


@pytest.mark.parametrize("operations", [1, 2])
def test_number_of_canonical_cells_by_brute_force(operations: int) -> None:
    sizes = [size for count in READABLE for size in (count, operations, operations)]
    every = np.array(list(product(*map(range, sizes))))
    assert len(np.unique(least(every), axis=0)) == canonical_cells(operations)


def test_graph_of_a_genotype() -> None:
    graphs = SPACE.graphs(np.array([SPACE.parse(DARTS_V2).choices]))
    counts = np.bincount(graphs.op, minlength=len(OPERATION_IDS))
    assert counts[OPERATION_IDS["separable_conv"]] == 5
    assert counts[OPERATION_IDS["dilated_conv"]] == 1
    assert counts[OPERATION_IDS["max_pool"]] == 5
    assert counts[OPERATION_IDS["skip"]] == 2 + 3
    assert counts[OPERATION_IDS["concat"]] == 2
    # Two edges into each sum, one into each operation.
    incoming = np.bincount(graphs.edges[1], minlength=len(graphs.op))
    assert (incoming[graphs.op == OPERATION_IDS["sum"]] == 2).all()
    assert (incoming[graphs.op == OPERATION_IDS["separable_conv"]] == 1).all()
