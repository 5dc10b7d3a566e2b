"""Complex numbers: parts, conjugates, and the modulus with its zero derivative at zero."""

from gradx.core.op import primitive
from gradx.core.samples import single_arrays


def _conjugate(g):
    return conj(g)


@primitive(
    # Rules are plain transposes under Re(sum(g * out)): conj is its own.
    vjp={"x": _conjugate},
    jvp={"x": _conjugate},
    samples=single_arrays,
)
def conj(xp, x, /):
    """Conjugate: a real array is its own."""
    return xp.conj(x) if xp.isdtype(x.dtype, "complex floating") else xp.positive(x)
