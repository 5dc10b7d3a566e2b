"""Complex numbers: their parts and conjugates."""

from gradx.core.op import primitive
from gradx.core.samples import Sample, single_arrays
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


@primitive(
    # Re(-1j * x) is Im(x); of a real array the engine keeps the real part, 0.
    vjp={"x": lambda g: g * -1j},
    jvp={"x": lambda g: imag(g)},
    samples=_real_or_complex,
    view=lambda base, changed, params: real(base) + 1j * changed,
    elementwise=True,
)
def imag(xp, x, /):
    """Take the imaginary part, 0 of a real array."""
    return xp.imag(x) if xp.isdtype(x.dtype, "complex floating") else xp.zeros_like(x)
