"""Functions that move, repeat or add up elements: the linear maps between shapes.

``sum`` and ``broadcast_to`` are each other's transposes, which is why they share
a file with the ops that only move elements.
"""

from itertools import chain
from math import prod
from numbers import Integral
from typing import Any

from gradx.backends import canonical_device, native_dtype
from gradx.core.arrays import backend_for, is_kind
from gradx.core.explain import describe
from gradx.core.op import composed, multilinear, primitive
from gradx.core.samples import Sample, reductions, single_arrays
from gradx.errors import AxisError, DeviceError, DTypeError, ShapeError


def checked_axes(name: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """Return ``axis``, one or several, counted from the front.

    Raises:
        AxisError: one does not exist in ``ndim`` dimensions, or is named twice.
        DTypeError: one is not an integer.
    """
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for one in axes:
        if not isinstance(one, Integral):
            raise DTypeError(f"{name}: an axis is an integer, got {describe(one)}")
        if not -ndim <= int(one) < ndim:
            raise AxisError(f"{name}: axis {one} is out of bounds for {ndim} dimensions")
    positive = tuple(one % ndim for one in axes)
    if len(set(positive)) < len(positive):
        raise AxisError(f"{name}: an axis is named twice in {axis}")
    return positive


def checked_axis(name: str, axis: Any, ndim: int) -> int:
    """Return one ``axis``, counted from the front; see ``checked_axes``."""
    return checked_axes(name, (axis,), ndim)[0]


def reduced_axes(shape: tuple[int, ...], axis: Any) -> set[int]:
    """Return which axes of ``shape`` a reduction over ``axis`` adds up."""
    if not shape:
        return set()  # NumPy lets axes 0 and -1 of no axes pass
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    # NumPy lets an array without axes be reduced along axis 0, which changes nothing.
    return {a % len(shape) for a in axes} if shape else set()


def shape_with_ones(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """Return the shape left by reducing ``axis`` of ``shape`` with ``keepdims=True``."""
    reduced = reduced_axes(shape, axis)
    return tuple(1 if a in reduced else n for a, n in enumerate(shape))


def _reshapes(draw):
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((2, 3), (6,)),
        ((6,), (1, 2, 3)),
        ((), (1, 1)),
        ((1,), ()),
        ((0, 2), (0,)),
        ((4,), (2, -1)),
    ]
    for before, after in pairs:
        yield Sample((draw(*before),), {"shape": after})
    yield Sample((draw(2, 3) + 1j * draw(2, 3),), {"shape": (3, 2)})


@multilinear(
    transpose={"x": lambda g, x_shape: reshape(g, x_shape)},
    samples=_reshapes,
    view="transpose",
)
def reshape(xp, x, /, shape, *, copy=None):
    """Give ``x`` a new shape with as many elements, in row-major order.

    One length may be -1: it is worked out. The result is a view where the memory
    allows one, unless ``copy=True``.

    >>> import numpy as np, gradx as gx
    >>> gx.reshape(np.arange(4.0), (2, -1))
    array([[0., 1.],
           [2., 3.]])
    """
    return xp.reshape(x, as_shape(shape), copy=copy)


def as_shape(shape: Any) -> tuple[int, ...]:
    """Return ``shape``, which may be one length or a list, as a tuple."""
    return tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)


def _permutations(draw):
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((2, 3), (1, 0)),
        ((2, 3, 4), (1, 2, 0)),
        ((2, 3, 4), (-1, 0, 1)),
        ((0, 3), (-1, -2)),
        ((), ()),
    ]
    for shape, axes in pairs:
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
    """Reorder the axes of ``x``: axis ``i`` of the result is axis ``axes[i]`` of ``x``.

    >>> import numpy as np, gradx as gx
    >>> gx.permute_dims(np.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return xp.permute_dims(x, tuple(axes))


def _axis_moves(draw):
    for source, destination in [(0, -1), (-1, 0), (1, 1), ((0, 1), (-1, 0)), ((), ())]:
        yield Sample((draw(2, 3, 4),), {"source": source, "destination": destination})


@composed(samples=_axis_moves)
def moveaxis(x, source, destination):
    """Move axes to new positions; the others keep their order.

    >>> import numpy as np, gradx as gx
    >>> gx.moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    ndim = len(x.shape)
    sources = checked_axes("moveaxis", source, ndim)
    destinations = checked_axes("moveaxis", destination, ndim)
    if len(sources) != len(destinations):
        raise ShapeError(f"moveaxis: {len(sources)} axes to move, {len(destinations)} positions")
    order = [axis for axis in range(ndim) if axis not in sources]
    for position, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(position, axis)
    return permute_dims(x, tuple(order))


def _axis_swaps(draw):
    for axis1, axis2 in [(0, 1), (-1, 0), (1, 1)]:
        yield Sample((draw(2, 3, 4),), {"axis1": axis1, "axis2": axis2})


@composed(samples=_axis_swaps)
def swapaxes(x, axis1, axis2):
    """Exchange two axes.

    >>> import numpy as np, gradx as gx
    >>> gx.swapaxes(np.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    order = list(range(len(x.shape)))
    (first,) = checked_axes("swapaxes", axis1, len(order))
    (second,) = checked_axes("swapaxes", axis2, len(order))
    order[first], order[second] = second, first
    return permute_dims(x, tuple(order))


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
    yield Sample((draw(),), {"axis": 0})
    yield Sample((draw(0),), {"axis": -1})


@multilinear(
    transpose={"x": lambda g, x_shape: reshape(g, x_shape)},
    samples=_expansions,
    view="transpose",
)
def expand_dims(xp, x, /, axis=0):
    """Insert axes of length one: at index ``axis`` of the result, or at each of several.

    >>> import numpy as np, gradx as gx
    >>> gx.expand_dims(np.zeros((2, 3)), axis=1).shape
    (2, 1, 3)
    """
    if not isinstance(axis, (tuple, list)):
        return xp.expand_dims(x, axis=axis)
    for position in sorted(checked_axes("expand_dims", axis, x.ndim + len(axis))):
        x = xp.expand_dims(x, axis=position)
    return x


def _squeezes(draw):
    cases: list[tuple[tuple[int, ...], Any]] = [
        ((2, 1), 1),
        ((1, 3, 1), (0, -1)),
        ((1,), 0),
        ((1, 0), -2),
        ((1, 2, 1), None),
    ]
    for shape, axis in cases:
        yield Sample((draw(*shape),), {"axis": axis})


@multilinear(
    transpose={"x": lambda g, x_shape: reshape(g, x_shape)},
    samples=_squeezes,
    view="transpose",
)
def squeeze(xp, x, /, axis=None):
    """Remove axes of length one: those named, or all of them.

    >>> import numpy as np, gradx as gx
    >>> gx.squeeze(np.zeros((1, 3, 1)), axis=0).shape
    (3, 1)
    """
    if axis is None:
        axis = tuple(a for a, length in enumerate(x.shape) if length == 1)
    return xp.squeeze(x, axis=tuple(axis) if isinstance(axis, list) else axis)


def _broadcasts(draw):
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((3,), (2, 3)),
        ((2, 1), (2, 3)),
        ((), (4,)),
        ((1,), (0,)),
        ((2,), (2,)),
        ((), ()),
    ]
    for before, after in pairs:
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
    """Repeat ``x`` along new or length-one axes until it has ``shape``.

    The result is a read-only view.

    >>> import numpy as np, gradx as gx
    >>> gx.broadcast_to(np.asarray([1.0, 2.0]), (2, 2))
    array([[1., 2.],
           [1., 2.]])
    """
    return xp.broadcast_to(x, as_shape(shape))


def broadcast_shape(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that arrays of ``shapes`` broadcast to."""
    ndim = max(map(len, shapes), default=0)
    padded = [(1,) * (ndim - len(shape)) + tuple(shape) for shape in shapes]
    lengths = [set(axis) - {1} for axis in zip(*padded, strict=True)]
    if any(len(different) > 1 for different in lengths):
        raise ShapeError(f"{name}: shapes {', '.join(map(str, shapes))} do not broadcast")
    return tuple(different.pop() if different else 1 for different in lengths)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that arrays of these shapes broadcast to.

    >>> import gradx as gx
    >>> gx.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    chosen = [as_shape(shape) for shape in shapes]
    for length in chain.from_iterable(chosen):
        if not isinstance(length, Integral):
            raise DTypeError(f"broadcast_shapes: a length is an integer, got {describe(length)}")
    return broadcast_shape("broadcast_shapes", *chosen)


def _broadcast_groups(draw):
    yield Sample((draw(3), draw(2, 1), draw()))
    yield Sample((draw(0, 1), draw(1)))
    yield Sample((draw(2),))


@composed(samples=_broadcast_groups)
def broadcast_arrays(*arrays):
    """Broadcast arrays against each other: a tuple of read-only views of one shape.

    >>> import numpy as np, gradx as gx
    >>> [x.shape for x in gx.broadcast_arrays(np.zeros(3), np.zeros((2, 1)))]
    [(2, 3), (2, 3)]
    """
    shape = broadcast_shape("broadcast_arrays", *[x.shape for x in arrays])
    return tuple(x if x.shape == shape else broadcast_to(x, shape) for x in arrays)


def spread(g, x_shape, axis):
    """Give each element of ``x_shape`` the element of ``g`` it was reduced into."""
    return broadcast_to(reshape(g, shape_with_ones(x_shape, axis)), x_shape)


@multilinear(
    # Each element was added once, so each receives the whole cotangent.
    transpose={"x": spread},
    samples=reductions,
)
def sum(xp, x, /, *, axis=None, dtype=None, keepdims=False):
    """Add up the elements along ``axis``, or all of them.

    >>> import numpy as np, gradx as gx
    >>> gx.sum(np.asarray([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    array([4., 6.])
    """
    if dtype is not None:
        dtype = native_dtype(backend_for(x), dtype)
    return xp.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _casts(draw):
    for dtype in ["float64", "complex128"]:
        yield Sample((draw(2, 3),), {"dtype": dtype})
    yield Sample((draw(),), {"dtype": "int32"})
    yield Sample((draw(2, 0),), {"dtype": "float64", "copy": False})


def _as_it_is(g):
    # The engine casts a cotangent to the dtype of what it belongs to.
    return g


@multilinear(transpose={"x": _as_it_is}, samples=_casts, view="transpose")
def astype(xp, x, /, dtype, *, copy=True, device=None):
    """Cast to another dtype, which may be given by name: ``"float32"``.

    With ``copy=False`` an array that has it already is returned as it is.

    Raises:
        TypeError: a complex array to a real dtype: take its ``real`` or ``imag``.
        RuntimeError: ``device`` is not where ``x`` is: move it with ``gx.to_device``.

    >>> import numpy as np, gradx as gx
    >>> gx.astype(np.asarray([1.5, 2.5]), "int64")
    array([1, 2])
    """
    backend = backend_for(x)
    if device is not None and canonical_device(device) != backend.device_of(x):
        raise DeviceError(
            f"astype: x is on {backend.device_of(x)!r}; move it with gx.to_device(x, {device!r})"
        )
    dtype = native_dtype(backend, dtype)
    if is_kind(x, "complex floating") and not xp.isdtype(dtype, ("complex floating", "bool")):
        raise DTypeError(
            f"astype: {x.dtype} to {dtype} loses a part: take gx.real(x) or gx.imag(x)"
        )
    return xp.astype(x, dtype, copy=copy)


@primitive(
    vjp={"x": lambda g: g},
    jvp={"x": lambda g: real(g)},
    samples=single_arrays,
    view=lambda base, changed, params: changed + 1j * base.imag,
    elementwise=True,
)
def real(xp, x, /):
    """Take the real part: a real array is its own."""
    return xp.real(x) if xp.isdtype(x.dtype, "complex floating") else xp.positive(x)


def conform(g, shape, dtype):
    """Give a cotangent or tangent the shape and dtype of what it belongs to."""
    if g.shape != shape:
        g = _add_up_broadcast(g, shape)
    if g.dtype != dtype:
        complex_to_real = is_kind(g, "complex floating") and not str(dtype).rpartition(".")[
            2
        ].startswith("complex")
        g = astype(real(g) if complex_to_real else g, dtype)
    return g


def _add_up_broadcast(g, shape):
    """Add up the axes along which an array of ``shape`` was repeated; repeat ``g`` along others."""
    extra = max(len(g.shape) - len(shape), 0)
    kept = (1,) * (len(shape) - len(g.shape)) + tuple(g.shape[extra:])
    kept = tuple(1 if want == 1 else have for have, want in zip(kept, shape, strict=True))
    if prod(kept) != prod(g.shape):
        g = sum_to_shape(g, kept)
    g = g if g.shape == kept else reshape(g, kept)
    return g if kept == shape else broadcast_to(g, shape)
