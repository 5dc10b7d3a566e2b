"""``np.fft`` on Tensors: gradx's transforms are named like NumPy's."""

from typing import Any

import numpy as np

from gradx.ops import fft as one_axis
from gradx.ops import fft_several_axes as several_axes


def _along_one(op):
    def transform(a, n=None, axis=-1, norm=None, out=None):
        return op(a, n=n, axis=axis, norm=norm or "backward")

    return transform


def _along_several(op, usual_axes=None):
    def transform(a, s=None, axes=usual_axes, norm=None, out=None):
        return op(a, s=s, axes=axes, norm=norm or "backward")

    return transform


FUNCTIONS: dict[Any, Any] = {
    np.fft.fftshift: lambda x, axes=None: several_axes.fftshift(x, axes=axes),
    np.fft.ifftshift: lambda x, axes=None: several_axes.ifftshift(x, axes=axes),
}
for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    FUNCTIONS[getattr(np.fft, _name)] = _along_one(getattr(one_axis, _name))
for _name in ("fft", "ifft", "rfft", "irfft"):
    _op = getattr(several_axes, f"{_name}n")
    FUNCTIONS[getattr(np.fft, f"{_name}n")] = _along_several(_op)
    FUNCTIONS[getattr(np.fft, f"{_name}2")] = _along_several(_op, (-2, -1))
