"""Convolution and pooling as layers: their parameters, settings and errors, and training."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, ShapeError
from tests.against_torch import assert_agrees, randomized

SETTINGS = {
    "plain": ((4, 6, (3, 2)), {}),
    "number": ((4, 6, 3), {"stride": 2, "padding": 1}),
    "line": ((4, 6, (3,)), {"dilation": 2}),
    "groups": ((4, 6, (3, 3)), {"groups": 2}),
    "volume": ((2, 2, [1, 2, 2]), {"padding": [(0, 1), 0, 0]}),
}

every_setting = pytest.mark.parametrize(("widths", "settings"), SETTINGS.values(), ids=SETTINGS)


def make(layer, widths, settings, **more):
    return layer(*widths, **settings, key=gx.random.key(0), **more)


def inputs_for(layer, inputs):
    return np.random.default_rng(0).normal(size=(2, inputs, *[5] * (layer.weight.ndim - 2)))


@every_setting
@pytest.mark.parametrize(
    ("layer", "function"),
    [(nn.Conv, gx.conv), (nn.ConvTranspose, gx.conv_transpose)],
    ids=["Conv", "ConvTranspose"],
)
def test_layer_is_the_function_and_a_bias(layer, function, widths, settings):
    made = make(layer, widths, settings, dtype="float64", bias_init=nn.init.normal)
    x = inputs_for(made, widths[0])

    out = made(x)

    expected = function(x, made.weight, **settings)
    bias = made.bias.reshape(-1, *[1] * (expected.ndim - 2))
    assert out.shape[1] == widths[1]
    np.testing.assert_array_equal(out, expected + bias)
    np.testing.assert_array_equal(
        make(layer, widths, settings, dtype="float64", bias=False)(x), expected
    )


@pytest.mark.parametrize(
    ("mode", "name"), [("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")]
)
@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((4,), {"padding": "same", "dilation": 2}),
        ((3, 2), {"padding": (2, 1), "stride": 2, "groups": 3}),
        ((2, 2, 3), {"padding": 1}),
    ],
)
def test_what_pads_is_that_of_torch(mode, name, kernel, options):
    torch = pytest.importorskip("torch")
    kind = getattr(torch.nn, f"Conv{len(kernel)}d")
    module = randomized(torch, kind(3, 6, kernel, padding_mode=name, **options))
    layer = nn.Conv(3, 6, kernel, padding_mode=mode, key=gx.random.key(0), **options)
    made = lambda get: layer.replace(weight=get("weight"), bias=get("bias"))
    x = np.random.default_rng(0).normal(size=(2, 3, *[7, 6, 5][: len(kernel)]))

    assert_agrees(torch, module, made, lambda m, x: m(x), lambda m, x: m(x), x)


@pytest.mark.parametrize("layer", [nn.Conv, nn.ConvTranspose])
def test_weights_have_the_variance_of_what_is_added_up(layer):
    made = layer(32, 64, (5, 5), groups=4, key=gx.random.key(0))
    weight = np.asarray(made.weight)

    assert weight.dtype == np.float32
    assert weight.flags.c_contiguous
    np.testing.assert_allclose(np.var(weight), 4 / (32 * 25), rtol=0.05)


def test_each_group_of_a_transposed_convolution_is_drawn_as_one_of_its_own():
    def count_up(key, shape, dtype, device):
        return np.arange(np.prod(shape), dtype=dtype).reshape(shape)

    made = nn.ConvTranspose(4, 6, (2,), groups=2, weight_init=count_up, key=gx.random.key(0))

    # Drawn as (place, input of a group, output): kept is (input, output of a group, place).
    drawn = np.arange(2 * 2 * 6).reshape(2, 2, 6)
    assert made.weight[3, 1, 1] == drawn[1, 1, 3 + 1]
    assert made.weight[0, 2, 1] == drawn[1, 0, 2]


def test_layers_take_dtype_and_device(backend):
    device = backend.devices()[0]

    made = nn.Conv(2, 3, 3, key=gx.random.key(0), dtype="float64", device=device)

    x = backend.from_numpy(np.ones((1, 2, 4, 4)), device)
    with gx.default_device(device):
        out, pullback = gx.vjp(lambda layer: made.replace(weight=layer)(x), made.weight)
    assert out.shape == (1, 3, 2, 2)
    assert pullback(out)[0].shape == (3, 2, 3, 3)


def test_gradient_of_a_network_is_a_network_and_descends():
    keys = gx.random.split(gx.random.key(0), 3)
    model = nn.Sequential(
        nn.Conv(1, 4, 3, padding="same", key=keys[0]),
        nn.relu,
        nn.MaxPool(2),
        nn.Conv(4, 4, (3, 3), key=keys[1]),
        nn.AvgPool(2),
        nn.Flatten(),
        nn.Linear(4, 2, key=keys[2]),
    )
    x = np.random.default_rng(0).normal(size=(8, 1, 8, 8)).astype("float32")
    labels = np.asarray([0, 1] * 4)

    def loss(model):
        return nn.cross_entropy(model(x), labels)

    before, gradient = gx.value_and_grad(loss)(model)

    optimizer = gx.optim.sgd(0.1)
    updates, _ = optimizer.update(gradient, optimizer.init(model), model)
    assert gradient[0].weight.shape == (4, 1, 3, 3)
    assert gradient[0].weight.dtype == np.float32
    assert loss(gx.optim.apply_updates(model, updates)) < before


def test_settings_are_not_parameters_and_are_shown():
    layer = nn.Conv(1, 2, (3, 3), stride=2, key=gx.random.key(0))

    assert len(gx.core.tree.leaves(layer)) == 2
    assert "stride=2" in repr(layer)
    assert repr(nn.AvgPool(2, stride=[1, 2])).startswith("AvgPool(kernel=2, stride=(1, 2), padd")
    assert gx.core.tree.leaves(nn.AvgPool((2, 2), stride=1)) == []


WRONG = {
    "inputs": (((0, 2, 3), {}), ShapeError, "Conv: inputs=0, expected 1 or more"),
    "outputs": (((1, True, 3), {}), DTypeError, "Conv: outputs=True, expected an integer"),
    "kernel": (((1, 1, (3, 0)), {}), ShapeError, "Conv: kernel=0, expected 1 or more"),
    "axes": (((1, 1, (1, 1, 1, 1)), {}), ShapeError, "expected 1, 2 or 3 lengths"),
    "stride": (((1, 1, 3), {"stride": (1, 0)}), ShapeError, "Conv: stride=0, expected 1 or more"),
    "mode": (
        ((1, 1, 3), {"padding_mode": "zeros"}),
        ShapeError,
        "Conv: padding_mode='zeros', expected one of 'constant', 'edge', 'reflect'",
    ),
    "padding": (((1, 1, 3), {"padding": "full"}), ShapeError, "Conv: padding='full', expected"),
    "groups": (((4, 6, 3), {"groups": 4}), ShapeError, "groups=4 does not divide outputs=6"),
}


POOLS = {
    "kernel": (((0,), {}), ShapeError, "kernel=0, expected 1 or more"),
    "part of a kernel": ((((2, 0),), {}), ShapeError, "kernel=0, expected 1 or more"),
    "fraction": (((2.5,), {}), DTypeError, "kernel=2.5, expected an integer"),
    "truth value": (((True,), {}), DTypeError, "kernel=True, expected an integer"),
    "axes": (
        (((1, 1, 1, 1),), {}),
        ShapeError,
        r"kernel=\(1, 1, 1, 1\), expected 1, 2 or 3 lengths",
    ),
    "stride": (((2,), {"stride": -1}), ShapeError, "stride=-1, expected 1 or more"),
    "strides": (
        (((2, 2),), {"stride": (1,)}),
        ShapeError,
        r"stride=\(1,\), expected an integer or 2",
    ),
    "padding": (((2,), {"padding": -1}), ShapeError, "padding=-1, expected 0 or more"),
    "name": (((2,), {"padding": "full"}), ShapeError, "padding='full', expected"),
}


@pytest.mark.parametrize("layer", [nn.MaxPool, nn.AvgPool])
@pytest.mark.parametrize(("arguments", "error", "message"), POOLS.values(), ids=list(POOLS))
def test_pools_say_what_does_not_fit_when_they_are_made(layer, arguments, error, message):
    given, settings = arguments
    with pytest.raises(error, match=f"{layer.__name__}: {message}"):
        layer(*given, **settings)


def test_dilation_of_a_pool_is_one_or_more():
    with pytest.raises(ShapeError, match="MaxPool: dilation=0, expected 1 or more"):
        nn.MaxPool(2, dilation=(1, 0))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_pool_of_numbers_is_for_any_axes(ndim):
    x = np.ones((1, 1, *[9] * ndim))

    assert nn.MaxPool(2, stride=1, padding="same")(x).shape == x.shape
    assert nn.MaxPool(2, stride=3, dilation=2)(x).shape == (1, 1, *[3] * ndim)


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG.values(), ids=list(WRONG))
def test_layers_say_what_does_not_fit(arguments, error, message):
    widths, settings = arguments
    with pytest.raises(error, match=message):
        nn.Conv(*widths, **settings, key=gx.random.key(0))


def test_errors_name_the_layer():
    model = nn.Sequential(nn.relu, nn.Conv(3, 2, 3, key=gx.random.key(0)))

    with pytest.raises(ShapeError, match=r"has 1 channels, .* takes 3, in layers\[1\] \(Conv\)"):
        model(np.ones((1, 1, 5, 5)))
