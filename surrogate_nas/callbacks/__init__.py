"""Objects that watch a search: the interface, and trackers of experiments.

MLflow, TensorBoard and Weights & Biases are extras, which load when their callback starts.
"""

from surrogate_nas.callbacks.base import SearchCallback, SearchStart
from surrogate_nas.callbacks.mlflow import MLflowCallback
from surrogate_nas.callbacks.tensorboard import TensorBoardCallback
from surrogate_nas.callbacks.tracking import TrackingCallback
from surrogate_nas.callbacks.wandb import WandBCallback

__all__ = [
    "MLflowCallback",
    "SearchCallback",
    "SearchStart",
    "TensorBoardCallback",
    "TrackingCallback",
    "WandBCallback",
]
