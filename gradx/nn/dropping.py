"""Layers that set values to zero at random while training.

What is kept is scaled up by ``1 / (1 - rate)``, so that the expectation is what
evaluation computes, with nothing dropped. Beyond one layer that is an approximation:
the average over networks that are sampled is had by mapping over their keys,

    draw = lambda key: model(x, key=key, train=True)
    predictions = gx.vmap(draw)(gx.random.split(key, 100))  # (100, ...): take mean and std
"""

from typing import Any

from gradx.core import tree
from gradx.core.arrays import backend_for, untracked
from gradx.errors import DTypeError, ShapeError
from gradx.nn.checks import require_number
from gradx.nn.module import Module, static
from gradx.nn.penalties import is_weight
from gradx.nn.sequential import call_layer
from gradx.ops.arithmetic import where
from gradx.random import bernoulli, fold_in


class Dropout(Module):
    """Set each element to zero with probability ``rate``, while training.

    Call it with ``train=True`` and a ``key``; without, it changes nothing. Source:
    Srivastava and others, "Dropout" (JMLR 15, 2014), scaled while training.

    >>> import numpy as np, gradx as gx
    >>> drop = gx.nn.Dropout(0.5)
    >>> drop(np.ones(3))
    array([1., 1., 1.])
    >>> sorted(set(drop(np.ones(100), key=gx.random.key(0), train=True).tolist()))
    [0.0, 2.0]
    """

    rate: float = static()

    def __init__(self, rate: float) -> None:
        self.rate = checked_rate("Dropout", rate)

    def __call__(self, x: Any, *, key: Any = None, train: bool = False) -> Any:
        if not train:
            return x
        return drop(checked_key("Dropout", key), x, self.rate)


class DropConnect(Module):
    """Set each weight of ``layer`` to zero with probability ``rate``, while training.

    All weights of the layer's tree, arrays of two or more axes, are drawn anew in
    each call; biases stay. Call it with ``train=True`` and a ``key``; without, the
    layer works with all its weights, which are the expectation. Source: Wan and
    others, "Regularization of neural networks using DropConnect" (ICML 2013), who
    predict by the average over networks that are sampled:

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.DropConnect(gx.nn.Linear(3, 2, key=gx.random.key(0)), rate=0.5)
    >>> layer
    DropConnect(layer=Linear(weight=float32 (3, 2), bias=float32 (2,)), rate=0.5)
    >>> x, keys = np.ones((5, 3)), gx.random.split(gx.random.key(1), 100)
    >>> predictions = gx.vmap(lambda key: layer(x, key=key, train=True))(keys)
    >>> predictions.shape, gx.mean(predictions, axis=0).shape
    ((100, 5, 2), (5, 2))
    """

    layer: Any
    rate: float = static()

    def __init__(self, layer: Any, rate: float) -> None:
        if not isinstance(layer, Module):
            raise DTypeError(
                f"DropConnect: expected a module, got {layer!r}: "
                "gx.nn.DropConnect(gx.nn.Linear(784, 128, key=key), rate=0.5)"
            )
        self.layer = layer
        self.rate = checked_rate("DropConnect", rate)

    def __call__(self, x: Any, *, key: Any = None, train: bool = False) -> Any:
        if not train:
            return call_layer(self.layer, x, key=None, position=0, train=False)
        leaves, structure = tree.flatten(self.layer)
        checked_key("DropConnect", key)
        # Position 0 is the key of the layer itself.
        dropped = [
            drop(fold_in(key, position), leaf, self.rate) if is_weight(leaf) else leaf
            for position, leaf in enumerate(leaves, 1)
        ]
        layer = tree.unflatten(structure, dropped)
        return call_layer(layer, x, key=key, position=0, train=True)


def drop(key: Any, x: Any, rate: float) -> Any:
    """Set elements to zero with probability ``rate``, and scale up the others."""
    device = backend_for(x).device_of(untracked(x))
    kept = bernoulli(key, 1 - rate, x.shape, device=device)
    return where(kept, x * (1 / (1 - rate)), 0.0)


def checked_rate(name: str, rate: Any) -> float:
    require_number(name, "rate", rate)
    if not 0 <= rate < 1:
        raise ShapeError(f"{name}: rate={rate!r}, expected from 0 to 1, without 1")
    return float(rate)


def checked_key(name: str, key: Any) -> Any:
    if key is None:
        raise ShapeError(
            f"{name}: train=True needs a key, as in model(x, key=gx.random.key(0), train=True)"
        )
    return key
