"""What the elementary functions need to know of float32 and float64, and constants in parts."""

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from gradx.backends.native.values import Value, muladd


class Format(NamedTuple):
    """The parts of a floating-point number."""

    mantissa: int  # bits after the point
    bias: int  # of the exponent

    @property
    def shifter(self) -> float:
        """Added to a small number and taken away again, this rounds it to an integer."""
        return 1.5 * 2.0**self.mantissa


FORMATS = {"float32": Format(23, 127), "float64": Format(52, 1023)}

LN2 = Fraction(Decimal("0.69314718055994530941723212145817656807550013436025525412068"))
LOG10_2 = Fraction(Decimal("0.30102999566398119521373889472449302676818988146210854131042"))
LOG2_E = Fraction(Decimal("1.44269504088896340735992468100189213742664595415298593413545"))
LOG10_E = Fraction(Decimal("0.43429448190325182765112891891660508229439700580366656611445"))
TWO_OVER_PI = Fraction(Decimal("0.63661977236758134307553505349005744813783858296182579499067"))
HALF_PI = Fraction(Decimal("1.57079632679489661923132169163975144209858469968755291048747"))


def parts(number: Fraction, *bits: int, dtype: str = "float64") -> list[float]:
    """Split a positive number into floats: as many bits as asked for in each, then the rest."""
    pieces = []
    for count in bits:
        exponent = int(np.frexp(float(number))[1])
        unit = Fraction(2) ** (exponent - count)
        piece = (number // unit) * unit
        pieces.append(float(piece))
        number -= piece
    return [*pieces, float(np.dtype(dtype).type(float(number)))]


def nearest(x: Value) -> tuple[Value, Value]:
    """Round to integers, small ones: return them as floats and as integers."""
    shifter = FORMATS[x.dtype].shifter
    shifted = x + shifter
    return shifted - shifter, shifted.bits() - _bits_of_shifter(x.dtype)


def nearest_multiple(x: Value, factor: Fraction) -> tuple[Value, Value]:
    """Round ``x * factor`` to integers: return them as floats and as integers."""
    shifter = FORMATS[x.dtype].shifter
    shifted = muladd(x, float(factor), shifter)
    return shifted - shifter, shifted.bits() - _bits_of_shifter(x.dtype)


def _bits_of_shifter(dtype: str) -> int:
    shifter = np.dtype(dtype).type(FORMATS[dtype].shifter)
    return int(shifter.view("int32" if dtype == "float32" else "int64"))


def small_integer(n: Value, dtype: str) -> Value:
    """Turn small integers into floats without an instruction that not all processors have."""
    return (n + _bits_of_shifter(dtype)).from_bits() - FORMATS[dtype].shifter


def power_of_2(n: Value) -> Value:
    """Compute ``2**n`` of integers from the exponent of the smallest normal number."""
    form = FORMATS["float32" if n.dtype == "int32" else "float64"]
    return ((n + form.bias) << form.mantissa).from_bits()
