"""Linearize a function at a point: run it once, push many tangents."""

from collections.abc import Callable
from typing import Any

from gradx.core import tree
from gradx.core.explain import describe
from gradx.ops.creation import zeros_like
from gradx.transforms.boundary import (
    as_array,
    is_differentiable,
    label_of,
    leaves_like,
    require_match,
)
from gradx.transforms.grad import vjp


def linearize(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Compute ``f(*primals)`` and its pushforward at that point.

    ``pushforward(*tangents)`` takes one tree per primal and returns a tree like
    the output. It runs only the linear part, so it may be called many times.

    >>> import numpy as np, gradx as gx
    >>> out, pushforward = gx.linearize(gx.sin, np.asarray(0.0))
    >>> pushforward(np.asarray(2.0))
    array(2.)
    """
    label = label_of("linearize", f)
    leaves, structure = tree.flatten(primals)
    out, pullback = vjp(f, *primals)
    push = transpose(pullback, out)

    def pushforward(*tangents: Any) -> Any:
        what = f"{label}: the structure of the tangents differs from that of the primals"
        for x, tangent in zip(leaves, leaves_like(structure, tangents, what), strict=True):
            if tangent is not None and is_differentiable(x):
                require_match(tangent, as_array(x), f"{label}: the tangent of {describe(x)}")
        return push(*tangents)

    return out, pushforward


def transpose(pullback: Callable[..., Any], out: Any) -> Callable[..., Any]:
    """Turn a pullback into the pushforward: a linear map's transpose is its own pullback."""
    _, pushforward = vjp(pullback, tree.map(zeros_like, out))
    return lambda *tangents: pushforward(tangents)[0]
