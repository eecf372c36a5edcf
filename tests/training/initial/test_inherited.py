"""Weights that a child has from its parent."""

from pathlib import Path

import pytest
import torch

from surrogate_nas.training.devices import DeviceExamples
from surrogate_nas.training.initial.base import FreshTraining
from surrogate_nas.training.initial.inherited import KEPT, Inherited, inherit, weights_folder
from surrogate_nas.training.initial.sources import SourceData
from tests.training.data import squares
from tests.training.initial.banks import SETTINGS, SPACE

DATA = squares()


def _network(text: str, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    network, _ = SourceData(DATA, SETTINGS).build(SPACE.parse(text))
    with torch.no_grad():
        for buffer in network.buffers():  # as after some training
            if buffer.is_floating_point():
                buffer.add_(torch.rand_like(buffer))
    return network.eval()


@pytest.mark.parametrize(
    "child", ["conv3x3-skip-conv3x3-avgpool3x3", "conv3x3-skip-conv5x5-avgpool3x3"]
)
def test_the_same_and_a_grown_kernel_compute_the_same(child: str) -> None:
    parent, network = _network("conv3x3-skip-conv3x3-avgpool3x3", 0), _network(child, 1)
    x = torch.rand(3, 1, 6, 6)
    assert not torch.allclose(network(x), parent(x))
    assert inherit(network, parent.state_dict()) == len(network.state_dict())
    torch.testing.assert_close(network(x), parent(x))


def test_what_does_not_fit_stays_fresh() -> None:
    parent, network = (
        _network("conv5x5-skip-skip-skip", 0),
        _network("conv3x3-conv3x3-skip-skip", 1),
    )
    fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    inherit(network, parent.state_dict())
    state = network.state_dict()
    old = parent.state_dict()
    assert torch.equal(state["1.nodes.0.0.weight"], old["1.nodes.0.0.weight"][:, :, 1:-1, 1:-1])
    assert torch.equal(state["1.nodes.1.0.weight"], fresh["1.nodes.1.0.weight"])
    assert torch.equal(state["2.2.weight"], old["2.2.weight"])


def test_the_nearest_is_the_parent_and_only_the_best_are_kept(tmp_path: Path) -> None:
    kept = Inherited(tmp_path)
    texts = ["skip-skip-skip-conv3x3", "skip-skip-conv3x3-skip", "skip-conv3x3-conv3x3-skip"]
    for value, text in enumerate(texts):
        kept.keep(SPACE.parse(text), _network(text, value), float(value))
    child = SPACE.parse("skip-skip-skip-skip")
    parent = kept.parent(child)
    assert parent is not None
    assert parent.name.endswith("=1.0000.pt")  # one decision differs, and it is better
    assert kept.parent(SPACE.parse("conv5x5-conv5x5-conv5x5-conv5x5")) is None
    own = kept.parent(SPACE.parse(texts[1]))
    assert own is not None
    assert not own.name.endswith("=1.0000.pt")  # not from itself
    for value in range(KEPT):
        (tmp_path / f"4-4-4-4={value + 2.5:.4f}.pt").touch()
    kept.keep(child, _network("skip-skip-skip-skip", 9), 1.5)
    assert len(list(tmp_path.iterdir())) == KEPT
    assert not list(tmp_path.glob("*=1.5000.pt"))


def test_a_torn_file_is_no_parent(tmp_path: Path) -> None:
    (tmp_path / "4-4-4-3=9.0000.pt").write_bytes(b"torn")
    arch = SPACE.parse("skip-skip-skip-skip")
    network = _network("skip-skip-skip-skip", 0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    examples = DeviceExamples(DATA.train, DATA.moments, torch.device("cpu"))
    Inherited(tmp_path).begin(network, FreshTraining(arch, DATA, examples, 0, 1))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_folder_is_beside_the_store() -> None:
    assert weights_folder("run.journal") == Path("run.journal.weights")
    assert weights_folder("sqlite:///a/run.db") == Path("a/run.db.weights")
    assert weights_folder("postgresql://host/db") != weights_folder(None)
