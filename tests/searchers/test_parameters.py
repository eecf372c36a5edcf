"""Spaces of Optuna's distributions and studies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import RandomSampler
from optuna.trial import TrialState, create_trial

import surrogate_nas
from surrogate_nas import space_from_distributions, space_from_study
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import FunctionObjective
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces.custom import CustomSpace

optuna.logging.set_verbosity(optuna.logging.WARNING)

KINDS: dict[str, BaseDistribution] = {
    "optimizer": CategoricalDistribution(["adam", "sgd", None]),
    "nesterov": CategoricalDistribution([True, False]),
    "mixed": CategoricalDistribution([1, "1", True, "true", None, "None", "", " a", "b\n", 0.5]),
    "width": CategoricalDistribution([64, 16, 32]),
    "one": CategoricalDistribution(["only"]),
    "depth": IntDistribution(1, 9),
    "even": IntDistribution(2, 8, step=2),
    "units": IntDistribution(1, 64, log=True),
    "fixed": IntDistribution(3, 3),
    "lr": FloatDistribution(1e-5, 0.3, log=True),
    "dropout": FloatDistribution(0, 0.7, step=0.1),
    "decay": FloatDistribution(-1, 1),
}


Suggested = Mapping[str, tuple[Any, BaseDistribution]]


def study_of(*trials: Suggested, name: str = "s") -> optuna.Study:
    """A study of completed trials, each value with its distribution."""
    study = optuna.create_study(study_name=name, sampler=RandomSampler(seed=0))
    for params in trials:
        study.add_trial(
            create_trial(
                value=0.0,
                params={k: v for k, (v, _) in params.items()},
                distributions={k: d for k, (_, d) in params.items()},
            )
        )
    return study


def optimized(objective: Any, n: int, **options: Any) -> optuna.Study:
    study = optuna.create_study(sampler=RandomSampler(seed=0), **options)
    study.optimize(objective, n_trials=n)
    return study


def conditions(space: CustomSpace) -> dict[str, Any]:
    return {d.name: dict(d.when) for d in space.decisions if d.when}


# Distributions --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_every_option_is_a_value_of_its_distribution_and_back(name: str) -> None:
    distribution = KINDS[name]
    space = space_from_distributions({name: distribution})
    (decision,) = space.decisions
    assert len(set(decision.options)) == len(decision.options)
    found = []
    for row in space.all_choices():
        arch = space.architecture(row)
        params = space.params(arch)
        value = distribution.to_internal_repr(params[name])
        assert distribution._contains(value)  # Optuna's own check of what samplers say
        if name != "mixed":  # of which Optuna takes 1 and True for the same
            assert space.from_params(params) == arch
        assert space.parse(space.format(arch)) == arch
        found.append(params[name])
    if isinstance(distribution, CategoricalDistribution):
        assert found == list(distribution.choices)
        assert [type(v) for v in found] == [type(v) for v in distribution.choices]
    else:
        assert isinstance(distribution, IntDistribution | FloatDistribution)
        kind = int if isinstance(distribution, IntDistribution) else float
        assert {type(v) for v in found} == {kind}
        assert (found[0], found[-1]) == (distribution.low, distribution.high)


def test_numbers_are_numbers() -> None:
    space = space_from_distributions(KINDS)
    kinds = {d.name: d.kind for d in space.decisions}
    numbers = {"width", "depth", "even", "units", "fixed", "lr", "dropout", "decay"}
    assert {name for name, kind in kinds.items() if kind == "number"} == numbers
    values = {d.name: d.values for d in space.decisions}
    assert values["width"] == pytest.approx([math.log(x) for x in (64, 16, 32)])
    assert values["even"] == pytest.approx([2, 4, 6, 8])
    assert values["units"] == pytest.approx([math.log(x) for x in range(1, 65)])
    assert (values["lr"] or ())[0] == pytest.approx(math.log(1e-5))
    assert [len(d.options) for d in space.decisions if d.name in ("lr", "decay")] == [11, 11]


def test_a_space_is_made_again_from_its_definition() -> None:
    space = space_from_distributions(KINDS, name="mine", levels={"lr": 5})
    again = CustomSpace(space.definition)
    assert (again.identity, again.decisions) == (space.identity, space.decisions)
    assert space.distributions == KINDS
    assert len(space.decisions[9].options) == 5


def test_long_ranges_have_levels_by_name() -> None:
    long: dict[str, BaseDistribution] = {
        "n": IntDistribution(1, 10**6, log=True),
        "m": IntDistribution(0, 10**6, step=10),
        "x": FloatDistribution(0, 1, step=1e-6),
    }
    space = space_from_distributions(long, levels={"n": 7, "m": 3, "x": 5})
    assert [d.options for d in space.decisions] == [
        ("1", "10", "100", "1000", "10000", "100000", "1000000"),
        ("0", "500000", "1000000"),
        ("0", "0.25", "0.5", "0.75", "1"),
    ]
    assert space.params(space.from_params({"n": 150, "m": 20, "x": 0.3})) == {
        "n": 100,
        "m": 0,
        "x": 0.25,
    }
    short = space_from_distributions({"k": IntDistribution(1, 3)}, levels={"k": 11})
    assert short.decisions[0].options == ("1", "2", "3")


def test_other_numbers_mean_the_nearest_level() -> None:
    space = space_from_distributions({"lr": FloatDistribution(1e-4, 1, log=True)}, levels=5)
    for value, level in ((2e-4, 1e-4), (5e-4, 1e-3), (0.02, 0.01), (0.9, 1.0), (2.0, 1.0)):
        assert space.params(space.from_params({"lr": value})) == {"lr": level}
    for wrong in (10.0, 1e-5, 0.0, -1.0, math.nan, math.inf, "x", None):
        with pytest.raises(InvalidArgumentError, match="'lr' has no option"):
            space.from_params({"lr": wrong})
    with pytest.raises(InvalidArgumentError, match="'lr' is missing"):
        space.from_params({"other": 1})


def test_conditions_are_given() -> None:
    space = space_from_distributions(
        {"opt": CategoricalDistribution(["a", "s"]), "m": FloatDistribution(0, 1, step=0.5)},
        when={"m": {"opt": "s"}},
    )
    assert space.size == 4
    arch = space.from_params({"opt": "a"})
    assert space.params(arch) == {"opt": "a"}
    assert space.params(space.from_params({"opt": "s", "m": 0.5})) == {"opt": "s", "m": 0.5}


def test_a_space_of_parameters_is_searched_like_any_other() -> None:
    space = space_from_distributions({"x": FloatDistribution(-2, 2), "n": IntDistribution(0, 5)})

    def value(arch: surrogate_nas.Architecture) -> float:
        params = space.params(arch)
        return float(-((params["x"] - 0.4) ** 2) - abs(params["n"] - 3))

    searcher = make_searcher("evolution+gp", space, seed=0)
    result = search(searcher, FunctionObjective(space, value), trials=25)
    assert result.best is not None
    assert space.params(result.best.arch) == {"x": 0.4, "n": 3}


@pytest.mark.parametrize(
    ("distributions", "options", "message"),
    [
        ({}, {}, "at least one parameter, got none"),
        ({"n": IntDistribution(1, 10**6)}, {}, r"'n': 1000000 numbers are too many.*limit 10000"),
        ({"x": FloatDistribution(0, 1, step=1e-6)}, {}, "'x': 100000. numbers are too many"),
        ({"x": 3}, {}, "'x': its distribution must be .* got 3"),
        ({"x": FloatDistribution(0, 1)}, {"levels": 1}, "'x': levels must be at least 2, got 1"),
        ({"n": IntDistribution(1, 9)}, {"levels": {"n": 1}}, "'n': levels must be at least 2"),
        ({"x": FloatDistribution(0, 1)}, {"levels": {"y": 3}}, "levels: unknown parameter 'y'"),
        ({"x": FloatDistribution(0, 1)}, {"when": {"y": {"x": 0}}}, "when: unknown parameter 'y'"),
    ],
)
def test_what_is_no_space_is_refused(
    distributions: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((InvalidArgumentError, UnknownNameError), match=message) as caught:
        space_from_distributions(distributions, **options)
    assert "\n" not in str(caught.value)


def test_names_that_are_not_fit_are_refused() -> None:
    for name in (" x", "x\n", ""):
        with pytest.raises(InvalidArgumentError, match="name of a parameter") as caught:
            space_from_distributions({name: IntDistribution(1, 2)})
        assert "\n" not in str(caught.value)


# Studies --------------------------------------------------------------------------------------


def tuned(trial: optuna.Trial) -> float:
    """Conditions by a category and by a number, and a parameter that is there at random."""
    model = trial.suggest_categorical("model", ["linear", "tree", "net"])
    if model == "tree":
        trial.suggest_int("leaves", 2, 8)
    if model == "net":
        layers = trial.suggest_int("layers", 1, 4)
        for i in range(layers):
            trial.suggest_int(f"units{i}", 16, 64, step=16)
    if trial.number % 7 < 3:
        trial.suggest_float("odd", 0, 1)
    return trial.suggest_float("lr", 1e-4, 1e-1, log=True)


def test_conditions_are_found_in_a_study() -> None:
    study = optimized(tuned, 60, study_name="my study")
    space = space_from_study(study)
    assert space.name == "my-study"
    assert conditions(space) == {
        "leaves": {"model": ("tree",)},
        "layers": {"model": ("net",)},
        "units0": {"model": ("net",)},
        "units1": {"layers": ("2", "3", "4")},
        "units2": {"layers": ("3", "4")},
        "units3": {"layers": ("4",)},
        "odd": {"has odd": ("true",)},
    }
    for trial in study.trials:
        params = space.params(space.from_params(trial.params))
        assert params.keys() == trial.params.keys()
        for name, value in params.items():
            if isinstance(trial.distributions[name], FloatDistribution):
                continue
            assert value == trial.params[name]


def test_few_trials_show_no_rule() -> None:
    letters, numbers = CategoricalDistribution("xyz"), IntDistribution(1, 3)
    one: Suggested = {"a": ("x", letters)}
    mixed: Suggested = {"a": ("x", letters), "n": (1, numbers)}
    assert conditions(space_from_study(study_of(one, mixed))) == {"n": {"has n": ("true",)}}
    other: Suggested = {"a": ("y", letters), "n": (2, numbers)}
    study = study_of(one, one, other, other)
    assert conditions(space_from_study(study)) == {"n": {"a": ("y", "z")}}  # z never occurred
    assert conditions(space_from_study(study_of(one, other))) == {"n": {"has n": ("true",)}}


def test_a_trial_may_have_no_parameter_at_all() -> None:
    study = study_of({}, {"n": (1, IntDistribution(1, 3))})
    space = space_from_study(study)
    assert conditions(space) == {"n": {"has n": ("true",)}}
    assert [space.params(space.from_params(t.params)) for t in study.trials] == [{}, {"n": 1}]


def test_a_grid_of_levels_is_no_rule() -> None:
    """Of whole numbers that share a level, some are with the parameter and some without."""
    many, letters = IntDistribution(1, 10**5), CategoricalDistribution("xyz")
    trials: list[Suggested] = [{"n": (n, many)} for n in range(100, 2000, 100)]
    trials += [t | {"a": ("x", letters)} for t in ({"n": (n, many)} for n in (2001, 10**5))]
    study = study_of(*trials)
    space = space_from_study(study, levels={"n": 11})
    assert conditions(space) == {"a": {"has a": ("true",)}}
    for trial in study.trials:
        assert space.params(space.from_params(trial.params)).keys() == trial.params.keys()


def test_trials_that_did_not_complete_do_not_say_what_is_absent() -> None:
    def pruned(trial: optuna.Trial) -> float:
        trial.suggest_categorical("a", ["x", "y"])
        if trial.number % 2:
            raise optuna.TrialPruned
        return trial.suggest_float("lr", 0, 1)

    study = optimized(pruned, 10)
    assert {t.state for t in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    space = space_from_study(study)
    assert [d.name for d in space.decisions] == ["a", "lr"]
    assert conditions(space) == {}


def test_ranges_are_the_widest() -> None:
    study = study_of(
        {"n": (2, IntDistribution(1, 3)), "x": (0.5, FloatDistribution(0, 1))},
        {"n": (5, IntDistribution(4, 6)), "x": (-0.5, FloatDistribution(-1, 0))},
    )
    found = space_from_study(study).distributions
    assert found == {"n": IntDistribution(1, 6), "x": FloatDistribution(-1, 1)}


def test_several_studies() -> None:
    n, m = IntDistribution(1, 3), IntDistribution(1, 5)
    first, second = study_of({"n": (1, n)}, name="a"), study_of({"n": (5, m)}, name="b")
    assert space_from_study([first, second]).distributions == {"n": m}
    others: list[tuple[BaseDistribution, Any]] = [
        (FloatDistribution(1, 3), 1.0),
        (IntDistribution(1, 3, log=True), 1),
        (CategoricalDistribution([1, 2]), 1),
        (IntDistribution(2, 4, step=2), 2),
    ]
    for distribution, value in others:
        wrong = study_of({"n": (value, distribution)}, name="b")
        with pytest.raises(InvalidArgumentError, match=r"'a', 'b' must have one kind.*'n' is Int"):
            space_from_study([first, wrong])


def test_studies_without_parameters_are_refused() -> None:
    for study in (study_of(), study_of({})):
        with pytest.raises(InvalidArgumentError, match="nothing to make a space of"):
            space_from_study(study)
    wrong: Any
    for wrong in ([], ["x"]):
        with pytest.raises(InvalidArgumentError, match="an Optuna study or several"):
            space_from_study(wrong)
    with pytest.raises(InvalidArgumentError, match="'n': 99999 numbers are too many"):
        space_from_study(study_of({"n": (1, IntDistribution(1, 99_999))}))
