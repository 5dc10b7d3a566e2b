"""Sharpness-aware gradients: taken where the loss is highest nearby, so that minima are flat."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from gradx.core import tree
from gradx.errors import DTypeError
from gradx.ops.extremes import maximum
from gradx.optim.arithmetic import scaled
from gradx.optim.clip import wide_norm
from gradx.optim.numbers import require_not_negative
from gradx.optim.optimizer import apply_updates
from gradx.transforms.grad import value_and_grad

SMALLEST = 1e-12  # norm of a gradient that is divided by


def sharpness_aware(
    function: Callable[..., Any], rho: float = 0.05, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function like ``gx.value_and_grad(function)``, with the gradient of SAM.

    That is the gradient at ``params + rho * g / |g|``, with ``g`` the one at ``params``, the
    first argument; the value is that at ``params``. Both gradients are of the same arguments;
    ``has_aux`` is as for ``gx.grad``. Source: Foret and others, "Sharpness-aware minimization"
    (ICLR 2021).

    >>> import numpy as np, gradx as gx
    >>> step = gx.optim.sharpness_aware(lambda x: gx.sum(x * x), rho=0.1)
    >>> value, gradient = step(np.asarray([3.0, 4.0]))
    >>> float(value), gradient
    (25.0, array([6.12, 8.16]))
    """
    if not callable(function):
        raise DTypeError(f"sharpness_aware: {function!r}, expected a function")
    require_not_negative("sharpness_aware: rho", rho)
    differentiate = value_and_grad(function, has_aux=has_aux)

    @wraps(function)
    def sharp(params: Any, *args: Any, **kwargs: Any) -> Any:
        value, grads = differentiate(params, *args, **kwargs)
        worst = apply_updates(params, uphill(grads, rho))
        _, grads = differentiate(worst, *args, **kwargs)
        return value, grads

    return sharp


def uphill(grads: Any, rho: float) -> Any:
    """Return the step of length ``rho`` in the direction of gradients."""
    factor = rho / maximum(wide_norm(grads), SMALLEST)
    return tree.map(lambda g: scaled(g, factor), grads)
