"""Bags of embeddings, and weights of a norm: torch's layers on the same parameters."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, OutOfBoundsError, ShapeError
from tests.against_torch import assert_agrees, randomized

RNG = np.random.default_rng(0)
KEY = gx.random.key(0)
DOUBLE = {"key": KEY, "dtype": "float64"}
ROWS = np.asarray([[1, 2, 5], [3, 3, 0]])
FLAT, OFFSETS = np.asarray([1, 2, 5, 3, 3, 0, 6]), np.asarray([0, 2, 2, 3, 5])


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


# Bags.


@pytest.mark.parametrize("padding", [None, 3])
@pytest.mark.parametrize("mode", ["mean", "sum", "max"])
@pytest.mark.parametrize("bags", [(ROWS,), (FLAT, OFFSETS)], ids=["rows", "offsets"])
def test_bags_are_those_of_torch(torch, bags, mode, padding):
    module = randomized(torch, torch.nn.EmbeddingBag(7, 4, mode=mode, padding_idx=padding))
    layer = nn.EmbeddingBag(7, 4, mode=mode, padding=padding, **DOUBLE)

    assert_agrees(
        torch,
        module,
        lambda get: layer.replace(weight=get("weight")),
        gx.compile(lambda m: m(*bags)),
        lambda m: m(*map(torch.tensor, bags)),
    )


@pytest.mark.parametrize("bags", [(ROWS,), (FLAT, OFFSETS)], ids=["rows", "offsets"])
def test_weights_of_a_bag_are_those_of_torch(torch, bags):
    module = randomized(torch, torch.nn.EmbeddingBag(7, 4, mode="sum"))
    layer = nn.EmbeddingBag(7, 4, mode="sum", **DOUBLE)
    offsets = bags[1:]

    assert_agrees(
        torch,
        module,
        lambda get: layer.replace(weight=get("weight")),
        lambda m, w: m(*bags, weights=w),
        lambda m, w: m(torch.tensor(bags[0]), *map(torch.tensor, offsets), per_sample_weights=w),
        RNG.normal(size=bags[0].shape),
    )


@pytest.mark.parametrize("mode", ["mean", "sum", "max"])
def test_an_empty_bag_is_0_and_one_of_padding_trains_nothing(mode):
    layer = nn.EmbeddingBag(4, 2, mode=mode, padding=3, **DOUBLE)

    assert not layer(np.zeros((2, 0), dtype="int64")).any()
    assert layer(np.asarray([[3, -1]])).tolist() == [[0.0, 0.0]]
    gradient = gx.grad(lambda m: gx.sum(m(np.asarray([[3, 1], [3, 3]]))))(layer)
    np.testing.assert_array_equal(gradient.weight, [[0, 0], [1, 1], [0, 0], [0, 0]])


BAGS = nn.EmbeddingBag(7, 4, **DOUBLE)
WRONG_BAGS = {
    "floats": (lambda: BAGS(ROWS / 2), DTypeError, "the input is float64 .*, expected integers"),
    "no bag": (lambda: BAGS(np.asarray(3)), ShapeError, r"expected bags \(\.\.\., length\)"),
    "rows with offsets": (lambda: BAGS(ROWS, OFFSETS), ShapeError, "the integers have one axis"),
    "before the first bag": (lambda: BAGS(FLAT, OFFSETS + 1), OutOfBoundsError, "out of bounds"),
    "not in the table": (lambda: BAGS(ROWS + 5), OutOfBoundsError, "out of bounds"),
    "weights of a mean": (lambda: BAGS(ROWS, weights=ROWS / 2), ShapeError, "with mode='sum'"),
    "a mode": (lambda: nn.EmbeddingBag(7, 4, mode="min", **DOUBLE), ShapeError, "mode='min'"),
    "padding": (lambda: nn.EmbeddingBag(7, 4, padding=7, **DOUBLE), ShapeError, "less than count"),
}


@pytest.mark.parametrize("name", WRONG_BAGS)
def test_wrong_bags_are_named(name):
    call, error, message = WRONG_BAGS[name]

    with pytest.raises(error, match=message):
        call()


# Norms of weights: torch's layer, ours, an input, and where the outputs are in our weight.
LAYERS = {
    "Linear": (lambda t: t.nn.Linear(3, 2), lambda: nn.Linear(3, 2, **DOUBLE), (5, 3)),
    "Conv": (lambda t: t.nn.Conv2d(3, 4, 3), lambda: nn.Conv(3, 4, 3, **DOUBLE), (2, 3, 6, 6)),
    "ConvTranspose": (
        lambda t: t.nn.ConvTranspose2d(3, 4, 3),
        lambda: nn.ConvTranspose(3, 4, 3, **DOUBLE),
        (2, 3, 5, 5),
    ),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def of_torch(name, array):
    return array.T if name == "Linear" else array


@every_layer
def test_norm_of_weights_is_that_of_torch(torch, name):
    make, ours, shape = LAYERS[name]
    axis = 0 if name == "ConvTranspose" else None
    module = torch.nn.utils.parametrizations.weight_norm(make(torch))
    layer = nn.WeightNorm(ours(), axis=axis)

    def filled(get):
        scale = of_torch(name, get("parametrizations.weight.original0"))
        weight = of_torch(name, get("parametrizations.weight.original1"))
        inner = layer.layer.replace(weight=weight, bias=get("bias"))
        return layer.replace(layer=inner, scale=scale)

    assert_agrees(
        torch,
        randomized(torch, module),
        filled,
        lambda m, x: m(x),
        lambda m, x: m(x),
        RNG.normal(size=shape),
    )


@every_layer
def test_layer_computes_the_same_until_its_norms_are_trained(name):
    _, ours, shape = LAYERS[name]
    layer, x = ours(), RNG.normal(size=shape)

    np.testing.assert_allclose(nn.WeightNorm(layer)(x), layer(x), rtol=1e-12, atol=1e-14)
    assert nn.WeightNorm(layer).scale.size == layer.bias.size


@every_layer
def test_spectral_norm_is_that_of_torch_and_so_are_its_next_vectors(torch, name):
    make, ours, shape = LAYERS[name]
    spectral = torch.nn.utils.parametrizations.spectral_norm
    module = spectral(randomized(torch, make(torch)), n_power_iterations=2)
    vectors = module.parametrizations.weight[0]
    layer = nn.SpectralNorm(ours(), key=KEY, steps=2)
    before = {"left": vectors._u.numpy().copy(), "right": vectors._v.numpy().copy()}
    afterwards = {}

    def filled(get):
        weight = of_torch(name, get("parametrizations.weight.original"))
        inner = layer.layer.replace(weight=weight, bias=get("bias"))
        of = lambda field: np.zeros_like(before[field]) if is_gradient(get) else before[field]
        return layer.replace(layer=inner, left=of("left"), right=of("right"))

    is_gradient = lambda get: not get("parametrizations.weight.0._u").any()

    def call(m, x):
        out, following = nn.with_state(lambda m: m(x, train=True))(m)
        afterwards.update(left=gx.stop_gradient(following.left), right=following.right)
        return out

    x = RNG.normal(size=shape)
    assert_agrees(torch, module, filled, call, lambda m, x: m(x), x)
    np.testing.assert_allclose(afterwards["left"], vectors._u.numpy(), rtol=1e-10)
    trained = filled(lambda n: module.state_dict()[n].detach().numpy()).replace(
        left=vectors._u.numpy(), right=vectors._v.numpy()
    )
    expected = module.eval()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(trained(x), expected, rtol=1e-10, atol=1e-12)


def test_spectral_norm_is_trained_by_fit():
    layer = nn.SpectralNorm(nn.Linear(3, 3, **DOUBLE), key=KEY)
    x = RNG.normal(size=(64, 3))

    options = {"epochs": 20, "key": KEY, "progress": None}
    model = gx.train.fit(layer, nn.mse, gx.optim.adam(0.05), (x, 5 * x), **options).model

    np.testing.assert_allclose(
        np.linalg.norm(model(np.eye(3)) - model(np.zeros((3, 3))), 2), 1, 0.02
    )
    assert not np.array_equal(model.left, layer.left)


@pytest.mark.parametrize("make", [nn.WeightNorm, lambda layer: nn.SpectralNorm(layer, key=KEY)])
@pytest.mark.parametrize("layer", [3, nn.relu, nn.BatchNorm(3), nn.Dropout(0.5)])
def test_a_layer_without_a_weight_of_two_axes_is_refused(make, layer):
    with pytest.raises(DTypeError, match="expected a module with a weight of two axes or more"):
        make(layer)
