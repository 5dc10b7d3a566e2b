"""Arrays that code makes with the namespace of a Tensor: Tensors too, without derivative."""

import numpy as np
import pytest

import gradx as gx

X = np.asarray([0.5, -1.5, 2.0])


def beside(x):
    return x.__array_namespace__()


def test_written_into_a_new_array_a_tensor_keeps_its_derivative():
    def f(x):
        out = beside(x).zeros_like(x)
        out[1:] = x[1:] ** 2
        out += 1.0
        return gx.sum(out * out)

    assert gx.grad(f)(X).tolist() == [0.0, *(4 * (X[1:] ** 2 + 1) * X[1:])]
    gx.testing.check_derivatives(f, X)


def test_made_beside_the_data_has_the_datas_namespace():
    def f(x):
        xp = beside(x)
        made = [xp.ones(2), xp.asarray(2.0) * 3, xp.astype(x > 0, x.dtype), xp.full_like(x, 2.0)]
        assert {beside(one) for one in made} == {xp}
        return gx.sum(x * made[2] * made[1])

    assert gx.grad(f)(X).tolist() == [6.0, 0.0, 6.0]


def test_constants_leave_transforms_as_plain_arrays():
    f = lambda x: beside(x).asarray(2.0) + 0 * beside(x).ones(3)
    linear = lambda x: gx.sum(x * beside(x).asarray([1.0, 2.0, 3.0]))
    explored = gx.tensor(X)
    linear(explored).backward()

    left = [
        gx.vjp(f, X)[0],
        *gx.jvp(f, (X,), (X,)),
        gx.vmap(f)(X[None]),
        gx.value_and_grad(lambda x: (linear(x), f(x)), has_aux=True)(X)[0][1],
        gx.grad(linear)(X),
        gx.hessian(lambda x: linear(x) ** 2)(X),
        explored.grad,
    ]

    assert {type(one) for one in left} == {np.ndarray}


def test_constants_may_become_numbers_and_plain_arrays():
    one = beside(gx.tensor(X)).ones(())
    array = beside(gx.tensor(X)).ones(2)

    assert (float(one), int(one), bool(one)) == (1.0, 1, True)
    np.asarray(array)[0] = 5.0
    assert np.asarray(array).tolist() == [1.0, 1.0]


def test_write_to_a_constant_does_not_reach_what_was_computed_from_it():
    def f(x):
        step = beside(x).asarray(8.0)
        total = step * x
        step /= 2.0
        return total + step * x**2

    assert gx.grad(f)(np.asarray(3.0)) == 8.0 + 4.0 * 2 * 3.0


@pytest.mark.parametrize(
    "derive", [gx.grad, lambda f: lambda x: gx.jvp(f, (x,), (np.ones_like(x),))[1]]
)
def test_write_to_a_tensor_of_an_outer_transform_does_not_reach_an_inner_tape(derive):
    def outer(x):
        factor = x * 1.0

        def inner(y):
            nonlocal factor
            product = factor * y * y
            factor /= 2.0
            return product

        return derive(inner)(np.asarray(3.0))  # 2 * factor * y

    assert gx.grad(outer)(np.asarray(2.0)) == 6.0


def test_zero_that_code_makes_is_structural():
    f = lambda x: gx.sum(beside(x).zeros(2) * gx.sqrt(x) + x)

    assert gx.grad(f)(np.zeros(2)).tolist() == [1.0, 1.0]
    assert gx.jvp(f, (np.zeros(2),), (np.ones(2),))[1] == 2.0
