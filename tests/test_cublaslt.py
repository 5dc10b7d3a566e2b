"""Products by cuBLASLt, on a CPU: a library of the same functions, in C++, stands in for it.

It is called through the same declarations, so that a wrong type or order of arguments shows.
Where NVIDIA's own library is installed (``nvidia-cublas``) the constants are those of its
header, and it takes the descriptions that gradx makes; without a GPU it cannot multiply.
"""

import ctypes
import gc
import re
import threading
from importlib import import_module, util
from pathlib import Path

import numpy as np
import pytest

import gradx as gx
from gradx.backends import cublaslt, current_matmul_precision
from gradx.errors import DTypeError, GradxError, ShapeError
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import assert_close, every
from tests.test_cuda_kernels import cuda as cuda

rng = np.random.default_rng(0)


def drawn(*shape, dtype="float32"):
    return rng.normal(size=shape).astype(dtype)


@pytest.fixture
def lt(cuda):
    """The module that belongs to the CuPy that is installed."""
    return import_module("gradx.backends.cublaslt")


# Products

SHAPES = [
    ((3, 4), (4, 5)),
    ((1, 1), (1, 1)),
    ((1, 7), (7, 1)),
    ((5, 1), (1, 3)),
    ((2, 3, 4), (4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((1, 3, 4), (6, 4, 2)),
    ((2, 3, 4, 5), (2, 3, 5, 1)),
    ((0, 4), (4, 5)),
    ((3, 0), (0, 5)),
    ((0, 3, 4), (4, 5)),
]


@needs_compiler
@every("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize(("x", "y"), SHAPES)
def test_matrices_and_stacks_are_multiplied(x, y, dtype, cuda):
    x, y = drawn(*x, dtype=dtype), drawn(*y, dtype=dtype)

    out = cuda(cuda.kernel("matmul"), x, y)

    assert_close(out, x.astype(float) @ y.astype(float))


LAYOUTS = {
    "transposed": lambda x: x.swapaxes(-1, -2),
    "a part": lambda x: x[..., 1:4, 2:5],
    "a part of the transposed": lambda x: x.swapaxes(-1, -2)[..., 1:4, 1:4],
    "every second row": lambda x: x[..., ::2, :3],
    "every second column": lambda x: x[..., :3, ::2],
    "backwards": lambda x: x[..., ::-1, :],
    "one row": lambda x: x[..., :1, :],
    "one column": lambda x: x[..., :, :1],
    "other axis": lambda x: x.swapaxes(0, -1),
    "repeated rows": lambda x: np.broadcast_to(x[..., :1, :], x.shape, subok=True),
}


@needs_compiler
@every("stacked", [False, True])
@every("layout", LAYOUTS)
def test_matrices_are_read_where_they_lie_or_copied(layout, stacked, cuda):
    base = drawn(6, 6, 6) if stacked else drawn(6, 6)
    x = LAYOUTS[layout](base)
    y = drawn(x.shape[-1], 2)

    out = cuda.backend.kernels["matmul"](
        cuda.backend.xp, LAYOUTS[layout](cuda.put(base)), cuda.put(y)
    )
    other = cuda.backend.kernels["matmul"](
        cuda.backend.xp, cuda.put(np.ascontiguousarray(y.T)), LAYOUTS[layout](cuda.put(base)).mT
    )

    assert_close(cuda.get(out), x.astype(float) @ y)
    assert_close(cuda.get(other), y.T @ x.astype(float).swapaxes(-1, -2))


@needs_compiler
def test_library_is_told_how_a_part_of_an_array_is_aligned(cuda, lt):
    lt._plans.known.clear()
    base = cuda.put(drawn(9))

    for first in range(5):  # 4 to 16 bytes
        x = base[first : first + 4].reshape(2, 2)
        out = cuda.backend.kernels["matmul"](cuda.backend.xp, x, x)
        assert_close(cuda.get(out), cuda.get(x).astype(float) @ cuda.get(x))

    found = {plan.x.alignment for plan in lt._plans.known}
    assert {4, 8} < found
    assert max(found) <= lt.ALIGNED


@needs_compiler
def test_transposed_stacks_are_not_copied(cuda, lt):
    x = cuda.put(drawn(4, 3, 5)).mT

    array, operand = lt._operand(cuda.backend.xp, x, (4,))

    assert array is x
    assert operand[:3] == (True, 5, 15)


@needs_compiler
@pytest.mark.parametrize(
    ("x", "y"), [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((3,), (4, 3, 2))]
)
def test_vectors_are_multiplied_and_integers_by_cupy(x, y, cuda):
    x, y = drawn(*x), drawn(*y)

    assert_close(np.asarray(cuda(cuda.kernel("matmul"), x, y)), np.asarray(x @ y, dtype=float))
    whole = np.arange(4).reshape(2, 2)
    assert np.array_equal(cuda(cuda.kernel("matmul"), whole, whole), whole @ whole)


@needs_compiler
def test_what_does_not_fit_is_refused(cuda, lt):
    multiply = lt.multiply

    with pytest.raises(ShapeError, match=r"\(2, 3\) @ \(2, 3\) do not fit"):
        cuda(multiply, drawn(2, 3), drawn(2, 3))
    with pytest.raises(ShapeError, match=r"stacks of \(2,\) and \(3,\) matrices"):
        cuda(multiply, drawn(2, 1, 1), drawn(3, 1, 1))
    with pytest.raises(DTypeError, match="cannot multiply float32 and float64"):
        cuda(multiply, drawn(1, 1), drawn(1, 1, dtype="float64"))


# Precision


@needs_compiler
@every("precision", ["highest", "tf32", "bf16"])
def test_precision_reaches_the_product(precision, cuda):
    x, y = drawn(8, 64), drawn(64, 8)

    with gx.matmul_precision(precision):
        out = cuda(cuda.kernel("matmul"), x, y)

    exact = x.astype(float) @ y
    error = np.abs(out - exact).max() / np.abs(exact).max()
    lowest, highest = {"highest": (0, 1e-6), "tf32": (1e-6, 1e-3), "bf16": (1e-4, 1e-2)}[precision]
    assert lowest <= error < highest


@needs_compiler
def test_precision_is_float32s_alone(cuda):
    x = drawn(4, 4, dtype="float64")

    with gx.matmul_precision("bf16"):
        out = cuda(cuda.kernel("matmul"), x, x)

    assert_close(out, x @ x)


def test_precision_holds_in_a_block_or_from_now_on():
    with gx.matmul_precision("tf32"):
        gx.matmul_precision("bf16")
        assert gx.current_matmul_precision() == "bf16"

    assert gx.current_matmul_precision() == "highest"


def test_settings_end_with_their_block_when_it_raises():
    with pytest.raises(KeyError), gx.deterministic(), gx.matmul_precision("tf32"):
        raise KeyError

    assert gx.current_matmul_precision() == "highest"
    assert not gx.is_deterministic()


def test_settings_are_a_threads_own():
    found = []
    with gx.matmul_precision("tf32"), gx.deterministic():
        thread = threading.Thread(
            target=lambda: found.extend([current_matmul_precision(), gx.is_deterministic()])
        )
        thread.start()
        thread.join()

    assert found == ["highest", False]


@every("wrong", ["high", "float32", None, 32, ["tf32"]])
def test_unknown_precision_is_named(wrong):
    with pytest.raises(ShapeError, match=f"{re.escape(repr(wrong))}, expected one of 'highest'"):
        gx.matmul_precision(wrong)


@every("wrong", [1, None, "yes"])
def test_deterministic_is_true_or_false(wrong):
    with pytest.raises(DTypeError, match=f"expected True or False, got {re.escape(repr(wrong))}"):
        gx.deterministic(wrong)


# Epilogues


def multiplied(cuda, lt, x, y, epilogue, bias=None, auxiliary=None):
    put = [None if one is None else cuda.put(one) for one in (x, y, bias)]
    out = lt.multiply(
        cuda.backend.xp, *put[:2], epilogue=epilogue, bias=put[2], auxiliary=auxiliary
    )
    return cuda.get(out), None if bias is None else cuda.get(put[2])


ACTIVATIONS = {
    "relu": lambda x: gx.nn.relu(x),
    "gelu": lambda x: gx.nn.gelu(x, approximate="tanh"),
}


@needs_compiler
@every("activation", ACTIVATIONS)
@every("width", [1, 10, 130])
def test_affine_map_activation_and_their_derivatives_are_epilogues(width, activation, cuda, lt):
    x, w, b, v = drawn(6, 4), drawn(4, width), drawn(width), drawn(width, 3)
    g = drawn(6, 3)
    device = cuda.put(x).device
    kept = lt.empty_auxiliary(
        cuda.backend.xp, f"{activation}_aux", (6, width), np.dtype("float32"), device
    )

    hidden, _ = multiplied(cuda, lt, x, w, f"{activation}_aux_bias", b, kept)
    to_hidden, to_b = multiplied(cuda, lt, g, v.T, f"d{activation}_bgrad", np.empty_like(b), kept)
    to_w, again = multiplied(cuda, lt, x.T, to_hidden, "bgrada", np.empty_like(b))

    exact = [one.astype(float) for one in (x, w, b, v)]
    function = ACTIVATIONS[activation]
    out, pullback = gx.vjp(lambda x, w, b, v: function(x @ w + b) @ v, *exact)
    assert_close(hidden, function(exact[0] @ exact[1] + exact[2]))
    assert_close(hidden @ v, out)
    _, expected_w, expected_b, _ = pullback(g.astype(float))
    assert_close(to_b, expected_b)
    assert_close(to_w, expected_w)
    assert_close(again, expected_b)


@needs_compiler
@every("epilogue", ["bias", "relu", "relu_bias", "gelu", "gelu_bias"])
def test_epilogue_without_derivative_keeps_nothing(epilogue, cuda, lt):
    x, y, b = drawn(3, 4), drawn(4, 5), drawn(5)
    before = x.astype(float) @ y + (b if "bias" in epilogue else 0)

    out, _ = multiplied(cuda, lt, x, y, epilogue, b if "bias" in epilogue else None)

    assert_close(out, ACTIVATIONS.get(epilogue.split("_")[0], lambda x: x)(before))


@needs_compiler
def test_product_that_the_library_lacks_is_an_error_of_gradx(cuda, lt):
    refuse = ctypes.CDLL(lt._library_path()).fake_refuse
    refuse(lt.EPILOGUES["bgradb"])

    with pytest.raises(lt.CublasError, match=r"no algorithm for Product.*bgradb"):
        multiplied(cuda, lt, drawn(2, 2), drawn(2, 2), "bgradb", drawn(2))

    refuse(0)
    assert issubclass(lt.CublasError, GradxError)


@needs_compiler
def test_failure_is_told_with_the_function_and_the_reason(cuda, lt):
    with pytest.raises(
        lt.CublasError, match=r"MatrixLayoutCreate: a value is invalid \(status 7\)"
    ):
        lt._Handle("MatrixLayout", 0, 4, 4, 1)


@needs_compiler
def test_plans_are_made_once_and_their_parts_destroyed(cuda, lt):
    alive = ctypes.CDLL(lt._library_path()).fake_alive
    lt._plans.known.clear()
    gc.collect()
    before = alive()
    x, y = cuda.put(drawn(3, 2)), cuda.put(drawn(2, 3))

    for _ in range(3):
        lt.multiply(cuda.backend.xp, x, y)
    assert alive() == before + 4
    assert len(lt._plans.known) == 1

    lt._plans.known.clear()
    gc.collect()
    assert alive() == before


@needs_compiler
def test_descriptor_is_destroyed_when_the_names_of_its_module_are_gone(cuda, lt, monkeypatch):
    alive = ctypes.CDLL(lt._library_path()).fake_alive
    before = alive()
    handle = lt._Handle("MatmulDesc", lt.COMPUTE_FLOAT32, 0)

    monkeypatch.setattr(lt, "_library", None)  # as when the program ends
    del handle

    assert alive() == before


@needs_compiler
def test_cache_of_plans_is_bounded(cuda, lt, monkeypatch):
    monkeypatch.setattr(lt, "MOST_PLANS", 3)
    for n in range(1, 9):
        multiplied(cuda, lt, drawn(n, 2), drawn(2, 3), "plain")

    assert len(lt._plans.known) <= 3


# NVIDIA's own library and header


def nvidia(pattern):
    found = util.find_spec("nvidia")
    folders = [] if found is None else found.submodule_search_locations
    return [path for folder in folders for path in Path(folder).glob(pattern)]


needs_header = pytest.mark.skipif(
    not nvidia("*/include/cublasLt.h"), reason="no cublasLt.h: pip install nvidia-cublas"
)
CONSTANTS = {
    "CUBLASLT_MATMUL_DESC_TRANSA": cublaslt.TRANSPOSE_A,
    "CUBLASLT_MATMUL_DESC_TRANSB": cublaslt.TRANSPOSE_B,
    "CUBLASLT_MATMUL_DESC_EPILOGUE": cublaslt.EPILOGUE,
    "CUBLASLT_MATMUL_DESC_BIAS_POINTER": cublaslt.BIAS_POINTER,
    "CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER": cublaslt.AUXILIARY_POINTER,
    "CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD": cublaslt.AUXILIARY_LEADING,
    "CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT": cublaslt.BATCH_COUNT,
    "CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET": cublaslt.BATCH_STRIDE,
    "CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES": cublaslt.MOST_WORKSPACE,
    "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES": cublaslt.ALIGNMENT_A,
    "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES": cublaslt.ALIGNMENT_B,
    "CUBLAS_COMPUTE_32F": cublaslt.COMPUTE_FLOAT32,
    "CUBLAS_COMPUTE_64F": cublaslt.COMPUTE_FLOAT64,
    "CUBLAS_COMPUTE_32F_FAST_16BF": cublaslt.COMPUTE_BFLOAT16,
    "CUBLAS_COMPUTE_32F_FAST_TF32": cublaslt.COMPUTE_TF32,
    **{
        f"CUBLASLT_EPILOGUE_{name.upper()}": value
        for name, value in cublaslt.EPILOGUES.items()
        if name != "plain"
    },
    "CUBLASLT_EPILOGUE_DEFAULT": cublaslt.EPILOGUES["plain"],
}


def header_constants():
    """Return the named numbers of both headers; some are sums of others, by ``|``."""
    text = "".join(path.read_text() for path in nvidia("*/include/cublas*.h"))
    found = {}
    for name, value in re.findall(r"(CUBLAS\w+)\s*=\s*([^,/}]+?)\s*(?:,|/|\n|})", text):
        known = re.sub(r"CUBLAS\w+", lambda m: str(found.get(m[0], 0)), value)
        if re.fullmatch(r"[\d\s|()<x]+", known):
            found[name] = eval(known)
    return found


@needs_header
@every("name", CONSTANTS)
def test_constant_is_that_of_the_header(name):
    assert header_constants()[name] == CONSTANTS[name]


@pytest.mark.skipif(
    not nvidia("*/lib/libcublasLt.so.*"), reason="no libcublasLt: pip install nvidia-cublas"
)
def test_nvidias_library_takes_the_descriptions(monkeypatch):
    path = str(nvidia("*/lib/libcublasLt.so.*")[0])
    monkeypatch.setattr(cublaslt, "_library_path", lambda: path)
    cublaslt._library.cache_clear()
    operand = cublaslt.Operand(False, 4, 16)

    try:
        for epilogue in cublaslt.EPILOGUES:
            shape = cublaslt.Product(4, 4, 4, 2, "float32", operand, operand, "tf32", epilogue, 0)
            plan = cublaslt.Plan(shape)
            plan._description.set(cublaslt.BIAS_POINTER, ctypes.c_void_p(256))
            plan._description.set(cublaslt.AUXILIARY_LEADING, ctypes.c_int64(128))
        del plan
    finally:
        cublaslt._library.cache_clear()
