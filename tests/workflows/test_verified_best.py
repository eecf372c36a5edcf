"""Which architecture is best by its repeated trainings."""

from __future__ import annotations

from surrogate_nas.workflows.verify import Verification, Winner
from tests.workflows.test_verify import ACCURACY, ARCHS, SPACE


def test_the_best_is_that_of_the_means_of_what_succeeded() -> None:
    winners = tuple(Winner(arch, 1.0) for arch in ARCHS[:3])
    trained = ((70.0, 60.0), (66.0, None), (None, None))
    checked = Verification(ACCURACY, SPACE, winners, trained, (), 0.0)
    assert checked.record().best == SPACE.format(ARCHS[1])
    none = Verification(ACCURACY, SPACE, winners[2:], trained[2:], (), 0.0)
    assert none.record().best is None
