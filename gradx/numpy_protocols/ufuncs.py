"""NumPy's universal functions, element by element."""

import math
import sys
from importlib import import_module
from typing import Any

import numpy as np

from gradx.core.arrays import read_for, untracked
from gradx.numpy_protocols.constants import as_constants
from gradx.ops import elementwise as ew
from gradx.ops.linalg import matmul, vecdot
from gradx.ops.shapes import astype, expand_dims, squeeze

LOG_2 = math.log(2.0)
DEGREE = math.pi / 180


def _cbrt(x):
    return ew.multiply(ew.sign(x), ew.pow(ew.abs(x), 1 / 3))


def _exp2(x):
    return ew.pow(2.0, x)


def _logaddexp2(x, y):
    return ew.logaddexp(x * LOG_2, y * LOG_2) / LOG_2


def _fmax(x, y):
    return ew.where(ew.isnan(x), y, ew.where(ew.isnan(y), x, ew.maximum(x, y)))


def _fmin(x, y):
    return ew.where(ew.isnan(x), y, ew.where(ew.isnan(y), x, ew.minimum(x, y)))


def _fmod(x, y):
    # Of positive numbers both remainders are the same; this one takes the sign of x.
    return ew.copysign(ew.remainder(ew.abs(x), ew.abs(y)), x)


def _heaviside(x, at_zero):
    step = ew.where(ew.greater(x, 0), 1.0, 0.0)
    return ew.where(ew.isnan(x), math.nan, ew.where(ew.equal(x, 0), at_zero, step))


def _float_power(x, y):
    wide = np.result_type(untracked(x), untracked(y), np.float64)
    return ew.pow(astype(x, wide) if hasattr(x, "dtype") else wide.type(x), y)


def _modf(x):
    whole = ew.trunc(x)
    return ew.subtract(x, whole), whole


def _frexp(x):
    fraction, exponent = np.frexp(read_for(x, "np.frexp"))
    return ew.multiply(x, np.exp2(-exponent.astype(fraction.dtype))), as_constants(exponent)


def _ldexp(x, exponent):
    return ew.multiply(x, ew.pow(2.0, exponent))


def _divmod(x, y):
    return ew.floor_divide(x, y), ew.remainder(x, y)


def _matvec(x, y):
    return squeeze(matmul(x, expand_dims(y, -1)), -1)


def _vecmat(x, y):
    return squeeze(matmul(expand_dims(ew.conj(x), -2), y), -2)


UFUNCS: dict[Any, Any] = {
    np.absolute: ew.abs,
    np.add: ew.add,
    np.arccos: ew.acos,
    np.arccosh: ew.acosh,
    np.arcsin: ew.asin,
    np.arcsinh: ew.asinh,
    np.arctan: ew.atan,
    np.arctan2: ew.atan2,
    np.arctanh: ew.atanh,
    np.bitwise_and: ew.bitwise_and,
    np.bitwise_left_shift: ew.bitwise_left_shift,
    np.bitwise_or: ew.bitwise_or,
    np.bitwise_right_shift: ew.bitwise_right_shift,
    np.bitwise_xor: ew.bitwise_xor,
    np.cbrt: _cbrt,
    np.ceil: ew.ceil,
    np.conjugate: ew.conj,
    np.copysign: ew.copysign,
    np.cos: ew.cos,
    np.cosh: ew.cosh,
    np.deg2rad: lambda x: x * DEGREE,
    np.degrees: lambda x: x / DEGREE,
    np.divide: ew.divide,
    np.divmod: _divmod,
    np.equal: ew.equal,
    np.exp: ew.exp,
    np.exp2: _exp2,
    np.expm1: ew.expm1,
    np.fabs: ew.abs,
    np.float_power: _float_power,
    np.floor: ew.floor,
    np.floor_divide: ew.floor_divide,
    np.fmax: _fmax,
    np.fmin: _fmin,
    np.fmod: _fmod,
    np.frexp: _frexp,
    np.greater: ew.greater,
    np.greater_equal: ew.greater_equal,
    np.heaviside: _heaviside,
    np.hypot: ew.hypot,
    np.invert: ew.bitwise_invert,
    np.isfinite: ew.isfinite,
    np.isinf: ew.isinf,
    np.isnan: ew.isnan,
    np.ldexp: _ldexp,
    np.less: ew.less,
    np.less_equal: ew.less_equal,
    np.log: ew.log,
    np.log10: ew.log10,
    np.log1p: ew.log1p,
    np.log2: ew.log2,
    np.logaddexp: ew.logaddexp,
    np.logaddexp2: _logaddexp2,
    np.logical_and: lambda x, y: ew.logical_and(ew.not_equal(x, 0), ew.not_equal(y, 0)),
    np.logical_not: lambda x: ew.equal(x, 0),
    np.logical_or: lambda x, y: ew.logical_or(ew.not_equal(x, 0), ew.not_equal(y, 0)),
    np.logical_xor: lambda x, y: ew.logical_xor(ew.not_equal(x, 0), ew.not_equal(y, 0)),
    np.matmul: matmul,
    np.matvec: _matvec,
    np.maximum: ew.maximum,
    np.minimum: ew.minimum,
    np.modf: _modf,
    np.multiply: ew.multiply,
    np.negative: ew.negative,
    np.nextafter: ew.nextafter,
    np.not_equal: ew.not_equal,
    np.positive: ew.positive,
    np.power: ew.pow,
    np.rad2deg: lambda x: x / DEGREE,
    np.radians: lambda x: x * DEGREE,
    np.reciprocal: ew.reciprocal,
    np.remainder: ew.remainder,
    np.rint: ew.round,
    np.sign: ew.sign,
    np.signbit: ew.signbit,
    np.spacing: lambda x: as_constants(np.spacing(read_for(x, "np.spacing"))),
    np.sin: ew.sin,
    np.sinh: ew.sinh,
    np.sqrt: ew.sqrt,
    np.square: ew.square,
    np.subtract: ew.subtract,
    np.tan: ew.tan,
    np.tanh: ew.tanh,
    np.trunc: ew.trunc,
    np.vecdot: vecdot,
    np.vecmat: _vecmat,
}

# Where SciPy keeps its universal functions, which ask Tensors as NumPy's do.
SCIPY = ("scipy.special", "scipy.special._ufuncs")


def ufunc_of(asked: Any) -> Any:
    """Return the function of gradx that answers one of NumPy's or SciPy's, or None."""
    if asked in UFUNCS:
        return UFUNCS[asked]
    name = asked.__name__
    if asked in [getattr(sys.modules.get(module), name, None) for module in SCIPY]:
        special = import_module("gradx.special")  # when asked for: it is large
        return getattr(special, name, None) or UFUNCS.get(getattr(np, name, None))
    return None
