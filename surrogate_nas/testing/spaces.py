"""Contract tests of search spaces."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from surrogate_nas.errors import ArchitectureError, InvalidArgumentError
from surrogate_nas.spaces.base import ENUMERABLE, Architecture, Isomorphs, SearchSpace
from surrogate_nas.spaces.decisions import Scale
from surrogate_nas.spaces.graphs import INPUT, OUTPUT, ArchGraphs
from surrogate_nas.testing.contract import Contract, need_not, raises


class SpaceContract(Contract):
    """Promises of a `SearchSpace`; a subclass defines `make`.

    Attributes:
        isomorphs: The rule of equality to be tested.
        restricted: Whether a part of the space is tested, instead of the whole.
    """

    isomorphs: ClassVar[Isomorphs] = "separate"
    restricted: ClassVar[bool] = False

    _made: ClassVar[SearchSpace | None] = None

    def make(self) -> SearchSpace:
        """A new space."""
        raise NotImplementedError

    def _whole(self) -> SearchSpace:
        return self.make().with_isomorphs(self.isomorphs)

    @property
    def space(self) -> SearchSpace:
        """The space to be tested, made once."""
        kind = type(self)
        found: SearchSpace | None = vars(kind).get("_made")  # not that of a base class
        if found is None:
            found = kind._made = self._part(self._whole()) if self.restricted else self._whole()
        return found

    @staticmethod
    def _part(whole: SearchSpace) -> SearchSpace:
        drawn = whole.sample_choices(np.random.default_rng(7), 300)
        # In a large space no two draws are neighbours.
        return whole.restricted(np.concatenate([drawn, whole.neighbour_choices(drawn[:5])]))

    def test_index_counts_encodings_in_lexicographic_order(self) -> None:
        """Index counts encodings in lexicographic order."""
        space = self.space
        drawn = np.random.default_rng(0).integers(0, space.sizes, size=(500, len(space.sizes)))
        numbers = np.unique(space.index(drawn))
        choices = space.from_index(numbers)
        np.testing.assert_array_equal(space.index(choices), numbers)
        rows = choices.tolist()
        assert rows == sorted(rows)
        assert (choices >= 0).all()
        assert (choices < np.array(space.sizes)).all()
        ends = np.array([[0] * len(space.sizes), [size - 1 for size in space.sizes]])
        assert space.from_index(space.index(ends)).tolist() == ends.tolist()
        if space.encodings < 2**63:
            assert space.index(ends).tolist() == [0, space.encodings - 1]

    def test_text_round_trip(self) -> None:
        """`parse` is the inverse of `format`."""
        space = self.space
        archs = _samples(space, 200)
        texts = [space.format(arch) for arch in archs]
        assert [space.parse(text) for text in texts] == archs
        assert len(set(texts)) == len(set(archs))

    def test_bad_text_is_refused(self) -> None:
        """Bad text is refused."""
        space = self.space
        good = space.format(space.sample(np.random.default_rng(3)))
        damaged = [
            "",
            " ",
            "nonsense",
            "0",
            good + good,
            good[:-1],
            good[1:],
            good + " ",
            f" {good}",
        ]
        for text in damaged:
            try:
                arch = space.parse(text)
            except ArchitectureError as error:
                assert text in str(error)
            else:  # a key of a record may be as short as this
                assert text == "0" or (
                    _conditional(space) and text in good
                )  # the rest may be an inactive part
                assert space.is_valid(arch)
        with raises(ArchitectureError):
            space.parse("nonsense")

    def test_many_texts_are_read_as_one_by_one(self) -> None:
        """`parse_all` reads texts as `parse` does."""
        space = self.space
        rng = np.random.default_rng(0)
        good = [space.format(arch) for arch in _samples(space, 60)]
        whole = self._whole()
        texts = [*good, *(whole.format(arch) for arch in _samples(whole, 20))]  # perhaps outside
        texts += ["", " ", "nonsense", "0", "31087", ":", "-", "|", "+", "++"]
        for text in good[:15]:
            position = int(rng.integers(len(text)))
            texts += [text[:position], text[position:], text + text, f" {text}", text.upper()]
            texts += [text[:position] + other + text[position + 1 :] for other in "09|~+-:,x"]
        for mixed in (texts, good, texts[60:], []):
            choices, errors = space.parse_all(mixed)
            assert choices.dtype == np.int16
            assert choices.shape == (len(mixed), len(space.sizes))
            for position, text in enumerate(mixed):
                try:
                    expected = space.parse(text).choices
                except ArchitectureError as error:
                    assert str(errors.pop(position)) == str(error)
                    expected = (0,) * len(space.sizes)
                assert tuple(choices[position].tolist()) == expected
            assert errors == {}

    def test_foreign_encodings_are_refused(self) -> None:
        """Encodings that are not of the space are refused."""
        space = self.space
        for damage in ("space", "short", "long", "negative", "large"):
            arch = space.sample(np.random.default_rng(3))
            choices = arch.choices
            other = {
                "space": Architecture("another", choices),
                "short": Architecture(space.name, choices[:-1]),
                "long": Architecture(space.name, (*choices, 0)),
                "negative": Architecture(space.name, (*choices[:-1], -1)),
                "large": Architecture(space.name, (*choices[:-1], space.sizes[-1])),
            }[damage]
            assert not space.is_valid(other)
            with raises(ArchitectureError, match=space.name):
                space.check(other)
            with raises(ArchitectureError):
                space.canonical(other)

    def test_check_all_names_the_first_bad_row(self) -> None:
        """The message of `check_all` names the first bad row."""
        space = self.space
        choices = _array(_samples(space, 20))
        np.testing.assert_array_equal(space.check_all(choices), choices)
        for column, size in enumerate(space.sizes):
            for wrong in (-1, size):
                damaged = choices.copy()
                damaged[[4, 7], column] = wrong
                with raises(ArchitectureError) as caught:
                    space.check_all(damaged)
                assert str(tuple(damaged[4].tolist())) in str(caught.value)
        for shape in (choices[0], choices[:, 1:], choices[None], choices.astype(float)):
            with raises(InvalidArgumentError, match="shape"):
                space.check_all(shape)

    def test_numpy_integers_are_as_good_as_python_ones(self) -> None:
        """NumPy integers work as Python integers do."""
        space = self.space
        for arch in _samples(space, 50):
            narrow = Architecture(space.name, tuple(np.array(arch.choices, dtype=np.int8)))
            assert space.is_valid(narrow)
            assert space.key(narrow) == space.key(arch)

    def test_single_forms_agree_with_batch_forms(self) -> None:
        """Forms for one architecture agree with batch forms."""
        space = self.space
        rng = np.random.default_rng(0)
        archs = _encodings(space, rng, 500)
        valid = space.valid(_array(archs))
        assert [space.is_valid(arch) for arch in archs] == valid.tolist()
        archs = [
            *(arch for arch, ok in zip(archs, valid, strict=True) if ok),
            *_samples(space, 200),
        ]
        choices = _array(archs)
        assert [list(space.canonical(a).choices) for a in archs] == space.canonicalise(
            choices
        ).tolist()
        assert [list(space.key(a).choices) for a in archs] == space.keys(choices).tolist()

    def test_keys_are_idempotent_and_valid(self) -> None:
        """Keys are idempotent and valid."""
        space = self.space
        choices = _array(_samples(space, 500))
        whole = self._whole()
        canonical = space.canonicalise(choices)
        np.testing.assert_array_equal(space.canonicalise(canonical), canonical)
        assert whole.valid(canonical).all()
        keys = space.keys(choices)
        np.testing.assert_array_equal(space.keys(keys), keys)
        assert space.valid(keys).all()
        expected = canonical if space.isomorphs == "merged" else choices
        np.testing.assert_array_equal(keys, expected)

    def test_size_counts_the_keys_of_all_valid_encodings(self) -> None:
        """`size` is the number of keys of all valid encodings."""
        space = self.space
        if not space.enumerable:
            with raises(InvalidArgumentError, match=str(space.encodings)):
                space.all_choices()
            return
        choices = space.all_choices()
        if space.encodings < ENUMERABLE:
            every = space.from_index(np.arange(space.encodings))
            np.testing.assert_array_equal(choices, every[space.valid(every)])
        keys = set(map(tuple, space.keys(choices).tolist()))
        assert space.size == len(keys)
        assert list(map(tuple, space.unique().tolist())) == sorted(keys)

    def test_with_isomorphs_changes_the_copy_only(self) -> None:
        """`with_isomorphs` changes only the copy."""
        space = self.space
        before, size = space.isomorphs, space.size
        for rule in ("separate", "merged"):
            other = space.with_isomorphs(rule)
            assert (other.isomorphs, other.name) == (rule, space.name)
            if other.enumerable or (other.size < 10**6 and not _conditional(space)):
                # Else there is no list, and the space counts in its own way.
                assert other.size == len(other.unique())
            assert (other is space) == (rule == before)
            if other is not space:
                assert other.size >= size if rule == "separate" else other.size <= size
        assert (space.isomorphs, space.size) == (before, size)
        with raises(InvalidArgumentError, match="both"):
            space.with_isomorphs("both")  # type: ignore[arg-type]

    def test_samples_are_valid(self) -> None:
        """Samples are valid."""
        space = self.space
        rng = np.random.default_rng(0)
        assert all(space.is_valid(arch) for arch in _samples(space, 300))
        drawn = space.sample_choices(rng, 300)
        assert drawn.shape == (300, len(space.sizes))
        assert space.valid(drawn).all()

    def test_samples_are_uniform(self) -> None:
        """Samples are uniform."""
        space = self.space
        rng = np.random.default_rng(0)
        for batch in (False, True):
            n = 4000
            drawn = space.sample_choices(rng, n) if batch else _array(_samples(space, n))
            pool = space.all_choices() if space.enumerable else space.sample_choices(rng, 100_000)
            if _conditional(space) and not self.restricted:  # active decisions are uniform
                pool = space.settled(rng.integers(space.sizes, size=(100_000, len(space.sizes))))
                pool = pool[space.valid(pool)]
            for column, everything, size in zip(drawn.T, pool.T, space.sizes, strict=True):
                expected = np.bincount(everything, minlength=size) / len(pool)
                seen = np.bincount(column, minlength=size) / n
                assert (np.abs(seen - expected) <= 5 * np.sqrt(expected / n)).all()

    def test_mutation_changes_one_decision(self) -> None:
        """Mutation changes one decision, and what depends on it."""
        space = self.space
        rng = np.random.default_rng(0)
        for arch in _samples(space, 300):
            near = any(True for _ in space.neighbours(arch))
            mutant = space.mutate(arch, rng)
            assert space.is_valid(mutant)
            if near:
                assert len(_changed(space, arch, mutant)) == 1

    def test_mutation_is_uniform_over_decisions_and_prefers_the_near(self) -> None:
        """Options of a decision are equally likely, ordered ones by 1 / distance of ranks."""
        space = self.space
        rng = np.random.default_rng(0)
        if self.restricted and _conditional(space):
            raise need_not(
                "what follows from a change may leave a part, so not all changes are likely"
            )
        arch = next(a for a in _samples(space, 300) if len(list(space.neighbours(a))) > 1)
        weight: dict[tuple[int, int], float] = {}
        active = (
            space.active(_array([arch]))[0] if _conditional(space) else [True] * len(space.sizes)
        )
        for i, size in enumerate(space.sizes):
            others = [option for option in range(size) if option != arch.choices[i]]
            distance = dict.fromkeys(others, 1)
            if (decision := space.decisions[i]).ordered:
                ranks = np.argsort(np.argsort(decision.values or range(size), kind="stable"))
                distance = {o: abs(int(ranks[o] - ranks[arch.choices[i]])) for o in others}
            total = sum(1 / x for x in distance.values())
            for option in others if active[i] else []:
                one = Architecture(space.name, (*arch.choices[:i], option, *arch.choices[i + 1 :]))
                if _conditional(space) or space.is_valid(one):
                    weight[i, option] = 1 / distance[option] / total
        n = 4000
        counts = dict.fromkeys(weight, 0)
        for _ in range(n):
            mutant = space.mutate(arch, rng)
            (i,) = _changed(space, arch, mutant)
            counts[i, mutant.choices[i]] += 1
        for change, count in counts.items():
            share = weight[change] / sum(weight.values())
            assert abs(count - n * share) <= 5 * np.sqrt(n * share)

    def test_crossover_takes_each_decision_from_a_parent(self) -> None:
        """Crossover takes each decision from a parent."""
        space = self.space
        rng = np.random.default_rng(0)
        fresh = 0
        archs = _samples(space, 200)
        for a, b in zip(archs[:100], archs[100:], strict=True):
            child = space.crossover(a, b, rng)
            assert space.is_valid(child)
            choices = zip(child.choices, a.choices, b.choices, strict=True)
            taken = np.array([c in (x, y) for c, x, y in choices])
            assert (taken | ~space.active(_array([child]))[0]).all()
            fresh += child not in (a, b)
        if not self.restricted:  # a sparse part may allow the parents only
            assert fresh > 50

    def test_neighbours_are_all_single_changes(self) -> None:
        """Neighbours are all changes of one decision."""
        space = self.space
        for arch in _samples(space, 30):
            found = list(space.neighbours(arch))
            assert all(space.is_valid(a) and len(_changed(space, arch, a)) == 1 for a in found)
            expected: dict[Architecture, Architecture] = {}
            for a in _single_changes(space, arch):
                if space.is_valid(a) and space.key(a) != space.key(arch):
                    expected.setdefault(space.key(a), a)
            assert found == list(expected.values())

    def test_neighbours_of_several_are_outside_them(self) -> None:
        """Neighbours of several architectures do not contain these."""
        space = self.space
        archs = _samples(space, 5)
        found = space.neighbour_choices(_array(archs))
        own = {space.key(a) for a in archs}
        expected = {space.key(a) for arch in archs for a in space.neighbours(arch)} - own
        keys = [space.key(space.architecture(row)) for row in found]
        assert len(keys) == len(set(keys))
        assert set(keys) == expected

    def test_the_same_seed_makes_the_same_moves(self) -> None:
        """The same seed makes the same moves."""
        space = self.space

        def walk(seed: int) -> list[Architecture]:
            rng = np.random.default_rng(seed)
            path = [space.sample(rng), space.sample(rng)]
            for _ in range(20):
                path.append(space.crossover(space.mutate(path[-1], rng), path[-2], rng))
            return [*path, *(space.architecture(row) for row in space.sample_choices(rng, 5))]

        assert walk(5) == walk(5)
        assert walk(5) != walk(6)

    def test_a_restriction_keeps_every_move_inside(self) -> None:
        """Samples, mutants, children and neighbours belong to the restricted part."""
        rng = np.random.default_rng(0)
        whole = self._whole()
        listed = whole.sample_choices(rng, 60)
        part = whole.restricted(listed)
        inside = set(map(tuple, whole.keys(listed).tolist()))
        assert part.size == len(inside)
        archs = [part.sample(rng) for _ in range(60)]
        archs += [part.mutate(arch, rng) for arch in archs]
        archs += [part.crossover(a, b, rng) for a, b in pairwise(archs)]
        archs += [near for arch in archs[:20] for near in part.neighbours(arch)]
        assert all(whole.key(arch).choices in inside for arch in archs)
        outside = next(a for a in _samples(whole, 300) if whole.key(a).choices not in inside)
        assert not part.is_valid(outside)
        with raises(ArchitectureError, match="not among the"):
            part.parse(whole.format(outside))

    def test_graphs_are_topologically_ordered(self) -> None:
        """Graphs are topologically ordered."""
        space = self.space
        graphs = space.graphs(_array(_samples(space, 100)))
        assert len(graphs) == 100
        assert (graphs.edges[0] < graphs.edges[1]).all()
        assert (np.lexsort(graphs.edges) == np.arange(graphs.edges.shape[1])).all()
        first, last = graphs.offsets[:-1], graphs.offsets[1:] - 1
        np.testing.assert_array_equal(np.flatnonzero(graphs.op == INPUT), first)
        np.testing.assert_array_equal(np.flatnonzero(graphs.op == OUTPUT), last)
        assert not np.isin(graphs.edges[1], first).any()
        assert not np.isin(graphs.edges[0], last).any()
        assert (graphs.op != 0).all()  # none is unknown
        arrays = (graphs.op, graphs.attributes, graphs.edges, graphs.graph)
        assert [array.dtype.name for array in arrays] == ["int16", "float32", "int32", "int32"]
        assert graphs.attributes.shape == (graphs.op.size, 11)

    def test_a_batch_of_graphs_is_the_graphs_one_by_one(self) -> None:
        """A batch of graphs equals the single graphs."""
        space = self.space
        choices = _array(_samples(space, 20))
        batch = space.graphs(choices)
        for i, row in enumerate(choices):
            alone = space.graphs(row[None])
            nodes = slice(batch.offsets[i], batch.offsets[i + 1])
            edges = batch.edges[:, batch.graph[batch.edges[0]] == i] - batch.offsets[i]
            np.testing.assert_array_equal(alone.op, batch.op[nodes])
            np.testing.assert_array_equal(alone.attributes, batch.attributes[nodes])
            np.testing.assert_array_equal(alone.edges, edges)
        assert len(space.graphs(choices[:0])) == 0

    def test_pruned_keeps_the_nodes_between_input_and_output(self) -> None:
        """Pruned keeps the nodes between input and output."""
        import networkx as nx

        space = self.space
        graphs = space.graphs(_array(_samples(space, 100)))
        for whole, pruned in zip(_networks(graphs), _networks(graphs.pruned()), strict=True):
            last = len(whole) - 1
            after, before = nx.descendants(whole, 0), nx.ancestors(whole, last)
            kept = sorted({0, last} | ((after | {0}) & (before | {last})))
            expected = nx.relabel_nodes(
                whole.subgraph(kept), {old: i for i, old in enumerate(kept)}
            )
            assert dict(pruned.nodes(data="op")) == dict(expected.nodes(data="op"))
            assert set(pruned.edges) == set(expected.edges)


def _samples(space: SearchSpace, n: int, seed: int = 1) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(n)]


def _encodings(space: SearchSpace, rng: np.random.Generator, n: int) -> list[Architecture]:
    """Random encodings in range, valid or not."""
    drawn = rng.integers(space.sizes, size=(n, len(space.sizes)))
    return [Architecture(space.name, tuple(row)) for row in drawn.tolist()]


def _array(archs: list[Architecture]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.array([arch.choices for arch in archs])


def _conditional(space: SearchSpace) -> bool:
    return any(decision.when for decision in space.decisions)


def _changed(space: SearchSpace, a: Architecture, b: Architecture) -> list[int]:
    """Decisions that differ; with conditions, only those that are active in both."""
    rows = _array([a, b])
    differs = rows[0] != rows[1]
    if _conditional(space):
        differs &= space.active(rows).all(axis=0)
    return np.flatnonzero(differs).tolist()


def _others(space: SearchSpace, decision: int, option: int) -> list[int]:
    """The neighbours of an option in their order, for ordered decisions the nearest first."""
    if not space.decisions[decision].ordered:
        return [other for other in range(space.sizes[decision]) if other != option]
    near = Scale(space.decisions[decision]).near()[option].tolist()
    return [other for other in near if other != option]


def _single_changes(space: SearchSpace, arch: Architecture) -> list[Architecture]:
    """All encodings with another option of one decision, and the changes that follow from it."""
    rows = [
        [*arch.choices[:i], option, *arch.choices[i + 1 :]]
        for i in range(len(space.sizes))
        for option in _others(space, i, arch.choices[i])
    ]
    return [Architecture(space.name, tuple(row)) for row in space.settled(np.array(rows)).tolist()]


def _networks(graphs: ArchGraphs) -> list[Any]:
    import networkx as nx

    offsets = graphs.offsets
    networks = []
    for first, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        network = nx.DiGraph()
        for node in range(first, end):
            network.add_node(node - first, op=int(graphs.op[node]))
        networks.append(network)
    for source, target in graphs.edges.T.tolist():
        graph = int(graphs.graph[source])
        assert graph == graphs.graph[target]
        networks[graph].add_edge(source - offsets[graph], target - offsets[graph])
    return networks
