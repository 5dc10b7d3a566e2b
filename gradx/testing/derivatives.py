"""Checks of derivatives by finite differences and by transposition."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradx.core import tree
from gradx.core.arrays import backend_for
from gradx.core.explain import describe
from gradx.errors import DTypeError
from gradx.transforms.boundary import as_array, is_differentiable, label_of, name_of
from gradx.transforms.forward import jvp
from gradx.transforms.grad import vjp

STEP = 1e-3  # of the five-point stencil: its error is 1e-12 times the fifth derivative
RTOL, ATOL = 1e-8, 1e-9

Function = Callable[..., Any]


def check_derivatives(f: Function, *args: Any, order: int = 2, seed: int = 0) -> None:
    """Check the derivatives of ``f`` at ``args`` in both modes, up to ``order``.

    The forward derivative along a random direction is compared with a
    five-point finite difference, the reverse derivative with the forward one as
    its transpose; then the same is done to each of them, as functions of
    ``args``, for the next order. Arguments are trees; float64 and complex128
    leaves are varied, other leaves are constants, and so are integer outputs.

    Raises:
        TypeError: no argument is floating point, or one is of another precision.
        AssertionError: two of them disagree; it says which, and by how much.

    >>> import numpy as np, gradx as gx
    >>> gx.testing.check_derivatives(lambda x: gx.sin(x) * x, np.asarray([1.0, 2.0]), order=3)
    """
    label_of("check_derivatives", f)  # raises unless it can be called
    leaves, structure = tree.flatten(args)
    varied = [i for i, leaf in enumerate(leaves) if is_differentiable(leaf)]
    _require_precise([leaves[i] for i in varied], leaves)

    def restricted(*arrays):
        full = list(leaves)
        for i, array in zip(varied, arrays, strict=True):
            full[i] = array
        out = tree.leaves(f(*tree.unflatten(structure, full)))
        return [leaf for leaf in out if is_differentiable(leaf)]

    arrays = [as_array(leaves[i]) for i in varied]
    _check(restricted, arrays, order, np.random.default_rng(seed), name_of(f))


def _require_precise(varied, leaves):
    """Raise unless something is varied, all of it in double precision."""
    if not varied:
        given = ", ".join(map(describe, leaves)) or "nothing"
        raise DTypeError(f"check_derivatives: expected floating-point arguments, got {given}")
    for leaf in map(as_array, varied):
        if not is_double(leaf):
            raise DTypeError(
                f"check_derivatives: an argument is {describe(leaf)}, in which finite differences "
                "tell nothing: expected float64 or complex128"
            )


def is_double(array: Any) -> bool:
    """Tell whether the numbers of an array have the precision of float64."""
    return str(array.dtype).rpartition(".")[2] in ("float64", "complex128")


def _check(f, arrays, order, rng, label):
    tangents = [_random_like(array, rng) for array in arrays]
    out, moved = jvp(f, tuple(arrays), tuple(tangents))
    _check_forward(f, arrays, tangents, moved, f"{label}: forward mode")
    cotangents = [_random_like(o, rng) for o in out]
    pulled = vjp(f, *arrays)[1](cotangents)
    _check_transpose(tangents, moved, cotangents, pulled, f"{label}: reverse mode")
    if order > 1:
        reverse = lambda *xs: list(vjp(f, *xs)[1](cotangents))
        forward = lambda *xs: jvp(f, xs, tuple(tangents))[1]
        _check(reverse, arrays, order - 1, rng, f"{label}, of its vjp")
        _check(forward, arrays, order - 1, rng, f"{label}, of its jvp")


def _check_forward(f, arrays, tangents, moved, label):
    at = lambda steps: f(*[a + (steps * STEP) * t for a, t in zip(arrays, tangents, strict=True)])
    points = zip(at(-2), at(-1), at(1), at(2), strict=True)
    for actual, (a, b, c, d) in zip(moved, points, strict=True):
        a, b, c, d = (_host(point) for point in (a, b, c, d))
        expected = (a - 8 * b + 8 * c - d) / (12 * STEP)
        np.testing.assert_allclose(_host(actual), expected, rtol=RTOL, atol=ATOL, err_msg=label)


def _check_transpose(tangents, moved, cotangents, pulled, label):
    for tangent, cotangent in zip(tangents, pulled, strict=True):
        assert cotangent.shape == tangent.shape, (
            f"{label}: shape {cotangent.shape}, not {tangent.shape}"
        )
        assert cotangent.dtype == tangent.dtype, (
            f"{label}: dtype {cotangent.dtype}, not {tangent.dtype}"
        )
    forward, reverse = _pairing(moved, cotangents), _pairing(tangents, pulled)
    np.testing.assert_allclose(reverse, forward, rtol=1e-9, atol=1e-11, err_msg=label)


def _pairing(xs, ys):
    """Return ``Re(sum(x * y))``, under which transposes are plain."""
    return sum(float(np.sum(_host(x) * _host(y)).real) for x, y in zip(xs, ys, strict=True))


def _random_like(array, rng):
    backend = backend_for(array)
    drawn = rng.uniform(0.5, 1.5, array.shape)
    if backend.xp.isdtype(array.dtype, "complex floating"):
        drawn = drawn + 1j * rng.uniform(0.5, 1.5, array.shape)
    like = backend.from_numpy(np.asarray(drawn), backend.device_of(array))
    return backend.xp.astype(like, array.dtype)


def _host(array):
    return np.asarray(backend_for(array).to_numpy(array))
