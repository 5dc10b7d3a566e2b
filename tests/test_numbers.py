"""Sums and elements are numbers of NumPy's: ``total += 1`` makes another, and writes to nothing."""

import numpy as np
import pytest

import gradx as gx

X = np.asarray([1.0, 2.0, 4.0])


def started_with_an_element(x):
    x = x * 1.0
    total = x[0]
    total += x[1]
    total *= x[2]
    return total + x[0]


def started_with_a_loss(x):
    loss = np.mean(x * x)
    total = loss
    total += np.sum(x)
    return total * loss


def started_with_another_number(x):
    total = grown = x[0] * x[1]
    grown += x
    return np.sum(grown) + total


def started_with_a_view(x):
    x = x * 1.0
    last = x[..., -1]
    last += x[0]
    return x[2] * last


def started_with_a_copy_of_an_array(x):
    last = x[..., -1].copy()
    view = last.reshape(())
    view *= x[0]
    return last * x[1]


def started_with_a_copy_of_a_number(x):
    total = grown = x[-1].copy()
    grown += x[0]
    return total * grown


def started_with_an_array_of_a_number(x):
    total = grown = np.copy(x[-1] * x[1])
    grown += x[0]
    total[None][0] *= x[1]
    return total * grown


FUNCTIONS = [
    started_with_a_copy_of_an_array,
    started_with_a_copy_of_a_number,
    started_with_an_array_of_a_number,
    started_with_an_element,
    started_with_a_loss,
    started_with_another_number,
    started_with_a_view,
]
each_function = pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)


def differences(f):
    """Return the gradient of ``f`` at X by steps of 1e-6, of which NumPy alone knows."""
    steps = 1e-6 * np.eye(3)
    return np.asarray([(f(X + step) - f(X - step)) / 2e-6 for step in steps])


@each_function
def test_value_and_gradient_are_those_of_the_same_code_on_arrays(f):
    value, gradient = gx.value_and_grad(f)(X)

    np.testing.assert_allclose(value, f(X), rtol=1e-14)
    np.testing.assert_allclose(gradient, differences(f), rtol=1e-7)


@each_function
def test_rows_of_a_batch_are_treated_as_if_alone(f):
    rows = np.stack([X, 2 * X])

    np.testing.assert_allclose(gx.vmap(f)(rows), [f(X), f(2 * X)], rtol=1e-14)
    np.testing.assert_allclose(gx.vmap(gx.grad(f))(rows)[0], differences(f), rtol=1e-7)


@each_function
def test_compiled_code_treats_them_so_too(f):
    compiled = gx.compile(gx.value_and_grad(f))

    for _ in range(2):
        value, gradient = compiled(X)
        np.testing.assert_allclose(value, f(X), rtol=1e-14)
        np.testing.assert_allclose(gradient, differences(f), rtol=1e-7)


def test_argument_without_axes_is_not_written_to_all_the_same():
    def f(x):
        x += 1.0
        return x

    with pytest.raises(gx.GradxError, match="in-place write to an argument of f"):
        gx.grad(f)(np.asarray(2.0))


def test_write_to_an_array_without_axes_reaches_its_view():
    def f(x):
        total = gx.asarray(x[..., 0], copy=True)
        view = total[None]
        total += x[1]
        total *= x[2]
        view += x[0]
        return total * 2.0 + view[0]

    value, gradient = gx.value_and_grad(f)(X)

    np.testing.assert_allclose(value, f(X), rtol=1e-14)
    np.testing.assert_allclose(gradient, differences(f), rtol=1e-7)


READS = {
    "reshape": lambda x: x.reshape((1,)),
    "None": lambda x: x[None],
    "ravel": np.ravel,
    "...": lambda x: x[...],
    "T": lambda x: x.T,
    "... of ...": lambda x: x[...][...],
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_numbers_of_a_batch_have_no_views(read):
    def f(x):
        number = x * 1.0
        view = read(number)
        same = view
        view += 5.0
        return number + 10.0 * view.sum() + 100.0 * same.sum()

    np.testing.assert_allclose(gx.vmap(f)(X), [f(x) for x in X], rtol=1e-14)
    np.testing.assert_allclose(gx.vmap(gx.value_and_grad(f))(X)[0], [f(x) for x in X], rtol=1e-14)
    np.testing.assert_allclose(gx.jvp(f, (X[0],), (1.0,))[0], f(X[0]), rtol=1e-14)


def test_array_without_axes_stays_one_where_it_becomes_one_of_a_batch():
    def f(x):
        total = x.__array_namespace__().zeros(())
        view = total.reshape((1,))
        total += x
        view *= x
        view += 1.0
        return total * x

    expected = [f(np.asarray(x)) for x in X]

    np.testing.assert_allclose(gx.vmap(f)(X), expected, rtol=1e-14)
    np.testing.assert_allclose(gx.vmap(gx.grad(f))(X), 3 * X**2 + 1.0, rtol=1e-14)
    np.testing.assert_allclose(gx.grad(lambda x: gx.sum(gx.vmap(f)(x)))(X), 3 * X**2 + 1.0)
