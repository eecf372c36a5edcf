"""Who may import whom, and which libraries load with what.

    ground <- spaces <- evaluation <- {benchmarks, predictors, store, training}
           <- searchers <- run <- transfer <- workflows <- cli

An arrow points from what is imported to who imports it. Imports inside functions and under
TYPE_CHECKING count too. `records` and `reporting` know no workflow; workflows do not import each
other, but for those of WORKFLOWS; no two files import each other.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "surrogate_nas": ROOT / "surrogate_nas",
    "surrogate_nas.benchmarks": ROOT / "benchmarks",
    "surrogate_nas.predictors": ROOT / "predictors",
}

# The components in their order: a component imports those of the groups before its own. Every
# module of surrogate_nas/ has its place here; a new one needs one.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset(
        {
            "_types",
            "_version",
            "checksums",
            "descriptors",
            "errors",
            "limits",
            "number_text",
            "pickle_sharing",
            "returned",
            "task_weights",
            "training_settings",
        }
    ),
    frozenset(
        {
            *("estimates", "files", "fronts", "parallel", "pickles", "progress", "registry"),
            "stopping",
        }
    ),
    frozenset({"cluster", "tensor_files"}),
    frozenset({"spaces"}),
    frozenset({"evaluation"}),
    frozenset({"goal_checks"}),
    frozenset({"benchmarks", "predictors", "store", "training"}),
    frozenset({"searchers", "surrogates"}),
    frozenset({"records", "sharing"}),
    frozenset({"attempts", "callbacks"}),
    frozenset({"run"}),
    frozenset({"transfer"}),
    frozenset({"reporting"}),
    frozenset({"workflows"}),
    frozenset({"testing"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
LAYER = {name: number for number, group in enumerate(LAYERS) for name in group}
# Groups whose members may import each other.
OPEN = frozenset({LAYER["errors"]})
# The workflows that others may import.
WORKFLOWS = {
    "search": frozenset({"export", "verify"}),
    "setups": frozenset({"data_sets", "export", "goals", "proxies", "search", "verify"}),
    "data_sets": frozenset({"search"}),
    "experiment": frozenset({"goals", "proxies"}),
    "retry": frozenset({"build"}),
    "compare": frozenset({"equal_methods", "experiment", "goals", "proxies"}),
    "subjects": frozenset({"goals", "search", "verify"}),
    "report": frozenset({"comparisons", "search", "subjects"}),
    "evaluate": frozenset({"experiment", "proxies"}),
    "measurements": frozenset({"sampling"}),
    "surrogates": frozenset({"measurements", "sampling"}),
    "sampled_build": frozenset({"build", "sampling"}),
}

HEAVY = frozenset({"h5py", "matplotlib", "optuna", "pandas", "scipy", "sklearn", "torch"})
HEAVY |= {"torch_geometric", "xgboost"}
# Where heavy libraries may be imported at all, at the top of a file or inside a function; the
# longest name that fits decides. Components that are not listed import theirs inside functions,
# which the test of loaded modules proves.
ALLOWED: dict[str, frozenset[str]] = {
    "_types": frozenset(),
    "errors": frozenset(),
    "pickle_sharing": frozenset(),
    "pickles": frozenset(),
    "registry": frozenset(),
    "files": frozenset(),
    "spaces": frozenset(),
    "evaluation": frozenset(),
    "callbacks": frozenset(),
    "benchmarks": frozenset({"h5py", "scipy"}),
    "benchmarks.importers.optuna": frozenset({"optuna"}),
    "predictors": frozenset({"scipy", "sklearn", "torch", "torch_geometric", "xgboost"}),
    "training": frozenset({"sklearn", "torch", "torch_geometric"}),
    "callbacks.tensorboard": frozenset({"torch"}),
    "store": frozenset({"optuna"}),
    "surrogates": frozenset({"xgboost"}),
    "searchers": frozenset({"scipy"}),
    "searchers.decision_process": frozenset({"torch"}),
    "searchers.reinforce": frozenset({"torch"}),
    "searchers.gradient": frozenset({"torch"}),
    "searchers.histories": frozenset({"optuna"}),
    "searchers.optuna": frozenset({"optuna"}),
    "searchers.parameter_spaces": frozenset({"optuna"}),
    "searchers.parameters": frozenset({"optuna"}),
    "searchers.sampler": frozenset({"optuna"}),
    "searchers.study_claims": frozenset({"optuna"}),
    "searchers.study_reader": frozenset({"optuna"}),
    "searchers.study_session": frozenset({"optuna"}),
}


def modules() -> dict[str, Path]:
    """The file of every module of the three folders, by its dotted name."""
    found = {}
    for package, folder in FOLDERS.items():
        for parent, _, files in os.walk(folder):
            for name in files:
                if name.endswith(".py"):
                    path = Path(parent, name)
                    parts = path.relative_to(folder).with_suffix("").parts
                    parts = parts[:-1] if parts[-1] == "__init__" else parts
                    found[".".join((package, *parts))] = path
    return found


MODULES = modules()


def imported(module: str, source: str, *, package: bool) -> Iterator[tuple[int, str]]:
    """The line and the absolute name of everything that the source imports, at any depth.

    ``from a import b`` gives ``a.b``, be it a module or not.
    """
    base = module if package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), base)
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def allowed_libraries(place: str) -> frozenset[str]:
    fitting = [name for name in ALLOWED if f"{place}.".startswith(f"{name}.")]
    return ALLOWED[max(fitting, key=len)] if fitting else HEAVY


def violations(module: str, source: str, *, package: bool = False) -> list[str]:
    """What the source of one module imports against the arrows."""
    place = module.partition(".")[2]
    component = place.partition(".")[0]
    if not component:  # surrogate_nas/__init__.py names what users import, lazily
        return []
    if component not in LAYER:
        return [f"{module}: {component!r} has no place in LAYERS"]
    bad = []
    for line, name in imported(module, source, package=package):
        library, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if library in ("benchmarks", "predictors"):
            problem = "the bare name makes a second copy of every class"
        elif library in HEAVY - allowed_libraries(place):
            problem = "the library does not belong here"
        elif library == "surrogate_nas" and component == target == "workflows":
            workflow, other = place.partition(".")[2], f"{rest}.".split(".")[1]
            if other in {workflow, *WORKFLOWS.get(workflow, ())}:
                continue
            problem = "workflows do not import each other"
        elif library != "surrogate_nas" or target == component:
            continue
        elif target not in LAYER:
            known = f"surrogate_nas.{target}" in MODULES
            remedy = "give it a place in LAYERS" if known else "import from the defining module"
            problem = f"{target!r} has no place: {remedy}"
        elif component == "registry" and target != "errors":
            problem = "registry imports errors only, and loads by name"
        elif LAYER[target] > LAYER[component]:
            problem = "against the arrows"
        elif LAYER[target] == LAYER[component] and LAYER[target] not in OPEN:
            problem = "neighbours do not import each other"
        else:
            continue
        bad.append(f"{module}:{line}: imports {name}: {problem}")
    return bad


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrows(module: str) -> None:
    path = MODULES[module]
    source = path.read_text(encoding="utf-8")
    assert not violations(module, source, package=path.name == "__init__.py")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("spaces.base", "from surrogate_nas.evaluation import Trial"),
        ("spaces.base", "def f():\n    from ..evaluation import Trial"),
        ("spaces.base", "from surrogate_nas import evaluation"),
        ("spaces.base", "import torch.nn"),
        ("evaluation", "from surrogate_nas import Architecture"),
        ("predictors.gp", "import surrogate_nas.benchmarks.base"),
        ("predictors.gp", "from ..store import Stored"),
        ("predictors.gp", "import optuna"),
        ("benchmarks.base", "from predictors import gp"),
        ("store", "import surrogate_nas.training"),
        ("searchers.evolution", "from ..run import search"),
        ("searchers.evolution", "import torch"),
        ("registry", "from surrogate_nas.spaces import SearchSpace"),
        ("run", "from surrogate_nas.cli import main"),
        ("reporting.plots", "from ..workflows.compare import compare"),
        ("workflows.build", "from surrogate_nas.workflows.compare import compare"),
        ("workflows.build", "from . import compare"),
        ("novelty", ""),
    ],
)
def test_violations_are_noticed(module: str, source: str) -> None:
    assert len(violations(f"surrogate_nas.{module}", source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("spaces.base", "from ..errors import SurrogateNASError\nimport numpy"),
        ("spaces.base", "from . import operations"),
        ("evaluation", "from surrogate_nas.spaces import SearchSpace"),
        ("predictors.gp", "def f():\n    import scipy.optimize, torch"),
        ("benchmarks.hdf5", "import h5py\nfrom ..evaluation import Goal"),
        ("searchers.reinforce", "import torch"),
        ("searchers.guided", "from ..predictors.base import Predictor"),
        ("workflows.compare", "from ..run import search\nfrom ..transfer import choose_predictor"),
        ("cli", "from .reporting.terminal import table"),
    ],
)
def test_arrows_are_not_too_strict(module: str, source: str) -> None:
    assert violations(f"surrogate_nas.{module}", source) == []


@pytest.mark.parametrize("module", ["surrogate_nas", "surrogate_nas.run", "surrogate_nas.cli"])
def test_no_heavy_library_loads(module: str) -> None:
    code = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & HEAVY


def neighbours(module: str) -> set[str]:
    """The modules of this tree that a module imports, at any depth of its source."""
    path = MODULES[module]
    source = path.read_text(encoding="utf-8")
    found = set()
    for _, name in imported(module, source, package=path.name == "__init__.py"):
        fitting = [other for other in MODULES if f"{name}.".startswith(f"{other}.")]
        found.add(max(fitting, default="surrogate_nas", key=len))
    return found - {module, "surrogate_nas"}


def test_no_two_files_import_each_other() -> None:
    imports = {module: neighbours(module) for module in MODULES}
    pairs = [(a, b) for a, others in imports.items() for b in others if a in imports[b] and a < b]
    assert not pairs


def public_types(source: str) -> Iterator[str]:
    """The classes and type aliases that a module defines at its top, without private ones."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        else:
            continue
        if name[0].isupper() and not name.isupper():
            yield name


def test_no_two_public_types_share_a_name() -> None:
    found: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for name in public_types(path.read_text(encoding="utf-8")):
            found.setdefault(name, []).append(module)
    assert len(found) > 200
    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}


def test_a_search_without_networks_loads_no_torch() -> None:
    """It takes seconds, and a search of a table by `gp` or trees goes without."""
    code = "import surrogate_nas.transfer, surrogate_nas.workflows.setups, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not {name.partition(".")[0] for name in done.stdout.split()} & {"torch", "xgboost"}
