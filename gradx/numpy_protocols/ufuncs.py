"""NumPy's universal functions, element by element."""

import math
import sys
from importlib import import_module
from typing import Any

import numpy as np

from gradx.core.arrays import is_kind, untracked
from gradx.errors import DTypeError
from gradx.numpy_protocols.arranging import array_of
from gradx.ops import elementwise as ew
from gradx.ops.creation import stop_gradient
from gradx.ops.linalg import matmul, vecdot
from gradx.ops.shapes import astype, expand_dims, squeeze

LOG_2 = math.log(2.0)
DEGREE = math.pi / 180


def _special():
    return import_module("gradx.special")  # when asked for: it is large


def _exp2(x):
    return ew.pow(2.0, x)


def _logaddexp2(x, y):
    # Before they are multiplied they have the precision of the result.
    dtype = np.result_type(untracked(x), untracked(y))
    x, y = [astype(value, dtype) if hasattr(value, "dtype") else value for value in (x, y)]
    return ew.logaddexp(x * LOG_2, y * LOG_2) / LOG_2


def _beside_nan(choose):
    def chosen(x, y):
        # Each NaN is replaced by its partner before any derivative can meet it.
        return choose(ew.where(ew.isnan(x), y, x), ew.where(ew.isnan(y), x, y))

    return chosen


def _fmod(x, y):
    # Of positive numbers both remainders are the same; this one takes the sign of x, at 0 too:
    # abs has no derivative there.
    turned = ew.less(x, 0)
    size = ew.where(turned, ew.negative(x), x) if hasattr(x, "dtype") else abs(x)
    found = ew.remainder(size, ew.abs(y) if hasattr(y, "dtype") else abs(y))
    return ew.where(turned, ew.negative(found), found)


def _heaviside(x, at_zero):
    return ew.where(ew.equal(x, 0), at_zero, (ew.sign(x) + 1) / 2)


def _float_power(x, y):
    wide = np.result_type(untracked(x), untracked(y), np.float64)
    return ew.pow(astype(x, wide) if hasattr(x, "dtype") else wide.type(x), y)


def _modf(x):
    whole = ew.trunc(x)
    return ew.subtract(x, whole), whole


def _frexp(x):
    size = ew.abs(stop_gradient(x))
    is_plain = ew.logical_and(ew.isfinite(size), ew.not_equal(size, 0))
    guess = ew.floor(ew.log2(ew.where(is_plain, size, 1.0))) + 1
    fraction = _ldexp(size, -guess)  # which rounding may have left out of [1/2, 1)
    up, down = ew.greater_equal(fraction, 1), ew.less(fraction, 0.5)
    exponent = guess + astype(up, guess.dtype) - astype(down, guess.dtype)
    exponent = ew.where(is_plain, exponent, 0.0)
    return _ldexp(x, -exponent), astype(exponent, np.dtype("int32"))


def _ldexp(x, exponent):
    x = array_of(x)
    dtype = untracked(x).dtype if is_kind(x, "real floating") else np.float64
    # In three steps: none leaves the range of numbers where the result does not.
    bound = 3 * (np.finfo(dtype).maxexp - 2)
    exponent = ew.clip(astype(array_of(exponent), dtype), -bound, bound)
    third = ew.trunc(exponent / 3)
    for part in (third, third, exponent - 2 * third):
        x = ew.multiply(x, ew.pow(2.0, part))
    return x


def _spacing(x):
    x = stop_gradient(x)
    size = ew.abs(x)
    gap = ew.nextafter(size, math.inf) - size
    return ew.where(ew.less(x, 0), ew.negative(gap), gap)


def _divmod(x, y):
    return ew.floor_divide(x, y), ew.remainder(x, y)


def _matvec(x, y):
    return squeeze(matmul(x, expand_dims(y, -1)), -1)


def _vecmat(x, y):
    return squeeze(matmul(expand_dims(ew.conj(x), -2), y), -2)


def _of_real_numbers(function):
    """Refuse complex numbers, as NumPy does."""

    def checked(*arrays):
        for x in arrays:
            if type(x) is complex or (hasattr(x, "dtype") and is_kind(x, "complex floating")):
                raise DTypeError("expected real numbers, got complex ones")
        return function(*arrays)

    return checked


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
    np.cbrt: lambda x: _special().cbrt(x),
    np.ceil: ew.ceil,
    np.conjugate: ew.conj,
    np.copysign: ew.copysign,
    np.cos: ew.cos,
    np.cosh: ew.cosh,
    np.deg2rad: _of_real_numbers(lambda x: x * DEGREE),
    np.degrees: _of_real_numbers(lambda x: x / DEGREE),
    np.divide: ew.divide,
    np.divmod: _divmod,
    np.equal: ew.equal,
    np.exp: ew.exp,
    np.exp2: _exp2,
    np.expm1: ew.expm1,
    np.fabs: _of_real_numbers(ew.abs),
    np.float_power: _float_power,
    np.floor: ew.floor,
    np.floor_divide: ew.floor_divide,
    np.fmax: _beside_nan(ew.maximum),
    np.fmin: _beside_nan(ew.minimum),
    np.fmod: _of_real_numbers(_fmod),
    np.frexp: _frexp,
    np.greater: ew.greater,
    np.greater_equal: ew.greater_equal,
    np.heaviside: _of_real_numbers(_heaviside),
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
    np.rad2deg: _of_real_numbers(lambda x: x / DEGREE),
    np.radians: _of_real_numbers(lambda x: x * DEGREE),
    np.reciprocal: ew.reciprocal,
    np.remainder: ew.remainder,
    np.rint: ew.round,
    np.sign: ew.sign,
    np.signbit: ew.signbit,
    np.spacing: _spacing,
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
    # That of arrays' own method, which has no public name: a.clip(t, 1).
    import_module("numpy._core.umath").clip: ew.clip,
}

# What those with axes of their own take beside arrays.
OPTIONS: dict[Any, set[str]] = {np.vecdot: {"axis"}}

# Where SciPy keeps its universal functions, which ask Tensors as NumPy's do.
SCIPY = ("scipy.special", "scipy.special._ufuncs")
# What SciPy's own functions in Python call, by the name that it has in gx.special.
BEHIND = {"_lambertw": "lambertw", "_zeta": "zeta"}


def ufunc_of(asked: Any) -> Any:
    """Return the function of gradx that answers one of NumPy's or SciPy's, or None."""
    if asked in UFUNCS:
        return UFUNCS[asked]
    name = asked.__name__
    if asked in [getattr(sys.modules.get(module), name, None) for module in SCIPY]:
        ours = getattr(_special(), BEHIND.get(name, name), None)
        return ours or UFUNCS.get(getattr(np, name, None))
    return None
