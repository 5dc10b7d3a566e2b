"""Sines and cosines, of angles and hyperbolic."""

from gradx.core.op import elementwise
from gradx.core.samples import Sample, single_arrays


def _signed_or_complex(draw):
    yield from single_arrays(draw)
    yield Sample((draw(4) * 2 - 2.5,))
    yield Sample((draw(3) - 1j * draw(3),))


def _below_half_pi(draw):
    for sample in single_arrays(draw):
        yield Sample((sample.arrays[0] - 1.0,))
    yield Sample((draw(3) - 1j * draw(3),))


@elementwise(partials={"x": lambda x: cos(x)}, samples=_signed_or_complex)
def sin(xp, x, /):
    """Take the sine of angles in radians."""
    return xp.sin(x)


@elementwise(partials={"x": lambda x: -sin(x)}, samples=_signed_or_complex)
def cos(xp, x, /):
    """Take the cosine of angles in radians."""
    return xp.cos(x)


@elementwise(partials={"x": lambda out: 1 + out * out}, samples=_below_half_pi)
def tan(xp, x, /):
    """Take the tangent of angles in radians."""
    return xp.tan(x)


@elementwise(partials={"x": lambda x: cosh(x)}, samples=_signed_or_complex)
def sinh(xp, x, /):
    """Take the hyperbolic sine."""
    return xp.sinh(x)


@elementwise(partials={"x": lambda x: sinh(x)}, samples=_signed_or_complex)
def cosh(xp, x, /):
    """Take the hyperbolic cosine."""
    return xp.cosh(x)


@elementwise(partials={"x": lambda out: 1 - out * out}, samples=_below_half_pi)
def tanh(xp, x, /):
    """Take the hyperbolic tangent."""
    return xp.tanh(x)
