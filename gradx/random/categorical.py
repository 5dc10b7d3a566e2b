"""Draws from a finite number of classes, such as the next letter of a text."""

from math import inf
from typing import Any

from gradx.core.arrays import backend_for, is_array, is_kind, reading_stalls, untracked
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.ops.exponential import log
from gradx.ops.searching import argmax
from gradx.random.draws import uniform

# Far below the resolution of a draw, so that the logarithm never meets zero.
SMALLEST = 2.0**-54


def categorical(key: Any, logits: Any) -> Any:
    """Draw classes with the probabilities ``softmax(logits)``, along the last axis.

    ``logits`` are (..., classes), and the result (...) of int64; one of minus infinity is
    never drawn. By the largest of the logits with Gumbel's noise on them (Gumbel,
    "Statistical theory of extreme values", 1954).

    Raises:
        TypeError: the logits are not real floating-point numbers.
        ValueError: there are no classes, a logit is NaN, or no class has any chance.

    >>> import numpy as np, gradx as gx
    >>> logits = np.asarray([-np.inf, 2.0, 2.0])
    >>> draws = gx.random.categorical(gx.random.key(0), np.broadcast_to(logits, (1000, 3)))
    >>> draws.shape, sorted(set(draws.tolist()))
    ((1000,), [1, 2])
    """
    if not is_array(logits) or not is_kind(logits, "real floating"):
        raise DTypeError(
            f"categorical: the logits are {describe(logits)}, expected floating-point numbers"
        )
    if not logits.shape or not logits.shape[-1]:
        raise ShapeError(f"categorical: expected logits (..., classes), got {tuple(logits.shape)}")
    _require_likely(logits)
    device = backend_for(logits).device_of(untracked(logits))
    chances = uniform(key, logits.shape, low=SMALLEST, device=device)
    return argmax(logits - log(-log(chances)), axis=-1)


def _require_likely(logits):
    """Raise where logits do not say how likely classes are, if that may be read."""
    if reading_stalls(logits):
        return
    xp, plain = backend_for(logits).xp, untracked(logits)
    largest = xp.max(plain, axis=-1)
    if bool(xp.any(xp.isnan(largest) | (largest == -inf))):
        raise ShapeError(
            "categorical: in a row of the logits is a NaN, or nothing but minus infinity"
        )
