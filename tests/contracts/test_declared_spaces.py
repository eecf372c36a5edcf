"""Spaces declared in TOML, with numbers and conditions, keep the contract of all spaces."""

from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.testing import SpaceContract
from tests.contracts.implementations import declare
from tests.spaces.test_definitions import LAYERS

MOBILE = """
name = "mobile"
graph = "chain"
[decisions]
width = {real = [1.25, 8.25], levels = 8}
[[nodes]]
name = "stage"
count = 5
operation = "inverted_residual"
kernel = [3, 5, 7]
expansion = [3, 4, 6]
repetitions = [2, 3, 4]
"""


class Declared(SpaceContract):
    text: str

    def make(self) -> SearchSpace:
        return CustomSpace(self.text)


declare(
    globals(),
    Declared,
    {
        f"{name}-{'part' if restricted else 'whole'}": {"text": text, "restricted": restricted}
        for name, text in (("layers", LAYERS), ("mobile", MOBILE))
        for restricted in (False, True)
    },
)
