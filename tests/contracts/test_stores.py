from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surrogate_nas.evaluation import Objective
from surrogate_nas.store import Stored, open_storage
from surrogate_nas.testing import StoreContract


class TestJournal(StoreContract):
    where = "{}/trials.journal"

    def open(self, folder: Path, objective: Objective, settings: Mapping[str, Any]) -> Stored:
        storage = open_storage(self.where.format(folder))
        return Stored(objective, storage, name="toy", settings=settings)


class TestDatabase(TestJournal):
    where = "sqlite:///{}/trials.db"
