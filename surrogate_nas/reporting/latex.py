"""A comparison as a table of LaTeX, for a paper."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np

from surrogate_nas.records import ComparisonRecord
from surrogate_nas.reporting.statistics import holm, signed_rank
from surrogate_nas.reporting.summaries import Column, Spread, spread, tasks_of
from surrogate_nas.tensor_files import SUFFIX

ALPHA = 0.05
"""Below this p-value a method is marked as worse."""

_MOST = 4  # columns of values beside each other, as wide as a page
_LATIN = 0x17F  # the last letter that pdfLaTeX shows without further packages
_SMALL = "  \\footnotesize\n  \\setlength{\\tabcolsep}{4pt}\n"
_DAGGER = r"^{\dagger}"
_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",  # an em dash in LaTeX's own fonts
        "[": "{[}",  # at the beginning of a row it would be an argument of the end of the last one
        "]": "{]}",
        "*": "{*}",  # likewise
        "`": r"\textasciigrave{}",
        **{character: f"\\{character}" for character in "{}$&#_%"},
    }
)


def escaped(text: str) -> str:
    """Text as LaTeX prints it, without what no font shows."""
    composed = unicodedata.normalize("NFC", text)
    spaced = "".join(" " if c.isspace() else c for c in composed)
    shown = "".join(c for c in spaced if unicodedata.category(c)[0] != "C")
    return re.sub("-(?=-)", "-{}", shown.translate(_ESCAPES))  # two hyphens are no en dash


def _beyond_latin(text: str) -> bool:
    """Whether a text has characters that pdfLaTeX does not know."""
    return any(ord(c) > _LATIN for c in text)


def latex_table(record: ComparisonRecord, maximised: Mapping[str, bool]) -> str:
    """The methods on each task: mean ± standard error over the seeds, the best in bold.

    The values are those of the test metric where every run has one, else those that the searches
    saw. A dagger marks a method that is significantly worse than the best one on its task, by
    Wilcoxon's signed-rank test over the seeds, corrected by Holm. Methods are columns, or rows
    where there are many of them.

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
    cells = [
        _cells([spread(record, method, task, column, at) for method in methods], maximised[task])
        for task in tasks
    ]
    cells.append(_ranks(record, methods))
    columns, rows = _short(methods), [*tasks, "average rank"]
    if len(methods) > max(_MOST, len(tasks)):
        columns, rows = rows, columns
        cells = [list(row) for row in zip(*cells, strict=True)]
    lines = [_line(name, row) for name, row in zip(rows, cells, strict=True)]
    if rows[-1] == "average rank":
        lines.insert(-1, r"\midrule")
    body = "\n".join(f"    {line}" for line in lines)
    head = _line("", [escaped(name) for name in columns])
    text = (
        "\\begin{table}\n"
        "  \\centering\n"
        "  \\setlength{\\belowcaptionskip}{6pt}\n"  # most classes have none
        f"{_SMALL if len(columns) > _MOST else ''}"
        f"  \\caption{{{_caption(record, column)}}}\n"
        f"  \\begin{{tabular}}{{l{'r' * len(columns)}}}\n"
        "    \\toprule\n"
        f"    {head}\n"
        "    \\midrule\n"
        f"{body}\n"
        "    \\bottomrule\n"
        "  \\end{tabular}\n"
        "\\end{table}\n"
    )
    needs = "% needs \\usepackage{booktabs}\n"
    if _beyond_latin(text):
        needs += "% and XeLaTeX or LuaLaTeX, with a font that has all letters of the names\n"
    return needs + text


def _short(methods: Sequence[str]) -> list[str]:
    """The methods with the names of files of weights alone, where these differ."""
    short = [
        "+".join(
            PurePath(part).stem if part.endswith(SUFFIX) else part for part in method.split("+")
        )
        for method in methods
    ]
    return short if len(set(short)) == len(short) else list(methods)


def _line(name: str, cells: Sequence[str]) -> str:
    return " & ".join([escaped(name), *cells]) + r" \\"


def _caption(record: ComparisonRecord, column: Column) -> str:
    seeds = len({run.seed for run in record.runs})
    what = "Test metric" if column == "test" else "Validation metric"
    at, several = record.summary.at[-1], seeds > 1
    over = f"mean $\\pm$ standard error over {seeds} seeds" if several else "one seed"
    marks = (
        "; $\\dagger$ marks methods that are significantly worse than it (Wilcoxon's signed-rank "
        "test, Holm, $p < .05$)"
    )
    return (
        f"{what} of the best architecture after {at} trials on {escaped(record.benchmark)}, "
        f"{over}. The best {'mean' if several else 'value'} on each task is bold"
        f"{marks if several else ''}. "
        "The average rank is that among the methods, 1 is best."
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


def _ranks(record: ComparisonRecord, methods: Sequence[str]) -> list[str]:
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
    return cells
