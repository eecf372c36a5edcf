"""Typed results with ``to_json``: the only place where the JSON of a command is made.

One file for each command; `surrogate_nas.records.schema` knows all of them.
"""

from surrogate_nas.records.base import ABSENT as ABSENT
from surrogate_nas.records.base import Absence as Absence
from surrogate_nas.records.base import JsonRecord as JsonRecord
from surrogate_nas.records.results import SearchResult as SearchResult
from surrogate_nas.records.results import Standing as Standing
from surrogate_nas.records.results import Stop as Stop
from surrogate_nas.records.results import standing as standing
