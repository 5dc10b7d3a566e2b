"""Sine, cosine and tangent, float32 and float64, for vectors.

x = n pi / 2 + r with |r| <= pi / 4, by subtracting n times the parts of pi / 2 (Cody and
Waite): in float64 four parts, whose products with n < 2**20 are exact, and r in two floats;
for float32 the same in float64, where two parts do. Polynomials in r**2 follow, as in FDLIBM's
``k_sin.c`` and ``k_cos.c``. Where |x| is beyond ``BOUND``, the C library's function is called
element by element: a vector without such an element takes one test more.
"""

from gradx.backends.native import coefficients
from gradx.backends.native.formats import HALF_PI, TWO_OVER_PI, nearest_multiple, parts
from gradx.backends.native.library import with_library
from gradx.backends.native.values import Value, magnitude, muladd, polynomial

BOUND = 1.5e6  # n < 2**20
HALF_PI_PARTS = parts(HALF_PI, 33, 33, 33)
HALF_PI_FOR_SINGLE = parts(HALF_PI, 33)


class Angle:
    """``x = n * pi / 2 + high + low``, with what both polynomials need."""

    def __init__(self, x: Value) -> None:
        reduce = _reduced_single if x.dtype == "float32" else _reduced_double
        self.n, self.high, self.low = reduce(x)
        self.square = self.high * self.high

    def sine(self) -> Value:
        """Return ``sin(high + low)``."""
        series = polynomial(self.square, coefficients.SIN[self.high.dtype])
        cubed = self.high * self.square
        slope = muladd(self.square, -0.5, 1.0)
        return self.high + muladd(cubed, series, self.low * slope)

    def cosine(self) -> Value:
        """Return ``cos(high + low)``."""
        z = self.square
        series = polynomial(z, coefficients.COS[z.dtype])
        half = 0.5 * z
        main = 1.0 - half
        lost = (1.0 - main) - half
        return main + (lost + muladd(z * z, series, -(self.high * self.low)))


def _reduced_single(x: Value) -> tuple[Value, Value, Value]:
    wide = x.to("float64")
    turns, n = nearest_multiple(wide, TWO_OVER_PI)
    high, low = HALF_PI_FOR_SINGLE
    r = muladd(turns, -low, wide - turns * high)
    short = r.to("float32")
    return n.to("int32"), short, (r - short.to("float64")).to("float32")


def _reduced_double(x: Value) -> tuple[Value, Value, Value]:
    turns, n = nearest_multiple(x, TWO_OVER_PI)
    first, second, third, fourth = HALF_PI_PARTS
    r, lost = _difference(x - turns * first, turns * second)
    r, lost_again = _difference(r, turns * third)
    rest = lost + lost_again - turns * fourth
    high = r + rest
    return n, high, (r - high) + rest


def _difference(x: Value, y: Value) -> tuple[Value, Value]:
    """Return ``x - y`` and what its rounding lost (Knuth)."""
    result = x - y
    y_back = x - result
    x_back = result + y_back
    return result, (x - x_back) - (y - y_back)


def _near(x: Value, name: str, function) -> Value:
    """Compute where |x| is at most ``BOUND``; leave the rest to the C library."""
    far = magnitude(x) > BOUND  # not NaN, which takes the way of all numbers
    return with_library(name, (x,), far, function(Angle(x)))


def _signed(result: Value, negative: Value) -> Value:
    return negative.where(-result, result)


def sin(x: Value) -> Value:
    """Take the sine."""

    def near(angle):
        odd = (angle.n & 1).differs(0)
        result = odd.where(angle.cosine(), angle.sine())
        result = _signed(result, (angle.n & 2).differs(0))
        return x.equal(0.0).where(x, result)  # the zero of the same sign

    return _near(x, "sin", near)


def cos(x: Value) -> Value:
    """Take the cosine."""

    def near(angle):
        odd = (angle.n & 1).differs(0)
        result = odd.where(angle.sine(), angle.cosine())
        return _signed(result, ((angle.n + 1) & 2).differs(0))

    return _near(x, "cos", near)


def tan(x: Value) -> Value:
    """Take the tangent."""

    def near(angle):
        odd = (angle.n & 1).differs(0)
        sine, cosine = angle.sine(), angle.cosine()
        result = odd.where(-cosine, sine) / odd.where(sine, cosine)
        return x.equal(0.0).where(x, result)

    return _near(x, "tan", near)
