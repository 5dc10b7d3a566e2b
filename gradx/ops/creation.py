"""Constants made like an array: same shape, dtype, device and library."""

from typing import Any

from gradx.backends import backend_for_device, native_dtype
from gradx.core.arrays import backend_for, untracked
from gradx.core.op import constant
from gradx.core.samples import Sample, single_arrays
from gradx.ops.arithmetic import where


def place_of(x: Any) -> tuple[Any, Any]:
    """Return the namespace and the native device of ``x``, to make a constant beside it."""
    backend = backend_for(x)
    return backend.xp, backend.native_device(backend.device_of(untracked(x)))


def _settings(xp, x, dtype, device):
    """Return the namespace, and how it is told the dtype and device of a new array."""
    if dtype is None and device is None:
        return xp, {}
    backend, native = backend_for_device(device) if device is not None else (backend_for(x), None)
    chosen = native_dtype(backend, x.dtype if dtype is None else dtype)
    return backend.xp, {"dtype": chosen, "device": place_of(x)[1] if native is None else native}


def _like(draw):
    yield from single_arrays(draw)
    yield Sample((draw(2, 3),), {"dtype": "int32"})
    yield Sample((draw(2) + 1j * draw(2),))


@constant(samples=_like)
def zeros_like(xp, x, /, *, dtype=None, device=None):
    """Make zeros of the shape, dtype and device of ``x``, or of those given."""
    space, settings = _settings(xp, x, dtype, device)
    return space.zeros(x.shape, **settings) if settings else xp.zeros_like(x)


@constant(samples=_like)
def ones_like(xp, x, /, *, dtype=None, device=None):
    """Make ones of the shape, dtype and device of ``x``, or of those given."""
    space, settings = _settings(xp, x, dtype, device)
    return space.ones(x.shape, **settings) if settings else xp.ones_like(x)


def _empty(draw):
    yield Sample((draw(0, 3),))
    yield Sample((draw(0),), {"dtype": "int32"})


@constant(samples=_empty)
def empty_like(xp, x, /, *, dtype=None, device=None):
    """Make an array of the shape, dtype and device of ``x``, whatever is in it."""
    space, settings = _settings(xp, x, dtype, device)
    return space.empty(x.shape, **settings) if settings else xp.empty_like(x)


def _numbers(draw):
    yield Sample((draw(),))


@constant(samples=_numbers)
def number_as_array(xp, x, /):
    """Make a 0-d array of a Python number: what a captured one becomes where an array is needed."""
    return xp.asarray(x, copy=True)


@constant(samples=single_arrays, elementwise=True)
def taken_as_constant(xp, x, /):
    """Return ``x``, whose zeros are dead because it is a constant.

    A graph that is differentiated with respect to it has ones in its place.
    """
    return x


@constant(samples=single_arrays, elementwise=True)
def stop_gradient(xp, x, /):
    """Return ``x`` as a constant: no transform sees where it came from.

    >>> import numpy as np, gradx as gx
    >>> gx.grad(lambda x: x * gx.stop_gradient(x))(np.asarray(3.0))
    array(3.)
    """
    return x


def steadied(x: Any) -> Any:
    """Return ``x`` times 0 as what nothing varies with, in any mode: what arrives is left out."""
    # A product with 0 would make a NaN of what is not finite.
    return where(zeros_like(x, dtype="bool"), x, stop_gradient(x) * 0.0)
