"""Estimators of scikit-learn whose model is a network: for pipelines, grid search and the like.

``Classifier`` and ``Regressor`` take the rows of a batch all at once where there are no more of
them than ``batch_size``; then a weight of 2 is the same as a row that is there twice.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from gradx import nn, random
from gradx.core import tree
from gradx.core.arrays import backend_for, is_array
from gradx.errors import DTypeError, ShapeError
from gradx.nn.module import Module
from gradx.ops.arithmetic import multiply
from gradx.ops.neural import relu, softmax
from gradx.ops.shapes import reshape, sum
from gradx.ops.statistical import mean
from gradx.ops.windows import integer
from gradx.optim.adam import adam
from gradx.optim.adamw import adamw
from gradx.optim.optimizer import Optimizer
from gradx.optim.partition import partition
from gradx.train.early_stopping import EarlyStopping
from gradx.train.loop import fit


class _Network(BaseEstimator):
    """What both share: the network, how it is trained, and where training stands."""

    def __init__(
        self,
        model: Any = None,
        hidden: tuple[int, ...] = (100,),
        optimizer: Any = None,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.3,
        epochs: int = 200,
        batch_size: int = 200,
        random_state: Any = None,
        patience: int | None = None,
        validation_fraction: float = 0.1,
    ) -> None:
        self.model = model
        self.hidden = hidden
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.patience = patience
        self.validation_fraction = validation_fraction

    def _begin(self, inputs: int, outputs: int) -> None:
        """Draw the model anew, and forget the optimizer's state."""
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        key, self._key = random.split(random.key(self._seed))
        self.model_ = self._new_model(inputs, outputs, key)
        self._optimizer_state: Any = None
        self._calls = 0

    def _new_model(self, inputs: int, outputs: int, key: Any) -> Any:
        if self.model is None:
            if not isinstance(self.hidden, Iterable):
                raise DTypeError(
                    f"{type(self).__name__}: hidden={self.hidden!r}, expected the widths of "
                    "layers, as in (100,)"
                )
            return _perceptron([inputs, *self.hidden, outputs], key)
        if isinstance(self.model, Module):
            return self.model
        if not callable(self.model):
            raise DTypeError(
                f"{type(self).__name__}: model={self.model!r}, expected a gx.nn.Module, or a "
                "function (inputs, outputs, key) that makes one"
            )
        return self.model(inputs, outputs, key)

    def _train(self, x: Any, y: Any, weights: Any, epochs: int, patience: int | None) -> Any:
        """Take ``epochs`` more; with ``patience`` fewer, where rows that are set apart say so."""
        kept = weights > 0
        rows, apart = (x[kept], y[kept], weights[kept]), None
        if patience is not None:
            rows, apart = self._divided(rows)
        optimizer = self.optimizer
        if optimizer is None:
            size = integer(type(self).__name__, "batch_size", self.batch_size, least=1)
            steps = max(1, -(-len(rows[0]) // size))
            optimizer = _decaying(self.model_, self.learning_rate, self.weight_decay / steps)
        result = fit(
            self.model_,
            self._loss,
            _going_on(optimizer, self._optimizer_state),
            rows,
            epochs=epochs,
            batch_size=self.batch_size,
            key=random.fold_in(self._key, self._calls),
            validation=apart,
            early_stopping=None if patience is None else EarlyStopping(patience=patience),
            progress=None,
        )
        self.model_, self._optimizer_state = result.model, result.optimizer_state
        self.history_ = result.history
        self._calls += 1
        return self

    def _divided(self, rows: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Set a fraction of the rows apart: of each class as many as there are of it in all."""
        parts = train_test_split(
            *rows,
            test_size=self.validation_fraction,
            random_state=self._seed,
            stratify=self._strata(rows[1]),
        )
        return tuple(parts[::2]), tuple(parts[1::2])

    def _strata(self, y: Any) -> Any:
        return None

    def _weights(self, x: Any, sample_weight: Any) -> Any:
        sample_weight = on_host(sample_weight)
        return _check_sample_weight(sample_weight, x, dtype=np.float64, ensure_non_negative=True)

    def _loss(self, model: Any, x: Any, y: Any, weights: Any, *, key: Any, train: bool) -> Any:
        losses = self._losses(_called(model, x, key, train), y)
        return sum(multiply(losses, weights)) / sum(weights)

    def _losses(self, outputs: Any, y: Any) -> Any:
        raise NotImplementedError

    def _outputs(self, x: Any) -> Any:
        check_is_fitted(self)
        x = validate_data(self, on_host(x), reset=False, dtype=np.float64)
        return np.asarray(_called(self.model_, x, None, False))


class Classifier(ClassifierMixin, _Network):
    """Classify rows with a network: a perceptron with ``hidden`` layers, or any ``model``.

    ``model`` is a ``gx.nn.Module`` to begin with, or a function ``(inputs, outputs, key)`` that
    makes one; it maps (samples, inputs) to scores (samples, classes). ``optimizer`` is one of
    ``gx.optim``, by default ``adamw`` with ``learning_rate`` and a ``weight_decay`` of weights, not
    of biases. That is for an epoch, and each of its steps has a part, so that it counts less the
    more rows there are, as a prior does. Data, from NumPy or CuPy, are taken as float64, and so
    should the parameters be.

    With ``patience``, ``fit`` sets ``validation_fraction`` of the rows apart, stops after so many
    epochs in which their loss did not fall, and goes back to the best. ``class_weight`` is
    ``"balanced"``, for classes that count alike however many rows they have, or a dictionary.
    ``label_smoothing`` is the part of each label that is given to all classes alike, which keeps
    probabilities from 0 and 1; 0 is the likelihood alone.

    The perceptron begins with outputs of 0, so that all it says comes from the data.
    ``nox -s estimators`` measures the defaults beside those of scikit-learn's own network.

    >>> from sklearn.datasets import load_iris
    >>> import gradx as gx
    >>> x, y = load_iris(return_X_y=True)
    >>> model = gx.sklearn.Classifier(learning_rate=1e-2, epochs=100, random_state=0).fit(x, y)
    >>> bool(model.score(x, y) > 0.95)
    True
    """

    def __init__(
        self,
        model: Any = None,
        hidden: tuple[int, ...] = (100,),
        optimizer: Any = None,
        learning_rate: float = 3e-3,
        weight_decay: float = 3.0,
        epochs: int = 200,
        batch_size: int = 200,
        random_state: Any = None,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        class_weight: Any = None,
        label_smoothing: float = 0.03,
    ) -> None:
        super().__init__(
            model, hidden, optimizer, learning_rate, weight_decay, epochs, batch_size,
            random_state, patience, validation_fraction,
        )  # fmt: skip
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train a new model on rows ``X`` of classes ``y``, which count by ``sample_weight``."""
        x, y = validate_data(self, on_host(X), on_host(y), dtype=np.float64)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self._begin(x.shape[1], len(self.classes_))
        of_classes = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        weights = self._weights(x, sample_weight) * of_classes[labels]
        return self._train(x, labels, weights, self.epochs, self.patience)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """Train one more epoch; ``classes`` are all there will be, and needed the first time."""
        is_first = not hasattr(self, "model_")
        x, y = validate_data(self, on_host(X), on_host(y), dtype=np.float64, reset=is_first)
        check_classification_targets(y)
        if is_first:
            if classes is None:
                raise ShapeError("Classifier: the first partial_fit needs classes=...")
            self.classes_ = np.unique(classes)
            self._begin(x.shape[1], len(self.classes_))
        if not np.isin(y, self.classes_).all():
            raise ShapeError(
                f"Classifier: y has {np.setdiff1d(y, self.classes_)}, which is not in classes"
            )
        labels = np.searchsorted(self.classes_, y)
        weights = self._weights(x, sample_weight) * self._given_class_weights()[labels]
        return self._train(x, labels, weights, 1, None)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, (samples, classes)."""
        return softmax(self._outputs(X))

    def predict(self, X: Any) -> Any:
        """Return the most probable class of each row."""
        scores = self._outputs(X)
        return self.classes_[np.argmax(scores, axis=1)]

    def _given_class_weights(self) -> Any:
        """Return the weight of each class, which for ``partial_fit`` must be known before."""
        if isinstance(self.class_weight, str):
            raise ShapeError(
                f"Classifier: class_weight={self.class_weight!r} needs all rows at once, and "
                "partial_fit has some: give a dictionary"
            )
        return compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)

    def _strata(self, y: Any) -> Any:
        return y

    def _losses(self, outputs: Any, y: Any) -> Any:
        expected = (len(y), len(self.classes_))
        if tuple(outputs.shape) != expected:
            raise ShapeError(
                f"Classifier: the model's scores are {tuple(outputs.shape)}, expected {expected}: "
                f"one for each of {expected[1]} classes"
            )
        return nn.cross_entropy(outputs, y, "none", self.label_smoothing)


class Regressor(RegressorMixin, _Network):
    """Predict numbers with a network, by least squares; arguments are those of ``Classifier``.

    ``model`` maps (samples, inputs) to (samples, outputs): one output for a vector of targets,
    or as many as targets (samples, outputs) have.

    >>> import numpy as np, gradx as gx
    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> model = gx.sklearn.Regressor(learning_rate=1e-2, random_state=0).fit(x, x[:, 0] * x[:, 1])
    >>> model.predict(x).shape, bool(model.score(x, x[:, 0] * x[:, 1]) > 0.9)
    ((100,), True)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train a new model on rows ``X`` and numbers ``y``, which count by ``sample_weight``."""
        x, y = self._checked(X, y, is_first=True)
        weights = self._weights(x, sample_weight)
        return self._train(x, y, weights, self.epochs, self.patience)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train one more epoch."""
        x, y = self._checked(X, y, is_first=not hasattr(self, "model_"))
        return self._train(x, y, self._weights(x, sample_weight), 1, None)

    def predict(self, X: Any) -> Any:
        """Return what is predicted for each row: a number, or a row of them."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._of_vectors else outputs

    def _checked(self, X: Any, y: Any, is_first: bool) -> tuple[Any, Any]:
        """Return rows and targets, (samples, outputs), and begin a model if it is the first."""
        x, y = validate_data(
            self,
            on_host(X),
            on_host(y),
            dtype=np.float64,
            multi_output=True,
            y_numeric=True,
            reset=is_first,
        )
        y = np.asarray(y, dtype=np.float64)
        columns = y[:, np.newaxis] if y.ndim == 1 else y
        if is_first:
            self._of_vectors = y.ndim == 1
            self._begin(x.shape[1], columns.shape[1])
            self.n_outputs_ = columns.shape[1]
        if columns.shape[1] != self.n_outputs_:
            raise ShapeError(
                f"Regressor: y has {columns.shape[1]} columns, and had {self.n_outputs_} before"
            )
        return x, columns

    def _losses(self, outputs: Any, y: Any) -> Any:
        errors = reshape(outputs, y.shape) - y
        return mean(errors * errors, axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def on_host(x: Any) -> Any:
    """Return an array of another library, such as CuPy, as one of NumPy, which can be checked."""
    return backend_for(x).to_numpy(x) if is_array(x) else x


def _perceptron(widths: list[int], key: Any) -> nn.Sequential:
    *hidden, last = pairwise(widths)
    keys = random.split(key, len(widths) - 1)
    layers: list[Any] = []
    for own, (inputs, outputs) in zip(keys, hidden, strict=False):
        layers += [_layer(inputs, outputs, own, nn.init.glorot_uniform), relu]
    # What a random last layer adds is noise, of which few steps on few rows leave much.
    return nn.Sequential(*layers, _layer(*last, keys[-1], nn.init.zeros))


def _layer(inputs: int, outputs: int, key: Any, weight_init: Any) -> nn.Linear:
    return nn.Linear(inputs, outputs, key=key, dtype="float64", weight_init=weight_init)


def _called(model: Any, x: Any, key: Any, train: bool) -> Any:
    return nn.sequential.call_layer(model, x, key=key, position=0, train=train)


def _decaying(model: Any, learning_rate: float, weight_decay: float) -> Optimizer:
    """Return Adam, with decay of the weights if there are any."""
    decaying = adamw(learning_rate, weight_decay=weight_decay)
    groups: dict[Any, Any] = {"*": adam(learning_rate)}
    if any(map(nn.is_weight, tree.leaves(model))):
        groups = {nn.is_weight: decaying} | groups
    return partition(groups)


def _going_on(optimizer: Optimizer, state: Any) -> Optimizer:
    """Return an optimizer that begins in ``state``, if there is one."""
    return optimizer if state is None else Optimizer(lambda params: state, optimizer.update)
