"""What a guide notices about its own search: that it stalls, and that it measures repeats.

What was tried with `bayesian` on eight tasks whose best architectures are hard to tell apart (six
of M-DESIGN, accuracy under attack in NAS-Bench-201, and an autoencoder of TransNAS-Bench-101), one
trial at a time, six seeds. The numbers are the mean rank divided by that of the better one of
evolution and local search alone, the geometric mean over the tasks, after 50, 100, 150 and 200
trials. With so few seeds they are rough.

- Neither of the two: 1.01, .98, .90, .80.
- With repeats left out: 1.01, .84, .77, .53.
- And every other proposal from the neighbours of the best five, by the same model: .89, 1.08, 1.05,
  .69; by a Gaussian process on the decisions alone: .69, .99, 1.17, .62.
- A bandit over the model, the neighbours of the best by a process on decisions, and the inner
  searcher, each credited when it found one of the best tenth: .69, .65, .72, .59. In smooth spaces
  it is slower for its first fifty trials.
- Exploration that widens without gain, in every plan and half as fast: .44, .33, .41, .35, and the
  bandit adds nothing to it. But where the model is right and the optimum near, it goes away from
  it: an additive function of architectures and learning rates was not solved in 60 trials.
- In every other plan only, at once and twice as fast: .52, .71, .46, .48, and that function is
  solved. But where the model is right it costs: `bayesian` finds the best cell of NAS-Bench-201 on
  CIFAR-100 after a median of 35 trials (40 seeds), before after 29 (20 seeds).
- In every other plan after ten proposals without gain: .75, .57, .54, .41 without the autoencoder,
  and 34 trials (90 seeds). After twenty, as it is here: 1.04, .64, .62, .47, and 31.5 trials (70
  seeds). Under attack the mean rank after 100 and 200 trials is 53 and
  1.2 of 15,625 with the last (20 seeds); it was 94 and 92, and evolution's is 79 and 39.
- In batches of five on NAS-Bench-Graph, where twenty proposals are four rounds, counting proposals
  made `evolution+gp` worse after 100 trials (mean rank 69, before 39; 64 runs, p = .007).
- With the prior of `meta-gnn` it gained nothing on the eight tasks of NAS-Bench-Graph (one run
  each): after 100 trials no rank was better and four were worse, one 130 and not 7.

Guides by `xgboost`, whose uncertainty is nearly the same everywhere, gain less by exploring wider:
five of 60 searches on NAS-Bench-201 after 12 epochs were at rank 300 to 1,400 of 15,625 after 100
trials, where more than half of them had found the best cell. With a process in every other plan
after twenty rounds, as it is here, the worst of these 60 is at rank 7. On all 40 tasks of the
README with 20 seeds the ratios are .87, .59, .56, .54, and were .87, .72, .68, .59 without it.
It gains most on M-DESIGN (1.19, 1.45, 1.12, .80; before 1.19, 1.60, 1.63, 1.16), and loses on
NAS-Bench-Graph (.68, .54, .46, .43; before .68, .45, .50, .39) and under attack after 100 trials
(.52; before .36). It was chosen on ten of the tasks. Other guides were not tried.

Guides with the prior of `meta-gnn` were tried on the same eight tasks and on NAS-Bench-201 under
attack, with weights of other spaces, where one of four searches stayed at rank 1,360 of 15,625 from
trial 10 to 200. Up to three runs a task, all but the first without a random quarter of the table.
The numbers are ranks divided by those without a second opinion (geometric means), after 50, 100,
150 and 200 trials.

- A process from scratch in every other plan after twenty rounds without gain: .53, .33, .31, .31
  under attack (12 runs), but 1.22, 1.88, 1.47, 1.47 on NAS-Bench-Graph (8 runs).
- After forty: 1, .35, .35, .33 and (16 runs) 1, 1.30, 1.22, 1.28.
- After fifty, or after twenty where the process predicts the trials better (cross-validation in
  two parts): 1, .44, .31, .31 and (16 runs) 1, .97, 1.03, 1.03. On NAS-Bench-Graph the prior
  predicts the trials better even where it stalls; under attack neither predicts them. So the
  second condition was left out.
- After fifty, as it is here: 1, .31, .31, .31 and (24 runs) 1, 1.01, 1.16, 1.14, better in 1 and
  worse in 4 of these after 200 trials; on TransNAS-Bench-101 (14 runs) 1, .98, 1.10, 1; with the
  prior of `transfer-ridge` on M-DESIGN (22 runs) 1, 1, 1.03, 1.10.
"""

from __future__ import annotations

import math

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.spaces.base import Architecture, SearchSpace

PATIENCE = 20  # rounds without gain that change nothing
PATIENCE_WITH_PRIOR = 50  # the same of a guide with a prior
_GROWTH = 10  # further ones by which the factor of exploration grows by 1
_WIDEST = 4.0  # factor of exploration at most
_REPEATS = 2  # equal measurements of equal networks before further ones are left out


class Stall:
    """Counts a guide's rounds without gain, and widens its exploration the more there are.

    A round is what is proposed before new results are told: one proposal, or a batch. The proposals
    of a batch are made from the same results, so that they are one failure of the model.

    A model that is wrong about a region goes on proposing there, or proposes elsewhere what it
    takes for second best. Both end when uncertainty counts more. This begins after twenty
    rounds without gain, and a gain ends it. Only every other plan is widened, as the model may
    be right, and the optimum near.

    Attributes:
        without_gain: Rounds of the guide since the last gain.
        factor: By what the exploration is multiplied in this plan, from 1 to 4.
        turned: Whether this plan is one of those that a stall changes. If one of these finds the
            gain that ends a stall, they go on, as it does not speak for the others.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        """Start before the first trial.

        Args:
            patience: Rounds without gain that change nothing.
        """
        self.patience = patience
        self.without_gain = 0
        self.factor = 1.0
        self.turned = False
        self._best = -math.inf
        self._widen = False
        self._stalled = False  # and no other plan had a gain since
        self._proposed = False  # something since the last result that counted

    def propose(self) -> None:
        """Note that the guide proposes, so that the next result is one of a new round."""
        self._proposed = True

    def observe(self, value: float | None, *, guided: bool, turned: bool = False) -> None:
        """Count one trial.

        Args:
            value: Its value; None if it failed.
            guided: Whether the guide proposed it; others count if they are a gain.
            turned: Whether it was of a plan that a stall changed.
        """
        if value is not None and value > self._best:
            self._best = value
            self.without_gain = 0
            self._proposed = False
            self._stalled &= turned
        elif guided and self._proposed:
            self.without_gain += 1
            self._proposed = False

    def next_plan(self) -> None:
        """Decide how far the next plan explores."""
        self._widen = not self._widen
        wide = min(1 + max(0, self.without_gain - self.patience) / _GROWTH, _WIDEST)
        self.factor = wide if self._widen else 1.0
        self._stalled |= wide > 1
        self.turned = self._widen and self._stalled


class RepeatedNetworks:
    """Finds encodings of networks that were measured already, where that is of no use.

    A space may have several encodings of one network (`SearchSpace.isomorphs`). Trained
    separately, they differ by the luck of a training, and the best are worth a repetition. But if
    repetitions measured exactly the same value as before, so will the others.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Start before the first trial.

        Args:
            space: Its rule of isomorphism says which encodings are equal.
        """
        self._space = space
        self._values: dict[Architecture, dict[Architecture, float]] = {}  # by canonical form
        self._repeated = 0
        self._differ: set[Architecture] = set()  # canonical forms whose values differ
        self._last: tuple[IntArray, IntArray] | None = None

    def observe(self, arch: Architecture, value: float) -> None:
        """Learn the value of one encoding."""
        if self._space.isomorphs == "merged":  # searches never repeat a network
            return
        network = self._space.canonical(arch)
        measured = self._values.setdefault(network, {})
        self._repeated += bool(measured) and arch not in measured
        measured[arch] = value
        if len(set(measured.values())) > 1:
            self._differ.add(network)
        else:
            self._differ.discard(network)

    def among(self, choices: IntArray) -> BoolArray:
        """Which encodings (n, decisions) would only repeat a measurement: bool (n,)."""
        if self._repeated < _REPEATS or self._differ:
            return np.zeros(len(choices), dtype=np.bool_)
        known = self._space.index(np.array([network.choices for network in self._values]))
        return np.isin(self._numbers(choices), known)

    def _numbers(self, choices: IntArray) -> IntArray:
        """Numbers of the canonical forms; those of a read-only array are kept."""
        if self._last is not None and choices is self._last[0]:
            return self._last[1]
        numbers = self._space.index(self._space.canonicalise(choices))
        if not choices.flags.writeable:
            self._last = choices, numbers
        return numbers
