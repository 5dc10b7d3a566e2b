"""Roots, real powers and the logarithm of a matrix.

As of any function ``f`` of a matrix, the derivative along ``E`` is the upper right block of
``f([[x, E], [0, x]])`` (Mathias 1996), which is the function again, so derivatives of every order
follow, and where eigenvalues are equal or eigenvectors do not span, as everywhere else.
"""

from gradx.core.op import composed, primitive
from gradx.core.samples import Sample
from gradx.ops.creation import stop_gradient
from gradx.ops.elementwise import abs, equal, isfinite, logical_not, logical_or, multiply, where
from gradx.ops.linalg_exponential import expm
from gradx.ops.linalg_parts import far_from_singular, square_matrices, upper_corner
from gradx.ops.linalg_products import matrix_power
from gradx.ops.shapes import matrix_transpose
from gradx.ops.special_host import through_numpy
from gradx.ops.statistical import max


def _derivative(function, x, along):
    """Return the derivative along a matrix, which is scaled to the size of ``x``.

    Beside a larger one ``x`` would lose digits.
    """
    if 0 in x.shape:
        return along
    size = _size(along) / _size(x)
    return upper_corner(function, x, along / size) * size


def _size(x):
    largest = stop_gradient(max(abs(x), axis=(-2, -1), keepdims=True))
    return where(logical_or(equal(largest, 0), logical_not(isfinite(largest))), 1.0, largest)


def _of_square_root(g, x):
    return _derivative(sqrtm, x, g)


def _of_logarithm(g, x):
    return _derivative(logm, x, g)


@primitive(
    vjp={"x": lambda g, x: _of_square_root(g, matrix_transpose(x))},
    jvp={"x": _of_square_root},
    samples=square_matrices,
)
def sqrtm(xp, x, /):
    """Compute the principal square root of a square matrix, or of each in a stack.

    Its eigenvalues have no negative real part. A real matrix with a negative eigenvalue has
    no real one: then what is not 0 is NaN; of the matrix in complex numbers it is complex.
    Where an eigenvalue is 0, no derivative is finite. SciPy computes it, on the host.

    Raises:
        ValueError: ``x`` is no square matrix.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.sqrtm(np.asarray([[4.0, 1.0], [0.0, 4.0]]))
    array([[2.  , 0.25],
           [0.  , 2.  ]])
    """
    return through_numpy("sqrtm", x)


@primitive(
    vjp={"x": lambda g, x: _of_logarithm(g, matrix_transpose(x))},
    jvp={"x": _of_logarithm},
    samples=square_matrices,
)
def logm(xp, x, /):
    """Compute the principal logarithm of a square matrix, or of each in a stack.

    It is the inverse of ``expm`` whose eigenvalues have imaginary parts from -pi to pi. A real
    matrix with a negative eigenvalue has no real one: then what is not 0 is NaN, as it is of
    a singular matrix. SciPy computes it, on the host.

    Raises:
        ValueError: ``x`` is no square matrix.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.logm(np.asarray([[1.0, 3.0], [0.0, 1.0]]))
    array([[0., 3.],
           [0., 0.]])
    """
    return through_numpy("logm", x)


def _powers(draw):
    for shape in [(2, 2), (2, 3, 3), (0, 0)]:
        yield Sample((far_from_singular(draw, *shape), 0.3))
    yield Sample((far_from_singular(draw, 2, 2) - 1j * draw(2, 2), -1.5))
    yield Sample((far_from_singular(draw, 2, 2), draw()))
    yield Sample((far_from_singular(draw, 2, 2), 3))


@composed(samples=_powers)
def fractional_matrix_power(x, t, /):
    """Raise a square matrix, or each in a stack, to a real power ``t``: a number or a 0-d array.

    It is ``expm(t * logm(x))``, differentiated by both; for a Python ``int`` it is
    ``matrix_power``.

    Raises:
        ValueError: ``x`` is no square matrix, or singular where ``t`` is negative and whole.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.fractional_matrix_power(np.asarray([[4.0, 0.0], [0.0, 9.0]]), 0.5).round(12)
    array([[2., 0.],
           [0., 3.]])
    """
    if type(t) is int:
        return matrix_power(x, t)
    return expm(multiply(t, logm(x)))
