"""Transforms inside transforms: every pair, nested in every operand order."""

import itertools

import numpy as np
import pytest

import gradx as gx


def forward_derivative(function):
    return lambda x: gx.jvp(function, (x,), (x * 0 + 1,))[1]


def linearized_derivative(function):
    return lambda x: gx.linearize(function, x)[1](x * 0 + 1)


def pulled_back_derivative(function):
    return lambda x: gx.vjp(function, x)[1](x * 0 + 1)[0]


def mapped_derivative(function):
    return lambda x: gx.vmap(gx.grad(function), in_axes=-1)(gx.stack([x, 2 * x], axis=-1))[0]


def derivative_of_a_map(function):
    return lambda x: gx.grad(lambda x: gx.sum(gx.vmap(function)(gx.stack([x, 0.0 * x + 1]))))(x)


def checkpointed_derivative(function):
    return gx.grad(gx.checkpoint(function))


def ruled_derivative(function):
    """Differentiate a function whose rule is its derivative as found by forward mode."""
    moved = lambda g, x: gx.jvp(function, (x,), (g,))[1]
    return lambda x: gx.grad(lambda x: ruled(function, moved)(x))(x)


def ruled(function, moved):
    """Give a function its jvp as a rule, unless it closes over Tensors or writes to arrays."""
    with_rule = gx.custom_rule(jvp={"x": moved})(lambda x: function(x))

    def call(x):
        try:
            return with_rule(x)
        except gx.GradxError:
            return function(x)

    return call


def product_with_a_hessian(function):
    """Differentiate by the second derivative of ``x * function(a)`` by ``x`` and ``a``."""
    f = lambda x, a: x * function(a)
    return lambda a: gx.hvp(f, (0 * a + 1, a), (0 * a + 1, 0 * a))[1]


DERIVATIVES = {
    "grad": gx.grad,
    "vjp": pulled_back_derivative,
    "jvp": forward_derivative,
    "linearize": linearized_derivative,
    "jacobian": gx.jacobian,
    "vmap": mapped_derivative,
    "of a vmap": derivative_of_a_map,
    "checkpoint": checkpointed_derivative,
    "custom_rule": ruled_derivative,
    "hvp": product_with_a_hessian,
}
PAIRS = list(itertools.product(DERIVATIVES, repeat=2))
TRIPLES = list(itertools.product(DERIVATIVES, repeat=3))
one = np.asarray(1.0)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_second_derivative_of_exp_is_exp(outer, inner):
    derivative = DERIVATIVES[outer](DERIVATIVES[inner](gx.exp))

    np.testing.assert_allclose(derivative(one), np.e)


@pytest.mark.parametrize(("outer", "middle", "inner"), TRIPLES)
def test_third_derivative_of_a_fourth_power(outer, middle, inner):
    derivative = DERIVATIVES[outer](
        DERIVATIVES[middle](DERIVATIVES[inner](lambda x: x * x * x * x))
    )

    np.testing.assert_allclose(derivative(2 * one), 48.0)


OPERAND_ORDERS = {
    "outer-first": lambda x, y: x * y,
    "inner-first": lambda x, y: y * x,
    "three-inputs": lambda x, y: gx.where(one > 0, x, one) * gx.where(one > 0, y, x),
    "through-a-list": lambda x, y: gx.sum(gx.stack([x, x - 1])[:1] * gx.stack([y, x])[:1]),
    "written-in-place": lambda x, y: written(x, y),
}


def written(x, y):
    both = gx.stack([x, x])
    both[1] = y
    return both[0] * both[1]


@pytest.mark.parametrize("product", OPERAND_ORDERS.values(), ids=OPERAND_ORDERS)
@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_inner_derivative_ignores_outer_variable(outer, inner, product):
    # d/dx [x * d/dy (x * y)] = d/dx [x * x] = 2x
    def function(x):
        return x * DERIVATIVES[inner](lambda y: product(x, y))(one)

    np.testing.assert_allclose(DERIVATIVES[outer](function)(one), 2.0)


@pytest.mark.parametrize("product", OPERAND_ORDERS.values(), ids=OPERAND_ORDERS)
@pytest.mark.parametrize("inner", DERIVATIVES)
def test_tensors_explored_by_hand_are_outside_of_every_transform(inner, product):
    x = gx.tensor(1.0)

    (x * DERIVATIVES[inner](lambda y: product(x, y))(one)).backward()

    np.testing.assert_allclose(x.grad, 2.0)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_stop_gradient_hides_the_inner_derivative_from_the_outer(outer, inner):
    def function(x):
        slope = DERIVATIVES[inner](lambda y: y * y * x)(x)  # 2 x**2
        return x * gx.stop_gradient(slope)

    np.testing.assert_allclose(DERIVATIVES[outer](function)(3 * one), 18.0)


@pytest.mark.parametrize("inner", DERIVATIVES)
def test_write_to_what_an_inner_function_closes_over_comes_too_late_for_its_rules(inner):
    def function(x):
        b = x * 1.0

        def product(y):
            z = y * b
            b[...] = 100.0
            return z

        return DERIVATIVES[inner](product)(one)

    if inner in {"hvp", "custom_rule"}:  # which call the function more than once
        return
    value, slope = gx.value_and_grad(function)(3 * one)

    assert value == 3
    assert slope == 1


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_constant_function_has_zero_derivative(derivative):
    assert derivative(lambda x: one)(one) == 0


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_identity_has_derivative_one_and_shares_no_memory(derivative):
    x = np.asarray(3.0)

    result = derivative(lambda x: x)(x)

    assert result == 1
    assert not np.shares_memory(result, x)


def test_eighth_derivative_of_sine_is_sine():
    derivative = gx.sin
    for order in range(8):
        derivative = DERIVATIVES["grad" if order % 2 else "jvp"](derivative)

    np.testing.assert_allclose(derivative(one), np.sin(1.0), rtol=1e-9)


def test_grad_takes_trees_and_keeps_their_structure():
    params = {"weights": [np.asarray([1.0, 2.0]), None], "bias": (np.asarray(3.0, np.float32),)}

    gradient = gx.grad(lambda p: gx.sum(p["weights"][0] ** 2) * p["bias"][0])(params)

    assert gradient["weights"][1] is None
    np.testing.assert_array_equal(gradient["weights"][0], [6.0, 12.0])
    assert gradient["bias"][0] == 5
    assert gradient["bias"][0].dtype == np.float32


def test_grad_by_several_arguments_is_a_tuple():
    gradients = gx.grad(lambda x, y: x * x * y, argnums=(1, 0))(np.asarray(3.0), np.asarray(2.0))

    assert gradients == (9.0, 12.0)


def test_negative_argnums_count_from_the_end():
    assert gx.grad(lambda x, y: x * y, argnums=-1)(np.asarray(3.0), np.asarray(2.0)) == 3


def test_keyword_arguments_are_constants():
    assert gx.grad(lambda x, *, scale: x * scale)(np.asarray(3.0), scale=np.asarray(5.0)) == 5


def test_auxiliary_values_leave_without_their_derivatives():
    gradient, aux = gx.grad(lambda x: (x * x, {"twice": 2 * x, "word": "kept"}), has_aux=True)(one)

    assert gradient == 2
    assert aux["word"] == "kept"
    assert isinstance(aux["twice"], (np.ndarray, np.generic))
    assert aux["twice"] == 2


def test_unused_argument_has_zero_gradient_of_its_shape():
    np.testing.assert_array_equal(
        gx.grad(lambda x, y: y * y)(np.ones((2, 3)), one), np.zeros((2, 3))
    )


def test_python_floats_are_differentiated():
    assert gx.grad(gx.grad(lambda x: x * x * x))(2.0) == 12


def test_gradient_of_squared_modulus_is_the_direction_of_steepest_ascent():
    z = np.asarray(1 + 2j)

    np.testing.assert_allclose(gx.grad(lambda z: gx.real(z * gx.conj(z)))(z), 2 + 4j)
    np.testing.assert_allclose(gx.grad(lambda z: gx.abs(z) ** 2)(z), 2 + 4j)


def test_holomorphic_gradient_is_the_complex_derivative():
    z = np.asarray(1 + 2j)

    np.testing.assert_allclose(gx.grad(lambda z: z * z * z, holomorphic=True)(z), 3 * z**2)


def test_real_function_is_not_holomorphic():
    with pytest.raises(TypeError, match=r"it returned float64 \(\), and a holomorphic function"):
        gx.grad(gx.abs, holomorphic=True)(np.asarray(1.0 + 2.0j))


def test_holomorphic_function_takes_complex_arguments():
    with pytest.raises(TypeError, match=r"argument 0 \(x\) is float64 \(\), and a holomorphic"):
        gx.grad(lambda x: x * 1j, holomorphic=True)(2.0)


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("m", [1, 3])
def test_jacobian_of_complex_by_real_numbers_is_complex(n, m):
    matrix = np.arange(1.0, n * m + 1).reshape(m, n) * (2 - 1j)

    jacobian = gx.jacobian(lambda x: matrix @ x)(np.ones(n))

    np.testing.assert_allclose(jacobian, matrix)
    assert jacobian.dtype == np.complex128


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("m", [1, 3])
def test_jacobian_of_real_by_complex_numbers_tells_both_parts(n, m):
    matrix = np.arange(1.0, n * m + 1).reshape(m, n) * (2 - 1j)

    jacobian = gx.jacobian(lambda z: gx.real(matrix @ z))(np.ones(n) + 0j)

    np.testing.assert_allclose(jacobian, matrix)


def test_jacobian_of_real_and_complex_results_by_real_and_complex_arguments():
    x, z = np.asarray([1.0, 2.0]), np.asarray([1 + 2j, -1j, 3.0])

    def f(x, z):
        return gx.sum(x) * 1j, gx.real(gx.sum(z * (1 - 1j))), gx.sum(z**2)

    by_x, by_z = zip(*gx.jacobian(f, argnums=(0, 1))(x, z), strict=True)

    np.testing.assert_allclose(by_x[0], [1j, 1j])
    np.testing.assert_allclose(by_z[1], np.full(3, 1 - 1j))
    np.testing.assert_allclose(by_z[2], 2 * z)
    assert not any(np.any(zero) for zero in (by_z[0], by_x[1], by_x[2]))


def test_hessian_by_complex_numbers_is_refused():
    with pytest.raises(TypeError, match=r"hessian of <lambda>: .* complex128 \(2,\)"):
        gx.hessian(lambda z: gx.sum(gx.abs(z) ** 4))(np.ones(2) + 1j)


def test_pullback_may_be_called_again():
    _, pullback = gx.vjp(lambda x: x * x, np.asarray([1.0, 3.0]))

    first, second = pullback(np.ones(2)), pullback(np.ones(2))

    np.testing.assert_array_equal(first[0], second[0])


def test_none_in_a_cotangent_counts_as_zero():
    _, pullback = gx.vjp(lambda x: (x * x, x), one)

    assert pullback((None, one))[0] == 1
    assert pullback((None, None))[0] == 0


def test_linearize_runs_the_function_once():
    calls = []

    def function(x):
        calls.append(x)
        return gx.sin(x) * x

    _, pushforward = gx.linearize(function, one)
    results = [pushforward(one * k) for k in range(3)]

    assert len(calls) == 1
    np.testing.assert_allclose(results, [k * (np.cos(1) + np.sin(1)) for k in range(3)])


@pytest.mark.parametrize("shape_in", [(), (3,), (2, 2), (0,)])
@pytest.mark.parametrize("shape_out", [(), (2,), (5, 2)])
def test_jacobian_has_output_shape_then_input_shape(shape_in, shape_out):
    size_in, size_out = int(np.prod(shape_in)), int(np.prod(shape_out))
    matrix = np.arange(1.0, 1 + size_out * size_in).reshape(size_out, size_in)

    actual = gx.jacobian(lambda x: gx.reshape(matrix @ gx.reshape(x, (-1,)), shape_out))(
        np.ones(shape_in)
    )

    assert actual.shape == shape_out + shape_in
    np.testing.assert_array_equal(actual, matrix.reshape(shape_out + shape_in))


def test_jacobian_of_trees_is_a_tree_of_trees():
    result = gx.jacobian(lambda p: {"sum": p["a"] + p["b"], "double": 2 * p["a"]})(
        {"a": np.ones(2), "b": one}
    )

    np.testing.assert_array_equal(result["sum"]["a"], np.eye(2))
    np.testing.assert_array_equal(result["sum"]["b"], np.ones(2))
    np.testing.assert_array_equal(result["double"]["a"], 2 * np.eye(2))
    np.testing.assert_array_equal(result["double"]["b"], np.zeros(2))


def test_hessian_of_a_quadratic_form_is_its_symmetric_part():
    matrix = np.asarray([[1.0, 2.0], [3.0, 4.0]])

    np.testing.assert_allclose(gx.hessian(lambda x: x @ matrix @ x)(np.ones(2)), matrix + matrix.T)


def test_hvp_is_the_hessian_times_the_tangent():
    f = lambda x: gx.sum(gx.sin(x) * gx.exp(x))
    x, v = np.asarray([0.1, 0.5, 0.9]), np.asarray([1.0, -2.0, 3.0])

    np.testing.assert_allclose(gx.hvp(f, (x,), (v,)), gx.hessian(f)(x) @ v)


CONSTANT = {"stop_gradient": gx.stop_gradient, "detach": lambda x: x.detach()}


@pytest.mark.parametrize("constant", CONSTANT.values(), ids=CONSTANT)
def test_what_takes_no_part_in_the_derivative_is_a_constant_at_every_order(constant):
    f = lambda x: constant(x) * x

    assert gx.grad(f)(np.asarray(3.0)) == 3
    assert gx.grad(gx.grad(f))(np.asarray(3.0)) == 0
    assert gx.grad(gx.capture(f)(np.asarray(3.0)))(np.asarray(5.0)) == 5
    np.testing.assert_array_equal(gx.vmap(lambda x: x - constant(x))(np.ones(2)), np.zeros(2))


# The others run a function once for several calls, whose numbers it cannot know.
ONE_CALL = [name for name in DERIVATIVES if name not in ("vmap", "of a vmap", "checkpoint")]


@pytest.mark.parametrize("constant", CONSTANT.values(), ids=CONSTANT)
@pytest.mark.parametrize(("outer", "inner"), list(itertools.product(ONE_CALL, repeat=2)))
def test_number_of_what_takes_no_part_steers_python_in_nested_transforms(outer, inner, constant):
    cube = lambda x: x * x * x if float(constant(x)) > 0 else x

    np.testing.assert_allclose(DERIVATIVES[outer](DERIVATIVES[inner](cube))(2 * one), 12.0)


def test_array_inside_can_be_seen_after_the_transform():
    seen = []
    gx.grad(lambda x: gx.grad(lambda y: (seen.append(y * x), y * x)[1])(x))(2 * one)

    assert seen[0].detach() == 4


def test_single_precision_stays_to_third_order():
    f = lambda x: gx.sum(gx.exp(2.0 * x) / (1 + x))
    derivative = gx.grad(lambda x: gx.sum(gx.grad(lambda y: gx.sum(gx.grad(f)(y)))(x)))

    assert derivative(np.ones(3, np.float32)).dtype == np.float32


def test_argument_may_be_named_by_a_number_of_numpys():
    product = lambda x, y: x * y * y

    assert gx.grad(product, np.int64(-1))(2.0, 3.0) == 12.0
    assert gx.hessian(product, (np.int32(1),))(2.0, 3.0) == ((4.0,),)


def test_gradient_has_the_dtype_of_a_mixed_input():
    single, double = np.ones(3, np.float32), np.ones((2, 3))

    gradients = gx.grad(lambda x, y: gx.sum(x * y), argnums=(0, 1))(single, double)

    assert [g.dtype for g in gradients] == [np.float32, np.float64]
    assert [g.shape for g in gradients] == [(3,), (2, 3)]


def test_jacobian_and_hessian_hand_the_second_part_of_a_pair_through():
    x = np.asarray([1.0, 2.0])
    f = lambda x: (x**3, {"twice": 2 * x, "name": "cubes"})

    matrix, aux = gx.jacobian(f, has_aux=True)(x)
    curvature, (same, outer) = gx.hessian(lambda x: (gx.sum(x**3), (3 * x, "sum")), has_aux=True)(x)
    by_both, _ = gx.jacobian(lambda x, y: (x * y, None), (0, 1), has_aux=True)(x, x)

    np.testing.assert_allclose(matrix, np.diag(3 * x**2))
    assert type(aux["twice"]) is np.ndarray
    assert (aux["twice"].tolist(), aux["name"]) == ([2.0, 4.0], "cubes")
    np.testing.assert_allclose(curvature, np.diag(6 * x))
    assert (same.tolist(), outer) == ([3.0, 6.0], "sum")
    np.testing.assert_array_equal(by_both, [np.diag(x), np.diag(x)])
    with pytest.raises(TypeError, match=r"vjp of .*has_aux=True expects a pair"):
        gx.jacobian(gx.square, has_aux=True)(x)
