"""Pages in a browser: nothing fails, nothing is cut off, text can be read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from surrogate_nas.cli import main
from surrogate_nas.workflows.report import write_report
from tests.browser import CHROMIUM, FLAGS
from tests.reporting.html.pages import HOSTILE, made_search, written

pytestmark = pytest.mark.chromium

# What a reader would notice, as JSON in the document's title.
LOOK = """
<script>
addEventListener("load", () => {
  const seen = (e) => e.getClientRects().length > 0;
  const texts = [...document.querySelectorAll("body *")].filter((e) => seen(e) &&
    [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()));
  const key = (name) => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key: name, bubbles: true }));
  document.querySelector(".plot").focus();
  key("ArrowRight");
  document.title = JSON.stringify({
    overflow: document.documentElement.scrollWidth - innerWidth,
    smallest: Math.min(...texts.map((e) => parseFloat(getComputedStyle(e).fontSize))),
    figures: [...document.querySelectorAll("figure")].map((e) => e.getBoundingClientRect().height),
    marks: [...document.querySelectorAll(".area, .lines")].filter(
      (e) => !e.querySelector("path")).length,
    told: document.getElementById("tip").textContent,
    ink: getComputedStyle(document.body).color,
    paper: getComputedStyle(document.body).backgroundColor,
    images: document.images.length,
  });
});
</script>
"""


CELLS = "--benchmark cell-bench --task digits"
COMMANDS = {
    "front": f"search {CELLS} --predictor none --trials 30 --limit flops<=1e6 --goal accuracy "
    "--goal latency --goal parameters",
    "comparison": f"compare {CELLS} --searcher random,evolution --trials 8 --seeds 2 --workers 1 "
    "--out compared",
}


def looked_at(
    page: Path, width: int, folder: Path, *, dark: bool = False, look: str = LOOK
) -> dict[str, Any]:
    """What a browser makes of a page; its own script must run, and nothing else."""
    text = page.read_text(encoding="utf-8")
    # The page's policy would refuse the script that looks; the page's own stays as it is.
    open_to_us = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert open_to_us != text
    copy = folder / f"looked-at-{width}.html"
    copy.write_text(open_to_us.replace("</body>", look + "</body>"), encoding="utf-8")
    assert CHROMIUM is not None
    theme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    command = [CHROMIUM, *FLAGS, *theme, f"--user-data-dir={folder / f'profile-{width}'}"]
    command += ["--enable-logging=stderr", "--log-level=0", f"--window-size={width},900"]
    command += ["--virtual-time-budget=20000", "--dump-dom", copy.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    shutil.rmtree(folder / f"profile-{width}", ignore_errors=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    title = re.findall(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[0]
    found: dict[str, Any] = json.loads(
        title.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    )
    return found


AXE = os.environ.get("SURROGATE_NAS_AXE")  # axe.min.js of npm's axe-core
JUDGE = """
<script>
addEventListener("load", () => axe.run().then((found) => {
  document.title = JSON.stringify({
    violations: found.violations.map((v) => [v.id, ...v.nodes.map((n) => n.target.join(" "))]),
    passes: found.passes.length,
  });
}));
</script>
"""


@pytest.mark.skipif(AXE is None, reason="SURROGATE_NAS_AXE names no axe.min.js")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("kind", ["search", "front", "comparison", "table"])
def test_rules_of_accessibility(
    kind: str, width: int, dark: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.html"
    if kind == "search":
        page = written(tmp_path, made_search(60, name=HOSTILE, failures=3))
    elif kind == "table":
        write_report("cell-bench", page)
    else:
        assert main([*COMMANDS[kind].split(), "--report", str(page)]) == 0
    script = f"<script>{Path(str(AXE)).read_text(encoding='utf-8')}</script>{JUDGE}"
    found = looked_at(page, width, tmp_path, dark=dark, look=script)
    assert found["passes"] > 10
    assert found["violations"] == []


@pytest.mark.parametrize("width", [360, 1400])
def test_a_search(width: int, tmp_path: Path) -> None:
    found = looked_at(written(tmp_path, made_search(60, name=HOSTILE, failures=3)), width, tmp_path)
    assert found["overflow"] <= 0
    assert found["smallest"] >= 12
    assert len(found["figures"]) >= 6
    assert min(found["figures"]) > 80
    assert found["marks"] == 0
    assert found["told"].startswith("trial ")
    assert found["images"] == 0


def test_a_table_in_the_dark(tmp_path: Path) -> None:
    write_report("cell-bench", tmp_path / "table.html")
    found = looked_at(tmp_path / "table.html", 1400, tmp_path, dark=True)
    assert found["overflow"] <= 0
    assert found["smallest"] >= 12
    light = [int(x) for x in re.findall(r"\d+", found["ink"])]
    dark = [int(x) for x in re.findall(r"\d+", found["paper"])]
    assert min(light) > 200
    assert max(dark) < 50
