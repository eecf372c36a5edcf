"""Optuna's database storage with few SQL statements for each trial."""

from __future__ import annotations

import inspect
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

from surrogate_nas.store.public_database import PublicDatabase

T = TypeVar("T")

_TRIES = 8  # of a transaction that another process hinders
_ALIKE = 200  # trials from which on distributions are read once for all

_trials = models.TrialModel.__table__
_studies = models.StudyModel.__table__
_params = models.TrialParamModel.__table__
_values = models.TrialValueModel.__table__
_attributes = models.TrialUserAttributeModel.__table__
_system = models.TrialSystemAttributeModel.__table__
_steps = models.TrialIntermediateValueModel.__table__
_shared = models.StudySystemAttributeModel.__table__
_value_to = models.TrialValueModel.value_to_stored_repr
_to_value = models.TrialValueModel.stored_repr_to_value
_step_to = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
_to_step = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
_in_utc = hasattr(models.TrialModel, "_datetime_start_utc")  # local times before Optuna 5

_COLUMNS: Mapping[sa.FromClause, str] = {
    _trials: "trial_id number study_id state datetime_start datetime_complete",
    _studies: "study_id study_name",
    _params: "param_id trial_id param_name param_value distribution_json",
    _values: "trial_value_id trial_id objective value value_type",
    _attributes: "trial_user_attribute_id trial_id key value_json",
    _system: "trial_system_attribute_id trial_id key value_json",
    _steps: "trial_intermediate_value_id trial_id step intermediate_value intermediate_value_type",
    _shared: "study_system_attribute_id study_id key value_json",
}
_METHODS = {
    "_create_new_trial": ("self", "study_id", "template_trial"),
    "_get_trials": (
        "self",
        "study_id",
        "states",
        "included_trial_ids",
        "trial_id_greater_than",
    ),
}


def check_tables() -> None:
    """Check that this version of Optuna has the tables and methods that `Database` replaces.

    Raises:
        AttributeError: If it has others; the message names one.
    """
    for table, names in _COLUMNS.items():
        found = {column.name.replace("_utc", "") for column in table.columns}
        if found != set(names.split()):
            raise AttributeError(f"its table {table} has the columns {', '.join(sorted(found))}")
    for name, parameters in _METHODS.items():
        own = tuple(inspect.signature(getattr(RDBStorage, name)).parameters)
        if own != parameters:
            raise AttributeError(f"its method {name} takes {', '.join(own)}")


class Database(PublicDatabase):
    """A database storage that writes a trial in at most 8 statements, and reads many at once.

    Optuna's own writes four statements a parameter, and makes an object of each row that it reads.
    The tables are the same, so that optuna-dashboard and older versions read them. They are no
    public interface of Optuna: see `check_tables`.
    """

    # Writing ----------------------------------------------------------------------------------

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Write a trial; see `optuna.storages.BaseStorage`."""
        return self._create_new_trial(study_id, template_trial)._trial_id

    def _create_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None = None
    ) -> FrozenTrial:
        if template_trial is None:
            return super()._create_new_trial(study_id, None)
        template = template_trial

        def write(connection: sa.Connection) -> tuple[int, int]:
            trial_id, number = self._insert_next(connection, study_id, template)
            _insert_rest(connection, trial_id, template)
            return trial_id, number

        trial_id, number = self._in_transaction(write)
        written = FrozenTrial(
            number=number,
            state=template.state,
            value=None,
            values=template.values,
            datetime_start=template.datetime_start,
            datetime_complete=template.datetime_complete,
            params=dict(template.params),
            distributions=dict(template.distributions),
            user_attrs=dict(template.user_attrs),
            system_attrs=dict(template.system_attrs),
            intermediate_values=dict(template.intermediate_values),
            trial_id=trial_id,
        )
        return written

    def _insert_next(
        self, connection: sa.Connection, study_id: int, template: FrozenTrial
    ) -> tuple[int, int]:
        """Write the row of a trial with the study's next number; its identity and that number."""
        count = sa.select(sa.func.count()).where(_trials.c.study_id == study_id)
        row: dict[str, Any] = {
            "study_id": study_id,
            "state": template.state,
            "datetime_start": _to_stored(template.datetime_start),
            "datetime_complete": _to_stored(template.datetime_complete),
        }
        at_once = connection.dialect.insert_returning
        if self.engine.name != "sqlite" or not at_once:  # there, one statement is alone anyway
            self._lock_study(connection, study_id)
        if at_once:
            insert = _trials.insert().values(number=count.scalar_subquery(), **row)
            made = connection.execute(insert.returning(_trials.c.trial_id, _trials.c.number)).one()
            return int(made[0]), int(made[1])
        number = int(connection.scalar(count) or 0)
        key = connection.execute(_trials.insert().values(number=number, **row)).inserted_primary_key
        assert key is not None
        return int(key[0]), number

    def finish(self, trial_id: int, result: FrozenTrial) -> bool:
        """As `PublicDatabase.finish`, at once or not at all."""

        def write(connection: sa.Connection) -> bool:
            ended = connection.execute(
                _trials.update()
                .where(_trials.c.trial_id == trial_id, _trials.c.state == TrialState.RUNNING)
                .values(state=result.state, datetime_complete=_to_stored(datetime.now()))
            )
            if ended.rowcount != 1:
                return False
            _insert_rest(connection, trial_id, result)
            return True

        return self._in_transaction(write)

    def decide(
        self, study_id: int, key: str, decision: Callable[[Any, float], tuple[bool, Any]]
    ) -> bool:
        """As `PublicDatabase.decide`, while nobody else does."""

        def write(connection: sa.Connection) -> bool:
            self._lock_study(connection, study_id)
            now = self._now(connection)
            here = (_shared.c.study_id == study_id) & (_shared.c.key == key)
            before = connection.scalar(sa.select(_shared.c.value_json).where(here))
            wanted, value = decision(None if before is None else json.loads(before), now)
            if not wanted:
                return False
            text = json.dumps(value)
            if before is None:
                row = {"study_id": study_id, "key": key, "value_json": text}
                connection.execute(_shared.insert().values(row))
            else:
                connection.execute(_shared.update().where(here).values(value_json=text))
            return True

        return self._in_transaction(write)

    def now(self) -> float:
        """The time of the database in seconds."""
        with self.engine.connect() as connection:
            return self._now(connection)

    def _now(self, connection: sa.Connection) -> float:
        if self.engine.name == "sqlite":
            return time.time()
        is_mysql = self.engine.name in ("mysql", "mariadb")
        clock = "unix_timestamp(6)" if is_mysql else "extract(epoch from clock_timestamp())"
        found = connection.scalar(sa.text(f"SELECT {clock}"))
        return float(found or 0)

    def _lock_study(self, connection: sa.Connection, study_id: int) -> None:
        if self.engine.name == "sqlite":  # its driver would begin at the first writing only
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        row = sa.select(_studies.c.study_id).where(_studies.c.study_id == study_id)
        connection.execute(row.with_for_update())

    def _in_transaction(self, write: Callable[[sa.Connection], T]) -> T:
        for left in reversed(range(_TRIES)):
            try:
                with self.engine.begin() as connection:
                    return write(connection)
            except (sa.exc.OperationalError, sa.exc.IntegrityError):
                if not left:
                    raise
                time.sleep(random.random() * 0.2 * (_TRIES - left))
        raise AssertionError

    # Reading ----------------------------------------------------------------------------------

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        wanted = _trials.c.trial_id > trial_id_greater_than
        older = [i for i in included_trial_ids if i <= trial_id_greater_than]
        if older:
            wanted = sa.or_(wanted, _trials.c.trial_id.in_(older))
        wanted = sa.and_(_trials.c.study_id == study_id, wanted)
        if states is not None:
            listed = [state for state in TrialState if state in states]
            wanted = sa.and_(wanted, _trials.c.state.in_(listed))
        with self.engine.connect() as connection:
            return _read(connection, wanted)


def _insert_rest(connection: sa.Connection, trial_id: int, trial: FrozenTrial) -> None:
    """Write all but the row of the trial itself, a statement for each table."""
    rows: dict[sa.FromClause, list[dict[str, Any]]] = {
        _params: [
            {
                "param_name": name,
                "param_value": trial.distributions[name].to_internal_repr(value),
                "distribution_json": distribution_to_json(trial.distributions[name]),
            }
            for name, value in trial.params.items()
        ],
        _attributes: _in_json(trial.user_attrs),
        _system: _in_json(trial.system_attrs),
        _values: [
            {"objective": i, "value": stored, "value_type": kind}
            for i, (stored, kind) in enumerate(map(_value_to, trial.values or ()))
        ],
        _steps: [
            {"step": step, "intermediate_value": stored, "intermediate_value_type": kind}
            for step, (stored, kind) in (
                (step, _step_to(value)) for step, value in trial.intermediate_values.items()
            )
        ],
    }
    for table, found in rows.items():
        if found:
            complete = [{"trial_id": trial_id, **row} for row in found]
            connection.execute(sa.insert(table).values(complete))  # type: ignore[arg-type]


def _in_json(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value_json": json.dumps(v)} for key, v in attributes.items()]


def _read(connection: sa.Connection, wanted: sa.ColumnElement[bool]) -> list[FrozenTrial]:
    columns = _trials.c.trial_id, _trials.c.number, _trials.c.state
    times = _trials.c.datetime_start, _trials.c.datetime_complete
    heads = connection.execute(
        sa.select(*columns, *times).where(wanted).order_by(_trials.c.trial_id)
    ).all()
    if not heads:
        return []
    params, distributions = _read_params(connection, wanted, len(heads))
    attributes = _read_json(connection, _attributes, wanted)
    system = _read_json(connection, _system, wanted)
    values: dict[int, list[float]] = defaultdict(list)
    rows = (_values.c.value, _values.c.value_type)
    for trial_id, value, kind in _of(connection, _values, rows, wanted, _values.c.objective):
        values[trial_id].append(_to_value(value, kind))
    steps: dict[int, dict[int, float]] = defaultdict(dict)
    parts = (_steps.c.step, _steps.c.intermediate_value, _steps.c.intermediate_value_type)
    for trial_id, step, value, kind in _of(connection, _steps, parts, wanted):
        steps[trial_id][step] = _to_step(value, kind)
    return [
        FrozenTrial(
            number=number,
            state=state,
            value=None,
            values=values.get(trial_id),
            datetime_start=_from_stored(start),
            datetime_complete=_from_stored(end),
            params=params.get(trial_id, {}),
            distributions=distributions.get(trial_id, {}),
            user_attrs=attributes.get(trial_id, {}),
            system_attrs=system.get(trial_id, {}),
            intermediate_values=steps.get(trial_id, {}),
            trial_id=trial_id,
        )
        for trial_id, number, state, start, end in heads
    ]


def _of(
    connection: sa.Connection,
    table: Any,
    columns: Iterable[Any],
    wanted: sa.ColumnElement[bool],
    order: Any = None,
) -> Sequence[Any]:
    """Rows of a table that belong to the trials, with the trial's id first."""
    query = sa.select(table.c.trial_id, *columns).join(
        _trials, _trials.c.trial_id == table.c.trial_id
    )
    query = query.where(wanted)
    return connection.execute(query if order is None else query.order_by(order)).all()


def _read_json(
    connection: sa.Connection, table: Any, wanted: sa.ColumnElement[bool]
) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for trial_id, key, text in _of(connection, table, (table.c.key, table.c.value_json), wanted):
        found[trial_id][key] = json.loads(text)
    return found


def _read_params(
    connection: sa.Connection, wanted: sa.ColumnElement[bool], trials: int
) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, BaseDistribution]]]:
    """Parameters and distributions of each trial; equal distributions are one object."""
    known: dict[str, BaseDistribution] = {}

    def distribution(text: str) -> BaseDistribution:
        if text not in known:
            known[text] = json_to_distribution(text)
        return known[text]

    params: dict[int, dict[str, Any]] = defaultdict(dict)
    alike: dict[tuple[str, ...], dict[str, BaseDistribution]] = {}
    names, value, text = _params.c.param_name, _params.c.param_value, _params.c.distribution_json
    if trials > _ALIKE:
        pairs = _distinct(connection, wanted)
        if len({name for name, _ in pairs}) == len(pairs):
            of = {name: distribution(found) for name, found in pairs}
            to = {name: each.to_external_repr for name, each in of.items()}
            for trial_id, name, stored in _of(
                connection, _params, (names, value), wanted, _params.c.param_id
            ):
                params[trial_id][name] = to[name](stored)
            shared = {}
            for trial_id, found in params.items():
                order = tuple(found)
                if order not in alike:
                    alike[order] = {name: of[name] for name in order}
                shared[trial_id] = alike[order]
            return params, shared
    own: dict[int, dict[str, BaseDistribution]] = defaultdict(dict)
    for trial_id, name, stored, written in _of(
        connection, _params, (names, value, text), wanted, _params.c.param_id
    ):
        own[trial_id][name] = distribution(written)
        params[trial_id][name] = own[trial_id][name].to_external_repr(stored)
    return params, own


def _distinct(
    connection: sa.Connection, wanted: sa.ColumnElement[bool]
) -> Sequence[tuple[str, str]]:
    query = sa.select(_params.c.param_name, _params.c.distribution_json).distinct()
    query = query.join(_trials, _trials.c.trial_id == _params.c.trial_id).where(wanted)
    return [(name, text) for name, text in connection.execute(query)]


def _to_stored(local: datetime | None) -> datetime | None:
    if local is None or not _in_utc:
        return local
    return local.astimezone(UTC).replace(tzinfo=None)


def _from_stored(stored: datetime | None) -> datetime | None:
    if stored is None or not _in_utc:
        return stored
    return stored.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
