"""Lambert's function: the inverse of ``w * exp(w)``, on each of its branches."""

from gradx.core.arrays import is_kind, is_number
from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample, single_arrays
from gradx.errors import DTypeError
from gradx.ops.complex import from_parts
from gradx.ops.creation import zeros_like
from gradx.ops.exponential import exp
from gradx.ops.special_host import refusing, through_numpy


def _on_branches(draw):
    yield Sample((from_parts(draw(3), draw(3)), 0, 1e-8))
    yield Sample((from_parts(draw(2, 1), draw(3)), 1, 1e-8))


@elementwise(
    partials={
        # Not by a quotient of the function by z, which are 0 together.
        "z": lambda z, out: 1 / (z + exp(out)),
        "k": refusing("lambertw", "k"),
        "tol": refusing("lambertw", "tol"),
    },
    samples=_on_branches,
)
def lambert_branch(xp, z, k, tol, /):
    """Compute Lambert's function of complex numbers."""
    return through_numpy("lambert_branch", z, k, tol)


@composed(samples=single_arrays)
def lambertw(z, /, k=0, tol=1e-8):
    """Compute the branch ``k`` of Lambert's function, complex numbers: ``w * exp(w)`` is ``z``.

    Of real numbers from ``-1 / e`` on, branch 0 is real, and of those below 0 so is branch -1.
    ``k`` is a whole number or an array of them, ``tol`` is when SciPy's iteration ends.

    Raises:
        TypeError: ``k`` is no whole number.

    >>> import numpy as np, gradx as gx
    >>> round(float(gx.special.lambertw(np.asarray(1.0)).real), 6)
    0.567143
    """
    if not (type(k) is int if is_number(k) else is_kind(k, "integral")):
        raise DTypeError(f"lambertw: k is a whole number or an array of them, got {k!r}")
    return lambert_branch(_as_complex(z), k, tol)


def _as_complex(z):
    if is_number(z):
        return z + 0j
    return z if is_kind(z, "complex floating") else from_parts(z, zeros_like(z))
