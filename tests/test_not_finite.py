"""Training on what is not finite: no step is taken, and the error says where it began."""

import numpy as np
import optree
import pytest

import gradx as gx
from gradx.optim.optimizer import Optimizer
from gradx.train import NonFiniteError
from tests.test_train import data, line
from tests.test_train import run as run_either_way

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(params=[True, False], ids=["compiled", "eager"])
def run(request):
    """Return what trains, with compiled steps and without."""
    return lambda *args, **options: run_either_way(*args, compile=request.param, **options)


def test_a_loss_that_is_not_finite_stops_before_the_step(run, backend):
    x, y = data(backend=backend)
    poisoned = [(x, y), (x, y * float("nan"))]
    good = run(model=line(backend=backend), rows=[(x, y)], epochs=1)

    with pytest.raises(NonFiniteError) as caught:
        run(model=line(backend=backend), rows=lambda epoch_key: poisoned)

    assert "epoch 1, step 2: the loss is nan" in str(caught.value)
    assert "the gradient of model.weight (3 of 3 elements)" in str(caught.value)
    assert (caught.value.epoch, caught.value.step) == (1, 2)
    np.testing.assert_array_equal(
        backend.to_numpy(caught.value.model.weight), backend.to_numpy(good.model.weight)
    )


def root_of_bias(model, inputs, targets, *, key, train):
    return gx.sum(model.weight * model.weight) + gx.sqrt(model.bias)


def test_a_gradient_that_is_not_finite_stops_though_the_loss_is(run):
    with pytest.raises(NonFiniteError, match=r"the loss is 0.0, and the gradient of model.bias"):
        run(root_of_bias)


def test_the_op_and_line_where_numbers_stopped_being_finite_are_named(run):
    with pytest.raises(NonFiniteError) as caught:
        run(root_of_bias)

    assert "model.bias (1 of 1 elements) is not finite; the step was not taken" in str(caught.value)
    assert "It began here: sqrt(float64 ()): its derivative by x has 1 inf" in str(caught.value)
    assert "test_not_finite.py" in str(caught.value)
    assert "gx.sqrt(model.bias)" in str(caught.value)


def test_a_batch_that_is_not_finite_is_named(run):
    x, y = data()
    y[3] = float("inf")

    with pytest.raises(NonFiniteError, match=r"It began here: batch\[1\] has 1 infinity of 20"):
        run(rows=[(x, y)])


def test_an_update_that_is_not_finite_is_not_applied(run):
    def update(grads, state, params):
        return optree.tree_map(lambda g: g * float("inf"), grads, namespace="gradx"), state

    with pytest.raises(NonFiniteError, match=r"the update of model\.weight") as caught:
        run(optimizer=Optimizer(lambda params: None, update))

    assert not np.any(caught.value.model.weight)
    assert isinstance(caught.value, FloatingPointError)
    assert isinstance(caught.value, gx.GradxError)
