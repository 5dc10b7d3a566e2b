"""Determinants, with derivatives that are exact where a matrix is singular.

A determinant is a polynomial of the elements, and each of its derivatives is one: that
by an element is the element's cofactor, and so on. None divides by the determinant.
With ``x = U S V^H`` and ``U``, ``V`` held, ``det(x)`` is a number of size 1 times
``det(U^H x V)``, of a diagonal matrix; derivatives of that are made of the products of all
singular values but some, which are multiplied out.
"""

import operator
from functools import reduce
from itertools import permutations
from typing import Any, NamedTuple

from gradx.core.arrays import backend_for
from gradx.core.call import Tensor
from gradx.core.op import primitive
from gradx.core.samples import Sample
from gradx.ops.creation import steadied, zeros_like
from gradx.ops.elementwise import add, multiply
from gradx.ops.joining import concat, stack
from gradx.ops.linalg_parts import identity_like, is_complex, square_matrices
from gradx.ops.linalg_products import cross
from gradx.ops.linalg_solving import inv
from gradx.ops.shapes import expand_dims, matrix_transpose, real, sum
from gradx.ops.slicing import getitem


class SlogdetResult(NamedTuple):
    """``det(x) == sign * exp(logabsdet)``."""

    sign: Any
    logabsdet: Any


def _with_dependent_rows(draw, rank, *shape):
    """Draw a square matrix, or a stack of them, of a rank."""
    x = draw(*shape)
    x[..., rank:, :] = x[..., :1, :] if rank else 0.0
    return x


def _of_any_rank(draw):
    yield from square_matrices(draw)
    for rank in [2, 1, 0]:
        yield Sample((_with_dependent_rows(draw, rank, 3, 3),))
    yield Sample((_with_dependent_rows(draw, 1, 2, 2, 2),))
    yield Sample((_with_dependent_rows(draw, 0, 1, 1),))
    x = _with_dependent_rows(draw, 2, 3, 3) - 1j * _with_dependent_rows(draw, 2, 3, 3)
    yield Sample((x,))


def _as_matrix(numbers):
    return expand_dims(numbers, (-2, -1))


@primitive(
    vjp={"x": lambda g, x: multiply(_as_matrix(g), _first_derivative(x))},
    jvp={"x": lambda g, x: sum(multiply(g, _first_derivative(x)), axis=(-2, -1))},
    samples=_of_any_rank,
)
def det(xp, x, /):
    """Compute the determinant of a square matrix, or of each in a stack.

    Its derivatives are exact for every matrix, of whatever rank.

    >>> import numpy as np, gradx as gx
    >>> gx.grad(gx.linalg.det)(np.asarray([[1.0, 2.0], [2.0, 4.0]]))
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    return xp.linalg.det(x)


def _first_derivative(x):
    """Return the cofactors: of small matrices, where it takes a tenth of the time, written out."""
    if x.shape[-1] == 3:
        a, b, c = [getitem(x, (..., row, slice(None))) for row in range(3)]
        return stack([cross(b, c), cross(c, a), cross(a, b)], axis=-2)
    if x.shape[-1] == 2:
        (a, b), (c, d) = [[getitem(x, (..., i, j)) for j in range(2)] for i in range(2)]
        return stack([stack([d, -c], axis=-1), stack([-b, a], axis=-1)], axis=-2)
    none = getitem(expand_dims(x, -3), (..., slice(0, 0), slice(None), slice(None)))
    return cofactors(x, zeros_like(none))


def _with_directions(draw):
    for sample in _of_any_rank(draw):
        (x,) = sample.arrays
        *stack, n, _ = x.shape
        for count in [0, 1, 2]:
            yield Sample((x, draw(*stack, count, n, n) * (x.flat[:1].sum() * 0 + 1)))


# All derivatives are symmetric in their directions, and in the element that they are by: the
# rule for x is its own transpose.
def _along_one_more(g, x, y):
    return cofactors(x, concat([y, expand_dims(g, -3)], axis=-3))


def _by_each_direction(g, x, y):
    along = [_along_one_more(g, x, _without(y, place)) for place in range(y.shape[-3])]
    return stack(along, axis=-3) if along else y


def _along_other_directions(g, x, y):
    total = zeros_like(x)
    for place in range(y.shape[-3]):
        direction = getitem(g, (..., place, slice(None), slice(None)))
        total = add(total, _along_one_more(direction, x, _without(y, place)))
    return total


def _without(y, place):
    key = lambda part: (..., part, slice(None), slice(None))
    before, after = slice(0, place), slice(place + 1, None)
    return concat([getitem(y, key(before)), getitem(y, key(after))], axis=-3)


def _steady_in_what_is_left_out(arrays, params):
    """Return both; what nothing varies with where all rows are paired."""
    x, y = arrays
    left = x.shape[-1] - y.shape[-3] - 1
    still = lambda a: steadied(a) if type(a) is Tensor else a
    return still(x) if left <= 0 else x, still(y) if left < 0 else y


@primitive(
    vjp={"x": _along_one_more, "y": _by_each_direction},
    jvp={"x": _along_one_more, "y": _along_other_directions},
    samples=_with_directions,
    steady=_steady_in_what_is_left_out,
)
def cofactors(xp, x, y, /):
    """Differentiate ``det(x)`` along the matrices stacked in ``y``, then by each element.

    Along none these are the cofactors. With axes ``[0, 1, ...]`` for the directions and one
    for the element, each from a row and a column of its own, the derivative is the sum over
    all ways to pair rows with columns, each with its sign.
    """
    count = y.shape[-3] + 1
    if count > x.shape[-1]:
        return xp.zeros_like(x)
    if count == x.shape[-1]:
        x = xp.zeros_like(x)  # of which the frame is exact
    if count == 1 and (found := _cofactors_by_inverse(xp, x)) is not None:
        return found
    frame = _frame(xp, x)
    y = _to_frame(xp, frame, y)
    others = _products_of_others(xp, frame.values, count)
    total = xp.zeros_like(x)
    for columns in permutations(range(count)):
        total = total + _parity(columns) * _paired(xp, others, y, columns)
    return _from_frame(xp, frame, total)


def _cofactors_by_inverse(xp, x):
    """Return the cofactors of matrices that are far from singular; ``None`` for others.

    It takes a third of the time, and may lose a quarter of the digits.
    """
    if backend_for(x).reading_stalls:
        return None
    try:
        inverse = xp.linalg.inv(x)
    except ValueError:  # singular
        return None
    norms = [xp.max(xp.sum(xp.abs(m), axis=-2), axis=-1) for m in (x, inverse)]
    if not xp.all(norms[0] * norms[1] < float(xp.finfo(x.dtype).eps) ** -0.25):
        return None
    return _as_matrix(xp.linalg.det(x)) * xp.matrix_transpose(inverse)


def _parity(order):
    """Return 1 for an even permutation, -1 for an odd one."""
    swaps = [a > b for i, a in enumerate(order) for b in order[i + 1 :]]
    return -1 if swaps.count(True) % 2 else 1


def _paired(xp, others, y, columns):
    """Return the part where direction i is at ``[row i, column columns[i]]``."""
    *directions, element = range(len(columns))
    for place in directions:
        direction = y[..., place, :, :]
        others = others * _at_axes(xp, direction, place, columns[place], len(columns))
    column = columns[element]
    ndim = y.ndim - 3
    added = tuple(ndim + axis for axis in directions if axis != column)
    if added:
        others = xp.sum(others, axis=added)
    if column == element:
        return xp.expand_dims(others, axis=-1) * identity_like(others)
    return xp.matrix_transpose(others)


def _at_axes(xp, matrix, row, column, count):
    """Reshape a matrix, or its diagonal if ``row`` is ``column``, to axes of ``count``."""
    *stack, n, _ = matrix.shape
    if row == column:
        matrix = xp.linalg.diagonal(matrix)
    elif row > column:
        matrix = xp.matrix_transpose(matrix)
    return xp.reshape(matrix, (*stack, *[n if a in (row, column) else 1 for a in range(count)]))


def _products_of_others(xp, values, count):
    """Return at ``[i, j, ...]`` the product of all other values, and 0 where two are the same."""
    *stack, n = values.shape
    before, between, after = _partial_products(xp, values)
    ordered = before
    for axis in range(count - 1):
        step = xp.reshape(between, (*stack, *[1] * axis, n, n))
        ordered = xp.expand_dims(ordered, axis=-1) * step
    ordered = ordered * xp.reshape(after, (*stack, *[1] * (count - 1), n))
    kept = tuple(range(len(stack)))
    orders = [[len(kept) + axis for axis in order] for order in permutations(range(count))]
    return reduce(operator.add, [xp.permute_dims(ordered, (*kept, *order)) for order in orders])


def _partial_products(xp, values):
    """Return the products of the values before i, of those between i and j, of those after i."""
    before = xp.cumulative_prod(values, axis=-1, include_initial=True)[..., :-1]
    backwards = xp.flip(values, axis=-1)
    after = xp.cumulative_prod(backwards, axis=-1, include_initial=True)[..., :-1]
    rows = xp.expand_dims(values, axis=-2) + xp.zeros_like(xp.expand_dims(values, axis=-1))
    following = xp.triu(rows, k=1) + xp.tril(xp.ones_like(rows))
    between = xp.cumulative_prod(following, axis=-1, include_initial=True)[..., :-1]
    return before, xp.triu(between, k=1), xp.flip(after, axis=-1)


class _Frame(NamedTuple):
    """``x == u * values @ vh``, and the determinant of ``u @ vh``."""

    u: Any
    values: Any
    vh: Any
    phase: Any


def _frame(xp, x):
    u, values, vh = xp.linalg.svd(x, full_matrices=False)
    return _Frame(u, values, vh, xp.linalg.det(xp.matmul(u, vh)))


def _conjugate(xp, x):
    return xp.conj(x) if xp.isdtype(x.dtype, "complex floating") else x


def _to_frame(xp, frame, y):
    """Return ``U^H y V`` for each of the stacked directions."""
    u = xp.expand_dims(_conjugate(xp, xp.matrix_transpose(frame.u)), axis=-3)
    v = xp.expand_dims(_conjugate(xp, xp.matrix_transpose(frame.vh)), axis=-3)
    return xp.matmul(u, xp.matmul(y, v))


def _from_frame(xp, frame, derivative):
    """Turn derivatives by the elements of ``U^H x V`` into those by the elements of ``x``."""
    phase = xp.expand_dims(xp.expand_dims(frame.phase, axis=-1), axis=-1)
    u, vh = _conjugate(xp, frame.u), _conjugate(xp, frame.vh)
    return phase * xp.matmul(u, xp.matmul(derivative, vh))


def _slogdet_vjp(g, x, out):
    g_sign, g_logarithm = g
    weight = 0.0
    if g_sign is not None and is_complex(x):
        # Only the phase can turn: d sign is 1j * sign * imag(trace(inv(x) @ dx)).
        weight = _imaginary_part(out.sign * g_sign)
    if g_logarithm is not None:
        weight = weight + g_logarithm
    if type(weight) is float:
        return zeros_like(x)
    return matrix_transpose(inv(x)) * _as_matrix(weight)


def _slogdet_jvp(g, x, out):
    moved = sum(matrix_transpose(inv(x)) * g, axis=(-2, -1))
    if not is_complex(x):
        return SlogdetResult(None, moved)
    return SlogdetResult(out.sign * _imaginary_part(moved), real(moved))


def _imaginary_part(x):
    """Return ``1j * imag(x)``; NumPy's scalars lose their type where ``1j`` comes first."""
    return real(x * -1j) * 1j


@primitive(
    results=SlogdetResult,
    vjp={"x": _slogdet_vjp},
    jvp={"x": _slogdet_jvp},
    samples=square_matrices,
)
def slogdet(xp, x, /):
    """Compute the sign and the logarithm of the size of determinants, which cannot overflow.

    Raises:
        ValueError: a matrix is not square; a derivative where one is singular.

    >>> import numpy as np, gradx as gx
    >>> sign, logabsdet = gx.linalg.slogdet(np.asarray([[0.0, 1.0], [1.0, 0.0]]))
    >>> float(sign), float(logabsdet)
    (-1.0, 0.0)
    """
    return SlogdetResult(*xp.linalg.slogdet(x))
