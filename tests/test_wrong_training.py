"""Training given what it cannot use says what, and what it can; nothing is trained."""

from functools import partial

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim, train
from gradx.errors import DTypeError, ShapeError

KEY = gx.random.key(0)
ROWS, LABELS = np.ones((4, 3)), np.asarray([0, 1, 2, 1])
MODEL = nn.Linear(3, 3, key=KEY, dtype="float64")
SGD = optim.sgd(0.1)


def model_loss(model, x, y, *, key, train):
    return nn.cross_entropy(model(x), y)


def returning(value):
    """Return a loss of the model that returns ``value``."""

    def loss(model, x, y, *, key, train):
        return value

    return loss


def fit(model=MODEL, loss=nn.cross_entropy, optimizer=SGD, data=(ROWS, LABELS), **options):
    return train.fit(model, loss, optimizer, data, **{"epochs": 1, "key": KEY, **options})


def evaluate(loss=nn.cross_entropy, data=(ROWS, LABELS), model=MODEL, **options):
    return train.evaluate(model, loss, data, **options)


def stopping(**settings):
    return train.EarlyStopping(**settings)


def setting_rate(rate):
    """Return a callback that sets what multiplies the learning rate."""

    def callback(state):
        state.rate = rate

    return callback


CASES = {
    "half an epoch": (lambda: fit(epochs=1.5), DTypeError, r"epochs: .* integer, got float 1\.5"),
    "text for epochs": (lambda: fit(epochs="3"), DTypeError, "epochs: expected an integer"),
    "a small float's fraction of no rows": (
        lambda: fit(validation=np.float32(0.01)),
        ShapeError,
        r"split: cannot divide 4 rows",
    ),
    "a fraction that is too large": (
        lambda: fit(validation=np.float32(2.0)),
        ShapeError,
        r"validation=2\.0: a fraction lies between",
    ),
    "no optimizer": (lambda: fit(optimizer="adam"), DTypeError, "optimizer is 'adam', expected"),
    "an optimizer's maker": (lambda: fit(optimizer=optim.adam), DTypeError, "expected an Optim"),
    "an optimizer's class": (lambda: fit(optimizer=optim.Optimizer), DTypeError, "expected an O"),
    "no batch size": (
        lambda: fit(data=[(ROWS, LABELS)], validation=(ROWS, LABELS), batch_size=0),
        ShapeError,
        "batch_size=0",
    ),
    "text for a batch size": (
        lambda: evaluate(batch_size="a"),
        DTypeError,
        "batch_size: expected an integer",
    ),
    "a negative batch size": (lambda: evaluate(batch_size=-1), ShapeError, "batch_size=-1"),
    "a model that cannot be called": (
        lambda: evaluate(model={"w": ROWS}),
        DTypeError,
        "cross_entropy is a loss of predictions, but the model, .*, cannot be called",
    ),
    "a model's class": (lambda: evaluate(model=nn.Linear), DTypeError, "cannot be called"),
    "a loss without a signature": (lambda: fit(loss=max), DTypeError, "does not tell its param"),
    "a loss of three values": (
        lambda: evaluate(returning((1.0, ROWS, 2))),
        ShapeError,
        "loss returned 3 values: expected the loss, or",
    ),
    "a loss of text": (lambda: evaluate(returning("a")), DTypeError, "the loss is 'a', expected"),
    "a loss of nothing": (lambda: evaluate(returning(None)), DTypeError, "the loss is None"),
    "a complex loss": (
        lambda: evaluate(returning(np.asarray(1j))),
        DTypeError,
        r"the loss is complex128 \(\), expected a real scalar",
    ),
    "text for data": (lambda: fit(data="digits"), DTypeError, "fit: data is str"),
    "numbers for batches": (
        lambda: fit(data=[3]),
        DTypeError,
        "fit: a batch begins with 3, expected rows",
    ),
    "empty batches": (lambda: evaluate(data=[()]), DTypeError, "evaluate: a batch begins with No"),
    "a function of no batches": (
        lambda: fit(data=lambda key: None),
        DTypeError,
        r"data\(key\) returned None, expected an iterable",
    ),
    "a metric's name": (lambda: evaluate(metrics="accuracy"), DTypeError, r"write \[\.\.\.\]"),
    "no metrics": (lambda: evaluate(metrics=None), DTypeError, "metrics: expected a sequence"),
    "metrics by name": (lambda: evaluate(metrics=["accuracy"]), DTypeError, "'accuracy' by the na"),
    "a metric without a name": (
        lambda: evaluate(metrics=[partial(train.accuracy)]),
        DTypeError,
        'functions that have names, or {"name": function}',
    ),
    "a number for a metric": (lambda: evaluate(metrics={"a": 3}), DTypeError, "3 by the name 'a'"),
    "two metrics of one name": (
        lambda: evaluate(metrics=[lambda p, t: 0.0, lambda p, t: 1.0]),
        ShapeError,
        "two are called '<lambda>': name them in a mapping",
    ),
    "a metric that is called loss": (
        lambda: evaluate(metrics={"loss": lambda p, t: 0.0}),
        ShapeError,
        "one is called 'loss', as the loss is",
    ),
    "a rate below 0": (
        lambda: fit(callbacks=[setting_rate(-0.5)], epochs=2),
        ShapeError,
        r"state\.rate=-0\.5, expected 0 or more",
    ),
    "text as a rate": (
        lambda: fit(callbacks=[setting_rate("a")], epochs=2),
        DTypeError,
        r"fit: state\.rate: expected a number, got 'a'",
    ),
    "no rate": (
        lambda: fit(callbacks=[setting_rate(None)], epochs=2, compile=False),
        DTypeError,
        r"fit: state\.rate: expected one number, got NoneType",
    ),
    "a metric of each row": (
        lambda: evaluate(metrics={"each": lambda p, t: t}),
        ShapeError,
        r"metrics: each must be a scalar, got shape \(4,\)",
    ),
    "callbacks without a list": (lambda: fit(callbacks=print), DTypeError, r"write \[\.\.\.\]"),
    "no callbacks": (lambda: fit(callbacks=None), DTypeError, "expected a sequence, got None"),
    "a callback's class": (
        lambda: fit(callbacks=[train.EarlyStopping]),
        DTypeError,
        r"is a class: make one, EarlyStopping\(\.\.\.\)",
    ),
    "half an epoch of patience": (lambda: stopping(patience=1.5), DTypeError, "patience: expected"),
    "text for patience": (lambda: stopping(patience="5"), DTypeError, "patience: expected an int"),
    "text for a difference": (lambda: stopping(min_delta="a"), DTypeError, "min_delta: expected a"),
    "no number for a difference": (
        lambda: stopping(min_delta=float("nan")),
        ShapeError,
        "min_delta: expected a finite number, got nan",
    ),
    "no column": (
        lambda: stopping(monitor=None),
        DTypeError,
        "monitor=None: it is a column's name",
    ),
    "modes": (lambda: stopping(mode=["min"]), ShapeError, r"mode=\['min'\]"),
    "lists for predictions": (
        lambda: train.r2([1.0], [1.0]),
        DTypeError,
        r"are \[1\.0\], expected",
    ),
    "text for targets": (
        lambda: train.accuracy(ROWS, "a"),
        DTypeError,
        "targets are 'a', expected",
    ),
    "complex predictions": (
        lambda: train.mean_squared_error(np.ones(3) * 1j, np.ones(3)),
        DTypeError,
        r"mean_squared_error: expected real numbers, got complex128 \(3,\)",
    ),
    "a mean of no errors": (
        lambda: train.mean_absolute_error(np.ones(0), np.ones(0)),
        ShapeError,
        "of no elements",
    ),
    "no rows of scores": (
        lambda: train.accuracy(np.ones((0, 3)), np.ones(0, int)),
        ShapeError,
        r"scores of shape \(0, 3\)",
    ),
    "no classes": (lambda: train.accuracy(np.ones((4, 0)), LABELS), ShapeError, "need classes"),
    "r2 of one number": (
        lambda: train.r2(np.asarray(1.0), np.asarray(1.0)),
        ShapeError,
        r"r2: expected \(n,\) or \(n, outputs\)",
    ),
    "a history without columns": (lambda: train.History([]), ShapeError, "names of columns, got n"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_used_is_named(case):
    call, error, message = CASES[case]

    with pytest.raises(error, match=message):
        call()


def test_predictions_that_are_no_numbers_are_never_good():
    nothing = np.full(4, np.nan)

    assert np.isnan(train.r2(nothing, np.ones(4)))
    assert np.isnan(train.mean_squared_error(nothing, np.ones(4)))
    assert train.accuracy(np.full((4, 3), np.nan), np.zeros(4, int)) == 0.0


def test_one_handler_catches_what_is_not_finite_in_training_and_in_debugging():
    assert issubclass(train.NonFiniteError, gx.errors.NonFiniteError)


def test_one_array_in_two_layers_is_no_tie_and_said_so():
    layer = nn.Linear(3, 3, bias=False, key=KEY, dtype="float64")

    with pytest.warns(UserWarning, match=r"layers\[0\]\.weight and model\.layers\[1\]\.weight are"):
        train.fit(
            nn.Sequential(layer, layer),
            nn.mse,
            SGD,
            (ROWS, ROWS),
            epochs=1,
            key=KEY,
            progress=None,
        )


LOSSES_OF_NOTHING = {
    "an accuracy": lambda scores, y: (
        1.0 - gx.mean(gx.astype(gx.argmax(scores, axis=1) == y, "float64"))
    ),
    "of the inputs alone": lambda model, x, y, *, key, train: gx.mean(x),
    "of the model outside": lambda model, x, y, *, key, train: nn.cross_entropy(MODEL(x), y),
    "of a constant": lambda scores, y: nn.cross_entropy(gx.stop_gradient(scores), y),
}


@pytest.mark.parametrize("options", [{}, {"compile": False}, {"sharpness": 0.1}])
@pytest.mark.parametrize("loss", LOSSES_OF_NOTHING.values(), ids=LOSSES_OF_NOTHING)
def test_a_loss_that_does_not_vary_with_the_model_is_said_to_train_nothing(loss, options):
    with pytest.warns(UserWarning, match="does not vary with the model, so nothing is trained"):
        fit(loss=loss, progress=None, **options)


def test_a_layer_that_is_called_twice_is_tied():
    class Twice(nn.Module):
        layer: nn.Linear

        def __call__(self, x):
            return self.layer(self.layer(x))

    result = train.fit(Twice(MODEL), nn.mse, SGD, (ROWS, ROWS), epochs=1, key=KEY, progress=None)

    assert [leaf.shape for leaf in gx.core.tree.leaves(result.model)] == [(3, 3), (3,)]
    assert not np.array_equal(result.model.layer.weight, MODEL.weight)
