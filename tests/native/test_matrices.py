"""Products of matrices by a loop of our own: of any shape, however the matrices lie in memory."""

import numpy as np
import pytest

from gradx.backends.native import threads

pytest.importorskip("llvmlite")

from gradx.backends import numpy_products
from gradx.backends.native import compiler, matrices

DTYPES = ["float32", "float64"]


@pytest.fixture
def for_all(monkeypatch):
    for name in ("WORTH_IT", "WORTH_SHARING", "FEWEST_ROWS", "FEWEST_COLUMNS", "NARROW"):
        monkeypatch.setattr(numpy_products, name, 1)
    numpy_products._product.cache_clear()
    before = threads.limit()
    threads.limit(3)
    yield
    threads.limit(before)
    numpy_products._product.cache_clear()


def matrix(shape, dtype, draws):
    """Return matrices that lie in rows, in columns, in parts of larger ones or from end to end."""
    *batch, rows, columns = map(int, shape)
    way = draws.integers(5)
    if way == 0:
        return draws.normal(size=(*batch, rows, columns)).astype(dtype)
    if way == 1:
        return draws.normal(size=(*batch, columns, rows)).astype(dtype).mT
    if way == 2:
        return draws.normal(size=(*batch, rows, 2 * columns)).astype(dtype)[..., ::2]
    if way == 3:
        return draws.normal(size=(*batch, columns, rows + 3)).astype(dtype)[..., ::-1, 3:].mT
    return (
        draws.normal(size=(rows, *batch, columns))
        .astype(dtype)
        .transpose(*range(1, len(batch) + 1), 0, len(batch) + 1)
    )


def product(x, y):
    """Return a product; what is around it in memory stays as it was."""
    multiply = numpy_products.product_of(x.shape, y.shape, str(x.dtype))
    assert multiply is not np.matmul
    shape = np.matmul(x, y).shape
    memory = np.full(np.prod(shape, dtype=int) + 32, np.nan, x.dtype)
    out = memory[16:-16].reshape(shape)
    multiply(x, y, out=out)
    assert np.isnan(memory[:16]).all()
    assert np.isnan(memory[-16:]).all()
    return out


def agrees(out, x, y):
    exact = np.matmul(x.astype("float64"), y.astype("float64"))
    sizes = np.matmul(np.abs(x).astype("float64"), np.abs(y).astype("float64"))
    return np.all(np.abs(out - exact) <= 4 * np.finfo(x.dtype).eps * sizes * x.shape[-1] ** 0.5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_is_that_of_numpy(dtype, for_all):
    draws = np.random.default_rng(0)
    for _ in range(150):
        rows, depth, columns = draws.integers(1, [90, 90, 120])
        x, y = matrix((rows, depth), dtype, draws), matrix((depth, columns), dtype, draws)

        assert agrees(product(x, y), x, y), (x.shape, y.shape, x.strides, y.strides)


@pytest.mark.parametrize("dtype", DTYPES)
def test_so_is_one_that_takes_several_turns_and_units(dtype, for_all):
    draws = np.random.default_rng(1)
    for shape in [(300, 500, 70), (33, 401, 331), (129, 193, 97), (260, 192, 48), (9, 1000, 200)]:
        for _ in range(5):
            rows, depth, columns = shape
            x, y = matrix((rows, depth), dtype, draws), matrix((depth, columns), dtype, draws)

            assert agrees(product(x, y), x, y), (shape, x.strides, y.strides)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "batches",
    [
        ((5,), (5,)),
        ((3, 4), (3, 4)),
        ((), (5,)),
        ((5,), ()),
        ((3, 4), ()),
        ((1, 1), (2, 3)),
        ((1, 4), (4,)),
    ],
)
def test_so_are_those_of_batches(batches, dtype, for_all):
    draws = np.random.default_rng(2)
    for _ in range(20):
        rows, depth, columns = draws.integers(1, 40, size=3)
        x = matrix((*batches[0], rows, depth), dtype, draws)
        y = matrix((*batches[1], depth, columns), dtype, draws)

        assert agrees(product(x, y), x, y), (x.shape, y.shape, x.strides, y.strides)


@pytest.mark.parametrize("register", [16, 32])
def test_so_are_those_of_other_processors(register, for_all, monkeypatch):
    monkeypatch.setattr(compiler, "REGISTER_BYTES", register)
    monkeypatch.setattr(compiler, "REGISTERS", 16)
    matrices.loops.cache_clear()
    draws = np.random.default_rng(3)
    try:
        for dtype in DTYPES:
            for _ in range(40):
                rows, depth, columns = draws.integers(1, [200, 250, 90])
                x, y = matrix((rows, depth), dtype, draws), matrix((depth, columns), dtype, draws)

                assert agrees(product(x, y), x, y), (x.shape, y.shape, x.strides, y.strides)
    finally:
        matrices.loops.cache_clear()


@pytest.mark.parametrize("dtype", DTYPES)
def test_how_many_threads_there_are_and_how_matrices_lie_changes_no_bit(dtype, for_all):
    draws = np.random.default_rng(4)
    x, y = draws.normal(size=(150, 450)).astype(dtype), draws.normal(size=(450, 210)).astype(dtype)
    found = []
    for count in (1, 2, 5):
        threads.limit(count)
        for left in (x, np.asfortranarray(x)):
            found += [product(left, y), product(left, np.asfortranarray(y))]

    assert all(np.array_equal(one, found[0]) for one in found)


def test_what_is_not_finite_stays_in_its_rows_and_columns(for_all):
    draws = np.random.default_rng(5)
    x, y = draws.normal(size=(21, 37)), draws.normal(size=(37, 29))
    x[20, 36], y[3, 28] = np.inf, np.nan

    with np.errstate(invalid="ignore"):
        out, expected = product(x, y), np.matmul(x, y)

    assert np.array_equal(np.isnan(out), np.isnan(expected))
    assert np.array_equal(np.isinf(out), np.isinf(expected))


def test_other_byte_orders_and_results_in_columns_are_numpys(for_all):
    draws = np.random.default_rng(6)
    x, y = draws.normal(size=(20, 30)), draws.normal(size=(30, 40))
    multiply = numpy_products.product_of(x.shape, y.shape, "float64")
    swapped, columns = np.empty((20, 40)), np.empty((40, 20)).T

    multiply(x.astype(">f8"), y, out=swapped)
    multiply(x, y, out=columns)

    assert np.array_equal(swapped, x @ y)
    assert np.array_equal(columns, x @ y)


@pytest.mark.parametrize(
    ("x", "y", "dtype"),
    [
        ((64, 64), (64, 8), "float32"),
        ((4, 1000), (1000, 1000), "float32"),
        ((20, 20), (20, 20), "float32"),
        ((200, 200), (200,), "float32"),
        ((200, 200), (200, 200), "complex64"),
        ((4, 1, 99, 99), (1, 4, 99, 99), "float32"),
        ((2, 2, 2, 99, 99), (99, 99), "float32"),
    ],
)
def test_what_is_small_or_of_another_kind_is_numpys(x, y, dtype):
    assert numpy_products.product_of(x, y, dtype) is np.matmul


def test_a_limit_on_the_threads_of_blas_is_one_on_ours(for_all, monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    if numpy_products._blas_threads() is threads.limit:
        pytest.skip("NumPy has another BLAS")
    shared = []
    run = lambda *arguments: shared.append(arguments) or 0
    monkeypatch.setattr(threads, "run", run)
    x = np.ones((64, 64))
    multiply = numpy_products.product_of(x.shape, x.shape, "float64")

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        multiply(x, x, out=np.empty_like(x))
    assert len(shared) == 1
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        multiply(x, x, out=np.empty_like(x))
    assert len(shared) == 1
