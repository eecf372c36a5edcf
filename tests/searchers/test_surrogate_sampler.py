"""`SurrogateSampler` in studies of a user: Optuna's published tests, and our promises."""

from __future__ import annotations

import copy
import math
import pickle
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
)
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import rankdata

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import (
    Evaluation,
    FunctionObjective,
    Proposal,
    TaskData,
    Trial,
)
from surrogate_nas.predictors.base import Adapted
from surrogate_nas.predictors.meta.ridge import TransferRidge
from surrogate_nas.searchers.sampler import SurrogateSampler, suggest_architecture
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Stored, open_storage
from surrogate_nas.transfer import choose_for_training
from tests.searchers.toys import Linear, ToySpace, additive

SPACE = ToySpace((3, 4, 2, 5, 3))
FUNCTION = additive(SPACE, 1)
TINY = ToySpace((3, 3, 3))  # 26 architectures
Direction = Literal["maximize", "minimize"]

optuna.logging.set_verbosity(optuna.logging.WARNING)


class TestPublished(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: SurrogateSampler(SPACE, Linear(), seed=0)


class Recorder(Linear):
    """Keeps what it was fitted to last."""

    data: TaskData

    def fit(self, data: TaskData) -> Self:
        self.data = data
        return super().fit(data)

    def value_of(self, arch: Architecture) -> float:
        (row,) = (self.data.choices == arch.choices).all(axis=1).nonzero()[0]
        return float(self.data.values[row])


def ranks(values: Sequence[float]) -> list[float]:
    """Searches learn from ranks, in which equal values are equal."""
    return rankdata(values, "dense").tolist()  # type: ignore[no-any-return]


def objective(trial: optuna.Trial) -> float:
    return FUNCTION(suggest_architecture(trial, SPACE))


def study_of(sampler: BaseSampler, direction: Direction = "maximize") -> optuna.Study:
    return optuna.create_study(direction=direction, sampler=sampler)


def architectures(study: optuna.Study, space: ToySpace = SPACE) -> list[Architecture]:
    return [suggest_architecture(t, space) for t in study.trials if "d0" in t.params]


def new(*, seed: int = 0, predictor: Linear | str | None = None) -> SurrogateSampler:
    return SurrogateSampler(SPACE, predictor or Linear(), seed=seed)


# Searching ------------------------------------------------------------------------------------


def test_a_guided_study_finds_the_best_without_repetition() -> None:
    best = max(FUNCTION(SPACE.architecture(c)) for c in SPACE.unique())
    study = study_of(new())
    study.optimize(objective, n_trials=50)
    assert study.best_value == best
    found = architectures(study)
    assert len(set(found)) == len(found) == 50


def test_a_seed_fixes_the_study_and_the_direction_does_not_matter() -> None:
    studies = {}
    for name, seed, sign in (("max", 1, 1), ("min", 1, -1), ("other", 2, 1)):
        studies[name] = study_of(new(seed=seed), "maximize" if sign == 1 else "minimize")
        studies[name].optimize(lambda trial, sign=sign: sign * objective(trial), n_trials=30)  # type: ignore[misc]
    assert architectures(studies["max"]) == architectures(studies["min"])
    assert architectures(studies["max"]) != architectures(studies["other"])


def test_without_a_seed_studies_differ() -> None:
    studies = [study_of(SurrogateSampler(SPACE, "none")) for _ in range(2)]
    for study in studies:
        study.optimize(objective, n_trials=10)
    assert architectures(studies[0]) != architectures(studies[1])


def test_one_sampler_serves_one_study_after_the_other() -> None:
    sampler = new()
    studies = [study_of(sampler) for _ in range(2)]
    for study in studies:
        study.optimize(objective, n_trials=8)
    assert architectures(studies[0]) == architectures(studies[1])


def test_the_space_is_used_up_exactly_and_then_repeated() -> None:
    study = study_of(SurrogateSampler(TINY, Linear(), seed=0))
    study.optimize(lambda trial: sum(suggest_architecture(trial, TINY).choices), n_trials=26)
    assert len(set(architectures(study, TINY))) == 26
    with pytest.warns(UserWarning, match="'toy' was proposed already.*repeated at random"):
        study.optimize(lambda trial: sum(suggest_architecture(trial, TINY).choices), n_trials=1)
    assert TINY.is_valid(architectures(study, TINY)[-1])


# Other parameters -----------------------------------------------------------------------------


def test_other_parameters_go_to_the_independent_sampler() -> None:
    def train(trial: optuna.Trial) -> float:
        before = trial.suggest_float("lr", 0, 1)
        arch = suggest_architecture(trial, SPACE)
        return FUNCTION(arch) + before + trial.suggest_int("width", 1, 64)

    class Constant(RandomSampler):
        def sample_independent(
            self,
            study: optuna.Study,
            trial: FrozenTrial,
            param_name: str,
            param_distribution: BaseDistribution,
        ) -> float:
            calls.append(param_name)
            return {"lr": 0.25, "width": 7}[param_name]

    calls: list[str] = []
    other = Constant()
    sampler = SurrogateSampler(SPACE, Linear(), seed=0, independent_sampler=other)
    study = study_of(sampler)
    study.optimize(train, n_trials=25)
    assert {(t.params["lr"], t.params["width"]) for t in study.trials} == {(0.25, 7)}
    assert set(calls) == {"lr", "width"}
    plain = study_of(new())
    plain.optimize(objective, n_trials=25)
    assert architectures(study) == architectures(plain)
    # And inside sample_relative.
    trial = study.ask()
    space = sampler.infer_relative_search_space(study, study.trials[-1])
    assert list(space) == [d.name for d in SPACE.decisions]
    space["lr"] = optuna.distributions.FloatDistribution(0, 1)
    params = sampler.sample_relative(study, study.trials[trial.number], space)
    assert params.keys() == space.keys()
    assert params["lr"] == 0.25


def test_a_trial_that_has_no_architecture_uses_none_up() -> None:
    study = study_of(SurrogateSampler(TINY, Linear(), seed=0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(51):
            trial = study.ask()
            if number % 2:
                study.tell(trial, trial.suggest_float("lr", 0, 1))
            else:
                study.tell(trial, sum(suggest_architecture(trial, TINY).choices))
    found = [t for t in study.trials if "d0" in t.params]
    assert len({tuple(t.params.values()) for t in found}) == len(found) == 26


# Trials of all states -------------------------------------------------------------------------


def test_running_trials_are_pending_in_every_process() -> None:
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="s", sampler=new())
    study.optimize(objective, n_trials=21)
    for seed in (0, 5):  # other processes have samplers of their own
        again = optuna.load_study(study_name="s", storage=storage, sampler=new(seed=seed))
        for _ in range(10):
            suggest_architecture(again.ask(), SPACE)
    found = architectures(study)
    assert [t.state for t in study.trials[21:]] == [TrialState.RUNNING] * 20
    assert len(set(found)) == len(found) == 41


def test_threads() -> None:
    study = study_of(new())
    study.optimize(objective, n_trials=40, n_jobs=2)
    found = architectures(study)
    assert len(set(found)) == len(found) == 40


def test_a_study_goes_on_in_a_new_process(tmp_path: Path) -> None:
    for _ in range(2):
        storage = open_storage(tmp_path / "run.journal")
        study = optuna.create_study(
            storage=storage,
            study_name="s",
            direction="maximize",
            sampler=new(),
            load_if_exists=True,
        )
        study.optimize(objective, n_trials=13)
    found = architectures(study)
    assert len(set(found)) == len(found) == 26


@pytest.mark.parametrize("sign", [1, -1])
def test_what_the_predictor_learns(sign: int) -> None:
    recorder = Recorder()
    study = study_of(new(predictor=recorder), "maximize" if sign == 1 else "minimize")
    endings: list[float | Exception] = [
        *(sign * float(v) for v in range(10, 31)),  # in the values of a search, 10 to 30
        RuntimeError("out of memory"),
        math.nan,
        math.inf,
        optuna.TrialPruned(),
        sign * 40.0,  # pruned after it reported this
        sign * 2.0,  # the same, worse than all that finished
    ]

    def ending(trial: optuna.Trial) -> float:
        suggest_architecture(trial, SPACE)
        end = endings[trial.number]
        if isinstance(end, Exception):
            raise end
        if trial.number >= len(endings) - 2:
            trial.report(end, 1)
            raise optuna.TrialPruned
        return end

    study.optimize(ending, n_trials=len(endings), catch=RuntimeError)
    for _ in range(10):  # until it is fitted again
        suggest_architecture(study.ask(), SPACE)
    found = architectures(study)
    learnt = [recorder.value_of(arch) for arch in found[: len(endings)]]
    assert ranks(learnt) == ranks([*range(10, 31), *[10.0] * 4, 40.0, 10.0])


def test_pruned_trials_wait_for_one_that_finished() -> None:
    recorder = Recorder()
    study = study_of(new(predictor=recorder))

    def pruned_first(trial: optuna.Trial) -> float:
        suggest_architecture(trial, SPACE)
        if trial.number < 5:
            trial.report(-100.0, 1)
            raise optuna.TrialPruned
        return float(trial.number)

    study.optimize(pruned_first, n_trials=30)
    learnt = [recorder.value_of(arch) for arch in architectures(study)[:10]]
    assert learnt[:5] == [learnt[5]] * 5  # as the worst that finished
    assert learnt[5:] == sorted(set(learnt))


@pytest.mark.parametrize("pruner", [MedianPruner(n_startup_trials=3), HyperbandPruner(1, 9)])
def test_pruners(pruner: BasePruner) -> None:
    def train(trial: optuna.Trial) -> float:
        arch = suggest_architecture(trial, SPACE)
        for epoch in range(1, 10):
            trial.report(FUNCTION(arch) - 1 / epoch, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return FUNCTION(arch)

    study = optuna.create_study(direction="maximize", sampler=new(), pruner=pruner)
    study.optimize(train, n_trials=60)
    states = {t.state for t in study.trials}
    assert states == {TrialState.COMPLETE, TrialState.PRUNED}
    found = architectures(study)
    assert len(set(found)) == len(found) == 60
    assert study.best_value == max(FUNCTION(SPACE.architecture(c)) for c in SPACE.unique())


def test_enqueued_trials_are_evaluated_once() -> None:
    ordinary = study_of(new())
    ordinary.optimize(objective, n_trials=30)
    wanted = [ordinary.trials[i].params for i in (3, 4, 25)]
    study = study_of(new())
    for params in wanted:
        study.enqueue_trial(params)
    study.optimize(objective, n_trials=60)
    assert [t.params for t in study.trials[:3]] == wanted
    found = architectures(study)
    assert len(set(found)) == len(found) == 60


def test_fixed_decisions_are_kept() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = PartialFixedSampler({"d1": "2"}, new())
    study = study_of(sampler)
    study.enqueue_trial({"d0": "1"})
    study.optimize(objective, n_trials=30)
    assert {arch.choices[1] for arch in architectures(study)} == {2}
    assert study.trials[0].params["d0"] == "1"


# Warm start -----------------------------------------------------------------------------------


def known(n: int) -> TaskData:
    choices = SPACE.unique()[np.random.default_rng(0).permutation(SPACE.size)[:n]]
    values = np.array([FUNCTION(SPACE.architecture(c)) for c in choices])
    return TaskData("known", SPACE, choices, values)


def test_a_table_is_a_warm_start() -> None:
    data, recorder = known(40), Recorder()
    study = study_of(SurrogateSampler(SPACE, recorder, seed=0, warm_start=data))
    study.optimize(objective, n_trials=5)
    assert recorder.fits > 0
    assert len(recorder.data) >= 40
    found = architectures(study)
    assert not {arch.choices for arch in found} & set(map(tuple, data.choices.tolist()))
    assert study.best_value > data.values.max()


@pytest.mark.parametrize("sign", [1, -1])
def test_a_study_is_a_warm_start(sign: int) -> None:
    direction: Direction = "maximize" if sign == 1 else "minimize"
    first = study_of(RandomSampler(seed=0), direction)
    first.optimize(lambda trial: sign * objective(trial), n_trials=40)
    recorder = Recorder()
    sampler = SurrogateSampler(SPACE, recorder, seed=0, warm_start=first)
    study = study_of(sampler, direction)
    study.optimize(lambda trial: sign * objective(trial), n_trials=5)
    past = [arch for t, arch in zip(first.trials, architectures(first), strict=True) if t.value]
    assert not set(architectures(study)) & set(past)
    learnt = [recorder.value_of(arch) for arch in past]
    assert ranks(learnt) == ranks([round(FUNCTION(arch), 9) for arch in past])


def test_warm_starts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="warm_start must be of the space 'toy'"):
        SurrogateSampler(TINY, warm_start=known(3))
    other = study_of(RandomSampler(seed=0), "minimize")
    study = study_of(SurrogateSampler(SPACE, "none", warm_start=other))
    with pytest.raises(InvalidArgumentError, match=r"to maximize one value.*\['minimize'\]"):
        study.optimize(objective, n_trials=1)
    wrong: Any
    for wrong in (FunctionObjective(SPACE, FUNCTION), "x", []):
        with pytest.raises(InvalidArgumentError, match="warm_start must be an Optuna study"):
            SurrogateSampler(SPACE, "none", warm_start=wrong)
    foreign = study_of(RandomSampler(seed=0))
    foreign.optimize(lambda trial: trial.suggest_float("lr", 0, 1), n_trials=3)
    with pytest.raises(InvalidArgumentError, match="none of the 3 finished trials"):
        SurrogateSampler(SPACE, "none", warm_start=foreign)
    SurrogateSampler(SPACE, "none", warm_start=study_of(RandomSampler(seed=0)))  # nothing yet


# Around it ------------------------------------------------------------------------------------


def test_names_and_objectives_are_checked() -> None:
    with pytest.raises(UnknownNameError, match="searcher 'evolutoin'"):
        SurrogateSampler(SPACE, searcher="evolutoin")
    with pytest.raises(UnknownNameError, match="predictor 'pg'"):
        SurrogateSampler(SPACE, "pg")
    for seed in (-1, 1.5):
        with pytest.raises(InvalidArgumentError, match=f"seed must be .* got {seed}"):
            SurrogateSampler(SPACE, "none", seed=seed)  # type: ignore[arg-type]
    SurrogateSampler(SPACE, "none", seed=np.int64(3))  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("limited", [False, True])
def test_a_study_of_several_directions_is_searched_for_its_front(limited: bool) -> None:
    def two(trial: optuna.Trial) -> tuple[float, float]:
        choices = suggest_architecture(trial, SPACE).choices
        if choices[0] == 2:
            raise optuna.TrialPruned
        trial.set_user_attr("last", choices[-1])
        return float(sum(choices)), float(choices[0] + choices[1])

    def beyond(trial: optuna.trial.FrozenTrial) -> list[float]:
        return [trial.user_attrs["last"] - 0.5]

    sampler = SurrogateSampler(
        SPACE, Linear(seed=0), seed=0, constraints_func=beyond if limited else None
    )
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    study.optimize(two, n_trials=60)
    found = architectures(study)
    assert len(set(found)) == len(found) == 60
    done = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    kept = [trial for trial in done if not limited or beyond(trial)[0] <= 0]
    best = {0: 0.0, 1: 0.0}
    for trial in kept:
        best[int(trial.values[1])] = max(best.get(int(trial.values[1]), 0), trial.values[0])
    most = 1 + 4 + (0 if limited else 2)  # of the other decisions
    assert best[0] == most
    assert best[1] == most + 1
    if limited:
        assert len(kept) > len(done) / 2


def test_values_of_a_table_are_no_warm_start_of_several_directions() -> None:
    sampler = SurrogateSampler(SPACE, "none", warm_start=known(9))
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    with pytest.raises(InvalidArgumentError, match="a study of the same directions"):
        suggest_architecture(study.ask(), SPACE)


def test_copies_go_on_from_the_study() -> None:
    study = study_of(new())
    study.optimize(objective, n_trials=25)
    for again in (pickle.loads(pickle.dumps(study)), copy.deepcopy(study)):
        again.optimize(objective, n_trials=5)
        found = architectures(again)
        assert len(set(found)) == len(found) == 30


def test_a_study_with_a_predictor_that_learnt_from_others_can_be_pickled() -> None:
    task = open_benchmark("nas-bench-graph").task("cora")
    other = open_benchmark("nas-bench-graph").task("citeseer").data(np.arange(200))
    ridge = Adapted(TransferRidge().meta_fit([other]), task.space)
    chosen = choose_for_training("auto", task.space, "cora")
    assert chosen.name == "meta-gnn"
    for predictor in (ridge, chosen.make):
        study = study_of(SurrogateSampler(task.space, predictor, seed=0))
        study.optimize(lambda t: task.evaluate(suggest_architecture(t, task.space)).value, 3)
        again = pickle.loads(pickle.dumps(study))
        assert suggest_architecture(again.ask(), task.space) not in {
            suggest_architecture(trial, task.space) for trial in study.trials
        }


def test_what_a_predictor_of_other_tasks_needs_is_said() -> None:
    for name in ("auto", "meta-gnn"):
        with pytest.raises(InvalidArgumentError, match=r"choose_for_training.*\.make"):
            SurrogateSampler(SPACE, name)


def test_other_samplers_prune_what_is_no_architecture() -> None:
    space = ToySpace((2, 2))
    study = study_of(RandomSampler(seed=0))
    study.optimize(lambda t: sum(suggest_architecture(t, space).choices), n_trials=30)
    pruned = {tuple(t.params.values()) for t in study.trials if t.state == TrialState.PRUNED}
    assert pruned == {("0", "0")}
    # Ours reads such a study.
    study.sampler = SurrogateSampler(space, "none", seed=0)
    with pytest.warns(UserWarning, match="repeated"):
        study.optimize(lambda t: sum(suggest_architecture(t, space).choices), n_trials=1)


def test_parameters_are_those_of_the_store() -> None:
    storage = optuna.storages.InMemoryStorage()
    stored = Stored(FunctionObjective(SPACE, FUNCTION), storage, name="s", settings={})
    arch = SPACE.architecture(np.array([2, 1, 0, 4, 1]))
    stored.record(Trial(Proposal(0, arch), Evaluation((1.0,))))
    study = optuna.load_study(study_name="s", storage=storage, sampler=new())
    assert suggest_architecture(study.best_trial, SPACE) == arch
    study.optimize(objective, n_trials=20)
    assert architectures(study).count(arch) == 1


def test_the_examples_run() -> None:
    text = (Path(__file__).parents[2] / "docs" / "optuna.md").read_text(encoding="utf-8")
    first, *others = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(first, names)
    study, task = names["study"], names["task"]
    states = [trial.state for trial in study.trials]
    assert len(states) == 60
    assert set(states) == {TrialState.COMPLETE, TrialState.PRUNED}
    assert len({tuple(trial.params.values()) for trial in study.trials}) == 60
    assert names["best"] == suggest_architecture(study.best_trial, task.space)
    assert 1e-3 < study.best_params["lr"] < 2e-2
    for code in others:
        exec(code, names)
    assert names["space"].size == 3 * 11 * 8 * (1 + 8 + 64) // 3
    assert names["new"].best_value > names["old"].best_value
