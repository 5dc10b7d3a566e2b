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


@pytest.fixture(autouse=True)
def same_numbers_in_any_order():
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


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
    "logm": linalg.logm,
    "sqrtm": linalg.sqrtm,
    "fractional_matrix_power": lambda x: linalg.fractional_matrix_power(x, 0.7),
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
    "polar": lambda x: tuple(linalg.polar(x)),
    "tall polar": lambda x: tuple(linalg.polar(x[..., :2])),
    "polar from the left": lambda x: tuple(linalg.polar(x[..., :2, :], side="left")),
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


def signs(vectors):
    """Return the sign of each column's largest element: LAPACK may change it from call to call."""
    largest = gx.argmax(gx.abs(vectors), axis=0, keepdims=True)
    return gx.sign(gx.take_along_axis(vectors, largest, axis=0))


def symmetric_vectors(x):
    values, vectors = linalg.eigh(symmetric(x))
    return values, vectors * signs(vectors)


def general_vectors(x):
    values, vectors = [gx.real(part) for part in linalg.eig(x)]
    order = gx.argsort(values)  # LAPACK has another, now and then, of a matrix next to this one
    return values[order], (vectors * signs(vectors))[:, order]


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


def polar_of_torch(t, x):
    u, values, vh = t.linalg.svd(x, full_matrices=False)
    return u @ vh, vh.mH @ (values[..., None] * vh)


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
    "polar": lambda t, x: polar_of_torch(t, x),
    "tall polar": lambda t, x: polar_of_torch(t, x[..., :2]),
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


def with_singular_values(values, rows, columns, dtype):
    orthogonal = lambda n: np.linalg.qr(matrix(n, n, spread=1.0, dtype=dtype)).Q[:, : len(values)]
    return orthogonal(rows) * values @ orthogonal(columns).conj().T


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (5, 4), (4, 5)])
@pytest.mark.parametrize("values", [[9.0, 6.0, 2.0, 1.5], [8.0, 8.0, 2.0, 2.0]])
def test_pseudo_inverse_is_differentiated_where_large_singular_values_are_left_out(
    values, rows, columns, dtype
):
    x = with_singular_values(values, rows, columns, dtype)

    check_derivatives(lambda x: linalg.pinv(x, rtol=0.5), x, order=2)
    check_derivatives(lambda x: linalg.lstsq(x, np.ones(rows), rtol=0.5).solution, x, order=2)


def test_tolerance_outside_of_0_to_1_is_for_numpys_least_squares_that_of_rounding():
    x, y = np.ones((3, 2)), np.arange(3.0)

    for rcond in (-1, 0, 1):
        found = gx.vjp(lambda x, rcond=rcond: np.linalg.lstsq(x, y, rcond)[0], x)[0]
        np.testing.assert_allclose(found, np.linalg.lstsq(x, y, rcond)[0])


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
