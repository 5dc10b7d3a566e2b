"""NumPy's linear algebra, called on Tensors: the same values as on arrays, and derivatives."""

import numpy as np
import pytest

import gradx as gx
from tests.test_numpy_functions import SQUARE, assert_as_on_arrays

APART = np.diag([0.0, 4.0, 9.0])
LINALG = {
    "cholesky": lambda a: np.linalg.cholesky(a @ a.T),
    "cond": np.linalg.cond,
    "cond in norms": lambda a: [np.linalg.cond(a, p) for p in (1, np.inf, "fro")],
    "det": np.linalg.det,
    "eigh": lambda a: np.linalg.eigh(a + a.T, UPLO="U").eigenvalues,
    "eigh, vectors": lambda a: np.linalg.eigh(a + a.T + APART)[1],
    "eigh, vectors from above": lambda a: np.linalg.eigh(a + a.T + APART, "U")[1],
    "eig": lambda a: np.abs(np.linalg.eig(a)[1]),
    "eig, real": lambda a: np.linalg.eig(a @ a.T + APART)[0],
    "eigvals, real": lambda a: np.linalg.eigvals(a @ a.T + APART),
    "eigvalsh": lambda a: np.linalg.eigvalsh(a + a.T),
    "inv": np.linalg.inv,
    "lstsq": lambda a: np.linalg.lstsq(a[:, :2], a[:, 2], rcond=None)[0],
    "matrix_power": lambda a: np.linalg.matrix_power(a, 3),
    "multi_dot": lambda a: np.linalg.multi_dot([a, a.T, a]),
    "norm": np.linalg.norm,
    "norm of rows": lambda a: np.linalg.norm(a, axis=1, ord=3),
    "norm, nuclear": lambda a: np.linalg.norm(a, "nuc"),
    "pinv": lambda a: np.linalg.pinv(a[:, :2]),
    "qr": lambda a: np.linalg.qr(a, mode="r"),
    "slogdet": np.linalg.slogdet,
    "solve": lambda a: np.linalg.solve(a, a[0]),
    "svd": lambda a: np.linalg.svd(a, compute_uv=False),
    "svdvals": np.linalg.svdvals,
    "trace": lambda a: np.linalg.trace(a, offset=1),
    "vector_norm": lambda a: np.linalg.vector_norm(a, axis=0, ord=1),
}


@pytest.mark.parametrize("f", LINALG.values(), ids=LINALG)
def test_numpys_linear_algebra_is_differentiated(f):
    assert_as_on_arrays(f, SQUARE)


ONE_TRIANGLE = {
    "cholesky": lambda x: np.linalg.cholesky(x + 5 * np.eye(3)),
    "cholesky from above": lambda x: np.linalg.cholesky(x + 5 * np.eye(3), upper=True),
    "pinv": lambda x: np.linalg.pinv(x, hermitian=True),
    "singular values": lambda x: np.linalg.svd(x, compute_uv=False, hermitian=True),
    "singular vectors": lambda x: [np.abs(v) for v in np.linalg.svd(x + APART, hermitian=True)],
    "rank": lambda x: x * np.linalg.matrix_rank(x, hermitian=True),
    "rank above a size": lambda x: x * np.linalg.matrix_rank(x, 1.6, hermitian=True),
}


@pytest.mark.parametrize("f", ONE_TRIANGLE.values(), ids=ONE_TRIANGLE)
@pytest.mark.parametrize("matrix", [SQUARE, SQUARE + 1j * SQUARE.T], ids=["real", "complex"])
def test_one_triangle_says_what_a_hermitian_matrix_is(f, matrix):
    assert_as_on_arrays(f, matrix)


def test_singular_vectors_of_a_hermitian_matrix_have_the_signs_that_numpy_gives_them():
    svd = lambda x: tuple(np.linalg.svd(x, hermitian=True))
    x = SQUARE - 2 * np.eye(3)

    for found, expected in zip(gx.compile(svd)(x), svd(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("eigenvalues", [(3.0, -3.0, 1.0), (0.0, 1.0, -2.0)])
def test_singular_values_that_differ_by_signs_or_are_0_lose_no_derivative(eigenvalues):
    turn = np.linalg.qr(SQUARE)[0]
    x = (turn * np.asarray(eigenvalues)) @ turn.T

    def itself(x):
        u, s, vh = np.linalg.svd((x + x.T) / 2, hermitian=True)
        return (u * s) @ vh

    moved = gx.jvp(itself, (x,), (SQUARE,))[1]

    np.testing.assert_allclose(moved, (SQUARE + SQUARE.T) / 2, rtol=1e-12, atol=1e-14)
