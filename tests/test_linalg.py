"""Linear algebra: against PyTorch and finite differences, and at the points that are hard.

Single ops are in test_ops.py; here are matrices that have to be symmetric, complex
vectors whose phase is a convention, ranks, repeated eigenvalues and higher orders.
"""

import math

import numpy as np
import pytest

import gradx as gx
from gradx import linalg
from gradx.errors import ShapeError
from gradx.testing import check_derivatives

RNG = np.random.default_rng(0)


def matrix(*shape, spread=0.3, dtype=float):
    """Return a matrix, or a stack, with singular values that are not near each other or 0."""
    x = spread * RNG.normal(size=shape)
    if dtype is complex:
        x = x + 1j * spread * RNG.normal(size=shape)
    for i in range(min(shape[-2:])):
        x[..., i, i] += 4.0 * (i + 1)
    return x


def drawn_like(x):
    drawn = RNG.normal(size=x.shape)
    return drawn + 1j * RNG.normal(size=x.shape) if x.dtype.kind == "c" else drawn


def adjoint(x):
    return gx.conj(gx.matrix_transpose(x))


def symmetric(x):
    return 0.5 * (x + adjoint(x))


def positive(x):
    return x @ adjoint(x)


def times(x, d):
    return x * gx.expand_dims(d, -2)


# What does not depend on the phases of vectors; each returns one or several arrays.
FUNCTIONS = {
    "cholesky": lambda x: linalg.cholesky(positive(x)),
    "cholesky upper": lambda x: linalg.cholesky(positive(x), upper=True),
    "det": linalg.det,
    "slogdet": lambda x: linalg.slogdet(x).logabsdet,
    "inv": linalg.inv,
    "solve": lambda x: linalg.solve(x, x @ x + 1.0),
    "pinv": lambda x: linalg.pinv(x[..., :2]),
    "expm": linalg.expm,
    "matrix_power": lambda x: linalg.matrix_power(x, -2),
    "eigvalsh": lambda x: linalg.eigvalsh(symmetric(x)),
    "eigh": lambda x: _function_of_symmetric(x),
    "eigvals": lambda x: linalg.eigvals(x),
    "eig": lambda x: gx.abs(linalg.eig(x).eigenvectors) ** 2,
    "svdvals": linalg.svdvals,
    "svd": lambda x: _function_of_singular_values(x),
    "wide svd": lambda x: _function_of_singular_values(x[..., :2, :]),
    "tall svd": lambda x: _function_of_singular_values(x[..., :2]),
    "full svd": lambda x: _complement(linalg.svd(x[..., :1]).U),
    "full svd of rows": lambda x: _complement(adjoint(linalg.svd(x[..., :1, :]).Vh)),
    "qr": lambda x: tuple(linalg.qr(x)),
    "wide qr": lambda x: tuple(linalg.qr(x[..., :2, :])),
    "tall qr": lambda x: tuple(linalg.qr(x[..., :2])),
    "complete qr": lambda x: _complement(linalg.qr(x[..., :1], mode="complete").Q),
    "nuclear norm": lambda x: linalg.matrix_norm(x, ord="nuc"),
    "spectral norm": lambda x: linalg.matrix_norm(x, ord=2),
}


def _function_of_symmetric(x):
    values, vectors = linalg.eigh(symmetric(x))
    return times(vectors, gx.sin(values)) @ adjoint(vectors), gx.abs(vectors) ** 2


def _function_of_singular_values(x):
    u, values, vh = linalg.svd(x, full_matrices=False)
    return times(u, gx.sin(values)) @ vh, gx.abs(u) ** 2, gx.abs(vh) ** 2


def _complement(q):
    """Return the projection onto what the first column leaves of a complete basis."""
    return q[..., 1:] @ adjoint(q[..., 1:])


every_function = pytest.mark.parametrize("name", FUNCTIONS)


@every_function
def test_derivatives_to_third_order(name):
    check_derivatives(FUNCTIONS[name], matrix(3, 3), order=3)


@every_function
def test_derivatives_of_complex_stacks(name, backend):
    x = backend.from_numpy(matrix(2, 3, 3, dtype=complex), backend.devices()[0])

    check_derivatives(FUNCTIONS[name], x, order=2)


@every_function
def test_single_precision_is_kept(name):
    f = lambda x: sum(gx.sum(gx.abs(part)) for part in gx.core.tree.leaves(FUNCTIONS[name](x)))

    assert gx.grad(f)(matrix(3, 3).astype(np.float32)).dtype == np.float32
    assert gx.grad(f)(matrix(3, 3, dtype=complex).astype(np.complex64)).dtype == np.complex64


def real_eigenvectors(x):
    return linalg.eig(x)


def signs(vectors):
    """Return the sign of each column's largest element: LAPACK may change it from call to call."""
    largest = gx.argmax(gx.abs(vectors), axis=0, keepdims=True)
    return gx.sign(gx.take_along_axis(vectors, largest, axis=0))


def symmetric_vectors(x):
    values, vectors = linalg.eigh(symmetric(x))
    return values, vectors * signs(vectors)


def general_vectors(x):
    values, vectors = [gx.real(part) for part in real_eigenvectors(x)]
    return values, vectors * signs(vectors)


def singular_vectors(x):
    u, s, vh = linalg.svd(x)
    return u * signs(u), s, gx.matrix_transpose(signs(u)) * vh


VECTORS = {"eigh": symmetric_vectors, "eig": general_vectors, "svd": singular_vectors}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_themselves_have_derivatives_to_third_order(name):
    check_derivatives(VECTORS[name], matrix(3, 3, spread=0.2), order=3)


def test_phases_of_complex_vectors_do_not_turn():
    x, moved = matrix(3, 3, dtype=complex), matrix(3, 3, dtype=complex)

    vectors, tangent = gx.jvp(lambda x: linalg.eig(x).eigenvectors, (x,), (moved,))
    hermitian = gx.jvp(lambda x: linalg.eigh(symmetric(x)).eigenvectors, (x,), (moved,))

    for v, dv in [(vectors, tangent), hermitian]:
        np.testing.assert_allclose(np.sum(v.conj() * dv, axis=0), np.zeros(3), atol=1e-14)


def test_singular_vectors_put_the_tangent_together_again():
    for shape in [(3, 3), (4, 2), (2, 4)]:
        x, moved = matrix(*shape, dtype=complex), matrix(*shape, dtype=complex)
        out, tangents = gx.jvp(lambda x: linalg.svd(x, full_matrices=False), (x,), (moved,))
        (u, s, vh), (du, ds, dvh) = out, tangents

        np.testing.assert_allclose((du * s + u * ds) @ vh + (u * s) @ dvh, moved, atol=1e-14)
        np.testing.assert_allclose(u.conj().T @ du, -(du.conj().T @ u), atol=1e-14)


TORCH = {
    "cholesky": lambda t, x: t.linalg.cholesky(x @ x.mH),
    "cholesky upper": lambda t, x: t.linalg.cholesky(x @ x.mH, upper=True),
    "det": lambda t, x: t.linalg.det(x),
    "slogdet": lambda t, x: t.linalg.slogdet(x).logabsdet,
    "inv": lambda t, x: t.linalg.inv(x),
    "solve": lambda t, x: t.linalg.solve(x, x @ x + 1.0),
    "pinv": lambda t, x: t.linalg.pinv(x[..., :2]),
    "expm": lambda t, x: t.linalg.matrix_exp(x),
    "matrix_power": lambda t, x: t.linalg.matrix_power(x, -2),
    "eigvalsh": lambda t, x: t.linalg.eigvalsh(0.5 * (x + x.mH)),
    "svdvals": lambda t, x: t.linalg.svdvals(x),
    "qr": lambda t, x: t.linalg.qr(x),
    "wide qr": lambda t, x: t.linalg.qr(x[..., :2, :]),
    "tall qr": lambda t, x: t.linalg.qr(x[..., :2]),
    "nuclear norm": lambda t, x: t.linalg.matrix_norm(x, ord="nuc"),
    "spectral norm": lambda t, x: t.linalg.matrix_norm(x, ord=2),
}


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("name", TORCH)
def test_gradient_and_its_gradient_are_those_of_torch(name, dtype):
    torch = pytest.importorskip("torch")
    x = matrix(2, 3, 3, dtype=dtype)
    outs = gx.core.tree.leaves(FUNCTIONS[name](x))
    weights = [RNG.normal(size=out.shape) + 1j * RNG.normal(size=out.shape) for out in outs]
    direction = matrix(2, 3, 3, dtype=dtype)

    def ours(x):
        parts = zip(gx.core.tree.leaves(FUNCTIONS[name](x)), weights, strict=True)
        return sum(gx.sum(gx.real(w * out)) for out, w in parts)

    first = gx.grad(ours)
    second = gx.grad(lambda x: gx.sum(gx.real(first(x) * direction)))

    leaf = torch.tensor(x, requires_grad=True)
    outs = TORCH[name](torch, leaf)
    outs = outs if isinstance(outs, tuple) else (outs,)
    total = sum((torch.tensor(w) * out).real.sum() for w, out in zip(weights, outs, strict=True))
    (expected,) = torch.autograd.grad(total, leaf, create_graph=True)
    again = (expected * torch.tensor(direction)).real.sum()
    (expected_second,) = torch.autograd.grad(again, leaf)
    np.testing.assert_allclose(first(x), expected.detach().resolve_conj(), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(second(x), expected_second.resolve_conj(), rtol=1e-8, atol=1e-9)


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


def test_vectors_of_repeated_singular_values_have_no_derivative():
    weights = RNG.normal(size=(3, 3))
    f = lambda x: gx.sum(weights * linalg.svd(x).U)

    assert np.isnan(gx.grad(f)(np.eye(3))).any()
    assert np.isnan(gx.jvp(f, (np.eye(3),), (weights,))[1])
    np.testing.assert_allclose(gx.grad(lambda x: gx.sum(linalg.svd(x).S))(np.eye(3)), np.eye(3))


def test_vectors_beside_the_columns_of_a_matrix_of_low_rank_have_no_derivative():
    x = np.asarray([[3.0, 0.0], [0.0, 0.0], [0.0, 0.0]])

    moved = gx.jvp(lambda x: linalg.svd(x, full_matrices=False).U, (x,), (np.ones((3, 2)),))[1]

    assert np.isnan(moved).any()


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


# Norms.

NORMS = {
    "vector": linalg.vector_norm,
    "vector, 1": lambda x: linalg.vector_norm(x, ord=1),
    "vector, 3": lambda x: linalg.vector_norm(x, ord=3),
    "vector, inf": lambda x: linalg.vector_norm(x, ord=math.inf),
    "rows": lambda x: gx.sum(linalg.vector_norm(x, axis=1)),
    "norm": linalg.norm,
    "fro": linalg.matrix_norm,
    "nuc": lambda x: linalg.matrix_norm(x, ord="nuc"),
    "2": lambda x: linalg.matrix_norm(x, ord=2),
    "1": lambda x: linalg.matrix_norm(x, ord=1),
    "inf": lambda x: linalg.matrix_norm(x, ord=math.inf),
}


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("name", NORMS)
def test_derivative_of_a_norm_at_zero_is_zero(name, dtype):
    zeros = np.zeros((2, 3), dtype=dtype)

    np.testing.assert_array_equal(gx.grad(NORMS[name])(zeros), zeros)
    assert gx.jvp(NORMS[name], (zeros,), (zeros + 1.0,))[1] == 0


@pytest.mark.parametrize("name", ["vector", "rows", "fro", "norm"])
def test_second_derivative_of_a_norm_at_zero_is_zero(name):
    assert not gx.hessian(NORMS[name])(np.zeros((2, 3))).any()


def test_zero_rows_do_not_disturb_others():
    x = np.asarray([[0.0, 0.0], [3.0, 4.0]])

    gradient = gx.grad(lambda x: gx.sum(linalg.vector_norm(x, axis=1)))(x)

    np.testing.assert_allclose(gradient, [[0.0, 0.0], [0.6, 0.8]])


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf, None])
@pytest.mark.parametrize("keepdims", [False, True])
def test_matrix_norms_are_those_of_numpy(ord, keepdims):
    x = matrix(2, 3, 4, dtype=complex)

    expected = np.linalg.norm(x, ord=ord, axis=(-2, -1), keepdims=keepdims)

    np.testing.assert_allclose(linalg.matrix_norm(x, ord=ord, keepdims=keepdims), expected)
    np.testing.assert_allclose(linalg.norm(x, ord, (-2, -1), keepdims), expected)


@pytest.mark.parametrize("ord", [None, 0, 1, 2, 3, -1, 0.5, math.inf, -math.inf])
@pytest.mark.parametrize("keepdims", [False, True])
def test_vector_norms_are_those_of_numpy(ord, keepdims):
    x = matrix(3, 4)

    expected = np.linalg.norm(x, ord=ord, axis=0, keepdims=keepdims)

    np.testing.assert_allclose(linalg.norm(x, ord, 0, keepdims), expected)
    if ord is not None:
        np.testing.assert_allclose(
            linalg.vector_norm(x, axis=0, ord=ord, keepdims=keepdims), expected
        )


def test_unknown_norm_says_which_there_are():
    with pytest.raises(ShapeError, match="'nuc', 2, -2, 1, -1, inf, -inf\\], got 3"):
        linalg.matrix_norm(np.eye(2), ord=3)
    with pytest.raises(ShapeError, match=r"shape \(2,\)"):
        linalg.matrix_norm(np.ones(2))
    with pytest.raises(ShapeError, match="one or two axes with ord=1"):
        linalg.norm(np.ones((2, 2, 2)), 1)


# Solving, ranks and powers.


@pytest.mark.parametrize(
    ("x", "y"), [((3, 3), (3,)), ((2, 3, 3), (3,)), ((2, 3, 3), (3, 1)), ((3, 3), (2, 3, 4))]
)
def test_solve_takes_vectors_and_stacks_that_broadcast(x, y, backend):
    x, y = matrix(*x), RNG.normal(size=y)

    solved = linalg.solve(*[backend.from_numpy(a, backend.devices()[0]) for a in (x, y)])

    np.testing.assert_allclose(backend.to_numpy(solved), np.linalg.solve(x, y))


def test_singular_matrix_is_an_error_of_values():
    with pytest.raises(ShapeError, match=r"solve\(float64 \(2, 2\), .*Singular matrix"):
        linalg.solve(np.ones((2, 2)), np.ones(2))
    with pytest.raises(ValueError, match="inv"):
        linalg.inv(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"matrix_power: square matrices, got shape \(2, 3\)"):
        linalg.matrix_power(np.ones((2, 3)), 2)
    with pytest.raises(ShapeError, match="mode is 'reduced' or 'complete', got 'full'"):
        linalg.qr(np.eye(2), mode="full")


@pytest.mark.parametrize(("rows", "columns"), [(4, 3), (3, 4), (3, 3)])
def test_pseudo_inverse_has_derivatives_along_matrices_of_one_rank(rows, columns):
    left, right = matrix(rows, 2, dtype=complex), matrix(2, columns, dtype=complex)

    check_derivatives(lambda a, b: linalg.pinv(a @ b), left, right, order=3)


def test_least_squares_is_that_of_numpy():
    for x, y in [((5, 3), (5,)), ((5, 3), (5, 2)), ((3, 5), (3,))]:
        x, y = matrix(*x), RNG.normal(size=y)
        found = linalg.lstsq(x, y)
        solution, residuals, rank, values = np.linalg.lstsq(x, y)

        np.testing.assert_allclose(found.solution, solution, atol=1e-13)
        np.testing.assert_allclose(found.singular_values, values)
        assert found.rank == rank
        if residuals.size:
            np.testing.assert_allclose(np.ravel(found.residuals), residuals)


def test_tolerance_of_the_pseudo_inverse_may_be_tracked():
    x = np.stack([np.diag([1.0, 1e-3]), np.diag([1.0, 1e-3])])

    def f(x, rtol):
        return gx.sum(linalg.pinv(x, rtol=rtol)) + gx.sum(linalg.matrix_rank(x, rtol=rtol))

    value, (_, by_rtol) = gx.value_and_grad(f, (0, 1))(x, np.asarray([1e-2, 1e-4]))

    np.testing.assert_allclose(value, 1 + 1 + 1000 + 1 + 2)
    np.testing.assert_array_equal(by_rtol, np.zeros(2))


def test_rank_counts_by_the_tolerance():
    x = 5 * np.diag([1.0, 1e-3, 1e-20])

    assert linalg.matrix_rank(x) == 2
    assert linalg.matrix_rank(x, rtol=5e-4) == 2
    assert linalg.matrix_rank(x, rtol=2e-3) == 1
    stacked = np.stack([x, np.eye(3)])
    np.testing.assert_array_equal(linalg.matrix_rank(stacked, rtol=np.asarray([1e-2, 0])), [1, 3])
    np.testing.assert_array_equal(linalg.matrix_rank(np.ones((2, 0, 3))), [0, 0])


@pytest.mark.parametrize("n", range(-3, 8))
def test_matrix_powers_are_those_of_numpy(n):
    x = matrix(2, 3, 3)

    np.testing.assert_allclose(
        linalg.matrix_power(x, n), np.linalg.matrix_power(x, n), rtol=1e-11, atol=1e-12
    )


def test_matrix_to_the_power_zero_is_constant_and_writable():
    x = matrix(2, 3, 3)
    power = linalg.matrix_power(x, 0)
    power[0, 0, 0] = 2.0

    assert (power[1] == np.eye(3)).all()
    assert not gx.grad(lambda x: gx.sum(linalg.matrix_power(x, 0)))(x).any()


# The exponential.


@pytest.mark.parametrize("size", [0.0, 1e-8, 0.1, 1.0, 10.0, 100.0])
def test_exponential_and_its_derivative_are_those_of_scipy(size):
    scipy_linalg = pytest.importorskip("scipy.linalg")
    x, along = size * RNG.normal(size=(4, 4)), RNG.normal(size=(4, 4))
    x = x - x.T  # so that large ones stay within range

    value, moved = gx.jvp(linalg.expm, (x,), (along,))

    np.testing.assert_allclose(value, scipy_linalg.expm(x), atol=1e-13 * (1 + size))
    expected = scipy_linalg.expm_frechet(x, along, compute_expm=False)
    np.testing.assert_allclose(moved, expected, atol=1e-12 * (1 + size))


def test_exponentials_of_a_stack_are_as_exact_as_alone():
    stack = np.stack([1e-3 * matrix(3, 3), 30 * matrix(3, 3), np.zeros((3, 3))])

    together = linalg.expm(stack)

    for one, alone in zip(together, map(linalg.expm, stack), strict=True):
        np.testing.assert_allclose(one, alone, rtol=1e-13)
    np.testing.assert_array_equal(together[2], np.eye(3))


def test_large_cotangents_cost_the_exponential_no_digits():
    x, g = matrix(3, 3), matrix(3, 3)
    _, pullback = gx.vjp(linalg.expm, x)

    np.testing.assert_allclose(pullback(2.0**40 * g)[0] / 2.0**40, pullback(g)[0], rtol=1e-14)


def test_exponential_of_what_is_not_finite_is_nan():
    x = matrix(3, 2, 2)
    x[0, 0, 0], x[1, 0, 1] = math.nan, math.inf

    with np.errstate(invalid="ignore"):
        out = linalg.expm(x)

    assert np.isnan(out[:2]).all(axis=(1, 2)).all()
    np.testing.assert_allclose(out[2], linalg.expm(x[2]))


# Products.


@pytest.mark.parametrize(
    "shapes",
    [[(2, 3), (3, 4)], [(9, 1), (1, 9), (9, 2)], [(3,), (3, 5), (5, 2), (2,)], [(2, 3), (3,)]],
)
def test_chained_products_are_those_of_numpy(shapes):
    arrays = [RNG.normal(size=shape) for shape in shapes]

    np.testing.assert_allclose(linalg.multi_dot(arrays), np.linalg.multi_dot(arrays))


def test_chain_is_multiplied_in_the_cheapest_order(monkeypatch):
    shapes = []

    def counted(x, y):
        shapes.append((x.shape, y.shape))
        return np.matmul(x, y)

    implementations = gx.core.op.OPS["matmul"].implementations
    monkeypatch.setitem(implementations, (np.ndarray, np.ndarray), counted)
    linalg.multi_dot([np.ones((50, 2)), np.ones((2, 50)), np.ones((50, 1))])

    assert shapes == [((2, 50), (50, 1)), ((50, 2), (2, 1))]


def test_what_a_product_cannot_take_is_named():
    with pytest.raises(ShapeError, match=r"3 elements along axis -1, got shapes \(2,\) and \(3,\)"):
        linalg.cross(np.ones(2), np.ones(3))
    with pytest.raises(ShapeError, match="a negative axis"):
        linalg.cross(np.ones((2, 3)), np.ones(3), axis=1)
    with pytest.raises(ShapeError, match=r"two or more matrices, got shapes \[\(2, 2\)\]"):
        linalg.multi_dot([np.eye(2)])


def test_mapped_results_keep_their_names():
    stack = matrix(2, 3, 3)

    mapped = gx.vmap(linalg.svd)(stack)

    np.testing.assert_allclose(mapped.S, np.linalg.svd(stack).S)
    np.testing.assert_allclose(gx.vmap(linalg.det)(stack), np.linalg.det(stack))


NEARLY_TIED = np.asarray([[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]])  # 1, 1 and 4


def test_equal_values_that_rounding_parts_have_no_finite_derivative_of_their_vectors():
    assert np.diff(np.linalg.eigvalsh(NEARLY_TIED))[0] != 0  # or the test would be of another case
    exponential = lambda x: (lambda e: (e[1] * gx.exp(e[0])) @ e[1].mT)(gx.linalg.eigh(x))
    second = gx.grad(lambda x: gx.grad(lambda x: gx.linalg.eigvalsh(x)[0])(x)[0, 1])
    of_svd = gx.grad(lambda x: gx.linalg.svd(x).U[0, 1])

    assert np.isnan(gx.grad(lambda x: exponential(x)[0, 1])(NEARLY_TIED)).all()
    assert np.isnan(second(NEARLY_TIED)).all()
    assert np.isnan(of_svd(NEARLY_TIED)).all()


@pytest.mark.parametrize("matrix", [NEARLY_TIED, np.diag([1.0, 1.0, 4.0])])
def test_vectors_that_nothing_depends_on_may_belong_to_equal_values(matrix):
    # Of the last eigenvalue, which is apart: x v = 4 v with v of length 1.
    projector = lambda v: v[:, None] * v[None, :]
    first = lambda x: projector(gx.linalg.eigh(x).eigenvectors[:, -1])[0, 0]
    by_svd = lambda x: projector(gx.linalg.svd(x).U[:, 0])[0, 0]
    v = np.linalg.eigh(matrix)[1][:, -1]
    expected = np.outer(v, (np.eye(3)[0] - v * v[0]) * v[0] * 2 / 3)

    found = gx.grad(first)(matrix)
    symmetric = lambda g: (g + g.T) / 2

    np.testing.assert_allclose(found, symmetric(expected), atol=1e-14)
    np.testing.assert_allclose(symmetric(gx.grad(by_svd)(matrix)), found, atol=1e-14)
