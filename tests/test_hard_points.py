"""What gradx promises at ties, kinks and singular points (docs/semantics.md), row by row.

Warnings are errors here, so none of these points may cause one.
"""

import math
from functools import partial

import numpy as np
import pytest

import gradx as gx
from gradx.errors import DTypeError, OutOfBoundsError, ShapeError
from gradx.ops import elementwise as ops
from gradx.ops import neural, special, statistical
from gradx.ops.shapes import sum as total

INF, NAN = math.inf, math.nan


def derivatives(f, *points):
    """Return the derivatives by each argument, checked to be the same in both modes."""
    arrays = [np.asarray(np.asarray(point) + 0.0) for point in points]
    _, pullback = gx.vjp(f, *arrays)
    reverse = pullback(1.0)
    for position, expected in enumerate(reverse):
        basis = np.eye(expected.size).reshape(expected.size, *expected.shape)
        directions = [
            [b if i == position else None for i in range(len(arrays))]
            for b in basis.astype(expected.dtype)
        ]
        forward = [gx.jvp(f, tuple(arrays), tuple(d))[1] for d in directions]
        np.testing.assert_allclose(np.reshape(forward, expected.shape), expected, rtol=1e-14)
    return [g.tolist() for g in reverse]


def derivative(f, point):
    return derivatives(f, point)[0]


def second(f, point):
    """Return the second derivative of a function of one number, the same in all four ways."""
    point = np.asarray(point)
    reverse = lambda x: gx.vjp(f, x)[1](np.ones_like(point))[0]
    forward = lambda x: gx.jvp(f, (x,), (np.ones_like(point),))[1]
    found = [derivative(inner, point) for inner in (reverse, forward)]
    assert found[0] == found[1]
    return found[0]


def test_maximum_and_minimum_split_a_tie_in_halves():
    for op in (ops.maximum, ops.minimum):
        assert derivatives(op, 1.0, 1.0) == [0.5, 0.5]
        assert second(lambda x, op=op: op(x, 1.0), 1.0) == 0.0
    assert derivatives(ops.maximum, 2.0, 1.0) == [1.0, 0.0]
    assert derivatives(ops.minimum, 2.0, 1.0) == [0.0, 1.0]


def test_maximum_of_a_nan_has_nan_only_there():
    x, y = derivatives(ops.maximum, NAN, 1.0)

    assert math.isnan(x)
    assert y == 0.0


@pytest.mark.parametrize("op", [statistical.max, statistical.min])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reduced_extreme_splits_ties_evenly(op, keepdims):
    sign = 1.0 if op is statistical.max else -1.0
    x = sign * np.asarray([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]])

    by_rows = derivative(lambda x: total(op(x, axis=1, keepdims=keepdims)), x)
    by_both = derivative(lambda x: total(op(x, axis=(0, -1), keepdims=keepdims)), x)

    np.testing.assert_allclose(by_rows, [[0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]])
    assert by_both == [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]
    assert derivative(lambda x: op(x), x) == by_both


def test_reduced_extreme_with_a_nan_has_nan_only_there():
    found = gx.grad(statistical.max)(np.asarray([1.0, NAN, 3.0]))

    np.testing.assert_equal(found, [0.0, NAN, 0.0])


def test_relu_has_derivative_0_at_0():
    assert derivative(lambda x: total(neural.relu(x)), [-1.0, 0.0, 1.0]) == [0.0, 0.0, 1.0]
    assert second(neural.relu, 0.0) == 0.0


def test_abs_has_derivative_0_at_0_also_of_complex_numbers():
    assert derivative(lambda x: total(ops.abs(x)), [-2.0, 0.0, 2.0]) == [-1.0, 0.0, 1.0]
    gradient = gx.grad(lambda z: total(ops.abs(z)))(np.asarray([0j, 3 + 4j]))
    np.testing.assert_allclose(gradient, [0.0, 0.6 + 0.8j])
    assert gx.grad(lambda z: ops.real(gx.grad(ops.abs)(z)))(np.asarray(0j)) == 0.0


def test_clip_has_derivative_1_on_the_closed_interval():
    x = [-1.0, 0.0, 0.5, 1.0, 2.0]

    assert derivative(lambda x: total(ops.clip(x, 0.0, 1.0)), x) == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert derivative(lambda x: total(ops.clip(x, min=0.0)), x) == [0.0, 1.0, 1.0, 1.0, 1.0]
    assert derivative(lambda x: total(ops.clip(x, None, 1.0)), x) == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert derivative(lambda x: total(ops.clip(x)), x) == [1.0] * 5


def test_clip_moves_with_the_bound_that_holds():
    clipped = lambda x, low, high: total(ops.clip(x, low, high))

    found = derivatives(clipped, [-1.0, 0.5, 2.0], [0.0, 0.0, 0.0], 1.0)

    assert found == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], 1.0]


def test_std_of_a_constant_has_derivative_0():
    constant = np.ones((2, 3))

    for correction in (0, 1):
        rows = partial(statistical.std, axis=1, correction=correction)
        f = lambda x, rows=rows: total(rows(x))
        assert derivative(f, constant) == [[0.0] * 3] * 2
        assert not np.any(gx.hessian(f)(constant))
    assert derivative(statistical.std, [2.0]) == [0.0]


def test_square_root_has_an_infinite_derivative_at_0():
    assert derivative(ops.sqrt, 0.0) == INF
    assert derivative(lambda x: ops.pow(x, 0.5), 0.0) == INF
    assert derivative(lambda x: ops.pow(x, np.asarray(0.5)), 0.0) == INF
    assert second(ops.sqrt, 0.0) == -INF


def test_zeroth_power_has_derivative_0_at_0():
    for exponent in (0, 0.0, np.asarray(0.0)):
        assert derivative(lambda x, y=exponent: ops.pow(x, y), 0.0) == 0.0
        assert second(lambda x, y=exponent: ops.pow(x, y), 0.0) == 0.0


def test_power_of_0_has_derivative_0_by_the_exponent():
    for base in (0.0, 0, np.asarray(0.0)):
        assert derivative(partial(ops.pow, base), 2.5) == 0.0
        assert derivative(partial(ops.pow, base), 0.0) == 0.0
    assert derivatives(ops.pow, 0.0, 1.0) == [1.0, 0.0]
    assert derivatives(ops.pow, 0.0, 2.0) == [0.0, 0.0]


@pytest.mark.parametrize("base", [0.0, 0, np.asarray(0.0)])
def test_derivatives_of_a_negative_power_of_0_are_those_of_a_pole(base):
    for exponent in (-0.5, -1.0, -2.0):
        with np.errstate(divide="ignore"):  # of the power itself
            assert derivative(partial(ops.pow, base), exponent) == -INF
            assert second(partial(ops.pow, base), exponent) == INF


@pytest.mark.parametrize("base", [-2.0, -2, np.asarray(-2.0)])
def test_negative_number_to_a_complex_power_has_the_derivative_of_a_complex_number(base):
    power = partial(ops.pow, base)
    by_exponent = gx.grad(power, holomorphic=True)(np.asarray(1 + 2j))

    assert by_exponent == pytest.approx((-2 + 0j) ** (1 + 2j) * np.log(-2 + 0j), rel=1e-14)
    assert gx.jvp(power, (np.asarray(1 + 2j),), (np.asarray(1 + 0j),))[1] == by_exponent


@pytest.mark.parametrize(
    ("exponent", "expected"), [(1, 0.0), (2, 2.0), (3, 0.0), (2.0, 2.0), (4, 0.0)]
)
def test_powers_have_their_second_derivative_at_0(exponent, expected):
    assert second(lambda x, y=exponent: ops.pow(x, y), 0.0) == expected
    assert second(lambda x: ops.pow(x, np.asarray(float(exponent))), 0.0) == expected


def test_mixed_derivative_of_power_holds_where_the_exponent_is_0():
    by_x = lambda x, y: gx.grad(ops.pow)(x, y)

    assert gx.grad(by_x, 1)(np.asarray(2.0), np.asarray(0.0)) == 0.5


@pytest.mark.parametrize("zeros", [[], [1], [0, 2], [0, 1, 2], [0, 1, 2, 3]])
def test_prod_is_exact_with_zeros_to_every_order(zeros):
    x = np.asarray([2.0, 3.0, 5.0, 7.0])
    x[zeros] = 0.0

    f = statistical.prod
    for order, derive in enumerate([gx.grad, gx.jacobian, gx.jacobian, gx.jacobian], 1):
        f = derive(f)
        found = f(x)

        for places in np.ndindex(found.shape):
            others = [x[i] for i in range(4) if i not in places]
            expected = math.prod(others) if len(set(places)) == order else 0.0
            assert found[places] == expected


@pytest.mark.parametrize("zeros", [[0], [1, 3], [0, 1, 2, 3]])
def test_cumulative_prod_is_exact_with_zeros_to_every_order(zeros):
    x = np.asarray([2.0, 3.0, 5.0, 7.0])
    x[zeros] = 0.0
    whole = lambda x: statistical.cumulative_prod(x)
    last = lambda x: statistical.cumulative_prod(x)[3]

    np.testing.assert_array_equal(gx.hessian(last)(x), gx.hessian(statistical.prod)(x))
    nested = lambda x: gx.jvp(whole, (x,), (np.ones(4),))[1]
    forward = gx.jvp(nested, (x,), (np.ones(4),))[1]
    expected = [np.sum(gx.hessian(lambda x, n=n: statistical.prod(x[:n]))(x)) for n in (1, 2, 3, 4)]
    np.testing.assert_array_equal(forward, expected)


def test_division_by_a_tiny_number_does_not_overflow_early():
    assert derivatives(ops.divide, 1e-200, 1e-200) == [1e200, -1e200]
    assert derivatives(ops.divide, 1e-200, 1e200) == [1e-200, 0.0]


def test_hypot_has_derivative_0_at_the_origin_and_no_overflow():
    assert derivatives(ops.hypot, 0.0, 0.0) == [0.0, 0.0]
    np.testing.assert_allclose(derivatives(ops.hypot, 3e200, 4e200), [0.6, 0.8])
    assert derivatives(ops.hypot, -INF, 1.0) == [-1.0, 0.0]


def test_atan2_has_derivative_0_at_the_origin_and_no_overflow():
    assert derivatives(ops.atan2, 0.0, 0.0) == [0.0, 0.0]
    np.testing.assert_allclose(derivatives(ops.atan2, 3e200, 4e200), [1.6e-201, -1.2e-201])
    assert derivatives(ops.atan2, 1.0, INF) == [0.0, 0.0]


def test_logaddexp_keeps_its_derivative_at_infinity():
    assert derivatives(ops.logaddexp, -INF, -INF) == [0.5, 0.5]
    assert derivatives(ops.logaddexp, INF, INF) == [0.5, 0.5]
    assert derivatives(ops.logaddexp, INF, 0.0) == [1.0, 0.0]
    assert derivatives(ops.logaddexp, 0.0, -INF) == [1.0, 0.0]
    assert derivatives(ops.logaddexp, 1e200, 1e200) == [0.5, 0.5]
    assert second(lambda x: ops.logaddexp(x, 1.0), 1.0) == 0.25


def test_logsumexp_keeps_its_derivative_at_infinity():
    assert derivative(statistical.logsumexp, [-INF, -INF]) == [0.5, 0.5]
    assert derivative(statistical.logsumexp, [INF, 1000.0, INF]) == [0.5, 0.0, 0.5]
    assert derivative(statistical.logsumexp, [-INF, 3.0]) == [0.0, 1.0]
    assert derivative(statistical.logsumexp, [1e200, 1e200]) == [0.5, 0.5]
    values = [
        float(statistical.logsumexp(np.asarray(x)))
        for x in ([-INF, -INF], [INF, 1000.0], [1e4, 0.0])
    ]
    assert values == [-INF, INF, 1e4]


@pytest.mark.parametrize("op", [ops.sign, ops.floor, ops.ceil, ops.round, ops.trunc])
def test_steps_have_derivative_0(op):
    gradient = gx.grad(lambda x: total(op(x) + x))(np.asarray([-1.5, 0.0, 2.0]))

    assert gradient.tolist() == [1.0, 1.0, 1.0]
    assert gx.grad(lambda x: total(op(x)))(np.asarray([0.5])).tolist() == [0.0]


def test_remainder_and_copysign_have_the_slope_of_their_pieces():
    assert derivatives(ops.remainder, 7.5, 2.0) == [1.0, -3.0]
    assert derivatives(ops.remainder, -7.5, 2.0) == [1.0, 4.0]
    assert derivatives(ops.copysign, 2.0, -1.0) == [-1.0, 0.0]
    assert derivatives(ops.copysign, 0.0, -1.0) == [0.0, 0.0]


def test_inverse_functions_are_infinite_at_the_ends_of_their_domain():
    assert derivative(ops.asin, 1.0) == INF
    assert derivative(ops.acos, -1.0) == -INF
    assert derivative(ops.acosh, 1.0) == INF
    assert derivative(gx.grad(ops.acosh), 1.0) == -INF
    assert derivative(ops.atan, 1e200) == 0.0
    assert derivative(ops.asinh, 1e200) == 1e-200


def test_stable_functions_are_right_far_from_0():
    for x, expected in [(-1e4, 0.0), (1e4, 1.0)]:
        assert neural.sigmoid(np.asarray(x)) == expected
        assert derivative(neural.softplus, x) == expected
    assert float(neural.sigmoid(np.asarray(-40.0))) == pytest.approx(math.exp(-40.0), rel=1e-14)
    assert neural.softplus(np.asarray(1e4)) == 1e4


def test_where_passes_the_derivative_of_what_it_chose():
    chosen = np.asarray([True, False])

    found = derivatives(lambda x, y: total(ops.where(chosen, x, y)), [1.0, 2.0], [3.0, 4.0])

    assert found == [[1.0, 0.0], [0.0, 1.0]]


def test_erf_is_right_to_the_last_digits(backend):
    x = np.concatenate([np.linspace(-7, 7, 2001), [1e-300, 1e200, INF, -INF]])

    actual = backend.to_numpy(special.erf(backend.from_numpy(x, backend.devices()[0])))

    np.testing.assert_allclose(actual, [math.erf(value) for value in x], rtol=5e-16, atol=0)
    assert special.erf(np.asarray([0.5], dtype=np.float32)).dtype == np.float32
    with pytest.raises(TypeError, match="erf: expected real numbers, got bool"):
        special.erf(np.asarray([True]))


def test_cross_entropy_explains_wrong_labels(backend):
    at = lambda x: backend.from_numpy(np.asarray(x), backend.devices()[0])
    logits = at(np.zeros((2, 3)))

    with pytest.raises(OutOfBoundsError, match="label 3, expected 0 to 2"):
        neural.softmax_cross_entropy(logits, at([0, 3]))
    with pytest.raises(OutOfBoundsError, match="label -1, expected 0 to 2"):
        neural.softmax_cross_entropy(logits, at([-1, 0]))
    with pytest.raises(DTypeError, match="expected floating-point logits and integer labels"):
        neural.softmax_cross_entropy(logits, at([0.0, 1.0]))
    with pytest.raises(ShapeError, match=r"logits \(2, 3\) need labels \(2,\).* got \(3,\)"):
        neural.softmax_cross_entropy(logits, at([0, 1, 2]))


def test_cross_entropy_of_extreme_logits_is_finite():
    logits = np.asarray([[1e4, 0.0, -1e4]])
    loss = lambda logits: total(neural.softmax_cross_entropy(logits, np.asarray([1])))

    assert loss(logits) == 1e4
    assert derivative(loss, logits) == [[1.0, -1.0, 0.0]]


def test_gelu_knows_two_forms_only():
    with pytest.raises(ValueError, match='approximate=\'exact\', expected "none" or "tanh"'):
        neural.gelu(np.ones(2), approximate="exact")


class TestAgainstTorch:
    """Values and derivatives where torch is right."""

    @pytest.mark.parametrize(
        ("name", "function"),
        [
            ("gelu", neural.gelu),
            ("silu", neural.silu),
            ("softplus", neural.softplus),
            ("elu", neural.elu),
            ("leaky_relu", neural.leaky_relu),
            ("relu", neural.relu),
            ("sigmoid", neural.sigmoid),
            ("mish", gx.nn.mish),
            ("selu", gx.nn.selu),
        ],
    )
    def test_activations_agree(self, name, function):
        torch = pytest.importorskip("torch")
        x = np.linspace(-5.0, 5.0, 21)
        theirs = torch.tensor(x, requires_grad=True)
        expected = getattr(torch.nn.functional, name)(theirs)
        (gradient,) = torch.autograd.grad(expected.sum(), theirs)

        actual = function(x)

        np.testing.assert_allclose(actual, expected.detach().numpy(), rtol=1e-12, atol=1e-15)
        found = gx.grad(lambda x: total(function(x)))(x)
        np.testing.assert_allclose(found, gradient.numpy(), rtol=1e-12, atol=1e-15)

    def test_cross_entropy_and_its_hessian_agree(self):
        torch = pytest.importorskip("torch")
        logits, labels = np.random.default_rng(0).normal(size=(3, 4)), np.asarray([0, 3, 1])
        theirs = lambda x: torch.nn.functional.cross_entropy(
            x, torch.tensor(labels), reduction="sum"
        )
        ours = lambda x: total(neural.softmax_cross_entropy(x, labels))

        hessian = torch.autograd.functional.hessian(theirs, torch.tensor(logits)).numpy()

        np.testing.assert_allclose(ours(logits), float(theirs(torch.tensor(logits))), rtol=1e-13)
        np.testing.assert_allclose(gx.hessian(ours)(logits), hessian, rtol=1e-11, atol=1e-14)

    def test_complex_gradients_agree(self):
        torch = pytest.importorskip("torch")
        z = np.asarray([1 + 2j, -0.5 + 0.25j])
        functions = [("abs", ops.abs), ("sqrt", ops.sqrt), ("sign", ops.sign), ("atan", ops.atan)]
        for name, ours in functions:
            theirs = torch.tensor(z, requires_grad=True)
            named = getattr(torch, {"sign": "sgn"}.get(name, name))
            out = named(theirs)
            (torch.view_as_real(out)[..., 0] if out.is_complex() else out).sum().backward()

            found = gx.grad(lambda z, ours=ours: total(ops.real(ours(z))))(z)

            np.testing.assert_allclose(found, theirs.grad.numpy(), rtol=1e-12)


def test_logsumexp_agrees_with_jax():
    jax = pytest.importorskip("jax")
    x = np.asarray([[0.5, -1.0, 30.0], [2.0, 2.0, -50.0]], dtype=np.float32)

    expected = jax.grad(lambda x: jax.nn.logsumexp(x, axis=1).sum())(x)

    found = gx.grad(lambda x: total(statistical.logsumexp(x, axis=1)))(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_crossed_limits_of_clip_leave_the_upper_one():
    f = lambda x, low, high: ops.clip(x, low, high)

    for x in (0.0, 1.5, 3.0):
        assert derivatives(f, x, 2.0, 1.0) == [0.0, 0.0, 1.0]


def test_power_norm_has_a_kink_at_zero_whatever_the_power():
    norm = lambda x: gx.linalg.vector_norm(x, ord=0.5)

    assert derivative(norm, [0.0, 0.0]) == [0.0, 0.0]
    assert derivative(norm, [0.0, 4.0]) == [0.0, 1.0]


def test_array_without_axes_is_reduced_along_axis_0_as_numpy_does():
    for op in (total, statistical.mean, statistical.max, statistical.prod):
        assert derivative(lambda x, op=op: op(x, axis=0), 3.0) == 1.0


def test_exponentials_of_nothing_add_up_to_nothing():
    nothing = np.zeros((2, 0))

    assert gx.logsumexp(nothing, axis=1).tolist() == [-INF, -INF]
    assert gx.special.softmax(nothing).shape == gx.special.log_softmax(nothing).shape == (2, 0)
    assert derivative(lambda x: total(gx.special.softmax(x)), nothing) == [[], []]


def test_logsumexp_of_complex_numbers_is_a_principal_value():
    z = np.asarray([1.0 + 3.0j, 0.5 + 3.0j])

    assert abs(gx.logsumexp(2 * z) - np.log(np.sum(np.exp(2 * z)))) < 1e-15


def test_no_difference_joins_nothing():
    x = np.asarray([1.0, 2.0])

    assert gx.diff(x, n=0, prepend=x).tolist() == [1.0, 2.0]
