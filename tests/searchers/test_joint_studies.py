"""`SurrogateSampler` over architectures and what trials suggest beside them."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import TrialState
from scipy.stats import wilcoxon

from surrogate_nas import space_from_study
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.base import Adapted
from surrogate_nas.predictors.meta.ridge import TransferRidge
from surrogate_nas.searchers.sampler import SurrogateSampler, suggest_architecture
from surrogate_nas.spaces.custom import define_space
from surrogate_nas.spaces.decisions import Decision, grid
from tests.searchers.toys import Linear, ToySpace, additive

SPACE = ToySpace((3, 4, 2, 5, 3))
FUNCTION = additive(SPACE, 1)
RATES = grid(1e-4, 1e-1, step=None, levels=11, log=True, whole=False)

optuna.logging.set_verbosity(optuna.logging.WARNING)


def new(**options: Any) -> SurrogateSampler:
    return SurrogateSampler(SPACE, Linear(), **{"seed": 0} | options)


def study_of(sampler: BaseSampler) -> optuna.Study:
    return optuna.create_study(direction="maximize", sampler=sampler)


def peak(rate: float, at: float = 1e-2) -> float:
    return -2 * math.log10(rate / at) ** 2


def train(trial: optuna.Trial) -> float:
    arch = suggest_architecture(trial, SPACE)
    return FUNCTION(arch) + peak(trial.suggest_float("lr", 1e-4, 1e-1, log=True))


def points(study: optuna.Study, start: int = 0) -> list[tuple[Any, ...]]:
    """Parameters of the trials, by name."""
    return [tuple(sorted(t.params.items())) for t in study.trials[start:]]


# Joint ----------------------------------------------------------------------------------------


def test_the_learning_rate_is_searched_from_the_second_trial_on() -> None:
    study = study_of(new())
    study.optimize(train, n_trials=60)
    rates = [trial.params["lr"] for trial in study.trials]
    assert rates[0] not in RATES
    assert set(rates[1:]) <= set(RATES)
    assert len(set(points(study))) == 60
    best = max(FUNCTION(SPACE.architecture(c)) for c in SPACE.unique())
    assert study.best_value == pytest.approx(best + max(map(peak, RATES)))


def test_joint_search_beats_random_learning_rates() -> None:
    """Paired over functions: the same architectures' effects and the same best rate."""
    joint: list[float] = []
    independent: list[float] = []
    for seed in range(8):
        function = additive(SPACE, seed)
        at = 10 ** np.random.default_rng(seed).uniform(-4, -1)

        def objective(trial: optuna.Trial, function: Any = function, at: float = at) -> float:
            arch = suggest_architecture(trial, SPACE)
            return float(function(arch) + peak(trial.suggest_float("lr", 1e-4, 0.1, log=True), at))

        for found, other in ((joint, None), (independent, RandomSampler(seed=seed))):
            study = study_of(new(seed=seed, independent_sampler=other))
            study.optimize(objective, n_trials=40)
            found.append(study.best_value)
    assert wilcoxon(joint, independent, alternative="greater").pvalue < 0.05


@pytest.mark.parametrize("predictor", ["gp", "xgboost", "none"])
def test_other_guides(predictor: str) -> None:
    space = define_space("mine", [Decision.categorical(f"op{i}", "abcd") for i in range(3)])

    def objective(trial: optuna.Trial) -> float:
        arch = suggest_architecture(trial, space)
        return sum(arch.choices) + peak(trial.suggest_float("lr", 1e-4, 1e-1, log=True))

    study = study_of(SurrogateSampler(space, predictor, seed=0))
    study.optimize(objective, n_trials=35)
    assert len(set(points(study))) == 35


def test_a_seed_fixes_the_study_and_a_new_process_goes_on() -> None:
    whole = study_of(new())
    whole.optimize(train, n_trials=40)
    again = study_of(new())
    again.optimize(train, n_trials=25)
    assert points(again) == points(whole)[:25]
    other = optuna.load_study(
        study_name=again.study_name, storage=again._storage, sampler=new(seed=3)
    )
    other.optimize(train, n_trials=15)
    assert len(set(points(other))) == 40
    assert set(t.params["lr"] for t in other.trials[1:]) <= set(RATES)


def test_an_architecture_is_tried_again_with_another_rate() -> None:
    tiny = ToySpace((2, 2))  # three architectures

    def objective(trial: optuna.Trial) -> float:
        arch = suggest_architecture(trial, tiny)
        return sum(arch.choices) + trial.suggest_int("depth", 1, 4)

    study = study_of(SurrogateSampler(tiny, Linear(), seed=0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study.optimize(objective, n_trials=12)
    assert len(set(points(study))) == 12
    assert study.best_value == 6
    with pytest.warns(UserWarning, match="repeated at random"):
        study.optimize(objective, n_trials=1)


def test_all_kinds_of_parameters_and_conditions() -> None:
    def objective(trial: optuna.Trial) -> float:
        arch = suggest_architecture(trial, SPACE)
        value = FUNCTION(arch) + trial.suggest_int("width", 1, 10**6) / 10**6
        value += trial.suggest_float("dropout", 0, 0.5, step=0.25)
        trial.suggest_float("constant", 1, 1)
        if trial.suggest_categorical("optimizer", ["adam", "sgd", None]) == "sgd":
            value += trial.suggest_float("momentum", 0, 1)
        return value

    study = study_of(new())
    study.optimize(objective, n_trials=80)
    seen = points(study, 20)
    assert len(set(seen)) == len(seen)
    late = [t.params for t in study.trials[40:]]
    # It pays, but a guide without gain also tries what it knows less about.
    assert np.mean(["momentum" in p for p in late]) > 0.5
    assert all(isinstance(p["width"], int) for p in late)
    assert study.best_params["width"] > 500_000
    assert study.best_params["momentum"] > 0.5


def test_a_parameter_that_is_given_up_no_longer_counts() -> None:
    study = study_of(new())
    study.optimize(train, n_trials=12)
    study.optimize(lambda t: FUNCTION(suggest_architecture(t, SPACE)), n_trials=40)
    late = points(study, 24)
    assert len(set(late)) == len(late)


def test_a_long_range_may_decide_what_is_there() -> None:
    def objective(trial: optuna.Trial) -> float:
        value = FUNCTION(suggest_architecture(trial, SPACE))
        steps = trial.suggest_int("steps", 1, 10**6, log=True)
        return value + (trial.suggest_float("decay", 0, 1) if steps > 1000 else 0)

    study = study_of(SurrogateSampler(SPACE, "none", seed=0))
    study.optimize(objective, n_trials=40)
    assert all(t.state == TrialState.COMPLETE for t in study.trials)


def test_ranges_that_depend_on_the_architecture() -> None:
    def objective(trial: optuna.Trial) -> float:
        arch = suggest_architecture(trial, SPACE)
        return FUNCTION(arch) + trial.suggest_int("skip", 0, 1 + arch.choices[1])

    study = study_of(new())
    study.optimize(objective, n_trials=40)
    assert all(t.state == TrialState.COMPLETE for t in study.trials)
    best = max(FUNCTION(SPACE.architecture(c)) + 1 + c[1] for c in SPACE.unique())
    assert study.best_value >= best - 1


def test_failed_pruned_and_enqueued_trials() -> None:
    def objective(trial: optuna.Trial) -> float:
        value = train(trial)
        if trial.number % 5 == 3:
            raise RuntimeError
        if trial.number % 5 == 4:
            trial.report(value, 1)
            raise optuna.TrialPruned
        return value

    study = study_of(new())
    study.enqueue_trial({"lr": 0.05})
    study.enqueue_trial({f"d{i}": "1" for i in range(5)})
    study.optimize(objective, n_trials=50, catch=RuntimeError)
    assert study.trials[0].params["lr"] == 0.05
    assert len(set(points(study))) == 50


def test_a_predictor_of_other_tasks_guides_architectures_alone() -> None:
    choices = SPACE.unique()
    values = np.array([FUNCTION(SPACE.architecture(c)) for c in choices])
    ridge = TransferRidge().meta_fit([TaskData("other", SPACE, choices, values)])
    study = study_of(SurrogateSampler(SPACE, Adapted(ridge, SPACE), seed=0))
    study.optimize(train, n_trials=12)
    assert not {t.params["lr"] for t in study.trials} & set(RATES)
    assert len({suggest_architecture(t, SPACE) for t in study.trials}) == 12


# Studies that are there already ---------------------------------------------------------------


def test_ints_of_a_study_are_decisions_of_a_space() -> None:
    space = define_space(
        "mine",
        [Decision.integer("depth", 1, 4), Decision.numbers("width", [16, 32, 64]),
         Decision.categorical("norm", ["batch", "layer"])],
    )  # fmt: skip

    def objective(trial: optuna.Trial) -> float:
        depth = trial.suggest_int("depth", 1, 4)
        width = trial.suggest_categorical("width", [16, 32, 64])
        norm = trial.suggest_categorical("norm", ["batch", "layer"])
        return depth + width / 64 + (norm == "layer")

    study = study_of(RandomSampler(seed=0))
    study.optimize(objective, n_trials=3)
    before = set(points(study))
    study.sampler = SurrogateSampler(space, "gp", seed=0)
    study.optimize(objective, n_trials=15)
    new_ones = points(study, 3)
    assert len(set(new_ones)) == 15
    assert not before & set(new_ones)
    assert study.best_value == 6
    best = suggest_architecture(study.best_trial, space)
    assert space.chosen(best) == {"depth": 4, "width": 64, "norm": "layer"}


def test_an_old_study_goes_on_in_the_space_of_its_own() -> None:
    def objective(trial: optuna.Trial) -> float:
        value = peak(trial.suggest_float("lr", 1e-4, 1e-1, log=True))
        if trial.suggest_categorical("optimizer", ["adam", "sgd"]) == "sgd":
            value += trial.suggest_float("momentum", 0, 1) - 0.5
        return value - abs(trial.suggest_int("depth", 1, 8) - 5)

    old = study_of(RandomSampler(seed=0))
    old.optimize(objective, n_trials=15)
    space = space_from_study(old)
    study = study_of(SurrogateSampler(space, "gp", seed=0, warm_start=old))
    study.optimize(objective, n_trials=25)
    assert study.best_value > old.best_value
    assert study.best_value > 0.4
    assert len(set(points(study))) == 25
    known = {space.from_params(t.params) for t in old.trials}
    assert not known & {space.from_params(t.params) for t in study.trials}
    best = suggest_architecture(study.best_trial, space)
    assert space.params(best) == study.best_params


def test_a_new_study_suggests_the_parameters_of_its_space() -> None:
    def random(trial: optuna.Trial) -> float:
        value = float(trial.suggest_int("depth", 1, 8))
        if trial.number % 3 == 0:
            value += trial.suggest_float("odd", 0, 1)
        return value

    old = study_of(RandomSampler(seed=0))
    old.optimize(random, n_trials=9)
    space = space_from_study(old)

    def objective(trial: optuna.Trial) -> float:
        return float(space.params(suggest_architecture(trial, space))["depth"])

    study = study_of(SurrogateSampler(space, Linear(), seed=0))
    study.optimize(objective, n_trials=30)
    assert study.best_value == 8
    assert len({suggest_architecture(t, space) for t in study.trials}) == 30
    assert isinstance(suggest_architecture(old.trials[0], space).choices[0], int)


def test_a_warm_start_of_another_study_is_matched_by_name() -> None:
    old = study_of(RandomSampler(seed=0))
    old.optimize(train, n_trials=20)
    plain = study_of(RandomSampler(seed=1))
    plain.optimize(lambda t: FUNCTION(suggest_architecture(t, SPACE)), n_trials=20)
    known = sum(t.state == TrialState.COMPLETE for t in plain.trials)
    for warm, message in ((old, None), (plain, rf"{known} trials have no 'lr' and count as with")):
        study = study_of(new(warm_start=warm))
        study.optimize(train, n_trials=1)
        if message is None:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                study.optimize(train, n_trials=20)
        else:
            with pytest.warns(UserWarning, match=message):
                study.optimize(train, n_trials=20)
        assert len(set(points(study))) == 21

    def higher(trial: optuna.Trial) -> float:
        return FUNCTION(suggest_architecture(trial, SPACE)) + trial.suggest_float("lr", 1, 2)

    study = study_of(new(warm_start=old))
    with pytest.warns(UserWarning, match="20 completed trials of study .* are left out"):
        study.optimize(higher, n_trials=2)


def test_a_table_is_a_warm_start_beside_a_rate() -> None:
    choices = SPACE.unique()[::7]
    values = np.array([FUNCTION(SPACE.architecture(c)) for c in choices])
    data = TaskData("known", SPACE, choices, values)
    study = study_of(new(warm_start=data))
    with pytest.warns(UserWarning, match=rf"{len(data)} trials have no 'lr'"):
        study.optimize(train, n_trials=5)
    middle = sorted(RATES)[len(RATES) // 2]
    rows = set(map(tuple, choices.tolist()))
    for trial in study.trials[1:]:
        arch = suggest_architecture(trial, SPACE)
        assert arch.choices not in rows or trial.params["lr"] != middle
