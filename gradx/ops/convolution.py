"""Convolution and transposed convolution in one, two and three dimensions.

As in all of machine learning the kernel is not flipped: this is what signal processing
calls correlation. Everything follows from one sum of products of three arrays, ::

    x[n, c, p * stride + k * dilation - before] * weight[o, c, k] * y[n, o, p]

over all of n, c, o, p and k. It is linear in each array, and its derivatives with respect
to them are the three ops of this file: so each is the transpose of the two others, and all
derivatives of all orders are again convolutions.
"""

from math import prod
from typing import Any

from gradx.core.op import composed, multilinear
from gradx.core.samples import Sample
from gradx.errors import ShapeError
from gradx.ops.creation import place_of
from gradx.ops.windows import (
    Windows,
    integer,
    padding_pairs,
    per_axis,
    placed,
    reaches_of,
    reads,
    spans,
    spatial_axes,
    windows_over,
)

# Which lengths those of the result and of both inputs of each op are: the array's, the kernel's, or
# how many windows there are.
ROLES = {
    "convolution": ("outputs", "lengths", "kernel"),
    "convolution_transpose": ("lengths", "outputs", "kernel"),
    "convolution_kernel": ("kernel", "lengths", "outputs"),
}


def _columns(xp, x, kernel, windows, groups):
    """Return what each window reads: (samples, groups, inputs and places, windows)."""
    x = placed(xp, x, windows.before, spans(windows, kernel))
    columns = xp.stack([x[key] for _, key in reads(windows, kernel)], axis=2)
    samples, channels = x.shape[:2]
    rows = channels // groups * prod(kernel)
    return xp.reshape(columns, (samples, groups, rows, prod(windows.outputs)))


def _grouped(xp, y, groups):
    """Return outputs as (samples, groups, outputs of one, windows)."""
    samples, channels = y.shape[:2]
    return xp.reshape(y, (samples, groups, channels // groups, prod(y.shape[2:])))


def _factors(xp, weight, groups):
    """Return kernels as (groups, outputs of one, inputs and places)."""
    outputs, inputs, *kernel = weight.shape
    return xp.reshape(weight, (groups, outputs // groups, inputs * prod(kernel)))


# (samples, channels, lengths), the weight's shape, lengths of the output, stride, before,
# dilation, groups.
_CASES: list[tuple[Any, ...]] = [
    ((2, 2, 5), (3, 2, 3), (3,), (1,), (0,), (1,), 1),
    ((1, 4, 6), (4, 2, 2), (3,), (3,), (1,), (2,), 2),
    ((2, 2, 4, 5), (3, 2, 3, 2), (4, 4), (1, 1), (1, 0), (1, 1), 1),
    ((1, 2, 5, 6), (2, 1, 2, 3), (2, 2), (2, 3), (0, 2), (1, 2), 2),
    ((1, 2, 1, 2), (1, 2, 3, 4), (2, 1), (1, 2), (2, 1), (1, 1), 1),
    ((1, 1, 3, 2, 3), (2, 1, 2, 2, 1), (2, 1, 2), (2, 1, 1), (1, 0, 0), (1, 1, 1), 1),
    ((0, 2, 3, 3), (1, 2, 2, 2), (2, 2), (1, 1), (0, 0), (1, 1), 1),
    ((1, 1, 7, 7), (1, 1, 1, 1), (2, 2), (3, 3), (0, 0), (1, 1), 1),
]


def _settings(case):
    _, _, _, stride, before, dilation, groups = case
    return {"stride": stride, "before": before, "dilation": dilation, "groups": groups}


def _forwards(draw):
    for case in _CASES:
        yield Sample((draw(*case[0]), draw(*case[1])), {"outputs": case[2], **_settings(case)})
    shape, weight_shape, outputs, *_ = _CASES[0]
    x = draw(*shape) + 1j * draw(*shape)
    yield Sample((x, draw(*weight_shape)), {"outputs": outputs, **_settings(_CASES[0])})


def _to_x(g, weight, x_shape, stride, before, dilation, groups):
    return convolution_transpose(
        g,
        weight,
        lengths=tuple(x_shape[2:]),
        stride=stride,
        before=before,
        dilation=dilation,
        groups=groups,
    )


def _to_weight(g, x, weight_shape, stride, before, dilation, groups):
    return convolution_kernel(
        x,
        g,
        kernel=tuple(weight_shape[2:]),
        stride=stride,
        before=before,
        dilation=dilation,
        groups=groups,
    )


@multilinear(transpose={"x": _to_x, "weight": _to_weight}, samples=_forwards)
def convolution(xp, x, weight, /, *, outputs, stride, before, dilation, groups):
    """Sum the products over inputs and places: (samples, outputs, *windows)."""
    windows, kernel = Windows(outputs, stride, before, dilation), weight.shape[2:]
    columns = _columns(xp, x, kernel, windows, groups)
    out = xp.matmul(_factors(xp, weight, groups), columns)
    return xp.reshape(out, (x.shape[0], weight.shape[0], *outputs))


def _transposes(draw):
    for case in _CASES:
        (samples, _, *lengths), weight_shape, outputs, *_ = case
        y = draw(samples, weight_shape[0], *outputs)
        yield Sample((y, draw(*weight_shape)), {"lengths": tuple(lengths), **_settings(case)})


def _from_x(g, weight, y_shape, stride, before, dilation, groups):
    return convolution(
        g,
        weight,
        outputs=tuple(y_shape[2:]),
        stride=stride,
        before=before,
        dilation=dilation,
        groups=groups,
    )


def _from_x_to_weight(g, y, weight_shape, stride, before, dilation, groups):
    return _to_weight(y, g, weight_shape, stride, before, dilation, groups)


@multilinear(transpose={"y": _from_x, "weight": _from_x_to_weight}, samples=_transposes)
def convolution_transpose(xp, y, weight, /, *, lengths, stride, before, dilation, groups):
    """Sum the products over outputs and windows: (samples, inputs, *lengths)."""
    kernel = weight.shape[2:]
    windows = Windows(tuple(y.shape[2:]), stride, before, dilation)
    columns = xp.matmul(xp.matrix_transpose(_factors(xp, weight, groups)), _grouped(xp, y, groups))
    shape = (y.shape[0], groups * weight.shape[1])
    columns = xp.reshape(columns, (*shape, *kernel, *windows.outputs))
    out = xp.zeros(
        (*shape, *spans(windows, kernel)), dtype=columns.dtype, device=place_of(columns)[1]
    )
    for place, key in reads(windows, kernel):
        out[key] += columns[(slice(None), slice(None), *place, ...)]
    return placed(xp, out, tuple(-n for n in before), lengths)


def _kernels(draw):
    for case in _CASES:
        shape, weight_shape, outputs, *_ = case
        arrays = (draw(*shape), draw(shape[0], weight_shape[0], *outputs))
        yield Sample(arrays, {"kernel": tuple(weight_shape[2:]), **_settings(case)})


def _kernel_to_x(g, y, x_shape, stride, before, dilation, groups):
    return _to_x(y, g, x_shape, stride, before, dilation, groups)


def _kernel_to_y(g, x, y_shape, stride, before, dilation, groups):
    return _from_x(x, g, y_shape, stride, before, dilation, groups)


@multilinear(transpose={"x": _kernel_to_x, "y": _kernel_to_y}, samples=_kernels)
def convolution_kernel(xp, x, y, /, *, kernel, stride, before, dilation, groups):
    """Sum the products over samples and windows: (outputs, inputs of a group, *kernel)."""
    windows = Windows(tuple(y.shape[2:]), stride, before, dilation)
    columns = _columns(xp, x, kernel, windows, groups)
    out = xp.matmul(_grouped(xp, y, groups), xp.matrix_transpose(columns))
    shape = (y.shape[1], x.shape[1] // groups, *kernel)
    return xp.reshape(xp.sum(out, axis=0), shape)


def _convolutions(draw):
    x, weight = draw(2, 2, 5, 4), draw(2, 2, 3, 2)
    yield Sample((x, weight))
    yield Sample((x, weight), {"padding": "same"})
    yield Sample((x, weight), {"padding": "same", "stride": 2, "dilation": (1, 2)})
    yield Sample((x, weight), {"padding": ((0, 2), 1), "stride": (2, 1)})
    yield Sample((x, draw(4, 1, 1, 1)), {"padding": "valid", "groups": 2})
    yield Sample((draw(1, 1, 2), draw(1, 1, 4)), {"padding": 1})
    yield Sample((draw(1, 1, 3, 3, 3), draw(1, 1, 2, 2, 2)), {"stride": 2, "padding": 1})
    yield Sample((draw(0, 1, 3), draw(2, 1, 3)))
    yield Sample((draw(1, 1, 1), draw(1, 1, 1)))


@composed(samples=_convolutions)
def conv(x, weight, /, *, stride=1, padding=0, dilation=1, groups=1):
    """Slide kernels over the spatial axes of ``x``, and sum the products over all its channels.

    ``x`` is ``(samples, channels, *spatial)`` with one, two or three spatial axes, ``weight``
    ``(outputs, channels / groups, *kernel)``; the result is ``(samples, outputs, *spatial)``.
    The kernel is not flipped. ``stride``, ``dilation`` and ``padding`` are a number or one for each
    axis; ``padding`` may be a pair (before, after) for an axis, ``"valid"`` for none, or
    ``"same"`` for as many results as ``ceil(length / stride)``. With ``groups`` each group
    of outputs sees its own group of channels only.

    Raises:
        ValueError: channels or groups do not fit, the kernel is larger than the padded
            array, or a stride or dilation is less than 1 or a padding negative.

    >>> import numpy as np, gradx as gx
    >>> x = np.asarray([[[1.0, 2.0, 4.0, 8.0]]])
    >>> gx.conv(x, np.asarray([[[1.0, -1.0]]]))
    array([[[-1., -2., -4.]]])
    >>> gx.conv(x, np.asarray([[[1.0, 1.0, 1.0]]]), stride=2, padding=1)
    array([[[ 3., 14.]]])
    """
    _require_kernels("conv", x, weight)
    groups = integer("conv", "groups", groups, least=1)
    outputs, inputs, *kernel = weight.shape
    if x.shape[1] != inputs * groups:
        raise ShapeError(
            f"conv: x of shape {tuple(x.shape)} has {x.shape[1]} channels, but weight of shape "
            f"{tuple(weight.shape)} with groups={groups} takes {inputs * groups}"
        )
    if outputs % groups:
        raise ShapeError(f"conv: groups={groups} does not divide the {outputs} outputs of weight")
    windows = windows_over(
        "conv",
        tuple(x.shape[2:]),
        tuple(kernel),
        stride=stride,
        padding=padding,
        dilation=dilation,
    )
    return convolution(x, weight, **windows._asdict(), groups=groups)


def _require_kernels(name, x, weight):
    spatial_axes(name, x)
    if len(weight.shape) != len(x.shape):
        raise ShapeError(
            f"{name}: weight of shape {tuple(weight.shape)} needs as many axes as x of shape "
            f"{tuple(x.shape)}"
        )
    if 0 in weight.shape:
        raise ShapeError(f"{name}: weight of shape {tuple(weight.shape)} is empty")


def _transposed_convolutions(draw):
    x, weight = draw(2, 2, 3, 2), draw(2, 2, 3, 2)
    yield Sample((x, weight))
    yield Sample((x, weight), {"stride": (2, 3), "padding": 1, "output_padding": (1, 0)})
    yield Sample((x, weight), {"stride": 2, "dilation": 2, "padding": ((0, 1), 1)})
    yield Sample((x, draw(2, 1, 1, 1)), {"groups": 2, "stride": 2})
    yield Sample((draw(1, 1, 2), draw(1, 2, 2)), {"stride": 2})
    yield Sample((draw(1, 1, 2, 1, 1), draw(1, 1, 1, 2, 2)))
    yield Sample((draw(0, 1, 3), draw(1, 2, 3)))


@composed(samples=_transposed_convolutions)
def conv_transpose(x, weight, /, *, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """Spread each element of ``x`` over a window, times the kernel: the transpose of ``conv``.

    ``x`` is ``(samples, channels, *spatial)``, ``weight``
    ``(channels, outputs / groups, *kernel)``: the weight of a ``conv`` from ``outputs`` to
    ``channels``. Along each axis the result has
    ``(length - 1) * stride + dilation * (kernel - 1) + 1`` elements less both paddings plus
    ``output_padding``, which tells lengths apart that a ``conv`` with a stride would not.

    Raises:
        ValueError: channels or groups do not fit, nothing would be left, or a stride or
            dilation is less than 1 or a padding negative.

    >>> import numpy as np, gradx as gx
    >>> x, weight = np.asarray([[[1.0, 2.0]]]), np.asarray([[[1.0, 10.0]]])
    >>> gx.conv_transpose(x, weight)
    array([[[ 1., 12., 20.]]])
    >>> gx.conv_transpose(x, weight, stride=2)
    array([[[ 1., 10.,  2., 20.]]])
    """
    _require_kernels("conv_transpose", x, weight)
    groups = integer("conv_transpose", "groups", groups, least=1)
    if x.shape[1] != weight.shape[0] or weight.shape[0] % groups:
        raise ShapeError(
            f"conv_transpose: x of shape {tuple(x.shape)} has {x.shape[1]} channels, but weight "
            f"of shape {tuple(weight.shape)} takes {weight.shape[0]} in groups={groups}"
        )
    return convolution_transpose(
        x,
        weight,
        **_spread(tuple(x.shape[2:]), weight.shape[2:], stride, padding, output_padding, dilation),
        groups=groups,
    )


def _spread(counts, kernel, stride, padding, output_padding, dilation):
    """Return how long the results of a transposed convolution are, and where windows begin."""
    name, ndim = "conv_transpose", len(counts)
    stride = per_axis(name, "stride", stride, ndim)
    dilation = per_axis(name, "dilation", dilation, ndim)
    extra = per_axis(name, "output_padding", output_padding, ndim, least=0)
    pairs = padding_pairs(name, padding, ndim)
    reaches = reaches_of(kernel, dilation)
    lengths = []
    each_axis = zip(counts, stride, dilation, reaches, pairs, extra, strict=True)
    for count, s, d, reach, pair, more in each_axis:
        if more >= max(s, d):
            allowed = f"less than stride {s} or dilation {d}"
            raise ShapeError(f"{name}: output_padding={more}, expected {allowed}")
        lengths.append((count - 1) * s + reach - sum(pair) + more)
    if not all(counts) or min(lengths) < 1:
        raise ShapeError(
            f"{name}: nothing is left of lengths {counts} with a kernel of {tuple(kernel)}, "
            f"stride={stride}, padding={pairs}, output_padding={extra}"
        )
    before = tuple(before for before, _ in pairs)
    return {"lengths": tuple(lengths), "stride": stride, "before": before, "dilation": dilation}
