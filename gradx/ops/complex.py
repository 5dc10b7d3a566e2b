"""Complex numbers: their parts and conjugates."""

from gradx.core.arrays import is_kind
from gradx.core.call import Tensor
from gradx.core.op import primitive
from gradx.core.samples import Sample, broadcast_pairs, single_arrays
from gradx.ops.creation import steadied
from gradx.ops.shapes import real as real


def _real_or_complex(draw):
    yield from single_arrays(draw)
    for shape in [(), (3,), (2, 3), (0,)]:
        yield Sample((draw(*shape) - 1j * draw(*shape),))


def _conjugate(g):
    return conj(g)


@primitive(
    # Rules are plain transposes under Re(sum(g * out)): conj is its own.
    vjp={"x": _conjugate},
    jvp={"x": _conjugate},
    samples=_real_or_complex,
    elementwise=True,
)
def conj(xp, x, /):
    """Conjugate: a real array is its own."""
    return xp.conj(x) if xp.isdtype(x.dtype, "complex floating") else xp.positive(x)


def _steady_if_real(arrays, params):
    """Return the array; what nothing varies with where it is real."""
    (x,) = arrays
    return (steadied(x) if type(x) is Tensor and is_kind(x, "real floating") else x,)


@primitive(
    # Re(-1j * x) is Im(x); of a real array the engine keeps the real part, 0.
    vjp={"x": lambda g: g * -1j},
    jvp={"x": lambda g: imag(g)},
    samples=_real_or_complex,
    view=lambda base, changed, params: from_parts(real(base), changed),
    elementwise=True,
    steady=_steady_if_real,
)
def imag(xp, x, /):
    """Take the imaginary part, 0 of a real array."""
    return xp.imag(x) if xp.isdtype(x.dtype, "complex floating") else xp.zeros_like(x)


@primitive(
    # Of what arrives for a part, the engine keeps the real part.
    vjp={"x": lambda g: g, "y": lambda g: g * 1j},
    jvp={"x": lambda g: from_parts(g, g * 0), "y": lambda g: from_parts(g * 0, g)},
    samples=broadcast_pairs,
    elementwise=True,
)
def from_parts(xp, x, y, /):
    """Make complex numbers of real and imaginary parts."""
    dtype = xp.result_type(x, y, xp.complex64)
    return xp.astype(x, dtype) + xp.astype(y, dtype) * 1j
