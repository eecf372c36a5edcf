"""Files of weights: whole, replaced, damaged and foreign ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.folders import weights_folder
from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
)
from surrogate_nas.predictors.meta import weights as weights_module
from surrogate_nas.predictors.meta.learner import MetaGNN
from surrogate_nas.predictors.meta.weights import read_settings, read_weights, write_weights
from surrogate_nas.transfer import (
    choose_predictor,
)
from tests.suites import table, trained

pytestmark = pytest.mark.usefixtures("home")


def test_files_of_weights(home: Path) -> None:
    task = open_benchmark("mine").task("a")
    path = home / "w.safetensors"
    trained(path, "mine:b,c")
    choice = choose_predictor(str(path), task)
    data = task.data()
    predicted = choice.make(task.space, 0).predict(data.choices).mean
    assert np.corrcoef(predicted, data.values)[0, 1] > 0.5
    with pytest.raises(InvalidArgumentError, match="trained on mine/b itself"):
        choose_predictor(str(path), open_benchmark("mine").task("b"))
    with pytest.raises(InvalidArgumentError, match="have their sources"):
        choose_predictor(str(path), task, leave_one_out=True)
    table("macro", ("m",), space="nasbench-macro")
    with pytest.raises(FormatError, match=r"are for nats-size, and macro/m is of .*nasbench-macro"):
        choose_predictor(str(path), open_benchmark("macro").task("m"))
    with pytest.raises(InvalidArgumentError, match="no file of weights"):
        choose_predictor(str(home / "none.safetensors"), task)


def test_damaged_and_foreign_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = open_benchmark("mine").task("a")
    path = home / "w.safetensors"
    trained(path, "mine:b,c")
    whole = path.read_bytes()
    for content in (b"", whole[:100], b"\x80\x04K\x01."):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="damaged, cut off"):
            choose_predictor(str(path), task)
    save_file({"x": np.zeros(2)}, path)
    with pytest.raises(FormatError, match="no weights of surrogate-nas"):
        choose_predictor(str(path), task)
    monkeypatch.setattr(weights_module, "_KIND", replace(weights_module._KIND, version=99))
    path.write_bytes(whole)
    with pytest.raises(FormatError, match=r"version 2 .* reads version 99"):
        choose_predictor(str(path), task)
    monkeypatch.undo()
    write_weights(path, {"index": np.zeros(3)}, read_settings_of(whole, home))
    with pytest.raises(FormatError, match="does not hold the weights of a transfer-ridge"):
        choose_predictor(str(path), task).make(task.space, 0)


def read_settings_of(content: bytes, folder: Path) -> weights_module.Settings:
    (folder / "copy.safetensors").write_bytes(content)
    return read_settings(folder / "copy.safetensors")


def test_damaged_content_is_told(home: Path) -> None:
    task = open_benchmark("nas-bench-graph").task("cora")
    shipped = weights_module.SHIPPED / "nas-bench-graph-without-cora.safetensors"
    tensors, settings = read_weights(shipped)
    path = home / "w.safetensors"
    weight = "encoder0.encoder.structure.weight"
    for changed in (
        {weight: tensors[weight][0]},
        {weight: tensors[weight] * np.float32(np.nan)},
        {"terms.scale": tensors["terms.scale"][1:]},
        {"terms.operations": tensors["terms.operations"][:, 1:]},
        {name: None for name in tensors if name.startswith("encoder")},
    ):
        damaged = {name: a for name, a in (tensors | changed).items() if a is not None}
        write_weights(path, damaged, settings)
        with pytest.raises(FormatError, match="meta-train"):
            choose_predictor(str(path), task).make(task.space, 0)
    labels: Any = "many"
    wrong = replace(settings, tasks=(replace(settings.tasks[0], labels=labels),))
    write_weights(path, tensors, wrong)
    with pytest.raises(FormatError, match="labels is no int"):
        choose_predictor(str(path), task)


def test_odd_entries_of_the_folder_are_passed_over() -> None:
    folder = weights_folder()
    trained(folder / "whole.safetensors", "mine:b")
    (folder / "folder.safetensors").mkdir()
    (folder / "link.safetensors").symlink_to("nowhere")
    metadata = {"format": "surrogate-nas weights", "format_version": "2", "settings": "[]"}
    save_file({"x": np.zeros(2)}, folder / "list.safetensors", metadata=metadata)
    task = open_benchmark("mine").task("a")
    found = choose_predictor("transfer-ridge", task).weights
    assert found == str(folder / "whole.safetensors")
    with pytest.raises(FormatError, match="no JSON object"):
        choose_predictor(str(folder / "list.safetensors"), task)


def test_replaced_weights_are_read_again(home: Path) -> None:
    task = open_benchmark("mine").task("a")
    path = home / "w.safetensors"

    def predicted(suite: str) -> Any:
        trained(path, suite)
        predictor = choose_predictor(str(path), task).make(task.space, 0)
        return predictor.predict(task.choices).mean.tolist()

    assert predicted("mine:b") != predicted("mine:c")


def test_the_shipped_weights_are_whole_and_of_the_installed_tables() -> None:
    files = sorted(weights_module.SHIPPED.glob("*.safetensors"))
    assert len(files) == 13
    assert sum(path.stat().st_size for path in files) < 8e6
    benchmark = open_benchmark("nas-bench-graph")
    known = {f"nas-bench-graph/{t}": benchmark.task(t).fingerprint for t in benchmark.tasks}
    for path in files:
        tensors, settings = read_weights(path)
        assert MetaGNN.restored(tensors, settings.learner).tensors().keys() == tensors.keys()
        left_out = path.stem.removeprefix("nas-bench-graph-without-")
        if path.stem.startswith("nas-bench-graph"):
            assert {task.name: task.fingerprint for task in settings.tasks} == {
                name: value for name, value in known.items() if name.split("/")[1] != left_out
            }
