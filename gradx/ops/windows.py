"""Windows that move over the spatial axes of an array: what convolution and pooling share.

Arrays are (samples, channels, *spatial), with one to three spatial axes. Along each of
them window ``p`` reads the elements ``p * stride + k * dilation - before``, where ``k``
counts from 0 to the kernel's length; what lies outside of the array is padding.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from operator import index
from typing import Any, NamedTuple

from gradx.errors import AxisError, DTypeError, GradxError, ShapeError
from gradx.ops.creation import place_of

Lengths = tuple[int, ...]  # one for each spatial axis


class Windows(NamedTuple):
    """How many windows there are along each axis, and where they begin."""

    outputs: Lengths
    stride: Lengths
    before: Lengths
    dilation: Lengths


def windows_over(
    name: str,
    lengths: Lengths,
    kernel: Lengths,
    *,
    stride: Any,
    padding: Any,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Windows:
    """Place as many windows as fit on axes of ``lengths``, each with its padding.

    In ``ceil_mode`` a last one may reach beyond, as long as it begins before the padding's end.
    """
    stride = per_axis(name, "stride", stride, len(lengths))
    dilation = per_axis(name, "dilation", dilation, len(lengths))
    reaches = reaches_of(kernel, dilation)
    pairs = pairs_of(name, padding, lengths, reaches, stride)
    outputs = []
    for axis, (length, reach, pair) in enumerate(zip(lengths, reaches, pairs, strict=True)):
        spare = length + sum(pair) - reach
        count = (-(-spare // stride[axis]) if ceil_mode else spare // stride[axis]) + 1
        if count < 1:
            raise ShapeError(
                f"{name}: the kernel reaches over {reach} elements of axis {axis + 2}, which "
                f"has {length} and padding {pair}: more padding or a smaller kernel is needed"
            )
        begins_outside = (count - 1) * stride[axis] >= length + pair[0]
        outputs.append(count - 1 if ceil_mode and begins_outside else count)
    return Windows(tuple(outputs), stride, tuple(before for before, _ in pairs), dilation)


def padded_lengths(
    name: str, lengths: Lengths, kernel: Lengths, *, stride: Any, padding: Any
) -> Lengths:
    """Return how long the axes are with their padding."""
    stride = per_axis(name, "stride", stride, len(lengths))
    pairs = pairs_of(name, padding, lengths, kernel, stride)
    return tuple(length + sum(pair) for length, pair in zip(lengths, pairs, strict=True))


def pairs_of(
    name: str, padding: Any, lengths: Lengths, reaches: Lengths, stride: Lengths
) -> tuple[tuple[int, int], ...]:
    """Return padding as pairs, also where it is a name, for which the lengths are needed."""
    if isinstance(padding, str) and padding != "valid":
        return _named_padding(name, padding, lengths, reaches, stride)
    return padding_pairs(name, padding, len(lengths))


def reaches_of(kernel: Lengths, dilation: Lengths) -> Lengths:
    """Return over how many elements a window reaches, along each axis."""
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))


@lru_cache(4096)
def leave_some_out(
    *,
    lengths: Lengths,
    kernel: Lengths,
    outputs: Lengths,
    stride: Lengths,
    before: Lengths,
    dilation: Lengths,
) -> bool:
    """Tell whether an element is in no window, or a window or place of the kernel off the array."""
    axes = zip(lengths, kernel, outputs, stride, before, dilation, strict=True)
    return any(_axis_leaves_some_out(*axis) for axis in axes)


def _axis_leaves_some_out(length, places, count, stride, before, dilation):
    read = [
        (p, k, at)
        for p, k in product(range(count), range(places))
        if 0 <= (at := p * stride + k * dilation - before) < length
    ]
    found = [len(set(numbers)) for numbers in zip(*read, strict=True)]
    return found != [count, places, length]


def per_axis(name: str, what: str, value: Any, count: int, *, least: int = 1) -> Lengths:
    """Return a setting that is one integer, or one for each axis, as one for each axis."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * count
    if len(values) != count:
        raise ShapeError(f"{name}: {what}={value!r}, expected an integer or {count} of them")
    return tuple(integer(name, what, one, least=least) for one in values)


def kernel_lengths(name: str, kernel: Any) -> Lengths:
    """Return the lengths of a kernel, one number being that of both axes of an image."""
    count = len(kernel) if isinstance(kernel, (tuple, list)) else 2
    if not 1 <= count <= 3:
        raise ShapeError(f"{name}: kernel={kernel!r}, expected 1, 2 or 3 lengths")
    return per_axis(name, "kernel", kernel, count)


def integer(name: str, what: str, value: Any, *, least: float) -> int:
    """Return ``value`` as an integer that is ``least`` or more."""
    try:
        number = index(value)
    except GradxError:
        raise
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise DTypeError(f"{name}: {what}={value!r}, expected an integer")
    if number < least:
        raise ShapeError(f"{name}: {what}={number}, expected {least} or more")
    return number


def padding_pairs(name: str, padding: Any, count: int) -> tuple[tuple[int, int], ...]:
    """Return padding that is a number, or for each axis a number or a pair, as pairs."""
    padding = 0 if isinstance(padding, str) and padding == "valid" else padding
    parts = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * count
    pairs = [tuple(one) if isinstance(one, (tuple, list)) else (one, one) for one in parts]
    if isinstance(padding, str) or len(pairs) != count or any(len(pair) != 2 for pair in pairs):
        raise ShapeError(
            f"{name}: padding={padding!r}, expected a number of elements, 'valid', or for each of "
            f"{count} axes a number or a pair (before, after)"
        )
    return tuple(
        (
            integer(name, "padding", before, least=0),
            integer(name, "padding", after, least=0),
        )
        for before, after in pairs
    )


def _named_padding(name, padding, lengths, reaches, stride):
    if padding != "same":
        raise ShapeError(f"{name}: padding={padding!r}, expected 'same', 'valid' or numbers")
    # As many windows as with a kernel of one element; what is odd goes behind.
    totals = [
        max((-(-n // s) - 1) * s + reach - n, 0)
        for n, reach, s in zip(lengths, reaches, stride, strict=True)
    ]
    return tuple((total // 2, total - total // 2) for total in totals)


def spatial_axes(name: str, x: Any) -> int:
    """Return how many spatial axes an array has."""
    count = len(x.shape) - 2
    if not 1 <= count <= 3:
        raise AxisError(
            f"{name}: x has shape {tuple(x.shape)}, expected (samples, channels, *spatial) "
            "with 1, 2 or 3 spatial axes"
        )
    return count


def placed(xp: Any, x: Any, before: Lengths, lengths: Lengths, fill: float = 0) -> Any:
    """Put ``x`` at ``before`` on spatial axes of ``lengths``, cut off where it does not fit."""
    if not any(before) and tuple(x.shape[2:]) == tuple(lengths):
        return x
    out = xp.full((*x.shape[:2], *lengths), fill, dtype=x.dtype, device=place_of(x)[1])
    to: list[slice] = [slice(None)] * 2
    taken: list[slice] = [slice(None)] * 2
    for start, n, length in zip(before, x.shape[2:], lengths, strict=True):
        first, last = min(max(start, 0), length), max(min(start + n, length), 0)
        to.append(slice(first, max(first, last)))
        taken.append(slice(max(-start, 0) if last > first else 0, max(last, first) - start))
        if last <= first:
            taken[-1] = slice(0, 0)
    out[tuple(to)] = x[tuple(taken)]
    return out


def spans(windows: Windows, kernel: Lengths) -> Lengths:
    """Return how many elements all windows together reach over, along each axis."""
    reaches = reaches_of(kernel, windows.dilation)
    return tuple(
        max((count - 1) * s + reach, 0)
        for count, s, reach in zip(windows.outputs, windows.stride, reaches, strict=True)
    )


def reads(windows: Windows, kernel: Lengths) -> Iterator[tuple[Lengths, tuple[slice, ...]]]:
    """Give each place in the kernel, and the key that reads its element of every window."""
    for place in product(*map(range, kernel)):
        key = [slice(None)] * 2
        for k, d, s, count in zip(
            place, windows.dilation, windows.stride, windows.outputs, strict=True
        ):
            key.append(slice(k * d, k * d + max((count - 1) * s + 1, 0), s))
        yield place, tuple(key)
