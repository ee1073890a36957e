"""Models as scikit-learn estimators, for pipelines, hyperparameter search and cross-validation.

An estimator contains a compiled model, or a function that creates one for the data, and settings; `fit` trains a new
model, `model_`. Data is validated by scikit-learn itself; this module converts targets for training, and outputs to
predictions.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from cornu import validate
from cornu.core.typing import Data, Tensor
from cornu.models.cloning import clone_model
from cornu.models.model import Model

validate.optional_import("sklearn", purpose="cornu.wrappers", extra="sklearn")  # the error says what to install

import sklearn  # noqa: E402 - the check comes first
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin  # noqa: E402
from sklearn.utils.metadata_routing import get_routing_for_object  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import check_is_fitted, validate_data  # noqa: E402


class SKLBase(BaseEstimator):
    """Base class of the three estimators.

    Args:
        model: a compiled model, of which `fit` trains a copy with new weights; or a function
            `model(X=..., y=..., **model_kwargs)` that returns a compiled model for that data, whose `y` is a matrix.
        warm_start: whether each `fit` continues with the model of the previous one, and the first one with the given
            model itself. False, the default, starts from new weights.
        model_kwargs: dictionary of further arguments of the function. None by default.
        fit_kwargs: dictionary of arguments of the model's `fit`. None by default.
    """

    _trained: ClassVar[dict[str, object]] = {}  # how scikit-learn validates the targets

    def __init__(
        self,
        model: Model | Callable[..., Model],
        warm_start: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
    ):
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    @property
    def epoch_(self) -> int:
        """The number of epochs of the last `fit`; 0 before the first."""
        return len(self.history_.epoch) if hasattr(self, "history_") else 0

    def fit(self, X: Data, y: Data, **kwargs: object) -> "SKLBase":
        """Train the model.

        Args:
            X: matrix (samples, features), of any type that scikit-learn accepts.
            y: targets (samples,), or (samples, outputs).
            **kwargs: arguments for the model's `fit`, which override those in `fit_kwargs`.

        Returns:
            The estimator, with the trained `model_`, the `history_` of the training, and `n_features_in_`.

        Raises:
            RuntimeError: if the model has not been compiled.
        """
        features, y = validate_data(self, X, y, **self._trained)
        targets = self._targets(y)
        model = self._model_for(features, targets)
        history = model.fit(features, targets, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_, self.history_ = model, history
        return self

    def set_fit_request(self, **kwargs: bool | str | None) -> "SKLBase":
        """Request that scikit-learn route arguments to `fit`, such as `set_fit_request(sample_weight=True)`.

        Args:
            **kwargs: for each argument True, False, None, or its name in the meta-estimator.

        Raises:
            RuntimeError: if metadata routing is disabled, as it is by default.
        """
        if not sklearn.get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                f"{self._kind()}: scikit-learn does not route arguments before "
                "sklearn.set_config(enable_metadata_routing=True). Received: a set_fit_request."
            )
        requests = get_routing_for_object(self)
        for name, alias in kwargs.items():
            requests.fit.add_request(param=name, alias=alias)
        self._metadata_request = requests
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _model_for(self, X: np.ndarray, targets: np.ndarray) -> Model:
        """The model to train, either trained before or new."""
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if isinstance(self.model, Model):
            _refuse_uncompiled(self.model, self)
            return self.model if self.warm_start else clone_model(self.model)
        if not callable(self.model):
            raise TypeError(
                f"{self._kind()}: model must be a model or a function that returns one. Received: {self.model!r}."
            )
        made = self.model(X=X, y=targets, **(self.model_kwargs or {}))
        if not isinstance(made, Model):
            raise TypeError(f"{self._kind()}: the function must return a model. Received: {validate.shown(made)}.")
        return _refuse_uncompiled(made, self)

    def _targets(self, y: Tensor) -> np.ndarray:
        """The targets of the training: a matrix."""
        self._is_flat = y.ndim == 1
        return y.reshape(len(y), -1)

    def _outputs(self, X: Data) -> np.ndarray:
        """The outputs of the model for X."""
        check_is_fitted(self)
        model: Any = getattr(self, "model_", self.model)
        return model.predict(validate_data(self, X, reset=False), verbose=0)

    def _kind(self) -> str:
        return type(self).__name__


class SKLearnRegressor(RegressorMixin, SKLBase):
    """A model as a scikit-learn regressor.

    Args:
        model: a compiled model, of which `fit` trains a copy with new weights; or a function
            `model(X=..., y=..., **model_kwargs)` that returns a compiled model for that data, whose `y` is a matrix.
        warm_start: whether each `fit` continues with the model of the previous one, and the first one with the given
            model itself. Defaults to False, which starts from new weights.
        model_kwargs: dictionary of further arguments of the function. None by default.
        fit_kwargs: dictionary of arguments of the model's `fit`. None by default.

    Attributes:
        model_: the trained model.
        history_: the `History` of the last training; `epoch_` is the number of its epochs.

    https://keras.io/api/utils/sklearn_wrappers/

    Example:

        def network(X, y, width=8):
            layers = [cornu.layers.Dense(width, activation="relu"), cornu.layers.Dense(y.shape[1])]
            model = cornu.Sequential([cornu.Input((X.shape[1],)), *layers])
            model.compile("adam", "mse")
            return model

        X = np.random.default_rng(0).random((20, 3))
        estimator = cornu.wrappers.SKLearnRegressor(network, fit_kwargs={"epochs": 2, "verbose": 0})
        print(estimator.fit(X, X.sum(axis=1)).predict(X).shape)  # (20,)
    """

    _trained = {"multi_output": True, "y_numeric": True}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True
        return tags

    def predict(self, X: Data) -> np.ndarray:
        """Predictions of dtype float64 and of the shape of the targets: (samples,) or (samples, outputs).

        Args:
            X: matrix (samples, features).
        """
        outputs = self._outputs(X).astype("float64")
        return outputs[:, 0] if self._is_flat and outputs.shape[1:] == (1,) else outputs


class SKLearnClassifier(ClassifierMixin, SKLBase):
    """A model as a scikit-learn classifier, for two or more classes, which may be numbers or strings.

    The model is trained on one-hot targets, in the order of `classes_`: its last layer must have as many units as there
    are classes, and its loss must accept such targets, as `"categorical_crossentropy"` does.

    Args:
        model: a compiled model, of which `fit` trains a copy with new weights; or a function `model(X=..., y=...,
            **model_kwargs)` that returns a compiled model for that data, whose `y` has one column per class.
        warm_start: whether each `fit` continues with the model of the previous one, and the first one with the given
            model itself. Defaults to False, which starts from new weights.
        model_kwargs: dictionary of further arguments of the function. None by default.
        fit_kwargs: dictionary of arguments of the model's `fit`. None by default.

    Attributes:
        model_: the trained model.
        history_: the `History` of the last training; `epoch_` is the number of its epochs.
        classes_: the labels, sorted.

    https://keras.io/api/utils/sklearn_wrappers/

    Example:

        def network(X, y):
            layers = [cornu.layers.Dense(8, activation="relu"), cornu.layers.Dense(y.shape[1], activation="softmax")]
            model = cornu.Sequential([cornu.Input((X.shape[1],)), *layers])
            model.compile("adam", "categorical_crossentropy")
            return model

        X = np.random.default_rng(0).random((20, 3))
        estimator = cornu.wrappers.SKLearnClassifier(network, fit_kwargs={"epochs": 2, "verbose": 0})
        print(estimator.fit(X, np.where(X[:, 0] > 0.5, "high", "low")).predict(X)[:3])
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def predict(self, X: Data) -> np.ndarray:
        """The most likely label of each sample, of shape (samples,).

        Args:
            X: matrix (samples, features).
        """
        likeliest = np.argmax(self._outputs(X), axis=-1)
        return self.classes_[likeliest]

    def decision_function(self, X: Data) -> np.ndarray:
        """The raw outputs of the model, of shape (samples, classes).

        Args:
            X: matrix (samples, features).
        """
        return self._outputs(X)

    def _targets(self, y: Tensor) -> np.ndarray:
        """One-hot targets."""
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"SKLearnClassifier: y has only one class, {self.classes_[0]}. At least two are required.")
        return np.eye(len(self.classes_))[indices]


class SKLearnTransformer(TransformerMixin, SKLBase):
    """A model as a scikit-learn transformer: a pipeline step that returns the model's outputs.

    A built model, rather than a function, can transform before any `fit`, too: `FrozenEstimator` around the
    transformer turns a trained model into a pipeline step.

    Args:
        model: a compiled model, of which `fit` trains a copy with new weights; or a function
            `model(X=..., y=..., **model_kwargs)` that returns a compiled model for that data, whose `y` is a matrix.
        warm_start: whether each `fit` continues with the model of the previous one, and the first one with the given
            model itself. Defaults to False, which starts from new weights.
        model_kwargs: dictionary of further arguments of the function. None by default.
        fit_kwargs: dictionary of arguments of the model's `fit`. None by default.

    Attributes:
        model_: the trained model.
        history_: the `History` of the last training; `epoch_` is the number of its epochs.

    https://keras.io/api/utils/sklearn_wrappers/

    Example:

        trained = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2, activation="tanh")])
        transformer = cornu.wrappers.SKLearnTransformer(trained)
        print(transformer.transform(np.ones((4, 3))).shape)  # (4, 2)
    """

    _trained = {"multi_output": True}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return super().__sklearn_is_fitted__() or (isinstance(self.model, Model) and self.model.built)

    def transform(self, X: Data) -> np.ndarray:
        """The outputs of the model, (samples, outputs).

        Args:
            X: matrix (samples, features).
        """
        return self._outputs(X)

    predict = transform


def _refuse_uncompiled(model: Model, owner: SKLBase) -> Model:
    if not model.compiled or model.optimizer is None or model.loss is None:
        raise RuntimeError(
            f"{owner._kind()}: the model must be compiled with a loss and an optimizer. Call "
            'model.compile("adam", ...) first, inside the function if you pass one.'
        )
    return model
