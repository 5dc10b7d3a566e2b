"""The standard's ``fft`` extension: discrete Fourier transforms and their frequencies."""

from numbers import Integral, Real
from typing import Any

from gradx.core.arrays import is_array, is_kind
from gradx.core.explain import describe
from gradx.creation import arange
from gradx.errors import DTypeError, ShapeError
from gradx.ops.fft import fft as fft
from gradx.ops.fft import hfft as hfft
from gradx.ops.fft import ifft as ifft
from gradx.ops.fft import ihfft as ihfft
from gradx.ops.fft import irfft as irfft
from gradx.ops.fft import rfft as rfft
from gradx.ops.fft_several_axes import fftn as fftn
from gradx.ops.fft_several_axes import fftshift as fftshift
from gradx.ops.fft_several_axes import ifftn as ifftn
from gradx.ops.fft_several_axes import ifftshift as ifftshift
from gradx.ops.fft_several_axes import irfftn as irfftn
from gradx.ops.fft_several_axes import rfftn as rfftn

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]


def fftfreq(n: int, /, *, d: Any = 1.0, dtype: Any = None, device: Any = None) -> Any:
    """Return the frequencies of the ``n`` coefficients of ``fft``, for samples ``d`` apart.

    They are in cycles per unit of ``d``, float64 unless told: first 0 and the positive
    ones, then the negative ones.

    >>> import gradx as gx
    >>> gx.fft.fftfreq(4, d=0.5)
    array([ 0. ,  0.5, -1. , -0.5])
    """
    _check_samples("fftfreq", n, d)
    places = _places("fftfreq", -(n // 2), (n + 1) // 2, dtype, device)
    return ifftshift(places) / (n * d)


def rfftfreq(n: int, /, *, d: Any = 1.0, dtype: Any = None, device: Any = None) -> Any:
    """Return the frequencies of the coefficients of ``rfft`` of ``n`` samples ``d`` apart.

    >>> import gradx as gx
    >>> gx.fft.rfftfreq(5, d=0.5)
    array([0. , 0.4, 0.8])
    """
    _check_samples("rfftfreq", n, d)
    return _places("rfftfreq", 0, n // 2 + 1, dtype, device) / (n * d)


def _check_samples(name: str, n: Any, d: Any) -> None:
    if not isinstance(n, Integral) or n < 1:
        raise ShapeError(f"{name}: n={n!r}, expected at least 1 sample")
    if not (isinstance(d, Real) or (is_array(d) and d.shape == () and is_kind(d, "numeric"))):
        raise DTypeError(f"{name}: d={describe(d)}, expected the distance of samples, a number")


def _places(name: str, start: int, stop: int, dtype: Any, device: Any) -> Any:
    places = arange(start, stop, dtype="float64" if dtype is None else dtype, device=device)
    if not is_kind(places, "real floating"):
        raise DTypeError(f"{name}: dtype={dtype}, expected a real floating-point one")
    return places
