"""Trials kept in an Optuna storage: durable, resumable, and shown by optuna-dashboard."""

from surrogate_nas.store.storages import open_storage
from surrogate_nas.store.stored import Stored, study_name

__all__ = ["Stored", "open_storage", "study_name"]
