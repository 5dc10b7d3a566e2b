"""Layers, losses and initialisers given what they cannot use say what, and what they can."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, OutOfBoundsError, ShapeError

KEY = gx.random.key(0)
LINEAR = nn.Linear(4, 3, key=KEY, dtype="float64")
ROWS, LABELS = np.ones((3, 4)), np.asarray([0, 1, 2])
ONES = np.ones(4)
FLAT = lambda key, shape, **placed: np.ones(3)

CASES = {
    "a number for an array": (lambda: LINEAR(1.0), DTypeError, r"the input is 1\.0"),
    "a list for an array": (lambda: LINEAR([[1.0] * 4]), DTypeError, "expected an array"),
    "None for an array": (lambda: nn.Flatten()(None), DTypeError, "the input is None"),
    "text in a model": (lambda: nn.Sequential(LINEAR)("x"), DTypeError, r"'x'.*layers\[0\]"),
    "text in DropConnect": (lambda: nn.DropConnect(LINEAR, 0.5)("x"), DTypeError, "input is 'x'"),
    "a weight with one axis": (
        lambda: LINEAR.replace(weight=ONES)(ROWS),
        ShapeError,
        r"weight is float64 \(4,\), expected \(inputs, outputs\)",
    ),
    "text as an initialiser": (
        lambda: nn.Linear(2, 3, key=KEY, weight_init="zeros"),
        DTypeError,
        "weight_init='zeros', expected a function",
    ),
    "a number as an initialiser": (
        lambda: nn.Conv(2, 3, 3, key=KEY, bias_init=0),
        DTypeError,
        "Conv: bias_init=0, expected a function",
    ),
    "an initialiser's other shape": (
        lambda: nn.Linear(2, 3, key=KEY, weight_init=FLAT),
        ShapeError,
        r"weight_init returned float64 \(3,\), expected floating-point \(2, 3\)",
    ),
    "an initialiser's other shape of a kernel": (
        lambda: nn.Conv(2, 3, 5, key=KEY, weight_init=FLAT),
        ShapeError,
        r"Conv: weight_init returned float64 \(3,\)",
    ),
    "integers as weights": (
        lambda: nn.Linear(2, 3, key=KEY, weight_init=nn.init.zeros, dtype="int32"),
        ShapeError,
        "weight_init returned int32",
    ),
    "a slice of text": (lambda: nn.Sequential(LINEAR)[:"a"], DTypeError, "slice of integers"),
    "lists as labels": (lambda: nn.cross_entropy(ROWS, [0, 1, 2]), DTypeError, "the labels is"),
    "lists as logits": (lambda: nn.cross_entropy([[1.0]], LABELS), DTypeError, "the scores is"),
    "a list as targets": (lambda: nn.mse(ONES, [1.0] * 4), DTypeError, "mse: targets is"),
    "numbers as predictions": (lambda: nn.mae(1.0, 2.0), DTypeError, "mae: predictions is"),
    "text as activation": (
        lambda: nn.RNN(2, 3, key=KEY, activation="tanh"),
        DTypeError,
        "RNN: activation='tanh', expected a function",
    ),
    "text as delta": (lambda: nn.huber(ONES, ONES, "mean"), DTypeError, "delta='mean'"),
    "an array as delta": (lambda: nn.huber(ONES, ONES, ONES), DTypeError, "expected a number"),
    "targets above 1": (
        lambda: nn.binary_cross_entropy(ONES, np.asarray([0, 1, 2, 0])),
        ShapeError,
        r"target 2\.0, expected 0, 1 or a probability",
    ),
    "targets that are NaN": (
        lambda: nn.binary_cross_entropy(ONES, ONES * np.nan),
        ShapeError,
        "target nan, expected 0, 1",
    ),
    "0 and 1 for signs": (
        lambda: nn.hinge(ONES, np.asarray([0, 1, 1, 0])),
        ShapeError,
        r"hinge: label 0\.0, expected -1 or 1",
    ),
    "class beyond the last": (lambda: nn.hinge(ROWS, LABELS + 2), OutOfBoundsError, "label 4"),
    "a negative margin": (lambda: nn.hinge(ROWS, LABELS, -1.0), ShapeError, r"margin=-1\.0"),
    "text as margin": (lambda: nn.hinge(ROWS, LABELS, "1"), DTypeError, "margin='1'"),
    "numbers as scores": (lambda: nn.hinge(3.0, 1), DTypeError, "hinge: scores is 3"),
    "endless strength": (lambda: nn.l2_penalty(ONES, np.inf), ShapeError, "strength=inf"),
    "text to be penalised": (
        lambda: nn.l1_penalty({"w": "a"}, 0.5),
        DTypeError,
        r"parameters\['w'\] is 'a', expected an array",
    ),
    "text to select by": (
        lambda: nn.l2_penalty(ONES, 0.5, select="weight"),
        DTypeError,
        "select='weight', expected a function",
    ),
    "a negative length": (lambda: nn.init.zeros(None, (2, -3)), ShapeError, r"\(2, -3\)"),
    "None as a value": (lambda: nn.init.constant(None, (2,), None), DTypeError, "value"),
    "a negative fan": (lambda: nn.init.he_normal(KEY, (-2, 3)), ShapeError, r"\(-2, 3\)"),
    "text as a length": (lambda: nn.init.glorot_uniform(KEY, ("a", 3)), DTypeError, "'a'"),
    "a gain that is NaN": (
        lambda: nn.init.orthogonal(KEY, (2, 3), gain=np.nan),
        ShapeError,
        "gain",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_used_is_named(case):
    call, error, words = CASES[case]

    with pytest.raises(error, match=words):
        call()


def test_counts_and_rates_may_be_numbers_of_numpy():
    labels = np.asarray([0, 4, 2])

    layer = nn.Linear(3, labels.max() + 1, key=KEY)

    assert layer.weight.shape == (3, 5)
    assert nn.Dropout(np.float32(0.5)).rate == 0.5
