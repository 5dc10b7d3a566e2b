"""Dropout and DropConnect."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn, random
from gradx.errors import DTypeError, ShapeError
from gradx.nn import init
from tests.test_nn import KEY, linear, placed


def test_dropout_keeps_the_expectation(backend):
    rate, count = 0.3, 100_000
    x = placed(backend, np.full(count, 2.0))

    out = backend.to_numpy(nn.Dropout(rate)(x, key=KEY, train=True))

    # The mean of count elements, each 2 / (1 - rate) or 0, is off by more than 5 of
    # its standard deviations with a probability of 6e-7.
    deviation = 2 * np.sqrt(rate / (1 - rate) / count)
    assert abs(out.mean() - 2) < 5 * deviation
    assert set(np.round(out, 12)) == {0.0, np.round(2 / (1 - rate), 12)}


def test_dropconnect_keeps_expectation_and_has_the_variance_of_dropped_weights(backend):
    rate, draws = 0.3, 4000
    layer = linear(6, 1, device=backend.devices()[0], dtype="float64", bias_init=init.ones)
    dropping = nn.DropConnect(layer, rate)
    x = np.linspace(0.5, 2, 6)[None]
    w = backend.to_numpy(layer.weight)

    outs = np.asarray(
        [
            backend.to_numpy(dropping(placed(backend, x), key=random.fold_in(KEY, i), train=True))[
                0, 0
            ]
            for i in range(draws)
        ]
    )

    # Each weight is w / (1 - rate) or 0, independently.
    variance = rate / (1 - rate) * np.sum((x[0] * w[:, 0]) ** 2)
    assert abs(outs.mean() - (x @ w + 1).item()) < 5 * np.sqrt(variance / draws)
    assert outs.var() == pytest.approx(variance, rel=0.1)


def test_dropconnect_drops_weights_and_not_inputs_outputs_or_biases():
    layer = linear(20, 30, dtype="float64", weight_init=init.ones, bias_init=init.ones)

    out = nn.DropConnect(layer, 0.5)(np.eye(20), key=KEY, train=True) - 1

    assert set(out.ravel()) == {0.0, 2.0}
    assert len(set(out.sum(0))) > 1
    assert len(set(out.sum(1))) > 1


def test_the_gradient_of_a_dropped_weight_is_zero_and_of_a_kept_one_is_scaled():
    dropping = nn.DropConnect(linear(5, 5, dtype="float64", weight_init=init.ones), 0.5)
    call = lambda m: gx.sum(m(np.ones((1, 5)), key=KEY, train=True))

    gradient = gx.grad(call)(dropping).layer.weight

    assert set(gradient.ravel()) == {0.0, 2.0}


@pytest.mark.parametrize("make", [nn.Dropout, lambda rate: nn.DropConnect(linear(4, 4), rate)])
def test_dropping_layers_change_nothing_in_evaluation_and_repeat_for_a_key(make):
    layer, x = make(0.5), np.ones((2, 4), np.float32)
    expected = x if isinstance(layer, nn.Dropout) else layer.layer(x)

    np.testing.assert_array_equal(layer(x), expected)
    np.testing.assert_array_equal(layer(x, key=KEY), expected)
    np.testing.assert_array_equal(layer(x, key=KEY, train=True), layer(x, key=KEY, train=True))
    np.testing.assert_array_equal(make(0.0)(x, key=KEY, train=True), expected)
    assert layer(x, key=KEY, train=True).dtype == np.float32


@pytest.mark.parametrize("make", [nn.Dropout, lambda rate: nn.DropConnect(linear(4, 4), rate)])
def test_dropping_layers_say_what_is_missing_or_out_of_range(make):
    name = type(make(0.5)).__name__
    with pytest.raises(ShapeError, match=rf"{name}: train=True needs a key, as in model\(x, key="):
        make(0.5)(np.ones((2, 4), np.float32), train=True)
    with pytest.raises(ShapeError, match=rf"needs a key.*, in layers\[1\] \({name}\)"):
        nn.Sequential(nn.relu, make(0.5))(np.ones((2, 4), np.float32), train=True)
    for rate in (1.0, -0.1, float("nan")):
        with pytest.raises(
            ShapeError, match=f"{name}: rate={rate}, expected from 0 to 1, without 1"
        ):
            make(rate)
    with pytest.raises(DTypeError, match=f"{name}: rate='half', expected a number"):
        make("half")


def test_dropconnect_needs_a_module():
    with pytest.raises(DTypeError, match="DropConnect: expected a module, got 3"):
        nn.DropConnect(3, 0.5)


def test_dropconnect_hands_key_and_train_to_what_it_wraps():
    model = nn.DropConnect(
        nn.Sequential(linear(4, 400, weight_init=init.ones), nn.Dropout(0.5)), 0.0
    )

    out = model(np.ones((1, 4), np.float32), key=KEY, train=True)

    assert set(out.ravel()) == {0.0, 8.0}


@pytest.mark.parametrize("run", [lambda f: f, gx.compile])
def test_networks_are_sampled_by_mapping_over_their_keys(run):
    model = nn.Sequential(linear(4, 3), nn.Dropout(0.5), nn.DropConnect(linear(3, 2), 0.5))
    x, keys = np.ones((5, 4), np.float32), random.split(KEY, 6)
    call = lambda key: model(x, key=key, train=True)

    sampled = run(gx.vmap(call))(keys)

    np.testing.assert_allclose(sampled, np.stack([call(key) for key in keys]), rtol=1e-6)
    assert len({network.tobytes() for network in sampled}) == 6
