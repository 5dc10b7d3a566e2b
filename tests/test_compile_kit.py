"""Layers, optimizers and schedules compile: a step replayed gives the bits of one that is not."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim
from gradx.core import tree
from gradx.optim import schedules
from tests.test_optim import optimizers

pytestmark = pytest.mark.usefixtures("eager_bits")

KEY = gx.random.key(0)
DOUBLE = {"key": KEY, "dtype": "float64"}

OPTIMIZERS = {name: lambda name=name: getattr(optim, name)(0.05) for name in optimizers()}
OPTIMIZERS |= {
    "accumulate": lambda: optim.accumulate(optim.adam(0.05), every=2),
    "add_noise": lambda: optim.chain(optim.add_noise(0.1, key=KEY), optim.adam(0.05)),
    "lookahead": lambda: optim.lookahead(optim.adam(0.05), every=2),
    "averaged": lambda: optim.averaged(optim.adam(0.05), decay=0.9),
    "cosine_restarts": lambda: optim.sgd(schedules.cosine_restarts(0.1, 3, growth=2)),
    "cyclic": lambda: optim.sgd(schedules.cyclic(0.1, 0.3, up=2, decay=0.5)),
    "one_cycle": lambda: optim.sgd(schedules.one_cycle(0.1, 10)),
    "piecewise": lambda: optim.sgd(schedules.piecewise(0.1, {2: 0.5})),
    "interpolate": lambda: optim.sgd(schedules.interpolate({0: 0.1, 3: 0.2})),
    "partition": lambda: optim.partition(
        {"layers[0]": None, nn.is_weight: optim.adamw(0.05), "*": optim.sgd(0.1, momentum=0.9)}
    ),
    "polynomial": lambda: optim.sgd(schedules.polynomial(0.1, 4, power=2.0)),
}


def drawn(*shape):
    return np.random.default_rng(0).normal(size=shape)


def network():
    return nn.Sequential(
        nn.Linear(3, 4, **DOUBLE),
        nn.BatchNorm(4, dtype="float64"),
        nn.relu,
        nn.Dropout(0.2),
        nn.Linear(4, 1, **DOUBLE),
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_step_with_statistics_compiles(name):
    optimizer, model = OPTIMIZERS[name](), network()
    x, y = drawn(8, 3), drawn(8, 1)

    def step(model, state, key):
        loss = lambda m: nn.mse(m(x, key=key, train=True), y)
        (_, following), grads = gx.value_and_grad(nn.with_state(loss), has_aux=True)(model)
        updates, state = optimizer.update(grads, state, model)
        return nn.take_state(optim.apply_updates(model, updates), following), state

    compiled = gx.compile(step)
    eager = replayed = (model, optimizer.init(model))
    for number in range(6):
        key = gx.random.fold_in(KEY, number)
        eager, replayed = step(*eager, key), compiled(*replayed, key)

    for ours, theirs in zip(tree.leaves(replayed), tree.leaves(eager), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_cache_is_extended_by_one_program():
    block = nn.TransformerBlock(6, 2, causal=True, **DOUBLE)
    x, found = drawn(2, 5, 6), []
    extend = gx.compile(lambda block, x, cache: block.extend(x, cache))

    cache = block.empty_cache(2, 5)
    for step in range(5):
        out, cache = extend(block, x[:, step : step + 1], cache)
        found.append(out)

    np.testing.assert_allclose(np.concatenate(found, 1), block(x), rtol=1e-10, atol=1e-10)
    assert len(extend.programs) == 1


LAYERS = {
    "PReLU": (lambda: nn.PReLU(4, dtype="float64"), drawn(2, 4, 3, 3)),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), drawn(2, 4, 3, 3)),
    "nearest": (lambda: nn.Upsample(2), drawn(2, 4, 3, 3)),
    "linear": (lambda: nn.Upsample(1.7, method="linear"), drawn(2, 4, 3, 3)),
    "cubic": (lambda: nn.Upsample(size=5, method="cubic", align_corners=True), drawn(2, 4, 3, 3)),
    "AdaptiveAvgPool": (lambda: nn.AdaptiveAvgPool((2, 1)), drawn(2, 4, 3, 3)),
    "DecoderBlock": (lambda: BesideItself(nn.DecoderBlock(4, 2, **DOUBLE)), drawn(2, 5, 4)),
}


class BesideItself(nn.Module):
    block: nn.DecoderBlock

    def __call__(self, x):
        return self.block(x, x)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_layers_compile(name):
    layer, x = LAYERS[name][0](), LAYERS[name][1]
    gradient = gx.grad(lambda layer, x: gx.sum(layer(x) ** 2), (0, 1))

    compiled = gx.compile(gradient)

    expected = tree.leaves(gradient(layer, x))
    for _ in range(2):
        for ours, theirs in zip(tree.leaves(compiled(layer, x)), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_gradients_of_recurrent_layers_compile(kind):
    layer, x = kind(3, 4, **DOUBLE), drawn(2, 5, 3)
    gradient = gx.grad(lambda layer, x: gx.sum(layer(x) ** 2))

    compiled = gx.compile(gradient)

    expected = tree.leaves(gradient(layer, x))
    for _ in range(2):
        for ours, theirs in zip(tree.leaves(compiled(layer, x)), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-14)
