"""Derivatives on branch cuts, where the sign of a zero says which side is meant."""

import numpy as np
import pytest

import gradx as gx

SIDES_OF_CUTS = [complex(x, y) for x in (2.2, -2.2) for y in (0.0, -0.0)]
SIDES_OF_CUTS += [complex(x, y) for x in (0.0, -0.0) for y in (2.2, -2.2)]


@pytest.mark.parametrize("z", SIDES_OF_CUTS, ids=str)
@pytest.mark.parametrize("name", ["acos", "acosh", "asin", "asinh", "atan", "atanh", "log", "sqrt"])
def test_derivative_on_a_branch_cut_is_that_of_the_side_which_its_zero_names(name, z):
    f = getattr(gx, name)
    step = 1e-3
    # Along the cut, where the zero keeps its sign.
    at = lambda n: f(
        np.asarray(
            complex(z.real + n * step, z.imag) if z.real else complex(z.real, z.imag + n * step)
        )
    )

    derivative = gx.grad(f, holomorphic=True)(np.asarray(z))

    along = step if z.real else 1j * step
    difference = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * along)
    np.testing.assert_allclose(derivative, difference, rtol=1e-9)


def test_derivatives_of_tan_have_digits_far_from_the_real_axis():
    z = np.asarray(0.3 + 20j)
    small = np.exp(2j * z)
    slope = gx.grad(gx.tan, holomorphic=True)

    np.testing.assert_allclose(slope(z), 4 * small / (1 + small) ** 2, rtol=1e-14)
    bend = 8j * small * (1 - small) / (1 + small) ** 3
    np.testing.assert_allclose(gx.grad(slope, holomorphic=True)(z), bend, rtol=1e-14)
