"""Initial values of parameters.

Each function takes ``(key, shape, *, dtype="float32", device=None)`` and returns an
array; settings of one are bound by ``functools.partial(init.normal, std=0.01)``.

The last two axes of ``shape`` are inputs and outputs; axes before them, as of a
convolution's kernel, are places that are added up, so that ``fan_in`` is
``inputs * places`` and ``fan_out`` is ``outputs * places``.
"""

from math import prod, sqrt
from typing import Any

from gradx import random
from gradx.backends import backend_for_device, current_device, native_dtype
from gradx.core.arrays import backend_for
from gradx.errors import ShapeError
from gradx.random.arguments import as_number, as_shape


def zeros(key: Any, shape: Any, *, dtype: Any = "float32", device: Any = None) -> Any:
    """Make zeros; ``key`` is not used."""
    return constant(key, shape, 0.0, dtype=dtype, device=device)


def ones(key: Any, shape: Any, *, dtype: Any = "float32", device: Any = None) -> Any:
    """Make ones; ``key`` is not used."""
    return constant(key, shape, 1.0, dtype=dtype, device=device)


def constant(
    key: Any, shape: Any, value: float, *, dtype: Any = "float32", device: Any = None
) -> Any:
    """Fill an array with ``value``; ``key`` is not used.

    >>> import gradx as gx
    >>> gx.nn.init.constant(None, (2,), 0.5)
    array([0.5, 0.5], dtype=float32)
    """
    backend, native = backend_for_device(current_device() if device is None else device)
    number = as_number("constant: value", value)
    return backend.xp.full(
        as_shape(shape), number, dtype=native_dtype(backend, dtype), device=native
    )


def uniform(
    key: Any,
    shape: Any,
    *,
    low: float = -0.05,
    high: float = 0.05,
    dtype: Any = "float32",
    device: Any = None,
) -> Any:
    """Draw from the uniform distribution on [low, high)."""
    return random.uniform(key, shape, low=low, high=high, dtype=dtype, device=device)


def normal(
    key: Any,
    shape: Any,
    *,
    mean: float = 0.0,
    std: float = 0.05,
    dtype: Any = "float32",
    device: Any = None,
) -> Any:
    """Draw from the normal distribution with ``mean`` and ``std``."""
    return random.normal(key, shape, mean=mean, std=std, dtype=dtype, device=device)


def glorot_uniform(key: Any, shape: Any, *, dtype: Any = "float32", device: Any = None) -> Any:
    """Draw uniformly, with variance ``2 / (fan_in + fan_out)``.

    For tanh and sigmoid. Source: Glorot, Bengio, "Understanding the difficulty of
    training deep feedforward neural networks" (AISTATS 2010).
    """
    return _uniform(key, shape, 2 / sum(_fans("glorot_uniform", shape)), dtype, device)


def glorot_normal(key: Any, shape: Any, *, dtype: Any = "float32", device: Any = None) -> Any:
    """Draw normally, with the variance of ``glorot_uniform``."""
    return _normal(key, shape, 2 / sum(_fans("glorot_normal", shape)), dtype, device)


def he_uniform(key: Any, shape: Any, *, dtype: Any = "float32", device: Any = None) -> Any:
    """Draw uniformly, with variance ``2 / fan_in``.

    For relu. Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers" (ICCV 2015).
    """
    return _uniform(key, shape, 2 / _fans("he_uniform", shape)[0], dtype, device)


def he_normal(key: Any, shape: Any, *, dtype: Any = "float32", device: Any = None) -> Any:
    """Draw normally, with the variance of ``he_uniform``.

    >>> import numpy as np, gradx as gx
    >>> weights = gx.nn.init.he_normal(gx.random.key(0), (200, 100))
    >>> round(float(np.std(weights)), 2)  # the root of 2 / 200
    0.1
    """
    return _normal(key, shape, 2 / _fans("he_normal", shape)[0], dtype, device)


def lecun_normal(key: Any, shape: Any, *, dtype: Any = "float32", device: Any = None) -> Any:
    """Draw normally, with variance ``1 / fan_in``: outputs have the variance of inputs.

    Source: LeCun, Bottou, Orr, Müller, "Efficient BackProp" (1998).
    """
    return _normal(key, shape, 1 / _fans("lecun_normal", shape)[0], dtype, device)


def orthogonal(
    key: Any, shape: Any, *, gain: float = 1.0, dtype: Any = "float32", device: Any = None
) -> Any:
    """Draw a matrix with orthonormal rows or columns, whichever are fewer, times ``gain``.

    Axes before the last are taken together. Source: Saxe, McClelland, Ganguli,
    "Exact solutions to the nonlinear dynamics of learning" (ICLR 2014); uniform
    by the signs of Mezzadri, "How to generate random matrices" (2007).
    """
    _fans("orthogonal", shape)
    factor = as_number("orthogonal: gain", gain)
    rows, columns = prod(shape[:-1]), shape[-1]
    tall = (max(rows, columns), min(rows, columns))
    matrix = random.normal(key, tall, dtype=dtype, device=device)
    xp = backend_for(matrix).xp
    q, r = xp.linalg.qr(matrix)
    q = q * xp.sign(xp.linalg.diagonal(r))
    q = q if rows >= columns else q.mT
    return xp.reshape(q * factor, as_shape(shape))


def _uniform(key, shape, variance, dtype, device):
    # A uniform distribution on [-a, a) has variance a**2 / 3.
    limit = sqrt(3 * variance)
    return random.uniform(key, shape, low=-limit, high=limit, dtype=dtype, device=device)


def _normal(key, shape, variance, dtype, device):
    return random.normal(key, shape, std=sqrt(variance), dtype=dtype, device=device)


def _fans(name: str, shape: Any) -> tuple[int, int]:
    lengths = as_shape(shape)
    if len(lengths) < 2 or 0 in lengths:
        raise ShapeError(
            f"{name}: expected a shape of two or more axes, (..., inputs, outputs), none of "
            f"them empty, got {shape!r}"
        )
    places = prod(lengths[:-2])
    return places * lengths[-2], places * lengths[-1]
