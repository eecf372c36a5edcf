"""A comparison as a table of LaTeX, for a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from surrogate_nas.records import ComparisonRecord
from surrogate_nas.reporting.statistics import holm, signed_rank
from surrogate_nas.reporting.summaries import Column, Spread, spread, tasks_of

ALPHA = 0.05
"""Below this p-value a method is marked as worse."""

_DAGGER = r"^{\dagger}"
_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "\n": " ",
        **{character: f"\\{character}" for character in "{}$&#_%"},
    }
)


def escaped(text: str) -> str:
    """Text as LaTeX prints it."""
    return text.translate(_ESCAPES)


def latex_table(record: ComparisonRecord, maximised: Mapping[str, bool]) -> str:
    """The methods on each task: mean ± standard error over the seeds, the best in bold.

    The values are those of the test metric where every run has one, else those that the searches
    saw. A dagger marks a method that is significantly worse than the best one of its row, by
    Wilcoxon's signed-rank test over the seeds, corrected by Holm.

    Args:
        record: The comparison.
        maximised: Whether larger is better, by task.

    Returns:
        A ``table`` that needs the package booktabs.
    """
    methods = [row.method for row in record.summary.methods]
    tasks, at = tasks_of(record), record.summary.at[-1]
    tested = all(run.test[-1] is not None for run in record.different_runs)
    column: Column = "test" if tested else "values"
    lines = []
    for task in tasks:
        spreads = [spread(record, method, task, column, at) for method in methods]
        lines.append(_line(escaped(task), _cells(spreads, maximised[task])))
    body = "\n".join(f"    {line}" for line in [*lines, r"\midrule", _ranks(record, methods)])
    head = _line("", [escaped(method) for method in methods])
    return (
        "% needs \\usepackage{booktabs}\n"
        "\\begin{table}\n"
        "  \\centering\n"
        f"  \\caption{{{_caption(record, column)}}}\n"
        f"  \\begin{{tabular}}{{l{'r' * len(methods)}}}\n"
        "    \\toprule\n"
        f"    {head}\n"
        "    \\midrule\n"
        f"{body}\n"
        "    \\bottomrule\n"
        "  \\end{tabular}\n"
        "\\end{table}\n"
    )


def _line(name: str, cells: Sequence[str]) -> str:
    return " & ".join([name, *cells]) + r" \\"


def _caption(record: ComparisonRecord, column: Column) -> str:
    seeds = len({run.seed for run in record.runs})
    what = "Test metric" if column == "test" else "Validation metric"
    over = f"mean $\\pm$ standard error over {seeds} seeds" if seeds > 1 else "one seed"
    return (
        f"{what} of the best architecture after {record.summary.at[-1]} trials on "
        f"{escaped(record.benchmark)}, {over}. The best mean of each row is bold; $\\dagger$ marks "
        "methods that are significantly worse than it (Wilcoxon's signed-rank test, Holm, "
        "$p < .05$). The average rank is that among the methods, 1 is best."
    )


def _cells(spreads: Sequence[Spread], maximise: bool) -> list[str]:
    """Mean and standard error of each method, with bold type and daggers."""
    sign = 1 if maximise else -1
    means = [None if s.mean is None else sign * s.mean for s in spreads]
    known = [mean for mean in means if mean is not None]
    if not known:
        return ["--"] * len(spreads)
    best = means.index(max(known))
    worse = _worse(spreads, best, sign)
    decimals = _decimals([s.error for s in spreads], [s.mean for s in spreads])
    cells = []
    for i, (found, mean) in enumerate(zip(spreads, means, strict=True)):
        if found.mean is None:
            cells.append("--")
            continue
        text = f"{found.mean:.{decimals}f}"
        if mean == max(known):
            text = rf"\mathbf{{{text}}}"
        if found.error is not None:
            text += rf" \pm {found.error:.{decimals}f}"
        cells.append(f"${text}{_DAGGER if i in worse else ''}$")
    return cells


def _worse(spreads: Sequence[Spread], best: int, sign: int) -> set[int]:
    """Positions of the methods that are significantly worse than the best one."""
    others, p = [], []
    for i, found in enumerate(spreads):
        seeds = sorted(found.values.keys() & spreads[best].values.keys())
        if i == best or len(seeds) < 2:
            continue
        a = np.array([-sign * spreads[best].values[seed] for seed in seeds])
        b = np.array([-sign * found.values[seed] for seed in seeds])
        others.append(i)
        p.append(signed_rank(a, b, "two-sided"))
    return {i for i, corrected in zip(others, holm(p), strict=True) if corrected < ALPHA}


def _decimals(errors: Sequence[float | None], means: Sequence[float | None]) -> int:
    """So many that the largest standard error has two digits; else four digits of the means."""
    known = [e for e in errors if e is not None and e > 0]
    if known:
        return min(6, max(0, 1 - int(np.floor(np.log10(max(known))))))
    largest = max((abs(m) for m in means if m), default=1.0)
    return min(6, max(0, 3 - int(np.floor(np.log10(largest)))))


def _ranks(record: ComparisonRecord, methods: Sequence[str]) -> str:
    """The average ranks, with marks by the paired tests over all tasks and seeds."""
    ranks = [row.average_rank[-1] for row in record.summary.methods]
    best = ranks.index(min(ranks))
    worse = {
        test.worse
        for test in record.summary.tests
        if test.at == record.summary.at[-1] and test.better == methods[best] and test.p_holm < ALPHA
    }
    cells = []
    for method, rank in zip(methods, ranks, strict=True):
        text = rf"\mathbf{{{rank:.2f}}}" if rank == min(ranks) else f"{rank:.2f}"
        cells.append(f"${text}{_DAGGER if method in worse else ''}$")
    return _line("average rank", cells)
