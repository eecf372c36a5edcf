"""What pip makes of this tree: the wheel, the editable install, the pinned versions."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "surrogate_nas": ROOT / "surrogate_nas",
    "surrogate_nas.benchmarks": ROOT / "benchmarks",
    "surrogate_nas.predictors": ROOT / "predictors",
}
LINKS = {"benchmarks": "../benchmarks", "predictors": "../predictors"}


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def packages_of_the_tree() -> set[str]:
    """The dotted names of all folders with Python files, symbolic links not followed."""
    found = set()
    for package, folder in FOLDERS.items():
        for parent, _, files in os.walk(folder):
            if any(name.endswith(".py") for name in files):
                found.add(".".join((package, *Path(parent).relative_to(folder).parts)))
    return found


def pins() -> dict[str, str]:
    """The name and version of every line of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name: version for name, version in pairs}


def copy_of_the_tree(target: Path, *, symlinks: bool) -> Path:
    """What git holds of the packages, with or without support for symbolic links."""
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("benchmarks", "predictors", "surrogate_nas"):
        shutil.copytree(ROOT / name, target / name, symlinks=True, ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target / name)
    if not symlinks:
        for name, content in LINKS.items():
            link = target / "surrogate_nas" / name
            link.unlink()
            link.write_text(content, encoding="utf-8")  # as git does on Windows
    return target


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Runs a command without network and gives what it prints."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    env |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_wheel(source: Path, folder: Path) -> Path:
    flags = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder))
    run(sys.executable, "-m", "pip", "wheel", *flags, str(source), cwd=folder.parent)
    (wheel,) = folder.glob("surrogate_nas-*.whl")
    return wheel


def build_by_hook(hook: str, tree: Path, folder: Path) -> Path:
    """One of setuptools' own builds (PEP 517 and 660), as pip and build call them."""
    folder.mkdir(exist_ok=True)
    code = f"import setuptools.build_meta as b, sys; b.{hook}(sys.argv[1])"
    run(sys.executable, "-c", code, str(folder), cwd=tree)
    (made,) = folder.iterdir()
    return made


def assert_wheel_is_complete(wheel: Path, elsewhere: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        unpacked = elsewhere / "unpacked"
        archive.extractall(unpacked)
    version = pyproject()["project"]["version"]
    assert {name.split("/")[0] for name in names} == {
        "surrogate_nas",
        f"surrogate_nas-{version}.dist-info",
    }
    tables = ("cell-bench", "large-layerwise", "large-hierarchical")
    assert {f"surrogate_nas/benchmarks/{table}.h5" for table in tables} <= names
    assert "surrogate_nas/py.typed" in names
    assert {f"surrogate_nas/reporting/html/{name}" for name in ("page.js", "style.css")} <= names
    modules = {
        "/".join((*package.split("."), *file.relative_to(folder).parts))
        for package, folder in FOLDERS.items()
        for parent, _, files in os.walk(folder)
        for file in (Path(parent, name) for name in files if name.endswith(".py"))
    }
    assert {name for name in names if name.endswith(".py")} == modules

    code = (
        "import surrogate_nas.benchmarks as b, surrogate_nas.predictors as p;"
        "print(b.__file__, p.__file__, sep='\\n')"
    )
    printed = run(sys.executable, "-c", code, cwd=elsewhere, PYTHONPATH=str(unpacked))
    for line, name in zip(printed.splitlines(), LINKS, strict=True):
        assert Path(line).resolve() == (unpacked / "surrogate_nas" / name / "__init__.py").resolve()


def test_listed_packages_agree_with_the_tree() -> None:
    settings = pyproject()["tool"]["setuptools"]
    assert settings["packages"] == sorted(packages_of_the_tree())
    mapped = {name: ROOT / folder for name, folder in settings["package-dir"].items()}
    assert mapped == FOLDERS


@pytest.mark.parametrize("name", sorted(packages_of_the_tree()))
def test_every_folder_with_modules_is_a_package(name: str) -> None:
    root = max((r for r in FOLDERS if f"{name}.".startswith(f"{r}.")), key=len)
    below = name.removeprefix(root).strip(".").split(".")
    assert FOLDERS[root].joinpath(*below, "__init__.py").is_file()


def test_every_folder_of_tests_is_a_package() -> None:
    """Without, two test files of one name collide, and mypy overlooks them."""
    tests = ROOT / "tests"
    found = {path.parent for path in tests.rglob("*.py")}
    folders = {folder for folder in found if not folder.is_relative_to(tests / "data")}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").is_file()]


@pytest.mark.parametrize(("name", "content"), sorted(LINKS.items()))
def test_links_are_relative(name: str, content: str) -> None:
    link = ROOT / "surrogate_nas" / name
    if link.is_symlink():
        assert Path(os.readlink(link)).as_posix() == content
    else:  # a checkout without symbolic links
        assert link.read_text(encoding="utf-8") == content


@pytest.mark.parametrize("name", sorted(LINKS))
def test_bare_names_refuse_to_be_imported(name: str) -> None:
    code = f"""
try:
    import {name}
except ImportError as error:
    print(error)
"""
    printed = run(sys.executable, "-c", code, cwd=ROOT)
    assert f"import surrogate_nas.{name} " in printed


def test_wheel(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    tree = copy_of_the_tree(tmp_path / "tree", symlinks=True)
    assert_wheel_is_complete(build_wheel(tree, tmp_path / "wheels"), tmp_path)


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An sdist of a checkout without symbolic links, and the wheel that is made of it."""
    folder = tmp_path_factory.mktemp("distributions")
    (folder / "tree").mkdir()
    tree = copy_of_the_tree(folder / "tree", symlinks=False)
    sdist = build_by_hook("build_sdist", tree, folder / "sdist")
    return sdist, build_wheel(sdist, folder / "wheels")


def test_wheel_by_way_of_an_sdist_made_without_symlinks(
    distributions: tuple[Path, Path], tmp_path: Path
) -> None:
    assert_wheel_is_complete(distributions[1], tmp_path)


def test_distributions_pass_the_checks_of_the_index(
    distributions: tuple[Path, Path], tmp_path: Path
) -> None:
    said = run(sys.executable, "-m", "twine", "check", "--strict", *distributions, cwd=tmp_path)
    assert said.count("PASSED") == 2
    # A file may be in a wheel twice only where it is empty, as some __init__.py are.
    said = run(
        sys.executable, "-m", "check_wheel_contents", "--toplevel", "surrogate_nas",
        distributions[1], cwd=tmp_path,
    )  # fmt: skip
    assert said.rstrip().endswith("OK")


def test_distributions_suit_every_file_system(distributions: tuple[Path, Path]) -> None:
    sdist, wheel = distributions
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert all(member.isreg() or member.isdir() for member in members)
    for names in ([member.name for member in members], zipfile.ZipFile(wheel).namelist()):
        assert not [name for name in names if set(name) & set('<>:"\\|?*') or len(name) > 160]
        assert len({name.lower() for name in names}) == len(names)


def test_a_wheel_runs_without_symbolic_links_and_without_a_shell(
    distributions: tuple[Path, Path], tmp_path: Path
) -> None:
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile",
        "--target", site, distributions[1], cwd=tmp_path,
    )  # fmt: skip
    assert not [path for path in site.rglob("*") if path.is_symlink()]
    alone = {"PYTHONPATH": str(site), "PATH": str(empty), "SURROGATE_NAS_HOME": str(empty)}
    code = "import surrogate_nas; print(surrogate_nas.__file__)"
    where = run(sys.executable, "-c", code, cwd=empty, **alone).strip()
    assert Path(where).is_relative_to(site)
    program = (sys.executable, "-m", "surrogate_nas")
    assert "search one task" in run(*program, "--help", cwd=empty, **alone)
    search = ("search", "--benchmark", "cell-bench", "--task", "digits", "--predictor", "gp")
    said = run(*program, *search, "--trials", "8", "--json", cwd=empty, **alone)
    assert len(json.loads(said)["trials"]) == 8
    # The entry point that pip makes a program of on every system.
    (console,) = site.glob("surrogate_nas-*.dist-info/entry_points.txt")
    assert "surrogate-nas = surrogate_nas.cli:main" in console.read_text(encoding="utf-8")


def test_editable_install_without_symlinks(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    tree = copy_of_the_tree(tmp_path / "tree", symlinks=False)
    wheel = build_by_hook("build_editable", tree, tmp_path / "editable")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    # Without `site` (-S), so that an installed surrogate_nas does not answer in its place.
    code = f"""
import site, sys
site.addsitedir({str(site)!r})
sys.path.append({sysconfig.get_path("purelib")!r})
import surrogate_nas.benchmarks as b, surrogate_nas.predictors as p
print(b.__file__, p.__file__, sep="\\n")
"""
    printed = run(sys.executable, "-S", "-c", code, cwd=tmp_path)
    for line, name in zip(printed.splitlines(), LINKS, strict=True):
        assert Path(line).resolve() == (tree / name / "__init__.py").resolve()


def test_constraints_pin_every_dependency() -> None:
    project = pyproject()["project"]
    extras = project["optional-dependencies"]
    listed = [Requirement(text) for text in [*project["dependencies"], *extras["dev"]]]
    (own,) = (found for found in listed if found.name == "surrogate-nas")
    listed += [Requirement(text) for extra in own.extras for text in extras[extra]]
    pinned = pins()
    for requirement in listed:
        name = canonicalize_name(requirement.name)
        if name not in (
            "pip",
            own.name,
        ):  # pip installs the others: it is there before the constraints are read
            assert name in pinned
            assert requirement.specifier.contains(pinned[name]), requirement


def test_constraints_are_plain_versions() -> None:
    pinned = pins()
    assert list(pinned) == sorted(pinned)
    for name, version in pinned.items():
        assert name == canonicalize_name(name)
        assert re.fullmatch(r"[0-9]+(\.[0-9]+)*(\.?(post|rc|a|b)[0-9]+)?", version), name
