from typing import Any

from surrogate_nas.registry import names
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.testing import NetworkContract
from surrogate_nas.training.networks.base import NetworkTask
from tests.contracts.implementations import declare
from tests.small_networks import GRAPH_NETWORKS, SMALL


class Registered(NetworkContract):
    name: str

    def space(self) -> SearchSpace:
        return open_space(self.name)

    def build(self) -> Any:
        return self.name

    def settings(self) -> dict[str, Any]:
        return dict(SMALL.get(self.name, {}))


GRAPH = {"task": NetworkTask((6,), 5)}
declare(
    globals(),
    Registered,
    {
        name: {"name": name, **(GRAPH if name in GRAPH_NETWORKS else {})}
        for name in names("network")
    },
)
