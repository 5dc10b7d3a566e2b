"""gx.debug() names the op, its arguments and the line where numbers went wrong."""

import numpy as np
import pytest

import gradx as gx
from gradx.errors import NonFiniteError, TapeError

pytestmark = pytest.mark.filterwarnings("ignore:.*(divide|invalid|overflow).*:RuntimeWarning")

ZERO = np.asarray([0.0, 1.0])


def logarithm(x):
    return gx.sum(gx.log(x))  # the line with the logarithm


def root(x):
    y = gx.sqrt(x)  # the line with the root
    return gx.sum(y + x)


def test_a_result_that_is_infinite_is_named():
    with gx.debug(), pytest.raises(NonFiniteError) as caught:
        gx.grad(logarithm)(ZERO)

    message = str(caught.value)
    assert message.startswith("log(float64 (2,)): its result has 1 infinity of 2, at ")
    assert "test_debug.py:" in message
    assert message.endswith("return gx.sum(gx.log(x))  # the line with the logarithm")


def test_the_line_of_an_op_with_parameters_is_the_users():
    with gx.debug(), pytest.raises(NonFiniteError, match=r"^sum\(.*the line with the sum$"):
        gx.grad(lambda x: gx.sum(x, axis=0))(np.full(3, 1e308))  # the line with the sum


@pytest.mark.parametrize("mode", ["reverse", "forward", "tape"])
def test_a_derivative_that_is_infinite_is_named(mode):
    ways = {
        "reverse": lambda: gx.grad(root)(ZERO),
        "forward": lambda: gx.jvp(root, (ZERO,), (np.ones(2),)),
        "tape": lambda: gx.sum(gx.sqrt(gx.tensor(ZERO))).backward(),
    }
    with gx.debug(), pytest.raises(FloatingPointError) as caught:
        ways[mode]()

    assert str(caught.value).startswith("sqrt(float64 (2,)): its ")
    assert "1 infinity of 2, at " in str(caught.value)
    assert "test_debug.py" in str(caught.value)


def test_nothing_is_said_of_a_dead_branch_of_finite_values():
    f = lambda x: gx.sum(gx.where(x > 0, gx.sqrt(x), 0.0))
    with gx.debug():
        np.testing.assert_array_equal(gx.grad(f)(ZERO), [0.0, 0.5])


def test_results_are_the_same_with_and_without():
    f = lambda x: gx.sum(gx.tanh(x) * x)
    x = np.linspace(-1.0, 1.0, 5)
    with gx.debug():
        inside = (gx.grad(f)(x), gx.hessian(f)(x), gx.jvp(f, (x,), (x,))[1])
    for a, b in zip(
        inside, (gx.grad(f)(x), gx.hessian(f)(x), gx.jvp(f, (x,), (x,))[1]), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-15)


def test_array_that_was_changed_between_the_passes_is_reported():
    weights = np.asarray([1.0, 2.0])

    def f(x):
        y = weights * x
        weights[0] = 100.0
        return gx.sum(y)

    with gx.debug(), pytest.raises(TapeError) as caught:
        gx.grad(f)(np.ones(2))

    assert "multiply(float64 (2,), float64 (2,)), at " in str(caught.value)
    assert "y = weights * x" in str(caught.value)
    assert "was changed in place since" in str(caught.value)


def test_leaked_tensor_is_named_with_its_line():
    kept = []

    def f(x):
        kept.append(gx.sin(x))  # the line with the leak
        return gx.sum(x)

    with gx.debug():
        gx.grad(f)(np.ones(2))
        with pytest.raises(TapeError, match=r"sin.*test_debug.py.*the line with the leak"):
            kept[0] + 1.0


def test_it_ends_with_the_block_whatever_happens():
    with pytest.raises(ZeroDivisionError), gx.debug():
        raise ZeroDivisionError
    assert gx.grad(logarithm)(ZERO)[0] == np.inf
