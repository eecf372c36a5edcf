"""Cards of the benchmarks and of the weights that come with the program."""

from __future__ import annotations

from pathlib import Path

from surrogate_nas.benchmarks.catalog import list_benchmarks, open_benchmark
from surrogate_nas.predictors.meta import weights as files
from surrogate_nas.tensor_files import SUFFIX

WEIGHTS = Path(files.__file__).resolve().parents[1] / "shipped"


def benchmarks_page() -> str:
    """What can be searched, and how to get the rest."""
    parts = [
        "# Benchmarks",
        "",
        "Tables of architectures that were really trained. `surrogate-nas benchmarks` prints this "
        "list, with the tables of your own that are installed; `--json` gives it to programs.",
        "",
    ]
    listed = list_benchmarks()
    for title, available in (("Come with the program", True), ("To be imported", False)):
        parts += [f"## {title}", ""]
        for found in listed:
            if found.available is available:
                parts += _card(found.name, _facts(found.name, available), found.how_to_get)
                parts += [f"Tasks: {', '.join(f'`{task}`' for task in found.tasks)}", ""]
                parts += [_goals(found.name), ""] if available else []
                parts += [f"Space: `{found.space}`, {found.architectures:,} architectures", ""]
    parts += [
        "`hw-nas-bench` adds latency and energy on six devices to a table of NAS-Bench-201: "
        "`surrogate-nas import hw-nas-bench SOURCE --into TABLE`. All formats, and results of "
        "your own, are in [Import results](../import.md).",
        "",
    ]
    return "\n".join(parts)


def _card(name: str, facts: str, how: str) -> list[str]:
    head, then, command = how.partition(", then: ")
    how = f"{head}{then}`{command}`" if then else head
    return [f"### {name}", "", *([facts, ""] if facts else []), f"How to get it: {how}", ""]


def _facts(name: str, available: bool) -> str:
    if not available:
        return ""
    licence = getattr(open_benchmark(name), "licence", "")
    return f"Licence: {licence}" if licence else ""


def _goals(name: str) -> str:
    benchmark = open_benchmark(name)
    task = benchmark.task(benchmark.tasks[0])
    goal, several = task.goal, len(task.budgets) > 1
    budgets = f"; epochs {', '.join(map(str, task.budgets))}" if several else ""
    unit = f" ({goal.unit})" if goal.unit else ""
    verb = "maximised" if goal.maximise else "minimised"
    return f"`{task.name}`: {goal.metric}{unit}, {verb}; optimum {_own(task)}{budgets}"


def _own(task: object) -> str:
    return f"{task.goal.sign * task.optimum:.6g}"


def weights_page() -> str:
    """Each file of weights: what it learnt from, and what it reached on tasks it never saw."""
    parts = [
        "# Weights that come with the program",
        "",
        "Files of `meta-gnn`, with what each learnt from. They never serve a task that they saw; "
        "[Weights](../weights.md) says how one is chosen, and what to expect.",
        "",
    ]
    for path in sorted(WEIGHTS.glob(f"*{SUFFIX}")):
        tensors, settings = files.read_weights(path)
        parameters = sum(tensor.size for tensor in tensors.values())
        spaces = ", ".join(f"`{space.partition('#')[0]}`" for space in settings.spaces)
        parts += [
            f"## {path.stem}",
            "",
            f"Predictor `{settings.predictor}`, {parameters:,} parameters, "
            f"{path.stat().st_size / 1e6:.2f} MB, seed {settings.seed}, "
            f"{settings.labels:,} labels of {len(settings.tasks)} tasks of {spaces}.",
            "",
            *_sources(settings),
            *_held_out(settings),
        ]
    return "\n".join(parts)


def _sources(settings: files.Settings) -> list[str]:
    lines = ["| learnt from | labels | fingerprint |", "|---|---|---|"]
    for task in settings.tasks:
        lines.append(f"| `{task.name}` | {task.labels:,} | `{task.fingerprint[:12]}…` |")
    return [*lines, ""]


def _held_out(settings: files.Settings) -> list[str]:
    if not settings.held_out:
        return ["Kendall's tau on a task that it never saw was not measured for this file.", ""]
    sizes = list(dict.fromkeys(size for row in settings.held_out.values() for size in row))
    lines = [
        "Kendall's tau on a task that it never saw, by the number of labels:",
        "",
        f"| task | {' | '.join(sizes)} |",
        "|---|" + "---|" * len(sizes),
    ]
    for task, row in settings.held_out.items():
        values = " | ".join(f"{row[size]:.3f}" if size in row else "" for size in sizes)
        lines.append(f"| `{task}` | {values} |")
    return [*lines, ""]
