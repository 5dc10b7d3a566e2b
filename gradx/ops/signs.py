"""Signs and sizes, of complex numbers too: directions and moduli."""

import math

from gradx.core.arrays import is_kind
from gradx.core.op import elementwise, primitive
from gradx.core.samples import Sample, broadcast_pairs, single_arrays
from gradx.ops.arithmetic import where
from gradx.ops.comparison import equal
from gradx.ops.complex import conj
from gradx.ops.creation import zeros_like
from gradx.ops.shapes import real


def _signed_or_complex(draw):
    yield from single_arrays(draw)
    yield Sample((draw(4) * 2 - 2.25,))
    yield Sample((draw(3) - 1j * draw(3),))
    yield Sample((draw() + 1j * draw(),))


def _magnitudes(draw):
    for sample in broadcast_pairs(draw):
        x, y = sample.arrays
        yield Sample((x, y))
        yield Sample((-x, y))
        yield Sample((x, -y))
    yield Sample((draw(3), -2.0))


def _is_complex(x):
    return is_kind(x, "complex floating")


def _abs_partial(x):
    # The conjugate of the direction: Re(conj(x) * dx) / |x|.
    return conj(sign(x)) if _is_complex(x) else sign(x)


@elementwise(partials={"x": _abs_partial}, samples=_signed_or_complex)
def abs(xp, x, /):
    """Return the size of each element, a real number; its derivative at 0 is 0."""
    return xp.abs(x)


def _across(g, x, direction, toward):
    """Keep of ``g`` what turns ``x``, and divide it by how far from 0 ``x`` is."""
    size = abs(x)
    zero = equal(size, 0)
    turning = where(zero, 0.0, g - direction * real(toward * g))
    return turning / where(zero, 1.0, size)


def _turned(g, x):
    if not _is_complex(x):
        return zeros_like(g)
    return _across(g, x, sign(x), conj(sign(x)))


def _turned_back(g, x):
    if not _is_complex(x):
        return zeros_like(g)
    return _across(g, x, conj(sign(x)), sign(x))


@primitive(
    vjp={"x": _turned_back}, jvp={"x": _turned}, samples=_signed_or_complex, elementwise=True
)
def sign(xp, x, /):
    """Return -1, 0 or 1; of complex numbers ``x / abs(x)``, and 0 at 0."""
    if not xp.isdtype(x.dtype, "complex floating"):
        return xp.sign(x)
    # Some libraries divide 0 by 0 here, and warn.
    size = xp.abs(x)
    zero = size == 0
    return xp.where(zero, xp.zeros_like(x), x / xp.where(zero, xp.ones_like(size), size))


def _copysign_partial(x, y):
    return sign(x) * (math.copysign if type(y) in (int, float) else copysign)(1.0, y)


@elementwise(partials={"x": _copysign_partial}, samples=_magnitudes)
def copysign(xp, x, y, /):
    """Give ``x`` the sign of ``y``."""
    return xp.copysign(x, y)


@elementwise(partials={"x": 1}, samples=broadcast_pairs)
def nextafter(xp, x, y, /):
    """Return the next representable number after ``x`` towards ``y``."""
    return xp.nextafter(x, y)
