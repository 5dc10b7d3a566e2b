"""The largest element and the average of windows, in one, two and three dimensions.

What is found is separable: windows are reduced along one axis after the other. The
derivative of a maximum goes to all elements of the window that are it, in equal parts.
The two maps that carry tangents from them and cotangents to them are ops, each the
transpose of the other, and so all orders of derivatives are there.
"""

import math

from gradx.core.op import composed, multilinear, primitive
from gradx.core.samples import Sample
from gradx.errors import ShapeError
from gradx.ops.creation import place_of
from gradx.ops.windows import (
    Windows,
    padded_lengths,
    per_axis,
    placed,
    reads,
    spans,
    spatial_axes,
    windows_over,
)

# Shape of x, kernel, outputs, stride, before.
_DENSE = [
    ((2, 1, 5), (2,), (4,), (1,), (0,)),
    ((1, 2, 4, 5), (2, 3), (2, 2), (2, 3), (0, 1)),
    ((1, 1, 4, 3), (3, 2), (4, 2), (1, 1), (1, 0)),
    ((1, 1, 2, 3, 2), (2, 2, 1), (1, 2, 2), (1, 1, 1), (0, 0, 0)),
    ((1, 1, 7), (1,), (2,), (4,), (0,)),
    ((0, 2, 3), (2,), (2,), (1,), (0,)),
]
# The same, and dilation.
_DILATED = [
    *[(*case, (1,) * len(case[1])) for case in _DENSE],
    ((1, 2, 6), (2,), (3,), (1,), (0,), (3,)),
    ((1, 1, 5, 4), (2, 3), (2, 2), (2, 1), (1, 1), (2, 2)),
]


def _settings(kernel, outputs, stride, before):
    return {"kernel": kernel, "outputs": outputs, "stride": stride, "before": before}


def _dense(kernel, outputs, stride, before):
    return Windows(outputs, stride, before, (1,) * len(kernel))


def _keys_along(axis, kernel, windows):
    """Give the keys that read the elements of windows along one spatial axis."""
    before = (slice(None),) * (axis + 2)
    alone = Windows(*[part[axis : axis + 1] for part in windows])
    for _, key in reads(alone, kernel[axis : axis + 1]):
        yield (*before, key[-1], ...)


def _arrays(draw):
    for shape, *case in _DENSE:
        yield Sample((draw(*shape),), _settings(*case))


def _dilated(draw):
    for shape, *case, dilation in _DILATED:
        yield Sample((draw(*shape),), _settings(*case) | {"dilation": dilation})


def _to_maxima(g, x, out, kernel, outputs, stride, before, dilation):
    settings = _settings(kernel, outputs, stride, before)
    return spread_to_maxima(g, x, out, **settings, dilation=dilation)


def _from_maxima(g, x, out, kernel, outputs, stride, before, dilation):
    settings = _settings(kernel, outputs, stride, before)
    return read_at_maxima(g, x, out, **settings, dilation=dilation)


@primitive(vjp={"x": _to_maxima}, jvp={"x": _from_maxima}, samples=_dilated)
def maximum_of_windows(xp, x, /, *, kernel, outputs, stride, before, dilation):
    """Find the largest element of each window."""
    windows = Windows(outputs, stride, before, dilation)
    x = placed(xp, x, before, spans(windows, kernel), _least(xp, x))
    for axis in range(len(kernel)):
        first, *others = _keys_along(axis, kernel, windows)
        largest = x[first]
        for key in others:
            largest = xp.maximum(largest, x[key])
        x = largest
    return xp.asarray(x, copy=True) if set(kernel) == {1} else x


def _least(xp, x):
    return -math.inf if xp.isdtype(x.dtype, "real floating") else xp.iinfo(x.dtype).min


def _winners(xp, x, extreme, windows, kernel):
    """Return which elements are the largest of their windows, key by key, and how many."""
    lengths = spans(windows, kernel)
    inside = xp.ones((1, 1, *x.shape[2:]), dtype=xp.bool, device=place_of(x)[1])
    inside = placed(xp, inside, windows.before, lengths, False)
    x = placed(xp, x, windows.before, lengths)
    won, count = [], xp.zeros_like(extreme)
    for _, key in reads(windows, kernel):
        read = x[key]
        # In a window with a NaN those that are NaN are it, as in the function ``max``.
        won.append((key, ((read == extreme) | (read != read)) & inside[key]))
        count += xp.astype(won[-1][1], count.dtype)
    return won, count


def _at_maxima(draw):
    for sample in _dilated(draw):
        (x,), params = sample
        yield Sample((draw(*x.shape), x, maximum_of_windows(x, **params)), params)


def _to_read(g, x, extreme, kernel, outputs, stride, before, dilation):
    return _to_maxima(g, x, extreme, kernel, outputs, stride, before, dilation)


@multilinear(transpose={"y": _to_read}, samples=_at_maxima)
def read_at_maxima(xp, y, x, extreme, /, *, kernel, outputs, stride, before, dilation):
    """Average ``y`` over those elements of each window where ``x`` is its largest."""
    windows = Windows(outputs, stride, before, dilation)
    won, count = _winners(xp, x, extreme, windows, kernel)
    y = placed(xp, y, before, spans(windows, kernel))
    out = xp.zeros_like(extreme, dtype=y.dtype)
    for key, where in won:
        out += xp.where(where, y[key], xp.zeros_like(out))
    return xp.where(extreme == extreme, out / count, xp.full_like(out, math.nan))


def _spreads_to_maxima(draw):
    for sample in _dilated(draw):
        (x,), params = sample
        extreme = maximum_of_windows(x, **params)
        yield Sample((draw(*extreme.shape), x, extreme), params)


def _to_spread(g, x, extreme, kernel, outputs, stride, before, dilation):
    return _from_maxima(g, x, extreme, kernel, outputs, stride, before, dilation)


@multilinear(transpose={"y": _to_spread}, samples=_spreads_to_maxima)
def spread_to_maxima(xp, y, x, extreme, /, *, kernel, outputs, stride, before, dilation):
    """Share ``y`` out to the elements of each window where ``x`` is its largest."""
    windows = Windows(outputs, stride, before, dilation)
    won, count = _winners(xp, x, extreme, windows, kernel)
    share = xp.where(extreme == extreme, y / count, xp.full_like(y, math.nan))
    shape = (*x.shape[:2], *spans(windows, kernel))
    out = xp.zeros(shape, dtype=y.dtype, device=place_of(y)[1])
    for key, where in won:
        out[key] += xp.where(where, share, xp.zeros_like(share))
    return placed(xp, out, tuple(-n for n in before), tuple(x.shape[2:]))


def _to_windows(g, x_shape, kernel, stride, before):
    return spread_over_windows(
        g, lengths=tuple(x_shape[2:]), kernel=kernel, stride=stride, before=before
    )


@multilinear(transpose={"x": _to_windows}, samples=_arrays)
def sum_of_windows(xp, x, /, *, kernel, outputs, stride, before):
    """Add up the elements of each window."""
    windows = _dense(kernel, outputs, stride, before)
    x = placed(xp, x, before, spans(windows, kernel))
    for axis in range(len(kernel)):
        first, *others = _keys_along(axis, kernel, windows)
        total = xp.asarray(x[first], copy=True)
        for key in others:
            total += x[key]
        x = total
    return x


def _spreads_over_windows(draw):
    for case in _DENSE:
        (samples, channels, *lengths), kernel, outputs, stride, before = case
        yield Sample(
            (draw(samples, channels, *outputs),),
            {"lengths": tuple(lengths), "kernel": kernel, "stride": stride, "before": before},
        )


def _from_windows(g, y_shape, kernel, stride, before):
    return sum_of_windows(
        g, kernel=kernel, outputs=tuple(y_shape[2:]), stride=stride, before=before
    )


@multilinear(transpose={"y": _from_windows}, samples=_spreads_over_windows)
def spread_over_windows(xp, y, /, *, lengths, kernel, stride, before):
    """Add each element to all elements of its window."""
    windows = _dense(kernel, tuple(y.shape[2:]), stride, before)
    reached = spans(windows, kernel)
    for axis in range(len(kernel)):
        shape = list(y.shape)
        shape[axis + 2] = reached[axis]
        total = xp.zeros(tuple(shape), dtype=y.dtype, device=place_of(y)[1])
        for key in _keys_along(axis, kernel, windows):
            total[key] += y
        y = total
    return placed(xp, y, tuple(-n for n in before), lengths)


def _pools(draw):
    x = draw(2, 2, 5, 6)
    yield Sample((x, 2))
    yield Sample((x, (3, 2)), {"stride": 1, "padding": (1, 0)})
    yield Sample((x, 3), {"stride": 2, "padding": "same"})
    yield Sample((x, 1), {"stride": (2, 3)})
    yield Sample((x, (1, 1)))
    yield Sample((x, (2, 4)), {"padding": ((0, 1), (1, 2))})
    yield Sample((draw(1, 1, 4), 2))
    yield Sample((draw(1, 2, 2, 2, 3), (2, 1, 2)))
    yield Sample((draw(0, 1, 4), 2))
    yield Sample((x, (2, 4)), {"padding": ((0, 1), 1), "stride": (3, 3), "ceil_mode": True})


def _maxima(draw):
    yield from _pools(draw)
    x = draw(1, 2, 6, 5)
    yield Sample((x, 2), {"dilation": (3, 2), "stride": 1})
    yield Sample((x, (3, 2)), {"dilation": 2, "stride": 2, "padding": 1, "ceil_mode": True})


@composed(samples=_maxima)
def max_pool(x, kernel, *, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Find the largest element of each window on the spatial axes of ``x``.

    ``x`` is ``(samples, channels, *spatial)`` with one to three spatial axes. ``kernel``, the
    length of a window, ``stride``, from one window to the next and ``kernel`` unless
    given, and ``dilation``, from one element of a window to the next, are a number or one for
    each axis; ``padding``, which is never the largest, is as in ``conv``. Elements that tie share
    the derivative evenly. Elements at the end that are too few for a window are left out, or
    with ``ceil_mode=True`` are one by themselves.

    Raises:
        ValueError: the kernel is larger than the padded array, or there is so much
            padding that a window has nothing else.

    >>> import numpy as np, gradx as gx
    >>> x = np.asarray([[[1.0, 3.0, 2.0, 2.0]]])
    >>> gx.max_pool(x, 2)
    array([[[3., 2.]]])
    >>> gx.max_pool(x, 3, ceil_mode=True)
    array([[[3., 2.]]])
    >>> gx.grad(lambda x: gx.sum(gx.max_pool(x, 2)))(x)
    array([[[0. , 1. , 0.5, 0.5]]])
    """
    kernel, windows = _placed_windows("max_pool", x, kernel, stride, padding, ceil_mode, dilation)
    _require_elements("max_pool", x, kernel, windows, padding)
    return maximum_of_windows(x, kernel=kernel, **windows)


def _averages(draw):
    yield from _pools(draw)
    x = draw(1, 1, 3, 4)
    yield Sample((x, 3), {"padding": 1, "stride": 2, "count_padding": False})
    yield Sample((x, 2), {"padding": (1, 0), "stride": 3, "ceil_mode": True})


@composed(samples=_averages)
def avg_pool(x, kernel, *, stride=None, padding=0, count_padding=True, ceil_mode=False):
    """Average the elements of each window on the spatial axes of ``x``.

    Arguments are those of ``max_pool``, without ``dilation``. Padding counts as zeros, or not at
    all with ``count_padding=False``. What lies beyond it, in ``ceil_mode``, does not count.

    >>> import numpy as np, gradx as gx
    >>> x = np.asarray([[[1.0, 3.0, 2.0]]])
    >>> gx.avg_pool(x, 2, stride=1)
    array([[[2. , 2.5]]])
    >>> gx.avg_pool(x, 2, padding=[(0, 1)], count_padding=False)
    array([[[2., 2.]]])
    """
    kernel, windows = _placed_windows("avg_pool", x, kernel, stride, padding, ceil_mode)
    dense = windows.pop("dilation")
    total = sum_of_windows(x, kernel=kernel, **windows)
    if count_padding and not ceil_mode:
        return total * (1 / math.prod(kernel))
    lengths = x.shape[2:]
    if count_padding:
        lengths = padded_lengths(
            "avg_pool", lengths, kernel, stride=windows["stride"], padding=padding
        )
        windows["before"] = (0,) * len(kernel)
    else:
        _require_elements("avg_pool", x, kernel, windows | {"dilation": dense}, padding)
    space, device = place_of(x)
    ones = space.ones((1, 1, *lengths), dtype=total.dtype, device=device)
    return total * (1 / sum_of_windows(ones, kernel=kernel, **windows))


def _placed_windows(name, x, kernel, stride, padding, ceil_mode, dilation=1):
    """Return the kernel, and what pooling ops take beside it."""
    count = spatial_axes(name, x)
    kernel = per_axis(name, "kernel", kernel, count)
    windows = windows_over(
        name,
        tuple(x.shape[2:]),
        kernel,
        stride=kernel if stride is None else stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
    return kernel, windows._asdict()


def _require_elements(name, x, kernel, windows, padding):
    """Raise if a window has nothing but padding."""
    for length, k, n, s, before, apart in zip(x.shape[2:], kernel, *windows.values(), strict=True):
        last = (n - 1) * s - before
        starts = [*range(-before, min(last, 0), s), last]
        if any(_is_padding(start, k, apart, length) for start in starts):
            raise ShapeError(
                f"{name}: padding={padding!r} is too much: a window of length {k} lies outside "
                f"of the {length} elements of an axis"
            )


def _is_padding(start, k, apart, length):
    """Tell whether a window that begins at ``start`` reads none of the elements of an axis."""
    place = max(-(start // apart), 0)  # the first that is not before them
    return place >= k or start + place * apart >= length
