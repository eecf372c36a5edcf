"""The reference: a page for each module, and one that lists the public names."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

FOLDERS = {
    "surrogate_nas": "surrogate_nas",
    "surrogate_nas/benchmarks": "benchmarks",
    "surrogate_nas/predictors": "predictors",
}
HIDDEN = ("surrogate_nas.cli", "surrogate_nas.__main__")  # the command line has its own page


def copy_sources(root: Path, target: Path) -> None:
    """Copy the packages as they install, without the symbolic links of the checkout."""
    shutil.rmtree(target, ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__", "*.h5", "*.safetensors", *FOLDERS.values())
    for name, folder in FOLDERS.items():
        ignore = skip if name == "surrogate_nas" else shutil.ignore_patterns("__pycache__", "*.h5")
        shutil.copytree(root / folder, target / name, ignore=ignore)


def modules(sources: Path) -> dict[str, Path]:
    """The public modules by their dotted names, in alphabetical order."""
    found = {}
    for path in sorted(sources.rglob("*.py")):
        parts = path.relative_to(sources).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        name = ".".join(parts)
        private = any(part.startswith("_") for part in parts)
        if not private and not any(f"{name}.".startswith(f"{hidden}.") for hidden in HIDDEN):
            found[name] = path
    return dict(sorted(found.items()))


def page_of(module: str, sources: Path) -> str:
    """The path of a module's page below ``docs``."""
    folder = "reference/api/" + module.replace(".", "/")
    return f"{folder}/index.md" if (sources / module.replace(".", "/")).is_dir() else f"{folder}.md"


def pages(sources: Path) -> dict[str, str]:
    """The Markdown of each page by its path."""
    texts = {
        page_of(name, sources): f"---\ntitle: {name}\n---\n\n::: {name}\n"
        for name in modules(sources)
        if name != "surrogate_nas"
    }
    return {**texts, "reference/index.md": _public_names(sources)}


def navigation(sources: Path) -> list[dict[str, object]]:
    """The modules as a tree of sections."""
    tree: list[dict[str, object]] = []
    sections: dict[str, list[object]] = {"surrogate_nas": tree}
    for name in modules(sources):
        if name == "surrogate_nas":
            continue
        page = page_of(name, sources)
        parent, _, last = name.rpartition(".")
        if page.endswith("/index.md"):
            sections[name] = [page]
            sections[parent].append({last: sections[name]})
        else:
            sections[parent].append({last: page})
    return tree


def _public_names(sources: Path) -> str:
    lines = [
        "# Reference",
        "",
        "The names below are imported from `surrogate_nas` itself, and load when they are used. "
        "The pages beside this one document every module.",
        "",
        "| name | what it is |",
        "|---|---|",
    ]
    tree = ast.parse((sources / "surrogate_nas" / "__init__.py").read_text(encoding="utf-8"))
    (table,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODULES"
    )
    summaries = {name: text for module in table for name, text in _summaries(module, sources)}
    for module, names in table.items():
        for name in names:
            origin, text = summaries.get(name, (module, ""))
            lines.append(f"| [`{name}`][{origin}.{name}] | {text} |")
    return "\n".join(lines) + "\n"


def _summaries(module: str, sources: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """The first line of each class and function, with the module that defines it."""
    folder = sources / module.replace(".", "/")
    files = sorted(folder.glob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    for path in files:
        parts = path.relative_to(sources).with_suffix("").parts
        origin = ".".join(parts).removesuffix(".__init__")
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                text = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
                yield node.name, (origin, text.replace("|", "\\|"))


def undocumented(sources: Path) -> list[str]:
    """Public modules, classes, functions and methods without a docstring."""
    return [
        name
        for module, path in modules(sources).items()
        for name in _undocumented(module, ast.parse(path.read_text(encoding="utf-8")))
    ]


def _undocumented(name: str, node: ast.AST) -> Iterator[str]:
    if not ast.get_docstring(node):
        yield name
    for child in getattr(node, "body", []):
        kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if not isinstance(child, kinds) or child.name.startswith("_") or _inherits(child):
            continue
        if isinstance(child, ast.ClassDef):
            yield from _undocumented(f"{name}.{child.name}", child)
        elif not ast.get_docstring(child):
            yield f"{name}.{child.name}"


def _inherits(node: ast.AST) -> bool:
    """Whether a method says that it overrides, or overloads, one that is documented."""
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in getattr(node, "decorator_list", [])}
    return bool(marks & {"override", "overload", "setter"})
