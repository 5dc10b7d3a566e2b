"""Constants made like an array: same shape, dtype, device and library."""

from gradx.core.op import constant
from gradx.core.samples import single_arrays


@constant(samples=single_arrays)
def zeros_like(xp, x, /, *, dtype=None, device=None):
    """Make zeros of the shape, dtype and device of ``x``."""
    return xp.zeros_like(x, dtype=dtype, device=device)


@constant(samples=single_arrays)
def ones_like(xp, x, /, *, dtype=None, device=None):
    """Make ones of the shape, dtype and device of ``x``."""
    return xp.ones_like(x, dtype=dtype, device=device)


@constant(samples=single_arrays)
def stop_gradient(xp, x, /):
    """Return ``x`` as a constant: no transform sees where it came from."""
    return x
