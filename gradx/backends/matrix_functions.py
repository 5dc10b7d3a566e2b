"""Functions of a matrix by Schur's form, which SciPy finds: matrix by matrix, in double precision.

A real matrix has a real result or NaN: a dtype that hangs on numbers would be no array API's.
Not ``scipy.linalg.logm`` itself, which draws from NumPy's global random generator.
"""

import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from gradx.backends.base import Kernel
from gradx.backends.companions import imported
from gradx.errors import ShapeError

# The approximant of degree 7 to the logarithm is exact in double precision for norms up to BOUND
# (Higham, "Functions of Matrices", 2008, section 11.5).
BOUND = 0.264


@cache
def _fractions() -> list[tuple[float, float]]:
    """Return nodes and weights of that approximant as a sum of fractions: those of Gauss's rule.

    Not at import, which would wait 4 ms for NumPy's polynomials.
    """
    nodes, weights = np.polynomial.legendre.leggauss(7)
    return list(zip(nodes * 0.5, weights * 0.5, strict=True))


def _of_each(function: Callable[..., Any], op: str, xp: Any, x: Any) -> Any:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{op}: expected a square matrix, or a stack of them, got {x.shape}")
    linalg = imported("scipy.linalg", op, "pip install scipy")
    out = np.array(x, dtype=x.dtype if x.dtype.kind in "fc" else np.float64)
    if x.size:
        for place in np.ndindex(x.shape[:-2]):
            out[place] = _of_one(function, linalg, x[place])
    return out


def _of_one(function, linalg, x):
    if not np.isfinite(x).all():
        return np.nan
    triangular, vectors = linalg.schur(x.astype(np.complex128), output="complex")
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of what is singular
        found, imaginary = function(linalg, triangular)
    found = vectors @ found @ vectors.conj().T
    if x.dtype.kind == "c":
        return found
    if np.max(np.abs(found.imag)) <= imaginary:
        return found.real
    return np.where(found == 0, 0.0, np.nan)  # a zero is one whatever the eigenvalues are


def _rounding(x):
    return len(x) * np.finfo(np.float64).eps * np.max(np.abs(x))


def _square_root(linalg, x):
    root = np.triu(linalg.sqrtm(x))
    above = np.triu(root, 1)
    # Where two eigenvalues are 0 but for rounding, what is not 0 would be divided by their roots.
    none = np.abs(np.diagonal(x)) <= _rounding(x)
    divided = np.abs(np.triu(x - above @ above, 1))[none][:, none]
    if not (divided <= _rounding(x)).all():
        return root * np.nan, 0.0
    return root, (len(x) * _rounding(x)) ** 0.5


def _logarithm(linalg, x):
    values = np.diagonal(x)
    if not values.all():
        return x * np.nan, 0.0
    logarithms = np.log(values)
    root, scale = x, 1.0
    # Each root halves the exponents of the largest numbers.
    while np.max(np.sum(np.abs(less_one := _less_one(root, logarithms * scale)), axis=0)) > BOUND:
        root, scale = np.triu(linalg.sqrtm(root)), scale * 0.5
    identity = np.eye(len(x))
    out = sum(
        weight * np.linalg.solve(identity + (node + 0.5) * less_one, less_one)
        for node, weight in _fractions()
    )
    # That of a negative eigenvalue has the imaginary part pi, times a projection.
    return np.triu(out / scale, 1) + np.diag(logarithms), 1 / len(x)


def _less_one(root, logarithms):
    """Return ``root - 1``, of which the diagonal loses no digits."""
    return np.triu(root, 1) + np.diag(np.expm1(logarithms))


KERNELS: dict[str, Kernel] = {
    "sqrtm": partial(_of_each, _square_root, "sqrtm"),
    "logm": partial(_of_each, _logarithm, "logm"),
}
