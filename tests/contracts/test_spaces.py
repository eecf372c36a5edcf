from surrogate_nas.registry import load, names
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.testing import SpaceContract
from tests.contracts.implementations import declare


class Registered(SpaceContract):
    name: str

    def make(self) -> SearchSpace:
        space: SearchSpace = load("space", self.name)()
        return space

    def test_it_has_its_registered_name(self) -> None:
        assert self.space.name == self.name


def rules(name: str) -> tuple[str, ...]:
    """The rules of equality that differ in a space: one, where no two encodings are one network."""
    merges = load("space", name).canonicalise is not SearchSpace.canonicalise
    return ("separate", "merged") if merges else ("separate",)


declare(
    globals(),
    Registered,
    {
        f"{name}-{isomorphs}-{'part' if restricted else 'whole'}": {
            "name": name,
            "isomorphs": isomorphs,
            "restricted": restricted,
        }
        for name in names("space")
        for isomorphs in rules(name)
        for restricted in (False, True)
    },
)
