"""The regressions behind the feature predictors, as scikit-learn's estimators.

They learn from any matrix of numbers: structural features that the user extends by zero-cost
proxies, say, in a pipeline or a search over settings.
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
    """Standardised columns, a feature predictor's regression, and calibrated deviations."""

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

    def __init__(self, *, seed: int = 0, trees: int = 100, column_share: float = 0.3) -> None:
        self.seed = seed
        self.trees = trees
        self.column_share = column_share


class XGBoostRegressor(_Regressor):
    """The regression of `XGBoost`, which describes the arguments."""

    _kind = XGBoost

    def __init__(
        self,
        *,
        seed: int = 0,
        trees: int = 200,
        members: int = 5,
        learning_rate: float = 0.2,
        max_depth: int = 4,
        column_share: float = 0.3,
    ) -> None:
        self.seed = seed
        self.trees = trees
        self.members = members
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.column_share = column_share


class GPRegressor(_Regressor):
    """The regression of `GaussianProcess`, which describes the arguments; one family of columns."""

    _kind = GaussianProcess

    def __init__(self, *, seed: int = 0, max_iterations: int = 50) -> None:
        self.seed = seed
        self.max_iterations = max_iterations


class MLPEnsembleRegressor(_Regressor):
    """The regression of `MLP`, which describes the arguments."""

    _kind = MLP

    def __init__(
        self,
        *,
        seed: int = 0,
        members: int = 5,
        hidden: int = 64,
        steps: int = 200,
        learning_rate: float = 0.01,
        weight_decay: float = 0.1,
    ) -> None:
        self.seed = seed
        self.members = members
        self.hidden = hidden
        self.steps = steps
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
