"""Discrete Fourier transforms along several axes, and shifts of the frequency 0.

Transforms of real arrays are made of those of one axis: which coefficients are half
of a pair, and what becomes of those that are not, is then the same in every library.
"""

from typing import Any

from gradx.core.op import composed, multilinear
from gradx.core.samples import Sample
from gradx.errors import AxisError, ShapeError
from gradx.ops.fft import NORMS, as_complex, fit, irfft, rfft
from gradx.ops.moving import roll
from gradx.ops.shapes import checked_axes


def _lengths_and_axes(name, shape, s, axes):
    """Return the axes to transform, counted from the front, and their lengths or ``None``."""
    if axes is None:
        axes = range(len(shape)) if s is None else range(-len(s), 0)
    axes = checked_axes(name, tuple(axes), len(shape))
    if s is None:
        return None, axes
    if len(s) != len(axes):
        raise ShapeError(f"{name}: s={s} has {len(s)} lengths for {len(axes)} axes")
    return [shape[a] if n == -1 else n for n, a in zip(s, axes, strict=True)], axes


def _last_apart(name, shape, s, axes):
    """Return lengths and axes with the last of each, which is transformed for itself, apart."""
    lengths, axes = _lengths_and_axes(name, shape, s, axes)
    if not axes:
        raise AxisError(f"{name}: it takes at least one axis, got {axes} of shape {tuple(shape)}")
    if lengths is None:
        return None, axes[:-1], None, axes[-1]
    return lengths[:-1], axes[:-1], lengths[-1], axes[-1]


def _real(draw):
    for norm in NORMS:
        yield Sample((draw(3, 4),), {"norm": norm})
    settings: list[dict[str, Any]] = [
        {"s": (2, 5), "axes": (0, 2)},
        {"s": (3, 6), "axes": (-1, 0), "norm": "ortho"},
        {"s": (4,), "axes": [1]},
        {"axes": (0, 1), "norm": "forward"},
        {"s": (3, -1), "axes": (2, 1)},
        {"s": (2, 3)},
    ]
    for setting in settings:
        yield Sample((draw(2, 3, 4),), setting)
    yield Sample((draw(2, 0, 3),), {"axes": (0, 2)})


def _complex(draw):
    for sample in _real(draw):
        (x,) = sample.arrays
        yield Sample((x - 1j * (x * x - 1),), sample.params)
    yield Sample((draw(2, 3),))


def _fit_all(g, x_shape, axes):
    for axis in range(len(x_shape)) if axes is None else axes:
        g = fit(g, x_shape[axis], axis)
    return g


def _transform(name, xp, x, s, axes, norm):
    lengths, axes = _lengths_and_axes(name, x.shape, s, axes)
    x = as_complex(xp, x)
    if not axes:
        return xp.positive(x)
    return getattr(xp.fft, name)(x, s=lengths, axes=axes, norm=norm)


def _fftn_transpose(g, x_shape, s, axes, norm):
    axes = _lengths_and_axes("fftn", x_shape, s, axes)[1]
    return _fit_all(fftn(g, axes=axes, norm=norm), x_shape, axes)


@multilinear(transpose={"x": _fftn_transpose}, samples=_complex)
def fftn(xp, x, /, *, s=None, axes=None, norm="backward"):
    """Compute the discrete Fourier transform along ``axes``, or all of them.

    ``s`` are the lengths to which they are cut off or filled with zeros first; -1
    leaves an axis as it is. Without ``axes`` they are of the last ones. ``norm`` is as for
    ``gx.fft.fft``.

    >>> import numpy as np, gradx as gx
    >>> gx.fft.fftn(np.ones((2, 2)))
    array([[4.+0.j, 0.+0.j],
           [0.+0.j, 0.+0.j]])
    """
    return _transform("fftn", xp, x, s, axes, norm)


def _ifftn_transpose(g, x_shape, s, axes, norm):
    axes = _lengths_and_axes("ifftn", x_shape, s, axes)[1]
    return _fit_all(ifftn(g, axes=axes, norm=norm), x_shape, axes)


@multilinear(transpose={"x": _ifftn_transpose}, samples=_complex)
def ifftn(xp, x, /, *, s=None, axes=None, norm="backward"):
    """Undo ``fftn``: compute the inverse discrete Fourier transform along ``axes``.

    Parameters are those of ``fftn``.
    """
    return _transform("ifftn", xp, x, s, axes, norm)


@composed(samples=_real)
def rfftn(x, /, *, s=None, axes=None, norm="backward"):
    """Compute ``fftn`` of a real array, without the second half along the last of ``axes``.

    Parameters are those of ``fftn``.

    Raises:
        TypeError: ``x`` is complex.
    """
    lengths, axes, n, axis = _last_apart("rfftn", x.shape, s, axes)
    half = rfft(x, n=n, axis=axis, norm=norm)
    return fftn(half, s=lengths, axes=axes, norm=norm) if axes else half


@composed(samples=_complex)
def irfftn(x, /, *, s=None, axes=None, norm="backward"):
    """Undo ``rfftn``: compute a real array from coefficients with half of the last of ``axes``.

    The last of the lengths ``s`` is ``2 * (m - 1)`` unless given, for ``m`` coefficients.
    The other parameters are those of ``fftn``.
    """
    lengths, axes, n, axis = _last_apart("irfftn", x.shape, s, axes)
    x = ifftn(x, s=lengths, axes=axes, norm=norm) if axes else x
    return irfft(x, n=n, axis=axis, norm=norm)


def _shifts(draw):
    for axes in [None, 0, -1, (0, 1)]:
        yield Sample((draw(2, 3),), {"axes": axes})
    yield Sample((draw(5),))
    yield Sample((draw(4) + 1j * draw(4),))
    yield Sample((draw(0, 2),))


def _shifted(name, x, axes, offset):
    axes = (
        range(len(x.shape)) if axes is None else axes if isinstance(axes, (tuple, list)) else [axes]
    )
    axes = checked_axes(name, tuple(axes), len(x.shape))
    return roll(x, tuple(offset(x.shape[axis]) for axis in axes), axis=axes)


@composed(samples=_shifts)
def fftshift(x, /, *, axes=None):
    """Move the frequency 0 to the middle of ``axes``, or of every axis.

    >>> import numpy as np, gradx as gx
    >>> gx.fft.fftshift(gx.fft.fftfreq(5))
    array([-0.4, -0.2,  0. ,  0.2,  0.4])
    """
    return _shifted("fftshift", x, axes, lambda length: length // 2)


@composed(samples=_shifts)
def ifftshift(x, /, *, axes=None):
    """Undo ``fftshift``: move the frequency 0 to the front."""
    return _shifted("ifftshift", x, axes, lambda length: -(length // 2))
