"""Normalisation: torch's layers on the same parameters, and statistics as state of the model."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim
from gradx.errors import DTypeError, ShapeError
from tests.against_torch import TOLERANCE, assert_agrees, randomized

KEY = gx.random.key(0)
ONES = np.ones((3, 4))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def batch_norm(module, channels):
    module.running_mean.copy_(module.running_mean.new_tensor(drawn(channels, seed=2)))
    module.running_var.copy_(module.running_var.new_tensor(np.exp(drawn(channels, seed=3))))
    names = {"weight": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}
    layer = nn.BatchNorm(channels, momentum=module.momentum, eps=module.eps)
    return lambda get: layer.replace(**{ours: get(theirs) for ours, theirs in names.items()})


BATCHES = [(6, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 2)]


@pytest.mark.parametrize("shape", BATCHES, ids=str)
@pytest.mark.parametrize("train", [False, True])
def test_batch_norm_is_torchs(torch, shape, train):
    kind = {2: "BatchNorm1d", 3: "BatchNorm1d", 4: "BatchNorm2d", 5: "BatchNorm3d"}[len(shape)]
    module = randomized(torch, getattr(torch.nn, kind)(3, momentum=0.3, eps=1e-3)).train(train)
    make = batch_norm(module, 3)
    call = nn.with_state(lambda model, x: model(x, train=train))
    before = make(lambda name: module.state_dict()[name].numpy().copy())

    assert_agrees(torch, module, make, lambda m, x: call(m, x)[0], lambda m, x: m(x), drawn(*shape))

    _, after = call(before, drawn(*shape))
    np.testing.assert_allclose(after.mean, module.running_mean.numpy(), **TOLERANCE)
    np.testing.assert_allclose(after.variance, module.running_var.numpy(), **TOLERANCE)


NORMS = {
    "LayerNorm": (lambda n: n.LayerNorm(4), lambda: nn.LayerNorm(4), (2, 3, 4)),
    "LayerNorm of two axes": (
        lambda n: n.LayerNorm((3, 4), eps=1e-2),
        lambda: nn.LayerNorm([3, 4], eps=1e-2),
        (2, 3, 4),
    ),
    "LayerNorm without bias": (
        lambda n: n.LayerNorm(4, bias=False),
        lambda: nn.LayerNorm(4, bias=False),
        (3, 4),
    ),
    "LayerNorm alone": (
        lambda n: n.LayerNorm(4, elementwise_affine=False),
        lambda: nn.LayerNorm(4, affine=False),
        (3, 4),
    ),
    "RMSNorm": (lambda n: n.RMSNorm(4, eps=1e-6), lambda: nn.RMSNorm(4), (2, 3, 4)),
    "RMSNorm of two axes": (
        lambda n: n.RMSNorm((3, 4), eps=1e-2),
        lambda: nn.RMSNorm((3, 4), eps=1e-2),
        (2, 3, 4),
    ),
    "GroupNorm": (lambda n: n.GroupNorm(2, 6), lambda: nn.GroupNorm(2, 6), (2, 6, 3, 2)),
    "GroupNorm of rows": (lambda n: n.GroupNorm(2, 6), lambda: nn.GroupNorm(2, 6), (3, 6)),
}


@pytest.mark.parametrize(("theirs", "ours", "shape"), NORMS.values(), ids=NORMS)
def test_other_norms_are_torchs(torch, theirs, ours, shape):
    module = randomized(torch, theirs(torch.nn))
    names = list(module.state_dict())
    make = lambda get: ours().replace(**{name: get(name) for name in names})

    assert_agrees(torch, module, make, lambda m, x: m(x), lambda m, x: m(x), drawn(*shape))


def test_instance_norm_is_a_group_for_each_channel(torch):
    x = drawn(2, 3, 4, 4)

    out = nn.GroupNorm(3, 3, affine=False)(x)

    np.testing.assert_allclose(out, torch.nn.InstanceNorm2d(3)(torch.tensor(x)), **TOLERANCE)


def test_second_derivatives_of_norms_hold():
    layer = nn.LayerNorm(3, dtype="float64")

    gx.testing.check_derivatives(lambda x: gx.sum(layer(x) ** 3), drawn(2, 3), order=2)


# Statistics.


def network():
    first, second = gx.random.split(KEY)
    return nn.Sequential(
        nn.Linear(2, 4, key=first, dtype="float64"),
        nn.BatchNorm(4, dtype="float64"),
        nn.relu,
        nn.Linear(4, 1, key=second, dtype="float64"),
    )


def test_training_without_keeping_statistics_raises():
    with pytest.raises(ShapeError, match=r"BatchNorm: train=True computes new.*layers\[1\]"):
        network()(np.ones((3, 2)), train=True)


def test_fit_keeps_statistics_and_evaluation_uses_them():
    x = 5 + 2 * drawn(64, 2)
    y = np.sin(x[:, :1] / 2)

    result = gx.train.fit(
        network(), nn.mse, optim.adamw(0.02), (x, y), epochs=60, key=KEY, progress=None
    )

    hidden = result.model[0](x)
    np.testing.assert_allclose(result.model[1].mean, hidden.mean(0), rtol=0.1)
    np.testing.assert_allclose(result.model[1].variance, hidden.var(0), rtol=0.4)
    measured = gx.train.evaluate(result.model, nn.mse, (x, y))["loss"]
    assert measured < 0.1 * np.var(y)


def test_decay_and_penalties_leave_statistics_alone():
    x, y = drawn(8, 2), drawn(8, 1, seed=1)
    fit = lambda optimizer: gx.train.fit(
        network(), nn.mse, optimizer, (x, y), epochs=1, batch_size=8, key=KEY, progress=None
    ).model[1]
    layer = nn.BatchNorm(3, dtype="float64").replace(mean=np.full(3, 7.0))

    plain, decayed = fit(optim.sgd(0.1)), fit(optim.adamw(0.1, weight_decay=0.9))

    np.testing.assert_array_equal(plain.mean, decayed.mean)
    np.testing.assert_array_equal(plain.variance, decayed.variance)
    assert float(nn.l2_penalty(layer, 1.0)) == 3.0


def test_a_layer_called_twice_moves_its_statistics_twice():
    layer = nn.BatchNorm(1, momentum=0.5, dtype="float64")
    x = np.asarray([[1.0], [3.0]])

    _, after = nn.with_state(lambda m: (m(x, train=True), m(x, train=True)))(layer)

    np.testing.assert_allclose(after.mean, [0.75 * 2])
    np.testing.assert_allclose(layer.mean, [0.0])


def test_a_frozen_momentum_keeps_statistics():
    layer = nn.BatchNorm(1, momentum=0.0, dtype="float64")

    _, after = nn.with_state(lambda m: m(drawn(3, 1), train=True))(layer)

    np.testing.assert_array_equal(after.mean, layer.mean)


def test_a_layer_that_is_not_in_the_model_raises():
    layer = nn.BatchNorm(1, dtype="float64")

    with pytest.raises(ShapeError, match="a layer was called that is not in the model"):
        nn.with_state(lambda m: layer(drawn(3, 1), train=True))(nn.BatchNorm(1))


def test_statistics_keep_their_dtype_and_device(backend):
    device = backend.devices()[0]
    layer = nn.BatchNorm(2, device=device)
    x = backend.from_numpy(drawn(3, 2), device)

    _, after = nn.with_state(lambda m: m(x, train=True))(layer)

    assert after.mean.dtype == layer.mean.dtype
    assert type(after.variance) is type(layer.variance)


def test_statistics_survive_dropped_weights():
    model = nn.DropConnect(network(), 0.5)

    _, after = nn.with_state(lambda m: m(drawn(5, 2), key=KEY, train=True))(model)

    assert not np.array_equal(after.layer[1].mean, model.layer[1].mean)


WRONG = {
    "channels": (lambda: nn.BatchNorm(3)(ONES), r"BatchNorm: expected \(samples, 3, \.\.\.\), got"),
    "one row": (lambda: nn.with_state(lambda m: m(ONES[:1], train=True))(nn.BatchNorm(4)), "two"),
    "momentum": (lambda: nn.BatchNorm(3, momentum=2), "momentum=2, expected from 0 to 1"),
    "eps": (lambda: nn.LayerNorm(3, eps=-1.0), r"LayerNorm: eps=-1\.0"),
    "no axis": (lambda: nn.LayerNorm(()), r"LayerNorm: shape=\(\)"),
    "last axis": (
        lambda: nn.LayerNorm(3)(ONES),
        r"expected \(\.\.\., 3\), got \(3, 4\)",
    ),
    "last axes": (lambda: nn.RMSNorm((2, 4))(ONES), r"RMSNorm: expected \(\.\.\., 2, 4\)"),
    "groups": (lambda: nn.GroupNorm(2, 3), "groups=2 does not divide channels=3"),
    "channels of groups": (lambda: nn.GroupNorm(2, 6)(ONES), r"GroupNorm: expected \(samples, 6,"),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_explained(call, message):
    with pytest.raises(ShapeError, match=message):
        call()


def test_what_is_no_array_or_function_is_explained():
    with pytest.raises(DTypeError, match=r"LayerNorm: the input is 1\.0"):
        nn.LayerNorm(3)(1.0)
    with pytest.raises(DTypeError, match="with_state: 3, expected a function"):
        nn.with_state(3)
    with pytest.raises(ShapeError, match="take_state: the source is"):
        nn.take_state(nn.BatchNorm(3), nn.LayerNorm(3))
