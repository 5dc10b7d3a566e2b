"""What the rules of linear algebra share: adjoints, identities, gaps between eigenvalues.

The rules are written with the *row cotangent* ``G``, the transpose of ``g``. The pairing
``Re(sum(g * dx))`` is then ``Re(trace(G @ dx))``, in which factors may be turned round:
a rule reads as it is derived on paper, and is right for complex matrices as it stands.
"""

import math

from gradx.core.arrays import is_kind, untracked
from gradx.core.samples import Sample
from gradx.ops.complex import conj
from gradx.ops.creation import place_of, zeros_like
from gradx.ops.elementwise import abs, equal, less_equal, multiply, where
from gradx.ops.joining import concat
from gradx.ops.shapes import expand_dims, matrix_transpose, real, sum
from gradx.ops.slicing import getitem
from gradx.ops.statistical import max


def is_complex(x):
    """Tell whether ``x`` has a complex dtype."""
    return is_kind(x, "complex floating")


def conjugated(x):
    """Return the conjugate of ``x``, which is ``x`` itself where it is real."""
    return conj(x) if is_complex(x) else x


def real_part(x):
    """Return the real part of ``x``, which is ``x`` itself where it is real."""
    return real(x) if is_complex(x) else x


def adjoint(x):
    """Return the conjugate transpose."""
    return conjugated(matrix_transpose(x))


def hermitian_part(x):
    """Return the part of ``x`` that is its own adjoint."""
    return 0.5 * (x + adjoint(x))


def skew_part(x):
    """Return the part of ``x`` whose adjoint is its negative."""
    return 0.5 * (x - adjoint(x))


def identity_like(x):
    """Return the identity matrix of as many columns as ``x``, of its dtype and device."""
    space, device = place_of(x)
    return space.eye(x.shape[-1], dtype=untracked(x).dtype, device=device)


def upper_corner(function, x, along):
    """Return the derivative of a function of matrices along one, from that of a block matrix."""
    upper = concat([x, along], axis=-1)
    lower = concat([zeros_like(x), x], axis=-1)
    count = x.shape[-1]
    block = (..., slice(0, count), slice(count, None))
    return getitem(function(concat([upper, lower], axis=-2)), block)


def times_diagonal(x, diagonal):
    """Return ``x @ D`` for the diagonal matrix ``D``: columns scaled."""
    return multiply(x, expand_dims(diagonal, -2))


def diagonal_times(diagonal, x):
    """Return ``D @ x`` for the diagonal matrix ``D``: rows scaled."""
    return multiply(expand_dims(diagonal, -1), x)


def inverse_gaps(values):
    """Return ``1 / (values[j] - values[i])`` at ``[i, j]``, and 0 on the diagonal.

    It is NaN where two values are the same, or differ by rounding: their vectors have no
    derivative.
    """
    gaps = expand_dims(values, -2) - expand_dims(values, -1)
    inverse = inverse_or_nan(gaps, expand_dims(rounding_of(values), (-2, -1)))
    return where(equal(identity_like(gaps), 1), 0.0, inverse)


def inverse_or_nan(x, rounding):
    """Return ``1 / x``, and NaN where ``x`` is not more than ``rounding``."""
    nothing = less_equal(abs(x), rounding)
    return where(nothing, math.nan, 1.0 / where(nothing, 1.0, x))


def rounding_of(values):
    """Return how much an eigenvalue or a singular value of each matrix may be in error."""
    sizes = abs(values)
    count = sizes.shape[-1]
    if count == 0:
        return sum(sizes, axis=-1)
    return count * precision_of(values) * max(sizes, axis=-1)


def precision_of(x):
    """Return the distance from 1 to the next number of the dtype of ``x``."""
    return float(place_of(x)[0].finfo(untracked(x).dtype).eps)


def rows_of_unused(live):
    """Tell of which columns of a matrix nothing lives: as a column itself, or ``None`` of none.

    Nothing depends on such a vector: then it does not matter that it has no derivative.
    Zeros that arithmetic made of a cotangent tell nothing of the kind.
    """
    return None if live is None else equal(expand_dims(sum(live, axis=-2), -1), 0)


def multiply_used(x, y, unused):
    """Multiply, leaving out what belongs to the rows that are ``unused``, a NaN in ``y`` too."""
    return x * (y if unused is None else where(unused, 0.0, y))


def pull_back_values(g, left, right, live):
    """Return ``conj(left) @ diag(g) @ right.T``, without the vectors of values that are not used.

    Those may have no derivative, where others are the same.
    """
    if live is not None:
        unused = expand_dims(equal(live, 0), -2)
        left, right = where(unused, 0.0, left), where(unused, 0.0, right)
    return times_diagonal(conjugated(left), g) @ matrix_transpose(right)


def first_columns(x, count):
    """Return the first ``count`` columns."""
    return getitem(x, (..., slice(0, count)))


def further_columns(x, count):
    """Return all columns but the first ``count``."""
    return getitem(x, (..., slice(count, None)))


def first_rows(x, count):
    """Return the first ``count`` rows."""
    return getitem(x, (..., slice(0, count), slice(None)))


def further_rows(x, count):
    """Return all rows but the first ``count``."""
    return getitem(x, (..., slice(count, None), slice(None)))


def far_from_singular(draw, *shape):
    """Draw a square matrix, or a stack of them, with a heavy diagonal."""
    x = draw(*shape)
    places = list(range(shape[-1]))
    x[..., places, places] += 1.5 * shape[-1]
    return x


def square_matrices(draw):
    """Yield square matrices, far from singular: a stack, small ones, complex ones, none."""
    for shape in [(3, 3), (2, 2, 2), (1, 1), (0, 0), (0, 2, 2)]:
        yield Sample((far_from_singular(draw, *shape),))
    yield Sample((far_from_singular(draw, 2, 2) - 1j * draw(2, 2),))
