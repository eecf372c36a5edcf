"""Pictures that the program draws while the site is built."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np

from surrogate_nas import make_searcher, open_benchmark, registry, search
from surrogate_nas.reporting.drawing import draw_architecture
from surrogate_nas.reporting.plots import draw_search
from surrogate_nas.spaces import open_space

_SEED, _TRIALS = 0, 50


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
        for name in registry.SPACES:
            space, path = open_space(name), Path(folder, f"{name}.svg")
            draw_architecture(path, space, space.sample(np.random.default_rng(_SEED)))
            found[f"cards/gallery/{name}.svg"] = path.read_bytes()
    return found
