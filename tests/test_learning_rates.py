"""The hint at a learning rate is one that works, and finding it changes nothing."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim
from gradx.errors import DTypeError, ShapeError
from gradx.train import find_learning_rate

KEY = gx.random.key(0)
X = np.random.default_rng(0).normal(size=(128, 3))
DATA = X, X @ np.asarray([[1.0], [2.0], [-1.0]])


def model():
    return nn.Linear(3, 1, key=KEY, dtype="float64")


def find(optimizer=optim.sgd, loss=nn.mse, **options):
    return find_learning_rate(model(), loss, optimizer, DATA, **{"key": KEY} | options)


def test_rates_grow_evenly_in_their_logarithm():
    found = find(steps=20, lowest=1e-5, highest=1e-3)

    np.testing.assert_allclose(found.rates, np.geomspace(1e-5, 1e-3, 20))
    assert len(found.losses) == 20


@pytest.mark.parametrize("optimizer", [optim.sgd, optim.adam])
def test_the_hint_trains(optimizer):
    rate = find(optimizer, highest=10.0).suggestion

    losses = gx.train.fit(
        model(), nn.mse, optimizer(rate), DATA, epochs=40, key=KEY, progress=None
    ).history["loss"]

    assert losses[-1] < 0.05 * losses[0]


def test_it_ends_where_the_loss_grows():
    found = find(highest=1e4, steps=200)

    assert len(found.rates) < 150
    assert found.losses[-1] > 4 * min(found.losses)
    assert found.suggestion < found.rates[-1]


def test_it_ends_where_a_number_is_not_finite():
    calls = []

    def loss(predictions, targets):
        calls.append(1)
        return nn.mse(predictions, targets) * (1.0 if len(calls) < 30 else np.nan)

    assert len(find(loss=loss, compile=False).losses) == 29


def test_nothing_is_changed_and_the_same_key_gives_the_same():
    before = model()
    weight = np.array(before.weight)
    find_learning_rate(before, nn.mse, optim.sgd, DATA, key=KEY, steps=10)

    np.testing.assert_array_equal(before.weight, weight)
    assert find(steps=10) == find(steps=10)


def test_the_hint_is_drawn():
    pytest.importorskip("matplotlib")

    assert find(steps=10).plot().get_xscale() == "log"


WRONG = {
    "an optimizer": (lambda: find(optim.sgd(0.1)), DTypeError, "got Optimizer"),
    "bounds": (lambda: find(lowest=1.0), ShapeError, r"lowest=1\.0 and highest=1\.0"),
    "text": (lambda: find(lowest="1"), DTypeError, "lowest='1': expected a number"),
    "steps": (lambda: find(steps=2), ShapeError, "steps=2, expected 5 or more"),
    "no step": (lambda: find(loss=lambda p, t: p.sum() * np.nan), ShapeError, "no step is possi"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()
