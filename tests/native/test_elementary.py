"""The native elementary functions: how far from the truth, and right where numbers end."""

import math

import mpmath
import numpy as np
import pytest

from gradx.backends.native import coefficients, compiler
from gradx.backends.native.accuracy import STATED
from gradx.backends.native.values import Processor
from gradx.core.op import OPS
from tests import coefficients as derivation
from tests.native.elementary import (
    REFERENCES,
    all_exponents,
    between,
    computed,
    errors,
)

DTYPES = ["float32", "float64"]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_function = pytest.mark.parametrize("name", REFERENCES)
every_processor = pytest.mark.parametrize(
    "processor", [compiler.PROCESSOR, Processor(False, False)], ids=["this", "simple"]
)

# As many bits as longdouble has beyond float64; elsewhere than on x86 it may have none.
HAS_WIDER = np.finfo(np.longdouble).nmant > 60


def points(dtype):
    """Return over a million numbers: all exponents, and densely where functions bend."""
    end = 110 if dtype == "float32" else 760
    return np.concatenate(
        [
            all_exponents(dtype, 1600 if dtype == "float32" else 200),
            between(dtype, -end, end, 100_001),
            between(dtype, -12, 12, 100_001),
            between(dtype, -2, 2, 100_001),
            between(dtype, 0.6, 1.5, 50_001),
            *(np.pi / 2 * k + between(dtype, -1e-4, 1e-4, 101).astype(dtype) for k in range(1, 50)),
        ]
    ).astype(dtype)


def stated(name, dtype):
    return STATED[name][DTYPES.index(dtype)]


@every_dtype
@every_function
@every_processor
def test_a_function_is_as_near_the_truth_as_stated(name, dtype, processor):
    if dtype == "float64" and (name.startswith("erf") or not HAS_WIDER):
        pytest.skip("nothing wider to compare a million numbers with; see the test by mpmath")
    x = points(dtype)

    found = errors(name, x, computed(name, x, processor=processor))

    worst = int(np.argmax(np.where(np.isnan(found), np.inf, found)))
    assert found[worst] <= stated(name, dtype), x[worst]


EXACT = {
    "sech_squared": lambda x: mpmath.sech(x) ** 2,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "sigmoid_slope": lambda x: mpmath.sech(x / 2) ** 2 / 4,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log2": lambda x: mpmath.log(x, 2),
}


@every_function
def test_float64_is_as_near_the_truth_as_stated_by_mpmath(name):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-6, 6, 300), rng.uniform(-27, 27, 200), [1e-300, 0.5, 1.0]])
    x = np.abs(x) if name.startswith(("log", "sqrt")) and name != "log1p" else x
    x = np.abs(x) - 0.99 if name == "log1p" else x
    exact = EXACT.get(name) or getattr(mpmath, name)

    found = computed(name, x)

    with mpmath.workprec(160):
        for given, actual in zip(x.tolist(), found.tolist(), strict=True):
            truth = exact(mpmath.mpf(given))
            unit = math.ulp(float(truth))
            assert abs(mpmath.mpf(actual) - truth) <= stated(name, "float64") * unit, given


HARD = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 5e-324, -5e-324, 1e-310, 2e-45, -1e-45]
HARD += [1e308, -1e308, 3.4e38, -3.4e38, 88.72, 88.73, 709.78, 709.79, -87.4, -103.9, -104.1]
HARD += [-708.5, -745.1, -745.2, 1e5, 1.5e6, -1.6e6, 1e22, 2.0**63, 20.0, -20.0, 40.0, -40.0]
HARD += [1.5707963267948966, 3.141592653589793, 11.0, 1e300]


@every_dtype
@every_function
def test_a_function_is_right_where_numbers_end(name, dtype):
    with np.errstate(over="ignore"):
        x = np.asarray(HARD).astype(dtype)

    actual = computed(name, x)

    found = errors(name, x, actual)
    np.testing.assert_array_less(found, stated(name, dtype) + 1e-9)
    with np.errstate(all="ignore"):
        signs = np.signbit(REFERENCES[name](x))
    number = ~np.isnan(actual)
    np.testing.assert_array_equal(np.signbit(actual)[number], signs[number])


def test_angles_beyond_the_bound_are_left_to_the_c_library():
    x = np.asarray([1.0, 6381956970095103.0 * 2.0**797, 1e300, -1.6e6])

    for name in ("sin", "cos", "tan"):
        assert computed(name, x)[1:].tolist() == [getattr(math, name)(a) for a in x[1:]]


@every_dtype
def test_powers_are_as_near_the_truth_as_stated(dtype):
    rng = np.random.default_rng(0)
    x = np.exp(rng.uniform(-80, 80, 20_000)).astype(dtype)
    y = (rng.uniform(-85, 85, 20_000) / np.log(x)).astype(dtype)
    truth = x.astype(np.longdouble) ** y.astype(np.longdouble)

    found = np.abs(computed("pow", x, y) - truth) / np.spacing(truth.astype(dtype))

    assert float(found.max()) <= stated("pow", dtype)


@every_dtype
@pytest.mark.parametrize("name", ["pow", "logaddexp", "hypot", "atan2", "copysign", "maximum"])
def test_functions_of_two_numbers_are_right_where_numbers_end(name, dtype):
    ends = np.asarray([0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 0.5, 1e30, math.inf, -math.inf, math.nan])
    x, y = (a.reshape(-1).astype(dtype) for a in np.meshgrid(ends, ends))
    with np.errstate(all="ignore"):
        expected = OPS[name].call(x, y)

    actual = computed(name, x, y)

    np.testing.assert_allclose(actual, expected, rtol=1e-6 if dtype == "float32" else 1e-15)
    number = ~np.isnan(expected)
    if name != "maximum":  # of 0 and -0 it may be either
        np.testing.assert_array_equal(np.signbit(actual)[number], np.signbit(expected)[number])


@every_dtype
@pytest.mark.parametrize("name", derivation.RECIPES)
def test_coefficients_are_those_that_were_derived(name, dtype):
    kept = [derivation.rounded(c, dtype) for c in getattr(coefficients, name)[dtype]]

    assert kept == pytest.approx(list(derivation.derive(name, dtype)), rel=1e-9, abs=0)
