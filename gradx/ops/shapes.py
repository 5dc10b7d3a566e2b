"""Functions that move, repeat or add up elements: the linear maps between shapes.

``sum`` and ``broadcast_to`` are each other's transposes, which is why they share
a file with the ops that only move elements.
"""

from typing import Any

from gradx.core.arrays import is_kind
from gradx.core.op import multilinear, primitive
from gradx.core.samples import Sample, reductions, single_arrays


def reduced_axes(shape: tuple[int, ...], axis: Any) -> set[int]:
    """Return which axes of ``shape`` a reduction over ``axis`` adds up."""
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return {a % len(shape) for a in axes}


def shape_with_ones(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """Return the shape left by reducing ``axis`` of ``shape`` with ``keepdims=True``."""
    reduced = reduced_axes(shape, axis)
    return tuple(1 if a in reduced else n for a, n in enumerate(shape))


def _reshapes(draw):
    for before, after in [((2, 3), (6,)), ((6,), (1, 2, 3)), ((), (1, 1)), ((0, 2), (0,)), ((4,), (2, -1))]:
        yield Sample((draw(*before),), {"shape": after})


@multilinear(
    transpose={"x": lambda g, x_shape: reshape(g, x_shape)},
    samples=_reshapes,
    view="transpose",
)
def reshape(xp, x, /, shape, *, copy=None):
    """Give ``x`` a new shape with as many elements, in row-major order."""
    return xp.reshape(x, shape, copy=copy)


def _permutations(draw):
    for shape, axes in [((2, 3), (1, 0)), ((2, 3, 4), (1, 2, 0)), ((2, 3, 4), (-1, 0, 1)), ((), ())]:
        yield Sample((draw(*shape),), {"axes": axes})


def _undo_permutation(g, axes):
    inverse = [0] * len(axes)
    for position, axis in enumerate(axes):
        inverse[axis] = position
    return permute_dims(g, tuple(inverse))


@multilinear(
    transpose={"x": _undo_permutation},
    samples=_permutations,
    view="transpose",
)
def permute_dims(xp, x, /, axes):
    """Reorder the axes of ``x``."""
    return xp.permute_dims(x, axes)


def _matrices(draw):
    for shape in [(2, 3), (4, 2, 3), (0, 2)]:
        yield Sample((draw(*shape),))


@multilinear(
    transpose={"x": lambda g: matrix_transpose(g)},
    samples=_matrices,
    view="transpose",
)
def matrix_transpose(xp, x, /):
    """Swap the last two axes."""
    return xp.matrix_transpose(x)


def _expansions(draw):
    for axis in [0, -1, 1, (0, 2), (-1, 1)]:
        yield Sample((draw(2, 3),), {"axis": axis})


@multilinear(
    transpose={"x": lambda g, x_shape: reshape(g, x_shape)},
    samples=_expansions,
    view="transpose",
)
def expand_dims(xp, x, /, axis=0):
    """Insert axes of length one: at index ``axis`` of the result, or at each of several."""
    if not isinstance(axis, tuple):
        return xp.expand_dims(x, axis=axis)
    for position in sorted(a % (x.ndim + len(axis)) for a in axis):
        x = xp.expand_dims(x, axis=position)
    return x


def _squeezes(draw):
    for shape, axis in [((2, 1), 1), ((1, 3, 1), (0, -1)), ((1,), 0)]:
        yield Sample((draw(*shape),), {"axis": axis})


@multilinear(
    transpose={"x": lambda g, x_shape: reshape(g, x_shape)},
    samples=_squeezes,
    view="transpose",
)
def squeeze(xp, x, /, axis):
    """Remove axes of length one."""
    return xp.squeeze(x, axis=axis)


def _broadcasts(draw):
    for before, after in [((3,), (2, 3)), ((2, 1), (2, 3)), ((), (4,)), ((1,), (0,)), ((2,), (2,))]:
        yield Sample((draw(*before),), {"shape": after})


def sum_to_shape(g, x_shape):
    """Undo broadcasting: add up the axes of ``g`` that ``x_shape`` lacks."""
    extra = g.ndim - len(x_shape)
    lacking = tuple(
        axis
        for axis, length in enumerate(g.shape)
        if axis < extra or x_shape[axis - extra] != length
    )
    return reshape(sum(g, axis=lacking), x_shape)


@multilinear(
    transpose={"x": sum_to_shape},
    samples=_broadcasts,
    view="read-only",
)
def broadcast_to(xp, x, /, shape):
    """Repeat ``x`` along new or length-one axes until it has ``shape``."""
    return xp.broadcast_to(x, shape)


def spread(g, x_shape, axis):
    """Give each element of ``x_shape`` the element of ``g`` it was reduced into."""
    return broadcast_to(reshape(g, shape_with_ones(x_shape, axis)), x_shape)


@multilinear(
    # Each element was added once, so each receives the whole cotangent.
    transpose={"x": spread},
    samples=reductions,
)
def sum(xp, x, /, *, axis=None, dtype=None, keepdims=False):
    """Add up the elements along ``axis``, or all of them."""
    return xp.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _casts(draw):
    for dtype in ["float32", "float64"]:
        yield Sample((draw(2, 3),), {"dtype": dtype})


@multilinear(
    # The engine casts cotangents to the dtype of what they belong to.
    transpose={"x": lambda g: g},
    samples=_casts,
)
def astype(xp, x, /, dtype, *, copy=True, device=None):
    """Cast to another dtype."""
    return xp.astype(x, dtype, copy=copy)


@primitive(
    vjp={"x": lambda g: g},
    jvp={"x": lambda g: real(g)},
    samples=single_arrays,
)
def real(xp, x, /):
    """Take the real part: a real array is its own."""
    return xp.real(x) if xp.isdtype(x.dtype, "complex floating") else xp.positive(x)


def conform(g, shape, dtype):
    """Give a cotangent or tangent the shape and dtype of what it belongs to."""
    if g.shape != shape:
        g = sum_to_shape(g, shape) if g.ndim >= len(shape) and _exceeds(g.shape, shape) else broadcast_to(g, shape)
    if g.dtype != dtype:
        complex_to_real = is_kind(g, "complex floating") and not str(dtype).rpartition(".")[2].startswith("complex")
        g = astype(real(g) if complex_to_real else g, dtype)
    return g


def _exceeds(shape, target):
    extra = len(shape) - len(target)
    return extra > 0 or any(have > want for have, want in zip(shape[extra:], target, strict=True))
