"""``np.emath``: functions that are complex where a real result would be NaN."""

from typing import Any

import numpy as np

from gradx.core.arrays import is_kind, read_for
from gradx.numpy_protocols.arranging import array_of
from gradx.ops import elementwise as ew
from gradx.ops.shapes import astype


def _is_negative(x):
    return x < 0


def _is_beyond_one(x):
    return np.abs(x) > 1


def _as_complex_where(outside, x):
    """Return ``x`` as a complex array if some of it is real and outside of the domain."""
    x = array_of(x)
    if is_kind(x, "complex floating") or not np.any(outside(read_for(x, "np.emath"))):
        return x * 1.0
    return astype(x * 1.0, np.complex64 if x.dtype == np.float32 else np.complex128)


def _of(op, outside):
    return lambda x: op(_as_complex_where(outside, x))


def _logn(n, x):
    return ew.log(_as_complex_where(_is_negative, x)) / ew.log(_as_complex_where(_is_negative, n))


def _power(x, p):
    x, p = _as_complex_where(_is_negative, x), array_of(p)
    if np.any(np.asarray(read_for(p, "np.emath.power")) < 0):
        p = p * 1.0
    return ew.pow(x, p)


FUNCTIONS: dict[Any, Any] = {
    np.emath.arccos: _of(ew.acos, _is_beyond_one),
    np.emath.arcsin: _of(ew.asin, _is_beyond_one),
    np.emath.arctanh: _of(ew.atanh, _is_beyond_one),
    np.emath.log: _of(ew.log, _is_negative),
    np.emath.log10: _of(ew.log10, _is_negative),
    np.emath.log2: _of(ew.log2, _is_negative),
    np.emath.logn: _logn,
    np.emath.power: _power,
    np.emath.sqrt: _of(ew.sqrt, _is_negative),
}
