"""The meta-trained graph predictor."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from surrogate_nas._types import FloatArray
from surrogate_nas.descriptors import Descriptor, checked_descriptor
from surrogate_nas.errors import SurrogateNASError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.files import reason, write_bytes
from surrogate_nas.parallel import cores, each
from surrogate_nas.predictors.base import MetaPredictor, Predictor, not_fitted, require_rows
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.meta.descriptors import Descriptors
from surrogate_nas.predictors.meta.encoder import (
    EncoderJob,
    SourceGroup,
    State,
    check_any_task,
    decision_names,
    encoder_edition,
    group_tasks,
    sampled,
    terms_of,
    train_encoder,
    whole_space,
)
from surrogate_nas.predictors.meta.kernel import TransferKernel
from surrogate_nas.predictors.meta.model import FAMILIES, SAMPLE, MetaModel, SpaceView
from surrogate_nas.predictors.meta.process import AdaptedProcess
from surrogate_nas.predictors.meta.stacked import Stacked
from surrogate_nas.predictors.meta.unseen_space import SourceTerms
from surrogate_nas.predictors.scores import normal_scores
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.operations import EDITIONS, edition, widened
from surrogate_nas.tensor_files import open_tensors, read_tensors, tensor_file

_ENCODERS = 2
_FOLDS = 8
_TERMS = ("operations", "centre", "scale")  # the arrays of `SourceTerms`
_COLUMNS = [1 + attributes for _, attributes in EDITIONS]  # of `SourceTerms.operations`
_EPISODES = 16  # tasks that the kernel learns from: more add time, and its parameters are few


class MetaGNN(MetaPredictor):
    """A graph encoder with a head a source task, and a Gaussian process on its outputs.

    The encoder is trained on all source tasks at once. The predictions of its heads, its learned
    encodings and structural features are the inputs of a Gaussian process, `TransferKernel`. Its
    parameters are learned with each source task in turn as the new task (or each of eight groups,
    if there are more than eight tasks): an encoder that never saw the task describes it, and the
    marginal likelihood of its values is maximised. As a few tasks say little about them, they are
    drawn towards those of other suites when a new task is adapted to, see `suite_prior`. Adapting
    to a support set is then closed-form.

    A second process sees structural features alone. The two are weighted by their evidence on the
    support, so that misleading sources lose weight. In an unseen space, `Stacked` adds a process
    that is trained on the support alone, and is trusted more the less the sources know of it.

    If tasks are described by numbers, such as the size of their data sets, sources count more whose
    numbers are near those of the new task, as far as that is so among the sources themselves, see
    `Descriptors`.

    If the spaces of the sources have columns of decisions (see `DecisionColumns`), the encoders and
    the kernels see them, too, and the prior mean is a mixture over groups of similar sources.
    Without such columns, a mixture was no better than the linear kernel.

    Related work: deep-kernel transfer (Patacchiola et al., "Bayesian Meta-Learning for the Few-Shot
    Setting via Deep Kernels", NeurIPS 2020) and two-stage transfer surrogates (Wistuba et al.,
    "Two-Stage Transfer Surrogate Model for Automatic Hyperparameter Optimization", ECML 2016).

    Example:
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("transnas-macro")
        >>> choices = space.all_choices()[::40]
        >>> source = TaskData("source", space, choices, choices.sum(axis=1) * 1.0)
        >>> learner = MetaGNN(steps=5).meta_fit([source])  # really more of both
        >>> prediction = learner.adapt(source.take(np.arange(10))).predict(choices)
        >>> bool((prediction.std > 0).all())
        True
    """

    any_space = True
    conditions = True

    _model: MetaModel | None = None
    _task: Descriptor | None = None

    def __init__(self, *, steps: int = 600, **settings: Any) -> None:
        """Store the arguments.

        Args:
            steps: Gradient steps of each encoder.
            settings: See `MetaPredictor`.
        """
        super().__init__(**settings)
        self.steps = steps

    def parts(self, tasks: int) -> int:
        """Encoders with and without each part of the tasks, and two kernels."""
        folds = len(_folds(tasks))
        return _ENCODERS + folds + (2 if folds else 0)

    def meta_fit(self, tasks: Sequence[TaskData]) -> Self:
        """Train the encoders, with and without each part of the tasks, then the kernel."""
        check_any_task(tasks)
        for task in tasks:
            require_rows(task, 2)
        folds = _folds(len(tasks))
        groups = tuple(sampled(group) for group in group_tasks(tasks))
        terms = terms_of(groups)
        jobs = [self._job(groups, (), i) for i in range(_ENCODERS)]
        jobs += [self._job(groups, fold, 0) for fold in folds]
        states = self._train(jobs)
        decided = any(decision_names(group.space) for group in groups)
        kernels = _new_kernels(len(FAMILIES) + decided, mixture=decided)
        described = [task.descriptor for task in tasks]
        self._model = MetaModel(terms, states[:_ENCODERS], kernels, Descriptors.of(described))
        episodes = []
        taught = set(_spread(len(tasks), _EPISODES))
        for fold, state in zip(folds, states[_ENCODERS:], strict=True):
            others = [described[i] for i in range(len(tasks)) if i not in fold]
            without = MetaModel(terms, [state], kernels, Descriptors.of(others))
            for i in sorted(taught.intersection(fold)):
                rng = np.random.default_rng([self.seed, i])
                part = tasks[i].take(np.sort(rng.permutation(len(tasks[i]))[:SAMPLE]))
                view = SpaceView(without, whole_space(part.space), part.choices, described[i])
                episodes.append((view(part.choices), part.values))
        if episodes:
            transfer, scratch = self._model.kernels
            transfer.fit(episodes, normal_scores, self.seed)
            self.on_step("kernel with the sources")
            scratch.fit([(x.without_sources(), y) for x, y in episodes], normal_scores, self.seed)
            self.on_step("kernel without the sources")
        return self

    def _job(
        self, groups: tuple[SourceGroup, ...], held_out: tuple[int, ...], i: int
    ) -> EncoderJob:
        return EncoderJob(groups, held_out, (1_000 * self.seed + i) % 2**63, self.steps)

    def _train(self, jobs: Sequence[EncoderJob]) -> list[State]:
        """The jobs' results in their order; finished ones are read from the checkpoint."""
        files = [self._file(job) for job in jobs]
        states = [{} if file is None else _read(file) for file in files]
        missing = [i for i, state in enumerate(states) if not state]
        done = len(jobs) - len(missing)
        for _ in range(done):
            self.on_step("was there")
        work = [jobs[i] for i in missing]
        for position, state in each(train_encoder, work, workers=self.workers or cores()):
            i = missing[position]
            states[i] = state
            file = files[i]
            if file is not None:
                _write(file, state)
            done += 1
            self.on_step(f"encoder {done} of {len(jobs)}")
        return states

    def _file(self, job: EncoderJob) -> Path | None:
        """Named after what the encoder learns from, so that other trainings may share it.

        That of tasks A and B without B is that of B and A without A.
        """
        if self.checkpoint is None:
            return None
        digest = hashlib.sha256(json.dumps([job.seed, job.steps]).encode())
        for group in job.groups:
            used = [c for c, task in enumerate(group.tasks) if task not in job.held_out]
            digest.update(f"{group.space.identity}{group.space.isomorphs}{len(used)}".encode())
            digest.update(group.choices.tobytes() + group.scores[:, used].tobytes())
        return self.checkpoint / f"{digest.hexdigest()[:24]}.safetensors"

    def prior(self, space: SearchSpace) -> Predictor:
        """A predictor of normal scores, whose order and spread alone have a meaning."""
        view = self._learnt.view(space, self._task)
        adapted = AdaptedProcess(self._learnt.shrunk, view)
        if view.known is None:
            return adapted
        return Stacked(adapted, GaussianProcess(seed=self.seed), known=view.known)

    def adapt(self, support: TaskData) -> Predictor:
        """Condition on the support."""
        learner = self if support.descriptor is None else self.described(support.descriptor)
        return learner.prior(support.space).fit(support)

    def described(self, task: Descriptor | None) -> Self:
        """Count the sources more whose descriptors are nearer, see `Descriptors`."""
        found = copy.copy(self)
        found._task = None if task is None else checked_descriptor(task)
        return found

    @property
    def _learnt(self) -> MetaModel:
        if self._model is None:
            raise not_fitted(self)
        return self._model

    def tensors(self) -> dict[str, FloatArray]:
        """Encoders, the kernels, and the sources' statistics of features."""
        model = self._learnt
        found = {f"terms.{name}": getattr(model.terms, name) for name in _TERMS}
        known = found["terms.operations"]
        found["terms.operations"] = known[:, : 1 + edition(known[:, 0], known[:, 1:])[1]]
        for i, kernel in enumerate(model.kernels):
            found |= {f"kernel{i}.{name}": t.numpy() for name, t in kernel.state_dict().items()}
        for i, state in enumerate(model.states):
            found |= {f"encoder{i}.{name}": tensor for name, tensor in state.items()}
        return found

    def settings(self) -> dict[str, Any]:
        """The seed, and what the encoders know."""
        terms = self._learnt.terms
        found: dict[str, Any] = {
            "seed": self.seed,
            "spaces": list(terms.spaces),
            "features": list(terms.features),
        }
        described = self._learnt.descriptors
        if described is not None:
            found["descriptors"] = described.to_json()
        return found

    @classmethod
    def restored(cls, tensors: Mapping[str, FloatArray], settings: Mapping[str, Any]) -> Self:
        """The meta-learner that `tensors` and `settings` came from."""
        parts: dict[str, State] = {}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = tensor
        learned = [parts.pop(f"kernel{i}") for i in range(2)]
        families = len(learned[0]["own"])
        if families not in (len(FAMILIES), len(FAMILIES) + 1):
            raise ValueError(f"its kernel has {families} families of features")
        kernels = _new_kernels(families, mixture="alike" in learned[0])
        for kernel, state in zip(kernels, learned, strict=True):
            kernel.load_state_dict({name: torch.from_numpy(a) for name, a in state.items()})
        described = parts["terms"]["operations"]
        if described.ndim != 2 or described.shape[1] not in _COLUMNS:
            raise ValueError("its parts do not fit together")
        parts["terms"]["operations"] = widened(described, _COLUMNS[-1])
        terms = SourceTerms(
            spaces=tuple(settings["spaces"]),
            features=tuple(settings["features"]),
            **parts.pop("terms"),
        )
        columns = {len(terms.features), len(terms.centre), len(terms.scale)}
        columns |= {state["encoder.structure.weight"].shape[1] for state in parts.values()}
        heads = {len(state["heads.bias"]) for state in parts.values()}
        editions = {encoder_edition(state) for state in parts.values()}
        if len(columns) != 1 or len(heads) != 1 or not editions <= set(EDITIONS):
            raise ValueError("its parts do not fit together")
        learner = cls(seed=settings["seed"])
        descriptors = None
        if "descriptors" in settings:
            descriptors = Descriptors.from_json(settings["descriptors"], heads.pop())
        states = [parts[name] for name in sorted(parts)]
        learner._model = MetaModel(terms, states, kernels, descriptors)
        return learner


def _new_kernels(families: int, *, mixture: bool) -> tuple[TransferKernel, TransferKernel]:
    """With the sources, and with structural features and decisions alone."""
    return TransferKernel(families, mixture=mixture), TransferKernel(families)


def _folds(tasks: int) -> list[tuple[int, ...]]:
    """Groups of tasks that are held out together; none if no task would remain."""
    if tasks < 2:
        return []
    parts = np.array_split(np.arange(tasks), min(tasks, _FOLDS))
    return [tuple(part.tolist()) for part in parts]


def _spread(count: int, most: int) -> list[int]:
    """At most ``most`` of the numbers 0, …, count - 1, at even distances, so of all folds."""
    return [i * count // min(count, most) for i in range(min(count, most))]


def _read(file: Path) -> State:
    try:
        with open_tensors(file) as opened:
            return read_tensors(opened, file)
    except Exception:  # not there, or damaged
        return {}


def _write(file: Path, state: State) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, tensor_file(state, {}))
    except OSError as error:
        raise SurrogateNASError(
            f"cannot keep a finished part in {file.parent}: {reason(error)}; it must be a folder "
            "with space that can be written"
        ) from error
