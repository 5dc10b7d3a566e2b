"""What lowers the learning rate in time, and sharpness-aware training: from inside ``fit``."""

import numpy as np
import pytest

import gradx as gx
from gradx.core import tree
from gradx.errors import DTypeError, ShapeError
from gradx.train import Checkpoint, ReduceOnPlateau
from tests.test_checkpoints import Cut, assert_same_run, cut_at
from tests.test_checkpoints import run as run_network

KEY = gx.random.key(0)
X = np.asarray(gx.random.normal(gx.random.key(1), (12, 3)))
Y = X @ np.asarray([1.0, -2.0, 0.5])
either_way = pytest.mark.parametrize("compile", [True, False], ids=["compiled", "eager"])

OPTIONS = {
    "defaults": ({"patience": 2}, {"patience": 2}),
    "no patience": ({"patience": 0, "factor": 0.5}, {"patience": 0, "factor": 0.5}),
    "cooldown": (
        {"patience": 1, "factor": 0.7, "cooldown": 3},
        {"patience": 1, "factor": 0.7, "cooldown": 3},
    ),
    "absolute": (
        {"patience": 1, "threshold": 0.2, "relative": False, "factor": 0.9},
        {"patience": 1, "threshold": 0.2, "threshold_mode": "abs", "factor": 0.9},
    ),
    "the largest": (
        {"patience": 1, "mode": "max", "threshold": 0.1, "factor": 0.9},
        {"patience": 1, "mode": "max", "threshold": 0.1, "factor": 0.9},
    ),
    "a least rate": (
        {"patience": 0, "factor": 0.3, "least": 0.2},
        {"patience": 0, "factor": 0.3, "min_lr": 0.2 * 0.03},
    ),
}


def followed(plateau, losses):
    """Return the rates after epochs with these losses."""
    state = gx.train.State(None, gx.train.History(["epoch", "loss"]), 99, None)
    plateau.on_start(state)
    rates = []
    for epoch, loss in enumerate(losses, 1):
        state.history.add({"epoch": epoch, "loss": loss})
        plateau.on_epoch_end(state)
        rates.append(state.rate)
    return rates


@pytest.mark.parametrize(("ours", "theirs"), OPTIONS.values(), ids=OPTIONS)
def test_rate_is_lowered_when_torch_lowers_it(ours, theirs):
    torch = pytest.importorskip("torch")
    losses = list(2 + np.random.default_rng(0).normal(size=60).cumsum() * 0.1)
    losses[20] = np.nan
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.03)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, eps=0, **theirs)
    expected = []
    for loss in losses:
        scheduler.step(loss)
        expected.append(optimizer.param_groups[0]["lr"] / 0.03)

    rates = followed(ReduceOnPlateau("loss", **ours), losses)

    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    assert len(set(rates)) > 2


class Line(gx.nn.Module):
    weight: object

    def __call__(self, x):
        return x @ self.weight


def trained(optimizer, compile, **options):
    options = {"epochs": 12, "batch_size": 12, "key": KEY, "progress": None} | options
    model = Line(np.zeros(3))
    return gx.train.fit(model, gx.nn.mse, optimizer, (X, Y), compile=compile, **options)


OPTIMIZERS = {
    "sgd": (lambda: gx.optim.sgd(0.9, momentum=0.9), lambda t, p: t.SGD(p, 0.9, 0.9)),
    "adamw": (lambda: gx.optim.adamw(0.9), lambda t, p: t.AdamW(p, 0.9)),
    "rmsprop": (lambda: gx.optim.rmsprop(0.9), lambda t, p: t.RMSprop(p, 0.9)),
}


@either_way
@pytest.mark.parametrize(("ours", "theirs"), OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_with_a_rate_that_falls_is_torchs(ours, theirs, compile):
    torch = pytest.importorskip("torch")
    weight = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = theirs(torch.optim, [weight])
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, eps=0)
    for _ in range(12):
        loss = torch.mean((torch.tensor(X) @ weight - torch.tensor(Y)) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step(loss.item())

    plateau = ReduceOnPlateau("loss", factor=0.5, patience=0)
    result = trained(ours(), compile, callbacks=[plateau])

    assert plateau.rate == optimizer.param_groups[0]["lr"] / 0.9 < 1
    np.testing.assert_allclose(result.model.weight, weight.detach(), rtol=1e-10)


@either_way
def test_average_of_the_weights_is_of_those_that_the_lowered_rate_gave(compile):
    seen = []
    callbacks = [ReduceOnPlateau("loss", factor=0.5, patience=0)]
    callbacks.append(lambda state: seen.append(state.model.weight))

    optimizer = gx.optim.averaged(gx.optim.sgd(0.9, momentum=0.9), decay=0.5)
    result = trained(optimizer, compile, callbacks=callbacks)

    mean = np.zeros(3)
    for weight in seen:
        mean = 0.5 * mean + 0.5 * weight
    assert callbacks[0].rate < 1
    np.testing.assert_allclose(result.optimizer_state.mean.weight, mean, rtol=1e-12)


@either_way
def test_lowered_rate_goes_on_after_an_interruption(compile, tmp_path):
    plateau = lambda: ReduceOnPlateau("loss", factor=0.5, patience=0)
    options = {"compile": compile}
    expected = run_network(gx.optim.adam(0.1), callbacks=[plateau()], **options)
    callbacks = [plateau(), Checkpoint(tmp_path), cut_at(7, 2)]
    with pytest.raises(Cut):
        run_network(gx.optim.adam(0.1), callbacks=callbacks, **options)

    again = plateau()
    actual = run_network(gx.optim.adam(0.1), callbacks=[again], resume=tmp_path, **options)

    assert again.rate < 1
    assert_same_run(actual, expected)


def test_what_is_no_setting_is_refused():
    with pytest.raises(ShapeError, match=r"factor=1\.0: it is between 0 and 1"):
        ReduceOnPlateau(factor=1.0)
    with pytest.raises(ShapeError, match="patience=-1: it is 0 or more"):
        ReduceOnPlateau(patience=-1)
    with pytest.raises(ShapeError, match="'validation_loss' will not be recorded, only epoch"):
        trained(gx.optim.sgd(0.1), False, callbacks=[ReduceOnPlateau()])


# Sharpness-aware training


@either_way
def test_sharpness_aware_training_takes_the_gradients_of_sam(compile):
    result = trained(gx.optim.adam(0.1), compile, sharpness=0.3)

    optimizer, model = gx.optim.adam(0.1), Line(np.zeros(3))
    state = optimizer.init(model)
    differentiate = gx.optim.sharpness_aware(lambda m: gx.nn.mse(X @ m.weight, Y), 0.3)
    losses = []
    for _ in range(12):
        loss, grads = differentiate(model)
        updates, state = optimizer.update(grads, state, model)
        model = gx.optim.apply_updates(model, updates)
        losses.append(float(loss))
    np.testing.assert_allclose(result.model.weight, model.weight, rtol=1e-9)
    np.testing.assert_allclose(result.history["loss"], losses, rtol=1e-9)
    without = trained(gx.optim.adam(0.1), compile).model.weight
    assert np.max(np.abs(without - model.weight)) > 1e-3


@either_way
@pytest.mark.parametrize("precision", [None, "fp16"])
def test_sharpness_aware_training_is_with_dropout_and_statistics(compile, precision):
    options = {"epochs": 3, "compile": compile, "precision": precision}

    result = run_network(gx.optim.sgd(0.1), sharpness=0.05, **options)
    other = run_network(gx.optim.sgd(0.1), **options)

    assert result.history["loss"][-1] < result.history["loss"][0]
    assert result.history["loss"] != other.history["loss"]
    assert all(np.all(np.isfinite(leaf)) for leaf in tree.leaves(result.model))


@either_way
def test_op_is_named_where_only_the_gradient_nearby_is_not_finite(compile):
    def loss(model, x, y, *, key, train):
        return gx.sum(gx.sqrt(1.0 + model.weight)) + 0 * gx.sum(x)

    def downhill(model, x, y, *, key, train):
        return -loss(model, x, y, key=key, train=train)

    with np.errstate(invalid="ignore"), pytest.raises(gx.train.NonFiniteError) as caught:
        gx.train.fit(
            Line(np.zeros(3)),
            downhill,
            gx.optim.sgd(0.1),
            (X, Y),
            sharpness=3.0,
            epochs=1,
            batch_size=12,
            key=KEY,
            progress=None,
            compile=compile,
        )

    assert "the loss is -3.0, and the gradient of model.weight (3 NaN of 3)" in str(caught.value)
    assert "It began here: sqrt(float64 (3,)): its result has 3 NaN of 3" in str(caught.value)


def test_a_sharpness_that_is_none_is_refused():
    with pytest.raises(ShapeError, match="fit: sharpness"):
        trained(gx.optim.sgd(0.1), False, sharpness=-1.0)
    with pytest.raises(DTypeError, match="fit: sharpness"):
        trained(gx.optim.sgd(0.1), False, sharpness="much")
