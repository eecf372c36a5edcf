"""Typed results with ``to_json``: the only place where the JSON of a command is made.

`surrogate_nas.records.schema` knows which command answers with which record.
"""

from surrogate_nas.records.base import ABSENT as ABSENT
from surrogate_nas.records.base import Absence as Absence
from surrogate_nas.records.base import JsonRecord as JsonRecord
from surrogate_nas.records.comparison import ComparisonRecord as ComparisonRecord
from surrogate_nas.records.measurement import Measurement as Measurement
from surrogate_nas.records.measurement import MeasurementRecord as MeasurementRecord
from surrogate_nas.records.measurement import MeasurementSummary as MeasurementSummary
from surrogate_nas.records.measuring import FailedNetwork as FailedNetwork
from surrogate_nas.records.measuring import MeasuredNetwork as MeasuredNetwork
from surrogate_nas.records.measuring import MeasuringRecord as MeasuringRecord
from surrogate_nas.records.meta_training import MetaTrainingRecord as MetaTrainingRecord
from surrogate_nas.records.report import ReportRecord as ReportRecord
from surrogate_nas.records.results import SearchResult as SearchResult
from surrogate_nas.records.results import Standing as Standing
from surrogate_nas.records.results import Stop as Stop
from surrogate_nas.records.results import standing as standing
from surrogate_nas.records.retry import RetryRecord as RetryRecord
from surrogate_nas.records.search import CheckedNetwork as CheckedNetwork
from surrogate_nas.records.search import DeviceCheck as DeviceCheck
from surrogate_nas.records.search import SearchRecord as SearchRecord
from surrogate_nas.records.surrogates import SurrogateCheckRecord as SurrogateCheckRecord
from surrogate_nas.records.surrogates import SurrogateSummary as SurrogateSummary
from surrogate_nas.records.surrogates import SurrogateTaskCheck as SurrogateTaskCheck
from surrogate_nas.records.tables import BenchmarksRecord as BenchmarksRecord
from surrogate_nas.records.tables import ImportRecord as ImportRecord
from surrogate_nas.records.tables import TableRecord as TableRecord
from surrogate_nas.records.training import BuildRecord as BuildRecord
from surrogate_nas.records.training import ExportRecord as ExportRecord
from surrogate_nas.records.training import FailedTraining as FailedTraining
from surrogate_nas.records.training import SupernetPoint as SupernetPoint
from surrogate_nas.records.training import SupernetRecord as SupernetRecord
from surrogate_nas.records.training import TrainingRecord as TrainingRecord
from surrogate_nas.records.verification import VerificationRecord as VerificationRecord
