"""A random forest on structural features."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor, not_fitted, require_rows
from surrogate_nas.predictors.calibration import residual_std, spread_scale
from surrogate_nas.predictors.features import StructuralFeatures


class Forest(Predictor):
    """Random forest (Breiman, 2001); std from the trees, calibrated on out-of-bag rows."""
