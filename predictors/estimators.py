"""The regressions behind the feature predictors, as scikit-learn's estimators.

They learn from any matrix of numbers, in a pipeline or a search over settings. An example is
structural features with zero-cost proxies of the user beside them.
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from surrogate_nas._types import FloatArray
from surrogate_nas.predictors.boosting import XGBoost
from surrogate_nas.predictors.feature_predictor import FeaturePredictor
from surrogate_nas.predictors.forest import Forest
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.mlp import MLP


class _Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # no types in the library
    """Standardised columns, a feature predictor's regression, and calibrated deviations.

    Subclasses take over the predictor's constructor, which only stores its arguments.
    """

    _kind: ClassVar[type[FeaturePredictor]]

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learn from float X (n, k) and y (n,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self.scaler_ = StandardScaler().fit(X)
        self.regression_ = self._kind(**self.get_params())
        scaled = self._scaled(X)
        self.regression_.learn(scaled, np.asarray(y, dtype=np.float64), scaled)
        return self

    def predict(
        self, X: npt.ArrayLike, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Mean and, if asked for, standard deviation of new measurements at X (m, k), each (m,)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        prediction = self.regression_.infer(self._scaled(X))
        return (prediction.mean, prediction.std) if return_std else prediction.mean

    def _scaled(self, X: npt.ArrayLike) -> FloatArray:
        return np.asarray(self.scaler_.transform(X))


class ForestRegressor(_Regressor):
    """The regression of `Forest`, which describes the arguments."""

    _kind = Forest
    __init__ = Forest.__init__


class XGBoostRegressor(_Regressor):
    """The regression of `XGBoost`, which describes the arguments."""

    _kind = XGBoost
    __init__ = XGBoost.__init__


class GPRegressor(_Regressor):
    """The regression of `GaussianProcess`, which describes the arguments; one family of columns."""

    _kind = GaussianProcess
    __init__ = GaussianProcess.__init__


class MLPEnsembleRegressor(_Regressor):
    """The regression of `MLP`, which describes the arguments."""

    _kind = MLP
    __init__ = MLP.__init__
