"""The derivative of max pooling on NumPy: elements are kept or zeroed by their bits.

A product with 0 and 1 would make NaN of an infinity that did not win, and ``np.where``
takes three times as long.
"""

import itertools
from typing import Any

import numpy as np

from gradx.backends.base import Kernel
from gradx.backends.numpy_convolution import Lengths, overlap

Key = tuple[Any, ...]


def spread_to_maxima(xp, y, x, extreme, /, *, kernel, outputs, stride, before):
    """Compare place by place in the kernel, count the winners, and give each its share."""
    keys = _keys(x.shape[2:], kernel, outputs, stride, before)
    won = np.zeros((len(keys), *extreme.shape), bool)
    for mask, (windows, source) in zip(won, keys, strict=True):
        np.equal(x[source], extreme[windows], out=mask[windows])
    share = _shares(y, won, x, extreme, keys)
    out = np.zeros(x.shape, share.dtype)
    bits = share.view(f"i{share.itemsize}")
    # True becomes -1, of which all bits are set.
    for mask, (windows, source) in zip(-won.view("i1"), keys, strict=True):
        out[source] += np.bitwise_and(bits, mask, dtype=bits.dtype).view(share.dtype)[windows]
    return out


def _keys(
    lengths: Lengths, kernel: Lengths, outputs: Lengths, stride: Lengths, before: Lengths
) -> list[tuple[Key, Key]]:
    """Return for each place in the kernel which windows have an element there, and which."""
    keys = []
    for place in itertools.product(*map(range, kernel)):
        offsets = [k - b for k, b in zip(place, before, strict=True)]
        pairs = map(overlap, lengths, outputs, stride, offsets)
        windows, source = zip(*pairs, strict=True)
        keys.append(((..., *windows), (..., *source)))
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


KERNELS: dict[str, Kernel] = {"spread_to_maxima": spread_to_maxima}
