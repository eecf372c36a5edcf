"""Trials kept in an Optuna storage: durable, resumable, and shown by optuna-dashboard."""

from surrogate_nas.store.shared import Shared
from surrogate_nas.store.storages import open_storage
from surrogate_nas.store.stored import Stored, study_name
from surrogate_nas.store.studies import Study, accept_settings, read_study

__all__ = [
    "Shared",
    "Stored",
    "Study",
    "accept_settings",
    "open_storage",
    "read_study",
    "study_name",
]
