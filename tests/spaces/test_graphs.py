"""Batched graphs, checked on small ones drawn by hand."""

import numpy as np

from surrogate_nas.spaces.graphs import ArchGraphs, from_template
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, OPERATIONS, attributes

IN, OUT, CONV, SKIP, SUM = (OPERATION_IDS[k] for k in ("input", "output", "conv", "skip", "sum"))

# 0 input, 1 and 2 operations, 3 sum, 4 output; the edges are out of order on purpose.
TEMPLATE = np.array([[3, 2, 0, 0, 1, 1], [4, 3, 2, 1, 3, 2]])


def _diamonds() -> ArchGraphs:
    op = np.array([[IN, CONV, SKIP, SUM, OUT]] * 3)
    described = np.zeros((3, 5, len(ATTRIBUTES)))
    described[:, 1] = attributes(kernel=3)
    nodes = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 1], [1, 1, 1, 1, 1]], dtype=bool)
    edges = np.ones((3, 6), dtype=bool)
    edges[2, 4] = False  # in the last graph 1 reaches 3 through 2 only
    edges[2, 1] = False  # and 2 does not reach 3, so the output is cut off
    return from_template(op, described, TEMPLATE, node_mask=nodes, edge_mask=edges)


def test_from_template_drops_masked_nodes_with_their_edges() -> None:
    graphs = _diamonds()
    assert graphs.op.tolist() == [
        *(IN, CONV, SKIP, SUM, OUT),
        *(IN, SKIP, SUM, OUT),
        *(IN, CONV, SKIP, SUM, OUT),
    ]
    assert graphs.graph.tolist() == [0] * 5 + [1] * 4 + [2] * 5
    assert graphs.offsets.tolist() == [0, 5, 9, 14]
    assert graphs.edges.T.tolist() == [
        *([0, 1], [0, 2], [1, 2], [1, 3], [2, 3], [3, 4]),
        *([5, 6], [6, 7], [7, 8]),
        *([9, 10], [9, 11], [10, 11], [12, 13]),
    ]
    kernels = graphs.attributes[:, ATTRIBUTES.index("kernel")]
    np.testing.assert_allclose(kernels[graphs.op == CONV], np.log2(3))
    assert (kernels[graphs.op != CONV] == 0).all()


def test_pruned_keeps_paths_and_both_ends() -> None:
    graphs = _diamonds().pruned()
    assert graphs.count == 3
    assert graphs.graph.tolist() == [0] * 5 + [1] * 4 + [2] * 2
    assert graphs.op[-2:].tolist() == [IN, OUT]
    assert graphs.edges.T.tolist()[-3:] == [[5, 6], [6, 7], [7, 8]]
    again = graphs.pruned()
    np.testing.assert_array_equal(again.op, graphs.op)
    np.testing.assert_array_equal(again.edges, graphs.edges)


def test_dense_pads_at_the_end() -> None:
    op, described, adjacency = _diamonds().dense()
    assert op[1].tolist() == [IN, SKIP, SUM, OUT, -1]
    assert described.shape == (3, 5, 11)
    np.testing.assert_allclose(described[0, 1], attributes(kernel=3))
    assert not described[1].any()
    assert np.argwhere(adjacency[1]).tolist() == [[0, 1], [1, 2], [2, 3]]
    assert np.argwhere(adjacency[2]).tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]


def test_masks_may_be_absent() -> None:
    op = np.array([[IN, CONV, SKIP, SUM, OUT]] * 2)
    graphs = from_template(op, np.zeros((2, 5, 6)), TEMPLATE)
    assert graphs.op.size == 10
    assert graphs.edges.shape == (2, 12)


def test_operations_are_never_renumbered() -> None:
    """Trained encoders and tables refer to these numbers; new ones go to the end."""
    assert OPERATIONS[:20] == (
        *("unknown", "input", "output", "sum", "concat", "skip", "conv", "separable_conv"),
        *("dilated_conv", "inverted_residual", "max_pool", "avg_pool", "linear"),
        *("gat", "gcn", "gin", "cheb", "sage", "arma", "graph_conv"),
    )
    assert len(set(OPERATIONS)) == len(OPERATIONS)


def test_attributes_are_logarithms() -> None:
    np.testing.assert_allclose(
        attributes(kernel=3, channels_out=64), [np.log2(3), 0, 0, 6, *[0] * 7], rtol=1e-6
    )
