"""Discrete Fourier transforms along one axis.

Each is a linear map, and its transpose is another: a matrix of roots of unity is
symmetric, and real transforms come in pairs. ``rfft`` keeps half of the
coefficients, ``hfft`` completes the other half; under ``Re(sum(g * out))`` each is
the other's transpose, but for a weight on the coefficients that stand for two.
Cutting off and filling with zeros, by ``n``, are each other's transposes.
"""

from gradx.core.arrays import untracked
from gradx.core.op import multilinear
from gradx.core.samples import Sample
from gradx.errors import DTypeError
from gradx.ops.creation import place_of
from gradx.ops.slicing import getitem, scatter

NORMS = ["backward", "ortho", "forward"]


def as_complex(xp, x):
    """Return a real array as a complex one of the same precision: the standard takes no other."""
    if not xp.isdtype(x.dtype, "real floating"):
        return x
    return xp.astype(x, xp.complex128 if x.dtype == xp.float64 else xp.complex64)


def require_real(name, xp, x):
    """Raise unless ``x`` is real: part of a complex array would be lost."""
    if xp.isdtype(x.dtype, "complex floating"):
        raise DTypeError(f"{name}: expected real numbers, got {x.dtype}: use fft or ifft")


def fit(g, length, axis):
    """Cut ``g`` off along ``axis``, or fill it with zeros, to be ``length`` long."""
    have, axis = g.shape[axis], axis % len(g.shape)
    if have == length:
        return g
    inside = (*(slice(None),) * axis, slice(0, min(have, length)))
    if have > length:
        return getitem(g, inside)
    return scatter(g, (*g.shape[:axis], length, *g.shape[axis + 1 :]), inside)


def _length(x_shape, n, axis):
    return x_shape[axis] if n is None else n


def _length_from_half(x_shape, n, axis):
    return 2 * (x_shape[axis] - 1) if n is None else n


def _count_represented(half, length, axis):
    """Return how many of ``length`` coefficients each in the half of them stands for: 1 or 2."""
    xp, device = place_of(half)
    dtype = xp.real(untracked(half)).dtype
    places = xp.arange(half.shape[axis], device=device)
    alone = (places == 0) | (2 * places == length)
    counts = 2 - xp.astype(alone, dtype)
    return xp.reshape(counts, (-1, *(1,) * (len(half.shape) - 1 - axis % len(half.shape))))


def half_lengths(draw):
    """Yield arrays and lengths: odd and even, to fill and to cut off, along every axis."""
    for length, n in [(1, None), (4, None), (5, None), (4, 1), (4, 3), (5, 4), (4, 6), (4, 7)]:
        yield Sample((draw(length),), {"n": n})
    for norm in NORMS:
        yield Sample((draw(4),), {"n": 5, "norm": norm})
    for axis in [0, 1, -1]:
        yield Sample((draw(3, 2, 4),), {"axis": axis})
        yield Sample((draw(3, 2, 4),), {"n": 3, "axis": axis, "norm": "ortho"})
    yield Sample((draw(0, 4),))


def _complex_or_real(draw):
    for sample in half_lengths(draw):
        (x,) = sample.arrays
        yield Sample((x - 1j * (x * x - 1),), sample.params)
    yield Sample((draw(5),), {"n": 4})


def _halves(draw):
    # One coefficient is half of nothing: then the length must be said.
    for sample in _complex_or_real(draw):
        if sample.params.get("n") is not None or sample.arrays[0].shape[-1] > 1:
            yield sample


@multilinear(
    transpose={
        "x": lambda g, x_shape, n, axis, norm: fit(
            fft(g, n=n, axis=axis, norm=norm), x_shape[axis], axis
        )
    },
    samples=_complex_or_real,
)
def fft(xp, x, /, *, n=None, axis=-1, norm="backward"):
    """Compute the discrete Fourier transform along ``axis``.

    ``x`` is first cut off or filled with zeros to length ``n``. ``norm`` says which
    direction divides by the length: ``"backward"`` or ``"forward"``; ``"ortho"`` divides
    by its root in both.

    >>> import numpy as np, gradx as gx
    >>> gx.fft.fft(np.asarray([1.0, 0.0, -1.0, 0.0]))
    array([0.+0.j, 2.+0.j, 0.+0.j, 2.+0.j])
    """
    return xp.fft.fft(as_complex(xp, x), n=n, axis=axis, norm=norm)


@multilinear(
    transpose={
        "x": lambda g, x_shape, n, axis, norm: fit(
            ifft(g, n=n, axis=axis, norm=norm), x_shape[axis], axis
        )
    },
    samples=_complex_or_real,
)
def ifft(xp, x, /, *, n=None, axis=-1, norm="backward"):
    """Undo ``fft``: compute the inverse discrete Fourier transform along ``axis``.

    Parameters are those of ``fft``.

    >>> import numpy as np, gradx as gx
    >>> gx.fft.ifft(gx.fft.fft(np.asarray([1.0, 2.0]))).real
    array([1., 2.])
    """
    return xp.fft.ifft(as_complex(xp, x), n=n, axis=axis, norm=norm)


def _rfft_transpose(g, x_shape, n, axis, norm):
    n = _length(x_shape, n, axis)
    shared = g / _count_represented(g, n, axis)
    return fit(hfft(shared, n=n, axis=axis, norm=norm), x_shape[axis], axis)


@multilinear(transpose={"x": _rfft_transpose}, samples=half_lengths)
def rfft(xp, x, /, *, n=None, axis=-1, norm="backward"):
    """Compute the first ``n // 2 + 1`` coefficients of ``fft`` of a real array.

    The others are their conjugates. Parameters are those of ``fft``.

    Raises:
        TypeError: ``x`` is complex.

    >>> import numpy as np, gradx as gx
    >>> gx.fft.rfft(np.asarray([1.0, 0.0, -1.0, 0.0]))
    array([0.+0.j, 2.+0.j, 0.+0.j])
    """
    require_real("rfft", xp, x)
    return xp.fft.rfft(x, n=n, axis=axis, norm=norm)


def _irfft_transpose(g, x_shape, n, axis, norm):
    n = _length_from_half(x_shape, n, axis)
    half = ihfft(g, n=n, axis=axis, norm=norm)
    return fit(half * _count_represented(half, n, axis), x_shape[axis], axis)


@multilinear(transpose={"x": _irfft_transpose}, samples=_halves)
def irfft(xp, x, /, *, n=None, axis=-1, norm="backward"):
    """Undo ``rfft``: compute a real array of length ``n`` from half of its coefficients.

    ``n`` is ``2 * (m - 1)`` unless given, for ``m`` coefficients: say it if it is odd.
    ``norm`` is as for ``fft``.

    >>> import numpy as np, gradx as gx
    >>> gx.fft.irfft(gx.fft.rfft(np.asarray([1.0, 2.0, 4.0])), n=3).round(12)
    array([1., 2., 4.])
    """
    return xp.fft.irfft(as_complex(xp, x), n=n, axis=axis, norm=norm)


def _hfft_transpose(g, x_shape, n, axis, norm):
    n = _length_from_half(x_shape, n, axis)
    half = rfft(g, n=n, axis=axis, norm=norm)
    return fit(half * _count_represented(half, n, axis), x_shape[axis], axis)


@multilinear(transpose={"x": _hfft_transpose}, samples=_halves)
def hfft(xp, x, /, *, n=None, axis=-1, norm="backward"):
    """Compute the real ``fft`` of a signal given by its first half: it is Hermitian.

    ``n`` is the length of the whole, ``2 * (m - 1)`` unless given, for ``m`` elements.
    ``norm`` is as for ``fft``.
    """
    return xp.fft.hfft(as_complex(xp, x), n=n, axis=axis, norm=norm)


def _ihfft_transpose(g, x_shape, n, axis, norm):
    n = _length(x_shape, n, axis)
    shared = g / _count_represented(g, n, axis)
    return fit(irfft(shared, n=n, axis=axis, norm=norm), x_shape[axis], axis)


@multilinear(transpose={"x": _ihfft_transpose}, samples=half_lengths)
def ihfft(xp, x, /, *, n=None, axis=-1, norm="backward"):
    """Undo ``hfft``: compute the first half of a Hermitian signal from its real ``fft``.

    Parameters are those of ``fft``.

    Raises:
        TypeError: ``x`` is complex.
    """
    require_real("ihfft", xp, x)
    return xp.fft.ihfft(x, n=n, axis=axis, norm=norm)
