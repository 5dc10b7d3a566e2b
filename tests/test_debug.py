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


def dead(x):
    return gx.where(x > 0, gx.sqrt(x), 0.0)


NESTED = {
    "jacobian": lambda: gx.jacobian(dead)(ZERO),
    "linearize": lambda: gx.linearize(dead, ZERO)[1](ZERO),
    "Hessian": lambda: gx.hessian(lambda x: gx.sum(dead(x)))(ZERO),
    "forward over reverse": lambda: gx.hvp(lambda x: gx.sum(dead(x)), (ZERO,), (ZERO,)),
    "mapped": lambda: gx.vmap(gx.grad(lambda x: gx.sum(dead(x))))(np.stack([ZERO, ZERO])),
}


@pytest.mark.parametrize("run", NESTED.values(), ids=NESTED)
def test_nothing_is_said_of_a_dead_branch_in_nested_transforms(run):
    with gx.debug():
        inside = run()

    np.testing.assert_array_equal(inside, run())


@pytest.mark.parametrize(
    "run",
    [
        lambda f: gx.hessian(f)(ZERO),
        lambda f: gx.jacobian(f)(ZERO),
        lambda f: gx.vmap(gx.grad(f))(ZERO[None]),
        lambda f: gx.grad(gx.checkpoint(f))(ZERO),
    ],
    ids=["hessian", "jacobian", "vmap", "checkpoint"],
)
def test_nested_transforms_name_the_op_of_the_program(run):
    with gx.debug(), pytest.raises(NonFiniteError) as caught:
        run(root)

    assert str(caught.value).startswith("sqrt(float64 (2,)): its derivative by x has 1 ")
    assert str(caught.value).endswith("y = gx.sqrt(x)  # the line with the root")


def test_masks_of_minus_infinity_are_no_mistake():
    mask = np.asarray([True, False])
    f = lambda x: gx.sum(gx.nn.softmax(gx.where(mask, x, -np.inf)) * x)
    with gx.debug():
        np.testing.assert_array_equal(gx.grad(f)(np.ones(2)), [1.0, 0.0])


def test_derivative_at_a_nan_is_blamed_on_what_was_given():
    with gx.debug(), pytest.raises(NonFiniteError, match="as what it was given has 1 NaN of 2, at"):
        gx.grad(lambda x: gx.sum(gx.sin(x)))(np.asarray([np.nan, 1.0]))


def test_line_is_the_users_for_ops_with_settings_too():
    with gx.debug(), pytest.raises(NonFiniteError) as caught:
        gx.grad(lambda x: gx.linalg.vector_norm(gx.sum(gx.exp(x), axis=0) * 1e300))(1000 * ZERO)

    assert "test_debug.py:" in str(caught.value)


def test_changed_array_that_a_call_with_settings_keeps_is_reported_with_its_line():
    mask = np.asarray([True, False])
    with gx.debug():
        leaf = gx.tensor(np.ones(2))
        loss = gx.sum(gx.where(mask, leaf * 2, leaf))  # the line with the mask
        mask[:] = False
        with pytest.raises(TapeError, match=r"the line with the mask: an array .* was changed"):
            loss.backward()


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


@pytest.mark.parametrize(
    "run",
    [
        lambda f: gx.grad(f)(np.ones(2)),
        lambda f: gx.jvp(f, (np.ones(2),), (np.ones(2),)),
        lambda f: gx.vmap(f)(np.ones((3, 2))),
    ],
    ids=["grad", "jvp", "vmap"],
)
def test_leaked_tensor_is_named_with_its_line(run):
    kept = []

    def f(x):
        kept.append(gx.sin(x))  # the line with the leak
        return gx.sum(x)

    with gx.debug():
        run(f)
        with pytest.raises(TapeError, match=r"sin.*test_debug.py.*the line with the leak"):
            kept[0] + 1.0


def test_it_ends_with_the_block_whatever_happens():
    with pytest.raises(ZeroDivisionError), gx.debug():
        raise ZeroDivisionError
    assert gx.grad(logarithm)(ZERO)[0] == np.inf
