"""Pictures that the program draws while the site is built."""

from __future__ import annotations

import contextlib
import functools
import io
import tempfile
from pathlib import Path

import numpy as np

from surrogate_nas import make_searcher, open_benchmark, registry, search
from surrogate_nas.cli import main
from surrogate_nas.reporting.drawing import draw_architecture
from surrogate_nas.reporting.plots import draw_search
from surrogate_nas.spaces import open_space

_SEED, _TRIALS = 0, 50
_REPORTED = [
    "search",
    "--benchmark",
    "cell-bench",
    "--task",
    "digits",
    "--predictor",
    "gp",
    "--trials",
    "40",
]
_COMPARED = [
    "compare",
    "--benchmark",
    "cell-bench",
    "--task",
    "digits",
    "--searcher",
    "random,evolution+gp",
    "--trials",
    "40",
    "--seeds",
    "8",
    "--plot-format",
    "svg",
]


def page() -> str:
    """The gallery as Markdown."""
    parts = [
        "# Gallery",
        "",
        "All pictures of this page were drawn by the program when the site was built.",
        "",
        "## A search",
        "",
        f"{_TRIALS} trials of `evolution+gp` on the task `cora` of NAS-Bench-Graph, seed {_SEED}:",
        "",
        "![Best value so far over the trials](gallery/search.svg)",
        "",
        "```console",
        f"surrogate-nas search --task cora --predictor gp --trials {_TRIALS} --plot cora.png",
        "```",
        "",
        "## A report",
        "",
        "[A page about another search](gallery/report.html), which needs no other file:",
        "",
        "```console",
        f"surrogate-nas {' '.join(_REPORTED)} --report report.html",
        "```",
        "",
        "## A comparison",
        "",
        "Two methods with eight seeds each: the rank of the best architecture so far.",
        "",
        "![Curves of two methods over the trials](gallery/by_trials.svg)",
        "",
        "```console",
        f"surrogate-nas {' '.join(_COMPARED)} --out comparison",
        "```",
        "",
        "## Architectures",
        "",
        "One of each space, drawn at random. `surrogate-nas train ARCH --draw FILE.svg` draws one, "
        "and so does `surrogate_nas.reporting.drawing.draw_architecture`.",
        "",
    ]
    for name in registry.SPACES:
        alt = f"The graph of an architecture of {name}"
        parts += [f"### {name}", "", f"![{alt}](gallery/{name}.svg){{ loading=lazy }}", ""]
    return "\n".join(parts)


def _command(folder: Path, *arguments: str) -> None:
    """Run a command in a folder, so that what it writes does not name the folder."""
    said = io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        code = main(list(arguments))
    if code:
        raise RuntimeError(said.getvalue())


@functools.cache
def pictures() -> dict[str, bytes]:
    """The content of each picture by its path below ``docs``."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "search.svg")
        task = open_benchmark("nas-bench-graph").task("cora")
        searcher = make_searcher("evolution+gp", task.space, seed=_SEED)
        result = search(searcher, task, trials=_TRIALS, batch=5)
        draw_search(path, task, result, method="evolution + gp")
        found["cards/gallery/search.svg"] = path.read_bytes()
        report = Path(folder, "report.html")
        _command(Path(folder), *_REPORTED, "--report", report.name)
        found["cards/gallery/report.html"] = report.read_bytes()
        _command(Path(folder), *_COMPARED, "--workers", "1", "--out", ".")
        found["cards/gallery/by_trials.svg"] = Path(folder, "by_trials.svg").read_bytes()
        for name in registry.SPACES:
            space, path = open_space(name), Path(folder, f"{name}.svg")
            draw_architecture(path, space, space.sample(np.random.default_rng(_SEED)))
            found[f"cards/gallery/{name}.svg"] = path.read_bytes()
    return found
