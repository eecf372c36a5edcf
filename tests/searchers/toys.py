"""The toys of the shipped contract tests, for all other tests of searchers."""

from surrogate_nas.testing.toys import Function as Function
from surrogate_nas.testing.toys import Linear as Linear
from surrogate_nas.testing.toys import ToySpace as ToySpace
from surrogate_nas.testing.toys import Zeros as Zeros
from surrogate_nas.testing.toys import additive as additive
from surrogate_nas.testing.toys import run as run
from surrogate_nas.testing.toys import succeed as succeed
