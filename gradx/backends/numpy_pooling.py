"""Max pooling on NumPy: in machine code where windows lie side by side and LLVM is there.

Else elements are kept or zeroed by their bits in the derivative: a product with 0 and 1 would
make NaN of an infinity that did not win, and ``np.where`` takes three times as long.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np

from gradx.backends.base import Kernel
from gradx.backends.native.optional import machine_code
from gradx.backends.numpy_convolution import Lengths, overlap

WORTH_IT = 1 << 14  # elements
MOST_WINDOWS = 1 << 9  # of a row, all of which are in the code

Key = tuple[Any, ...]


class Windows(NamedTuple):
    """How many windows there are along each axis, and which elements they have."""

    outputs: Lengths
    stride: Lengths
    before: Lengths
    dilation: Lengths


def maximum_of_windows(xp, x, /, *, kernel, outputs, stride, before, dilation, out=None):
    """Compare the elements of windows that lie side by side in registers."""
    row = _row_function("maximum", x, kernel, outputs, stride, before, dilation)
    if row is None:
        made = _maximum_by_axes(x, kernel, Windows(outputs, stride, before, dilation))
        return made if out is None else _copied(made, out)
    x = np.ascontiguousarray(x)
    if out is None:
        out = np.empty((*x.shape[:2], *outputs), x.dtype)
    row(x.ctypes.data, out.ctypes.data, 0, 0, out.size // outputs[-1])
    return out


def _maximum_by_axes(x: Any, kernel: Lengths, windows: Windows) -> Any:
    """Reduce windows along one axis after the other."""
    outputs, stride, before, dilation = windows
    spans = [
        (n - 1) * s + (k - 1) * d + 1
        for n, s, k, d in zip(outputs, stride, kernel, dilation, strict=True)
    ]
    if any(before) or any(n < span for n, span in zip(x.shape[2:], spans, strict=True)):
        least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        padded = np.full((*x.shape[:2], *spans), least, x.dtype)
        pairs = map(overlap, x.shape[2:], spans, [1] * len(spans), [-b for b in before])
        to, source = zip(*pairs, strict=True)
        padded[(..., *to)] = x[(..., *source)]
        x = padded
    for axis, (n, s, k, d) in enumerate(zip(outputs, stride, kernel, dilation, strict=True), 2):
        places = [slice(at, at + (n - 1) * s + 1, s) for at in range(0, k * d, d)]
        first, *others = [x[(slice(None),) * axis + (place,)] for place in places]
        x = np.maximum(first, others[0]) if others else first
        for other in others[1:]:
            np.maximum(x, other, out=x)
    return np.array(x) if set(kernel) == {1} else x


def _row_function(
    name: str,
    x: Any,
    kernel: Lengths,
    outputs: Lengths,
    stride: Lengths,
    before: Lengths,
    dilation: Lengths,
) -> Any:
    """Return the function of rows for windows side by side; None where they lie otherwise."""
    fits = kernel == stride and dilation == (1, 1) and not any(before)
    if not fits or x.size < WORTH_IT or x.dtype.name not in ("float32", "float64"):
        return None
    lengths = tuple(k * n for k, n in zip(kernel, outputs, strict=True))
    native = machine_code("pooling") if x.shape[2:] == lengths else None
    if native is None or outputs[-1] > MOST_WINDOWS:
        return None
    return native.row_function(name, x.dtype.name, tuple(kernel), outputs[-1])


def _copied(made: Any, out: Any) -> Any:
    out[...] = made
    return out


def spread_to_maxima(xp, y, x, extreme, /, *, kernel, outputs, stride, before, dilation, out=None):
    """Compare place by place in the kernel, count the winners, and give each its share."""
    row = _row_function("spread", x, kernel, outputs, stride, before, dilation)
    if row is not None and x.dtype == y.dtype == extreme.dtype:
        x, y, extreme = map(np.ascontiguousarray, (x, y, extreme))
        out = np.empty(x.shape, x.dtype) if out is None else out
        rows = y.size // outputs[-1]
        row(x.ctypes.data, extreme.ctypes.data, y.ctypes.data, out.ctypes.data, rows)
        return out
    keys = _keys(x.shape[2:], kernel, Windows(outputs, stride, before, dilation))
    won = np.zeros((len(keys), *extreme.shape), bool)
    for mask, (windows, source) in zip(won, keys, strict=True):
        np.equal(x[source], extreme[windows], out=mask[windows])
    share = _shares(y, won, x, extreme, keys)
    out = np.zeros(x.shape, share.dtype) if out is None else _copied(0, out)
    if share.dtype.kind == "c":
        for mask, (windows, source) in zip(won, keys, strict=True):
            out[source] += np.where(mask, share, 0)[windows]
        return out
    bits = share.view(f"i{share.itemsize}")
    # True becomes -1, of which all bits are set.
    for mask, (windows, source) in zip(-won.view("i1"), keys, strict=True):
        out[source] += np.bitwise_and(bits, mask, dtype=bits.dtype).view(share.dtype)[windows]
    return out


def _keys(lengths: Lengths, kernel: Lengths, windows: Windows) -> list[tuple[Key, Key]]:
    """Return for each place in the kernel which windows have an element there, and which."""
    keys = []
    for place in itertools.product(*map(range, kernel)):
        apart = zip(place, windows.dilation, windows.before, strict=True)
        offsets = [k * d - b for k, d, b in apart]
        pairs = map(overlap, lengths, windows.outputs, windows.stride, offsets)
        there, source = zip(*pairs, strict=True)
        keys.append(((..., *there), (..., *source)))
    return keys


def _shares(y: Any, won: Any, x: Any, extreme: Any, keys: list[tuple[Key, Key]]) -> Any:
    """Divide among the winners; where there is a NaN, elements that are one win it."""
    product = np.vdot(extreme, extreme)
    has_nan = product != product
    if has_nan:
        for mask, (windows, source) in zip(won, keys, strict=True):
            mask[windows] |= x[source] != x[source]
    count = np.add.reduce(won.view("u1"), axis=0, dtype="u1" if len(won) < 256 else "u4")
    share = y / count.astype(y.dtype)
    if has_nan:
        share[extreme != extreme] = np.nan
    return share


KERNELS: dict[str, Kernel] = {
    "maximum_of_windows": maximum_of_windows,
    "spread_to_maxima": spread_to_maxima,
}
