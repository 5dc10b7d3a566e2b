"""NumPy's linear algebra, called on Tensors: the same values as on arrays, and derivatives."""

import numpy as np
import pytest

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
    "pinv": lambda x: np.linalg.pinv(x, hermitian=True),
    "singular values": lambda x: np.linalg.svd(x, compute_uv=False, hermitian=True),
    "rank": lambda x: x * np.linalg.matrix_rank(x, hermitian=True),
    "rank above a size": lambda x: x * np.linalg.matrix_rank(x, 1.6, hermitian=True),
}


@pytest.mark.parametrize("f", ONE_TRIANGLE.values(), ids=ONE_TRIANGLE)
@pytest.mark.parametrize("matrix", [SQUARE, SQUARE + 1j * SQUARE.T], ids=["real", "complex"])
def test_one_triangle_says_what_a_hermitian_matrix_is(f, matrix):
    assert_as_on_arrays(f, matrix)
