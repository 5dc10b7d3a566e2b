"""Determinants, eigenvalues and singular values where they are hard: low ranks, repeated values."""

import math

import numpy as np
import pytest
import scipy.linalg

import gradx as gx
from gradx import linalg
from gradx.errors import ShapeError
from gradx.testing import check_derivatives
from tests.test_linalg import RNG, drawn_like, matrix, positive
from tests.test_linalg import same_numbers_in_any_order as same_numbers_in_any_order

# Determinants.


def of_rank(rank, n):
    return RNG.normal(size=(n, rank)) @ RNG.normal(size=(rank, n))


@pytest.mark.parametrize(
    ("rank", "n"), [(0, 1), (0, 2), (1, 2), (2, 2), (0, 3), (1, 3), (2, 3), (3, 3), (2, 4)]
)
def test_det_has_three_derivatives_at_every_rank(rank, n):
    check_derivatives(linalg.det, of_rank(rank, n), order=3)


def test_det_of_a_complex_matrix_of_low_rank_has_derivatives():
    check_derivatives(linalg.det, of_rank(1, 3) + 1j * of_rank(1, 3), order=2)
    check_derivatives(linalg.det, of_rank(1, 3) * (1 + 2j), order=3)


def test_det_of_a_stack_of_which_one_matrix_is_singular_has_derivatives():
    stacked = np.stack([matrix(4, 4), of_rank(2, 4), np.zeros((4, 4))])

    gradient = gx.grad(lambda x: gx.sum(linalg.det(x)))(stacked)

    for x, g in zip(stacked, gradient, strict=True):
        np.testing.assert_allclose(g, gx.grad(linalg.det)(x), rtol=1e-12, atol=1e-13)


def test_nested_forward_mode_of_det_is_exact_at_zero():
    # det(t * m) is t**n * det(m).
    m = matrix(3, 3)
    value = lambda t: linalg.det(t * m)
    for _ in range(3):
        value = lambda t, f=value: gx.jvp(f, (t,), (1.0,))[1]

    np.testing.assert_allclose(value(0.0), 6 * np.linalg.det(m), rtol=1e-13)


def test_fourth_derivative_of_det_is_exact_at_zero():
    m = matrix(4, 4)
    value = lambda t: linalg.det(t * m)
    for _ in range(4):
        value = gx.grad(value)

    np.testing.assert_allclose(value(0.0), 24 * np.linalg.det(m), rtol=1e-12)


def test_hessian_of_det_is_exact_where_the_rank_is_two_less():
    x = np.diag([2.0, 3.0, 0.0, 0.0])

    hessian = gx.hessian(linalg.det)(x)

    expected = np.zeros((4, 4, 4, 4))
    expected[2, 2, 3, 3] = expected[3, 3, 2, 2] = 6.0
    expected[2, 3, 3, 2] = expected[3, 2, 2, 3] = -6.0
    np.testing.assert_allclose(hessian, expected, atol=1e-14)
    np.testing.assert_array_equal(gx.grad(linalg.det)(x), np.zeros((4, 4)))


@pytest.mark.parametrize("shift", [0.0, 4.0])
def test_gradient_of_det_is_accurate_for_a_larger_matrix(shift):
    x = RNG.normal(size=(40, 40)) / 6 + shift * np.eye(40)

    expected = np.linalg.det(x) * np.linalg.inv(x).T
    gradient = gx.grad(linalg.det)(x)

    np.testing.assert_allclose(gradient, expected, atol=1e-11 * np.abs(expected).max())


def test_slogdet_of_a_complex_matrix_turns_its_sign():
    check_derivatives(lambda x: tuple(linalg.slogdet(x)), matrix(3, 3, dtype=complex), order=2)


# Eigenvalues.


@pytest.mark.parametrize("x", [np.eye(3), np.zeros((3, 3)), np.diag([2.0, 1.0, 2.0])])
def test_symmetric_functions_of_repeated_eigenvalues_have_gradients(x):
    by_values = gx.grad(lambda x: gx.sum(linalg.eigvalsh(x)))(x)
    by_eigh = gx.grad(lambda x: gx.sum(linalg.eigh(x).eigenvalues ** 3))(x)
    moved = gx.jvp(lambda x: gx.sum(linalg.eigvalsh(x) ** 2), (x,), (np.ones((3, 3)),))[1]

    np.testing.assert_allclose(by_values, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(by_eigh, 3 * x @ x, atol=1e-14)
    np.testing.assert_allclose(moved, 2 * np.trace(x), atol=1e-14)


def test_vectors_of_repeated_eigenvalues_have_no_derivative():
    x = np.diag([2.0, 1.0, 2.0])
    weights = RNG.normal(size=(3, 3))
    f = lambda x: gx.sum(weights * linalg.eigh(x).eigenvectors)

    assert np.isnan(gx.grad(f)(x)).any()
    assert np.isnan(gx.jvp(f, (x,), (weights,))[1])
    assert np.isnan(gx.hessian(lambda x: gx.sum(linalg.eigvalsh(x) ** 2))(x)).any()


@pytest.mark.parametrize("x", [np.eye(3), np.diag([2.0, 1.0, 2.0])])
def test_functions_that_need_no_eigenvalues_have_curvature_where_those_repeat(x):
    square = gx.hvp(lambda x: linalg.trace(x @ x), (x,), (np.ones((3, 3)),))
    logarithm = gx.hvp(lambda x: linalg.slogdet(x).logabsdet, (x,), (np.ones((3, 3)),))

    inverse = np.linalg.inv(x)
    np.testing.assert_allclose(square, np.full((3, 3), 2.0), rtol=1e-14)
    np.testing.assert_allclose(logarithm, -inverse @ np.ones((3, 3)) @ inverse, rtol=1e-13)


OF_A_SIMPLE_VALUE = {
    "eigvalsh": lambda x: linalg.eigvalsh(0.5 * (x + gx.conj(gx.matrix_transpose(x))))[2],
    "eigh": lambda x: linalg.eigh(0.5 * (x + gx.conj(gx.matrix_transpose(x)))).eigenvalues[2],
    "svdvals": lambda x: linalg.svdvals(x)[0],
    "svd": lambda x: linalg.svd(x, full_matrices=False).S[0],
    "svd of a tall matrix": lambda x: linalg.svd(gx.concat([x, x[:1]])).S[0],
    "spectral norm": lambda x: linalg.matrix_norm(x, ord=2),
}


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("name", OF_A_SIMPLE_VALUE)
def test_a_simple_value_has_curvature_beside_others_that_are_equal(name, dtype):
    f = OF_A_SIMPLE_VALUE[name]
    turned = scipy.linalg.polar(matrix(3, 3, dtype=dtype))[0]
    x = turned @ np.diag([1.0, 1.0, 3.0]) @ turned.conj().T

    check_derivatives(f, x, order=2)
    drawn = drawn_like(x)
    reverse = gx.grad(lambda x: gx.sum(gx.real(gx.conj(gx.grad(f)(x)) * drawn)))
    forward = gx.grad(lambda x: gx.jvp(f, (x,), (drawn,))[1])
    np.testing.assert_allclose(reverse(x), forward(x), rtol=1e-12, atol=1e-13)


def test_vectors_of_repeated_singular_values_have_no_derivative():
    weights = RNG.normal(size=(3, 3))
    f = lambda x: gx.sum(weights * linalg.svd(x).U)

    assert np.isnan(gx.grad(f)(np.eye(3))).any()
    assert np.isnan(gx.jvp(f, (np.eye(3),), (weights,))[1])
    np.testing.assert_allclose(gx.grad(lambda x: gx.sum(linalg.svd(x).S))(np.eye(3)), np.eye(3))


def test_smooth_functions_of_singular_values_have_curvature_where_one_is_0():
    x, along = np.diag([3.0, 0.0]), RNG.normal(size=(2, 2))
    squares = lambda x: gx.sum(linalg.svdvals(x) ** 2)

    slope = lambda x: gx.jvp(squares, (x,), (along,))[1]
    np.testing.assert_allclose(gx.grad(squares)(x), 2 * x, atol=1e-15)
    np.testing.assert_allclose(gx.hvp(squares, (x,), (along,)), 2 * along, rtol=1e-12)
    np.testing.assert_allclose(gx.grad(slope)(x), 2 * along, rtol=1e-12)
    np.testing.assert_allclose(gx.jvp(slope, (x,), (along,))[1], 2 * np.sum(along**2))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
@pytest.mark.parametrize("dtype", [float, complex])
def test_polar_factors_have_derivatives_where_singular_values_are_equal(side, shape, dtype):
    x = 2 * scipy.linalg.polar(matrix(*shape, dtype=dtype))[0]

    unitary, positive = linalg.polar(x, side=side)

    expected = scipy.linalg.polar(x, side=side)
    np.testing.assert_allclose(unitary, expected[0], atol=1e-14)
    np.testing.assert_allclose(positive, expected[1], atol=1e-14)
    # Differences of the third order of larger ones have too few digits.
    order = 3 if shape == (3, 3) and dtype is float else 2
    check_derivatives(lambda x: tuple(linalg.polar(x, side=side)), x, order=order)


def test_polar_factor_of_a_singular_matrix_turns_and_of_one_of_less_rank_has_no_derivative():
    turned = gx.grad(lambda x: linalg.polar(x).U[2, 0])
    undetermined = gx.grad(lambda x: linalg.polar(x).U[2, 1])

    np.testing.assert_allclose(
        turned(np.diag([2.0, 1.0, 0.0])), [[0, 0, -0.5], [0, 0, 0], [0.5, 0, 0]], atol=1e-15
    )
    assert np.isnan(undetermined(np.diag([2.0, 0.0, 0.0]))).any()


@pytest.mark.parametrize("x", [np.ones(3), np.asarray(1.0)])
def test_polar_decomposes_matrices_only(x):
    with pytest.raises(ShapeError, match=r"polar: expected a matrix, or a stack of them, got \("):
        linalg.polar(x)
    with pytest.raises(ShapeError, match="side='up'"):
        linalg.polar(np.eye(2), side="up")


@pytest.mark.parametrize("ord", ["nuc", 2, -2, "fro", 1, math.inf])
def test_norms_of_no_matrix_have_two_derivatives_that_are_0(ord):
    zero, along = np.zeros((2, 3)), np.ones((2, 3))
    norm = lambda x: linalg.matrix_norm(x, ord=ord)

    slope = lambda x: gx.jvp(norm, (x,), (along,))[1]
    assert not gx.grad(norm)(zero).any()
    assert not gx.hvp(norm, (zero,), (along,)).any()
    assert not gx.grad(slope)(zero).any()
    assert gx.jvp(slope, (zero,), (along,))[1] == 0.0


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3)])
def test_factors_of_dependent_columns_have_no_derivative(shape):
    x = np.asarray([[1.0, 2.0, 1.0], [2.0, 4.0, 3.0], [0.3, 0.6, 1.0]])[: shape[0], : shape[1]]
    corner = lambda x: linalg.qr(x).R[1, 1]

    assert np.isnan(gx.grad(corner)(x)).any()
    assert np.isnan(gx.jvp(corner, (x,), (np.ones(shape),))[1])


def test_factors_of_columns_of_other_sizes_have_derivatives():
    x, scale = matrix(3, 3), np.asarray([1e-20, 1.0, 1e20])
    of_all = lambda x: gx.sum(linalg.qr(x).Q * np.cos(np.arange(9.0)).reshape(3, 3))

    scaled = gx.grad(of_all)(x * scale) * scale

    np.testing.assert_allclose(scaled, gx.grad(of_all)(x), rtol=1e-9, atol=1e-12)


def test_vectors_beside_the_columns_of_a_matrix_of_low_rank_have_no_derivative():
    x = np.asarray([[3.0, 0.0], [0.0, 0.0], [0.0, 0.0]])

    moved = gx.jvp(lambda x: linalg.svd(x, full_matrices=False).U, (x,), (np.ones((3, 2)),))[1]

    assert np.isnan(moved).any()


def rebuilt(x):
    u, s, vh = linalg.svd(x)
    return gx.sum(np.cos(np.arange(9.0)).reshape(3, 3) * ((u * s) @ vh))


def powers_by_vectors(x):
    values, vectors = linalg.eigh(x)
    return gx.sum(np.cos(np.arange(9.0)).reshape(3, 3) * ((vectors * values) @ vectors.mT))


@pytest.mark.parametrize("x", [np.zeros((3, 3)), np.diag([3.0, 0.0, 0.0])])
@pytest.mark.parametrize("f", [rebuilt, powers_by_vectors])
def test_vectors_that_a_value_of_0_multiplies_are_not_unused(f, x):
    # Their derivatives times 0 have limits, which no product of the two can know.
    along = matrix(3, 3)

    assert np.isnan(gx.grad(f)(x)).any()
    assert np.isnan(gx.jvp(f, (x,), (along,))[1])
    assert np.isnan(gx.grad(lambda x: gx.sum(gx.grad(f)(x) * along))(x)).any()


def best_of_rank_1(x):
    u, s, vh = linalg.svd(x, full_matrices=False)
    return gx.sum(np.cos(np.arange(9.0)).reshape(3, 3)[: x.shape[0]] * (s[0] * u[:, :1] @ vh[:1]))


@pytest.mark.parametrize("transform", [lambda f: f, gx.compile], ids=["called", "compiled"])
@pytest.mark.parametrize("rows", [2, 3])
def test_vectors_that_were_not_taken_are_unused(rows, transform):
    x = np.diag([3.0, 0.0, 0.0])[:rows]
    gradient = transform(gx.grad(best_of_rank_1))(x)

    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-6
        slope = (best_of_rank_1(x + step) - best_of_rank_1(x - step)) / 2e-6
        np.testing.assert_allclose(gradient[place], slope, atol=1e-9)
        moved = gx.jvp(best_of_rank_1, (x,), (step / 1e-6,))[1]
        np.testing.assert_allclose(moved, slope, atol=1e-9)


def test_singular_vectors_of_a_singular_square_matrix_have_derivatives():
    x = np.diag([3.0, 1.0, 0.0])

    moved = gx.jvp(linalg.svd, (x,), (matrix(3, 3),))[1]

    assert np.isfinite(moved.U).all()
    assert np.isfinite(moved.Vh).all()


@pytest.mark.parametrize("f", [linalg.cholesky, linalg.eigvalsh, lambda x: linalg.eigh(x)[1]])
def test_only_the_lower_triangle_is_read_and_the_gradient_is_symmetric(f):
    torch = pytest.importorskip("torch")
    x = matrix(3, 3)
    x = x @ x.T
    weights = RNG.normal(size=f(x).shape)
    loss = lambda x: gx.sum(weights * f(x))

    gradient = gx.grad(loss)(x)

    np.testing.assert_allclose(gradient, gradient.T, atol=1e-14)
    np.testing.assert_array_equal(f(x), f(np.tril(x)))
    np.testing.assert_array_equal(gradient, gx.grad(loss)(np.tril(x)))
    theirs = {
        linalg.cholesky: torch.linalg.cholesky,
        linalg.eigvalsh: torch.linalg.eigvalsh,
    }.get(f, lambda x: torch.linalg.eigh(x)[1])
    leaf = torch.tensor(x, requires_grad=True)
    (torch.tensor(weights) * theirs(leaf)).sum().backward()
    np.testing.assert_allclose(gradient, leaf.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("name", ["cholesky", "eigvalsh", "eigh"])
def test_modes_agree_along_directions_that_are_not_symmetric(name, dtype):
    x, along = matrix(3, 3, dtype=dtype), matrix(3, 3, dtype=dtype)
    x = x @ x.conj().T
    f = getattr(linalg, name)

    out, moved = gx.jvp(f, (x,), (along,))
    _, pullback = gx.vjp(f, x)

    cotangent = gx.core.tree.map(drawn_like, out)
    pairs = zip(gx.core.tree.leaves(cotangent), gx.core.tree.leaves(moved), strict=True)
    forward = sum(np.sum(g * t).real for g, t in pairs)
    np.testing.assert_allclose(np.sum(pullback(cotangent)[0] * along).real, forward, rtol=1e-10)


@pytest.mark.parametrize("name", ["eig", "eigh", "qr", "svd", "slogdet"])
@pytest.mark.parametrize("shape", [(3, 3), (3, 2), (2, 3)])
def test_cotangents_of_all_outputs_pull_back_to_the_sum_of_each(name, shape):
    if shape[0] != shape[1] and name not in ("qr", "svd"):
        return
    x = matrix(*shape, dtype=complex)
    op = gx.core.op.OPS[name]
    out = op.call(x)
    (rule,) = op.vjp
    saved = rule.pick(out, x, {})
    g = [drawn_like(part) for part in out]

    together = rule.apply(tuple(g), *saved)

    alone = [rule.of_output(i, len(g)).apply(part, *saved) for i, part in enumerate(g)]
    np.testing.assert_allclose(together, sum(alone), atol=1e-12)


def test_cotangent_of_an_upper_factor_is_only_read_above_the_diagonal():
    x = positive(matrix(3, 3))
    for upper in [False, True]:
        factor, pullback = gx.vjp(lambda x, upper=upper: linalg.cholesky(x, upper=upper), x)
        ones = np.ones_like(factor)

        np.testing.assert_array_equal(pullback(ones)[0], pullback(ones * (factor != 0))[0])


def test_eigenvalues_of_a_real_matrix_are_complex():
    for dtype, expected in [(np.float32, np.complex64), (np.float64, np.complex128)]:
        x = np.eye(2, dtype=dtype)
        assert linalg.eigvals(x).dtype == expected
        assert linalg.eig(x).eigenvalues.dtype == expected
        assert linalg.eig(x).eigenvectors.dtype == expected
