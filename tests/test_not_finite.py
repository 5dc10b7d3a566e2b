"""Training on what is not finite: no step is taken, and the error says where it began."""

import numpy as np
import optree
import pytest

import gradx as gx
from gradx.core import tree
from gradx.optim.optimizer import Optimizer
from gradx.train import Checkpoint, NonFiniteError
from tests.test_train import data, line
from tests.test_train import run as run_either_way

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(params=[True, False], ids=["compiled", "eager"])
def run(request):
    """Return what trains, with compiled steps and without."""
    return lambda *args, **options: run_either_way(*args, compile=request.param, **options)


def failure_of(run, *args, **options):
    """Return the error of a run, and its message."""
    with pytest.raises(NonFiniteError) as caught:
        run(*args, **options)
    return caught.value, str(caught.value)


def test_a_loss_that_is_not_finite_stops_before_the_step(run, backend):
    x, y = data(backend=backend)
    poisoned = [(x, y), (x, y * float("nan"))]
    good = run(model=line(backend=backend), rows=[(x, y)], epochs=1)

    error, message = failure_of(run, model=line(backend=backend), rows=lambda epoch_key: poisoned)

    assert "epoch 1, step 2: the loss is nan" in message
    assert "the gradient of model.weight (3 NaN of 3)" in message
    assert "It began here: batch[1] has 20 NaN of 20, first in subtract(" in message
    assert (error.epoch, error.step) == (1, 2)
    np.testing.assert_array_equal(
        backend.to_numpy(error.model.weight), backend.to_numpy(good.model.weight)
    )


def root_of_bias(model, inputs, targets, *, key, train):
    return gx.sum(model.weight * model.weight) + gx.sqrt(model.bias)


def test_a_gradient_that_is_not_finite_stops_though_the_loss_is(run):
    _, message = failure_of(run, root_of_bias)

    assert "step 1: the loss is 0.0, and the gradient of model.bias (1 infinity of 1)" in message
    assert "is not finite; the step was not taken" in message
    assert "It began here: sqrt(float64 ()): its derivative by x has 1 infinity of 1" in message
    assert "test_not_finite.py" in message
    assert "gx.sqrt(model.bias)" in message


def hidden_infinity(model, inputs, targets, *, key, train):
    hidden = gx.where(model.weight > 0, gx.log(model.weight), model.weight)
    return gx.sum(hidden) + gx.sqrt(model.bias)


def test_an_infinity_that_was_left_out_is_not_to_blame(run):
    _, message = failure_of(run, hidden_infinity)

    assert "the gradient of model.bias" in message
    assert "It began here: sqrt(" in message


def test_a_loss_is_blamed_though_all_gradients_are_finite(run):
    def loss(model, inputs, targets, *, key, train):
        return gx.sum(model.weight) + gx.sum(gx.log(gx.stop_gradient(model.weight))) - model.bias

    _, message = failure_of(run, loss)

    assert "the loss is -inf, and all gradients are finite" in message
    assert "It began here: add(float64 (), float64 ()): its result has 1 infinity of 1" in message


def test_the_layer_is_named_in_which_numbers_stopped_being_finite(run):
    keys = gx.random.split(gx.random.key(0))
    model = gx.nn.Sequential(
        gx.nn.Linear(3, 4, key=keys[0]), gx.nn.Sequential(gx.nn.Linear(4, 1, key=keys[1]))
    )
    weight = model[1][0].weight * np.float32(np.nan)
    model = model.put(1, gx.nn.Sequential(model[1][0].replace(weight=weight)))
    rows = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32)

    _, message = failure_of(run, gx.nn.mse, model=model, rows=rows)

    assert "It began here: model.layers[1].layers[0].weight has 4 NaN of 4, first in " in message
    assert message.endswith(", in layers[1].layers[0] (Linear)")


def test_a_batch_that_is_not_finite_is_named(run):
    x, y = data()
    y[3] = float("inf")

    _, message = failure_of(run, rows=[(x, y)])

    assert "It began here: batch[1] has 1 infinity of 20, first in subtract(" in message


def test_sum_of_derivatives_that_overflows_is_named(run):
    def loss(model, inputs, targets, *, key, train):
        middle = model.bias * 1.0
        return middle * 1e308 + middle * 1e308 + gx.sum(model.weight)

    _, message = failure_of(run, loss)

    assert "the gradient of model.bias" in message
    assert "multiply(float64 (), 1.0): the sum of the derivatives by its result has" in message


# Updates


def multiplied(factor):
    def update(grads, state, params):
        return optree.tree_map(lambda g: g * factor, grads, namespace="gradx"), state

    return Optimizer(lambda params: None, update)


def test_an_update_that_is_not_finite_is_not_applied(run):
    error, message = failure_of(run, optimizer=multiplied(float("inf")))

    assert "and the update of model.weight (3 infinity of 3) is not finite" in message
    assert (
        "It began here: multiply(float64 (3,), inf): its result has 3 infinity of 3, as" in message
    )
    assert "as what it was given has 1 infinity, at" in message
    assert "test_not_finite.py" in message
    assert not np.any(error.model.weight)
    assert isinstance(error, FloatingPointError)
    assert isinstance(error, gx.GradxError)


WRAPPED = {
    "alone": lambda inner: inner,
    "accumulated": lambda inner: gx.optim.accumulate(inner, every=2),
    "averaged": lambda inner: gx.optim.averaged(inner, decay=0.9),
    "chained": lambda inner: gx.optim.chain(gx.optim.clip_by_global_norm(1e6), inner),
    "of a part": lambda inner: gx.optim.partition({"weight": inner, "*": gx.optim.sgd(0.1)}),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_step_parameter_and_op_of_an_update_are_named_however_it_is_wrapped(run, wrap):
    x, y = data()
    optimizer = wrap(gx.optim.sgd(lambda step: 0.01 + 1e308 * (step >= 1)))

    error, message = failure_of(run, optimizer=optimizer, rows=(x, 100 * y), batch_size=10)

    step = 4 if wrap is WRAPPED["accumulated"] else 2
    assert (error.epoch, error.step) == ((step + 1) // 2, 2)
    assert f"epoch {(step + 1) // 2}, step 2: the loss is " in message
    assert "the update of model." in message
    assert "It began here: multiply(" in message
    assert all(np.all(np.isfinite(leaf)) for leaf in tree.leaves(error.model))


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_step_parameter_and_op_of_a_gradient_are_named_however_it_is_wrapped(run, wrap):
    x, y = data()
    batches = [(x, y), (x, y), (x, y * float("inf"))]

    error, message = failure_of(run, rows=batches, optimizer=wrap(gx.optim.adam(0.1)))

    assert "epoch 1, step 3: the loss is inf, and the gradient of model.weight (3 " in message
    assert "first in subtract(" in message
    before = run(rows=batches[:2], optimizer=wrap(gx.optim.adam(0.1)), epochs=1)
    kept, good = (error.model, error.optimizer_state), (before.model, before.optimizer_state)
    assert [leaf.tobytes() for leaf in tree.leaves(kept)] == [
        leaf.tobytes() for leaf in tree.leaves(good)
    ]


def steep(model, inputs, targets, *, key, train):
    return gx.sum(model.weight) * 1e200 + model.bias


@pytest.mark.parametrize("name", ["alone", "accumulated", "averaged", "of a part"])
def test_a_state_that_is_not_finite_is_not_kept_though_the_update_is_finite(run, name):
    optimizer = WRAPPED[name](gx.optim.rmsprop(0.1))

    error, message = failure_of(run, steep, optimizer=optimizer)

    step = "epoch 1, step 2" if name == "accumulated" else "epoch 1, step 1"
    assert f"{step}: the loss is 0.0, and optimizer_state" in message
    assert ".weight (3 infinity of 3) is not finite after it; the step was not taken" in message
    assert "It began here: multiply(" in message
    assert all(np.all(np.isfinite(leaf)) for leaf in tree.leaves(error.optimizer_state))


def test_statistics_that_are_not_finite_are_named_and_not_kept(run):
    model = gx.nn.Sequential(gx.nn.BatchNorm(3), gx.nn.Linear(3, 1, key=gx.random.key(0)))
    x = np.full((4, 3), 1e30, np.float32) * np.asarray([[1], [2], [3], [4]], np.float32)
    y = np.zeros((4, 1), np.float32)

    error, message = failure_of(run, gx.nn.mse, model=model, rows=(x, y))

    assert "the update of model.layers[0].variance (3 infinity of 3)" in message
    assert "It began here: " in message
    assert "in layers[0] (BatchNorm)" in message
    np.testing.assert_array_equal(error.model[0].variance, np.ones(3))


def test_what_has_no_derivative_is_said_to_be_why_no_op_is_named(run):
    def update(grads, state, params):
        found = {"NumPy's own": np.asarray(grads.weight)}
        return grads.replace(weight=found["NumPy's own"] * np.inf), state

    _, message = failure_of(
        lambda **given: run_either_way(compile=False, **given),
        optimizer=Optimizer(lambda params: None, update),
    )

    assert "the update of model.weight" in message
    assert "Which op it was cannot be told, as it has no derivative: np.asarray()" in message


def test_the_last_good_epoch_is_saved_and_goes_on(run, tmp_path):
    x, y = data()
    broken = [(x, y), (x, y * float("nan"))]
    epochs = iter([[(x, y)], [(x, y)], broken])
    options = {"optimizer": gx.optim.adam(0.1), "epochs": 3}

    failure_of(run, rows=lambda key: next(epochs), callbacks=[Checkpoint(tmp_path)], **options)

    resumed = run(rows=lambda key: [(x, y)], resume=tmp_path, **options)
    whole = run(rows=lambda key: [(x, y)], **options)
    assert resumed.history["epoch"] == [1, 2, 3]
    np.testing.assert_array_equal(resumed.model.weight, whole.model.weight)
