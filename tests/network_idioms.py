"""Pieces of user code for tests/programs.py: layers, losses, control flow, nested maps.

Each takes one real array of any shape, as those in tests/idioms.py do.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

import gradx as gx
from gradx import nn
from tests.idioms import flat, twice


def rows(x: Any) -> Any:
    """Return two rows of three elements made of those of ``x``."""
    elements = flat(x)
    return gx.reshape(gx.take(elements, np.arange(6) % elements.shape[0]), (2, 3))


@cache
def _layers(dtype):
    one, two, three, four = gx.random.split(gx.random.key(5), 4)
    settings = {"dtype": dtype}
    return {
        "linear": nn.Linear(3, 2, key=one, **settings),
        # Equal elements in single precision, over little, would be rounding alone.
        "normalized": nn.LayerNorm(3, eps=0.1, **settings),
        "root mean square": nn.RMSNorm(3, **settings),
        "lstm": nn.LSTM(3, 2, key=two, **settings),
        "gru": nn.GRU(3, 2, key=three, **settings),
        "attention": nn.MultiHeadAttention(3, 1, key=four, **settings),
    }


def _through(name, x):
    return _layers(np.dtype(x.dtype).name)[name](rows(x)[None])


def _by_its_weight(x):
    """Return the gradient by the weights of a layer: a tree made of what is differentiated."""
    layer = _layers(np.dtype(x.dtype).name)["linear"]
    loss = lambda layer: gx.sum(nn.tanh(layer(rows(x))) ** 2)
    return gx.grad(loss)(layer).weight


LABELS, HALVES = np.asarray([2, 0]), np.asarray([[0.0, 1.0, 0.5], [1.0, 0.0, 0.25]])
SIGNS, PLACES = np.asarray([1, -1]), np.asarray([2, 1])


def _targets(x):
    return HALVES.astype(x.dtype)


NETWORKS: dict[str, Callable[[Any], Any]] = {
    **{
        f"layer {name}": lambda x, name=name: _through(name, x)
        for name in ("linear", "normalized", "root mean square", "lstm", "gru", "attention")
    },
    "gradient by a weight": _by_its_weight,
    "cross entropy": lambda x: nn.cross_entropy(rows(x), LABELS, smoothing=0.1),
    "binary cross entropy": lambda x: nn.binary_cross_entropy(rows(x), _targets(x)),
    "focal": lambda x: nn.focal(rows(x), _targets(x)),
    "squared error": lambda x: nn.mse(rows(x), _targets(x)),
    "divergence": lambda x: nn.kl_divergence(nn.log_softmax(rows(x)), nn.softmax(gx.sin(rows(x)))),
    "counts": lambda x: nn.poisson_nll(rows(x), _targets(x)),
    "variances": lambda x: nn.gaussian_nll(rows(x), _targets(x), 0.5 + rows(x) ** 2),
    "similarity": lambda x: nn.cosine_similarity(2 + gx.tanh(rows(x)), 2 + gx.sin(rows(x))),
    "alignments": lambda x: nn.ctc(
        gx.stack([rows(x), gx.sin(rows(x))]), PLACES[:, None], np.full(2, 2), np.ones(2, int)
    ),
    "attended": lambda x: nn.dot_product_attention(
        rows(x), gx.sin(rows(x)), gx.cos(rows(x)), causal=True
    ),
}


def _newton(x):
    """Find a root by steps of Newton's method, as many as it takes."""
    root, wanted = gx.ones_like(x), 1.0 + x * x
    for _ in range(3 + len(x.shape)):
        root = root - (root * root - wanted) / (2 * root)
    return root


def _by_shape(x):
    while len(x.shape) > 1:
        x = gx.sum(x, axis=0) if x.shape[0] < 3 else x[0] * x[1]
    return x


def _of_nothing(x):
    """Add up what has no elements."""
    none = flat(x)[:0]
    return x + gx.sum(none) + gx.prod(none) * gx.mean(x)


def _folded(x):
    total = flat(x)[0]
    for part in flat(x)[1:]:
        total = gx.sin(total) * part + total
    return total


def _nested_maps(x):
    table = gx.stack([twice(x), gx.cos(twice(x))])
    inside = lambda y, z: gx.grad(lambda y: y * gx.sin(y * z))(y)
    return gx.vmap(gx.vmap(inside, in_axes=(0, None)), in_axes=(0, None))(table, gx.sum(x))


def _twice_in_mixed_modes(x):
    slope = lambda y: gx.jvp(lambda z: gx.sum(z**3 * x), (y,), (gx.cos(x),))[1]
    return gx.grad(slope)(x)


FLOW: dict[str, Callable[[Any], Any]] = {
    "Newton's method": _newton,
    "by shape": _by_shape,
    "of nothing": _of_nothing,
    "folded": _folded,
    "maps in maps": _nested_maps,
    "reverse over forward inside": _twice_in_mixed_modes,
    "checkpoint of a map": gx.checkpoint(lambda x: gx.vmap(lambda y: gx.exp(-y * y))(flat(x))),
    "map of a checkpoint": lambda x: gx.vmap(gx.checkpoint(lambda y: y * gx.sin(y)))(flat(x)),
    "map of a Jacobian": lambda x: gx.vmap(gx.jacobian(lambda y: gx.sin(y) * gx.sum(y)))(rows(x)),
    "complex inside": lambda x: gx.real((x + 1j * gx.sin(x)) ** 2 * gx.exp(1j * x)),
    "polar inside": lambda x: gx.abs(gx.exp(1j * x) * (1.5 + gx.tanh(x))),
}
NETWORK_IDIOMS = NETWORKS | FLOW
