"""The standard's ``fft`` extension: discrete Fourier transforms and their frequencies."""

from typing import Any

from gradx.core.arrays import is_kind
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

    >>> fftfreq(4, d=0.5)
    array([ 0. ,  0.5, -1. , -0.5])
    """
    places = _places("fftfreq", n, -(n // 2), (n + 1) // 2, dtype, device)
    return ifftshift(places) / (n * d)


def rfftfreq(n: int, /, *, d: Any = 1.0, dtype: Any = None, device: Any = None) -> Any:
    """Return the frequencies of the coefficients of ``rfft`` of ``n`` samples ``d`` apart.

    >>> rfftfreq(5, d=0.5)
    array([0. , 0.4, 0.8])
    """
    return _places("rfftfreq", n, 0, n // 2 + 1, dtype, device) / (n * d)


def _places(name: str, n: int, start: int, stop: int, dtype: Any, device: Any) -> Any:
    if n < 1:
        raise ShapeError(f"{name}: n={n}, expected at least 1 sample")
    places = arange(start, stop, dtype="float64" if dtype is None else dtype, device=device)
    if not is_kind(places, "real floating"):
        raise DTypeError(f"{name}: dtype={dtype}, expected a real floating-point one")
    return places
