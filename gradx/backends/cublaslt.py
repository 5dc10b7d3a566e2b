"""Matrix products on CUDA by cuBLASLt: what CuPy's own lack.

CuPy's products cannot be captured into a CUDA graph, copy stacks of matrices that are
transposed, and have one precision for all threads. This library ships with cuBLAS, takes the
stream and its memory from the caller, and ends a product with a bias, an activation or their
derivatives while the result is in registers.

It stores matrices by columns. A row-major array is the transpose of what it sees, so all is
said for the transposes: ``out.T = y.T @ x.T``, and its first operand, A, is ``y``.
"""

import ctypes
import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from math import prod
from typing import Any, NamedTuple

import numpy as np

from gradx.backends.cuda_kernels.launching import contiguous
from gradx.backends.settings import current_matmul_precision
from gradx.errors import DTypeError, GradxError, ShapeError

# From cublasLt.h and library_types.h.
DATA = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 14}
COMPUTE_FLOAT32, COMPUTE_FLOAT64, COMPUTE_BFLOAT16, COMPUTE_TF32 = 68, 70, 75, 77
TRANSPOSE_A, TRANSPOSE_B, EPILOGUE, BIAS_POINTER = 3, 4, 7, 8
AUXILIARY_POINTER, AUXILIARY_LEADING = 11, 12
BATCH_COUNT, BATCH_STRIDE = 5, 6
MOST_WORKSPACE, ALIGNMENT_A, ALIGNMENT_B = 1, 5, 6
EPILOGUES = {
    "plain": 1,
    "relu": 2,
    "bias": 4,
    "relu_bias": 6,
    "relu_aux": 130,
    "relu_aux_bias": 134,
    "drelu": 136,
    "drelu_bgrad": 152,
    "gelu": 32,
    "gelu_bias": 36,
    "gelu_aux": 160,
    "gelu_aux_bias": 164,
    "dgelu": 192,
    "dgelu_bgrad": 208,
    "bgrada": 256,
    "bgradb": 512,
}
PRECISIONS = {"highest": COMPUTE_FLOAT32, "tf32": COMPUTE_TF32, "bf16": COMPUTE_BFLOAT16}
STATUS = {
    1: "the library is not initialized",
    3: "out of memory",
    7: "a value is invalid",
    8: "the GPU lacks what it takes",
    13: "the GPU program failed",
    14: "an internal error",
    15: "not supported",
}

ALIGNED = 256  # bytes that the library takes all addresses to be multiples of, unless told
WORKSPACE = 32 << 20  # bytes that a product may use beside its arrays, as NVIDIA advises
CANDIDATES = 8


class CublasError(GradxError, RuntimeError):
    """cuBLASLt refused a product, or failed."""


class _Algorithm(ctypes.Structure):
    _fields_ = [("data", ctypes.c_uint64 * 8)]


class _Heuristic(ctypes.Structure):
    _fields_ = [
        ("algorithm", _Algorithm),
        ("workspace", ctypes.c_size_t),
        ("state", ctypes.c_int),
        ("waves", ctypes.c_float),
        ("reserved", ctypes.c_int * 4),
    ]


_POINTER, _INT, _SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
_ATTRIBUTE = (_POINTER, _INT, _POINTER, _SIZE)
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "Create": (_POINTER,),
    "MatmulDescCreate": (_POINTER, _INT, _INT),
    "MatmulDescDestroy": (_POINTER,),
    "MatmulDescSetAttribute": _ATTRIBUTE,
    "MatrixLayoutCreate": (*(_POINTER, _INT, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int64),),
    "MatrixLayoutDestroy": (_POINTER,),
    "MatrixLayoutSetAttribute": _ATTRIBUTE,
    "MatmulPreferenceCreate": (_POINTER,),
    "MatmulPreferenceDestroy": (_POINTER,),
    "MatmulPreferenceSetAttribute": _ATTRIBUTE,
    "MatmulAlgoGetHeuristic": (*(_POINTER,) * 7, _INT, _POINTER, _POINTER),
    "Matmul": (*(_POINTER,) * 14, _SIZE, _POINTER),
}


def _library_path() -> str:
    return import_module("cuda.pathfinder").load_nvidia_dynamic_lib("cublasLt").abs_path


@cache
def _library() -> dict[str, Callable[..., int]]:
    loaded = ctypes.CDLL(_library_path())
    functions = {}
    for name, types in FUNCTIONS.items():
        function = getattr(loaded, f"cublasLt{name}")
        function.argtypes, function.restype = types, _INT
        functions[name] = function
    return functions


def _call(name: str, *arguments: Any) -> None:
    status = _library()[name](*arguments)
    if status:
        raise CublasError(f"cublasLt{name}: {STATUS.get(status, 'failed')} (status {status})")


class _Handle:
    """Something that the library made, and destroys when it is forgotten."""

    def __init__(self, kind: str, *arguments: Any) -> None:
        self._kind = kind
        self.pointer = _POINTER()
        self._destroy = _library()[f"{kind}Destroy"]  # there still when the program ends
        _call(f"{kind}Create", ctypes.byref(self.pointer), *arguments)

    def set(self, attribute: int, value: Any) -> None:
        """Set an attribute to a value of a type of ctypes."""
        size = ctypes.sizeof(value)
        _call(f"{self._kind}SetAttribute", self.pointer, attribute, ctypes.byref(value), size)

    def __del__(self) -> None:
        if self.pointer:
            self._destroy(self.pointer)


class Operand(NamedTuple):
    """A stack of matrices in memory; strides are in elements, the alignment in bytes."""

    transposed: bool
    leading: int
    stride: int
    alignment: int = ALIGNED


class Product(NamedTuple):
    """All that a product depends on but its addresses: what plans are kept by."""

    rows: int
    columns: int
    inner: int
    batch: int
    dtype: str
    x: Operand
    y: Operand
    precision: str
    epilogue: str
    device: int


class Plan:
    """Descriptors of a product and the algorithm that the library would take."""

    def __init__(self, product: Product) -> None:
        self.product = product
        exact = product.dtype == "float64"
        compute = COMPUTE_FLOAT64 if exact else _compute_type(product)
        scale = DATA["float64"] if exact else DATA["float32"]
        self._scalar: Any = ctypes.c_double if exact else ctypes.c_float
        self._one, self._zero = self._scalar(1), self._scalar(0)
        self._description = _Handle("MatmulDesc", compute, scale)
        self._description.set(TRANSPOSE_A, ctypes.c_int32(product.y.transposed))
        self._description.set(TRANSPOSE_B, ctypes.c_int32(product.x.transposed))
        self._description.set(EPILOGUE, ctypes.c_int32(EPILOGUES[product.epilogue]))
        m, n, k = product.rows, product.columns, product.inner
        self._a = self._layout(n, k, product.y)
        self._b = self._layout(k, m, product.x)
        self._out = self._layout(n, m, Operand(False, n, m * n))
        self._chosen: _Heuristic | None = None

    def _layout(self, rows: int, columns: int, operand: Operand) -> _Handle:
        if operand.transposed:
            rows, columns = columns, rows
        dtype = DATA[self.product.dtype]
        layout = _Handle("MatrixLayout", dtype, rows, columns, operand.leading)
        if self.product.batch > 1:
            layout.set(BATCH_COUNT, ctypes.c_int32(self.product.batch))
            layout.set(BATCH_STRIDE, ctypes.c_int64(operand.stride))
        return layout

    def run(self, xp: Any, out: Any, x: Any, y: Any, bias: Any, auxiliary: Any) -> None:
        """Multiply on the stream of this thread."""
        if bias is not None:
            self._description.set(BIAS_POINTER, _POINTER(bias.data.ptr))
        if auxiliary is not None:
            leading = _auxiliary_leading(self.product.epilogue, self.product.columns)
            self._description.set(AUXILIARY_POINTER, _POINTER(auxiliary.data.ptr))
            self._description.set(AUXILIARY_LEADING, ctypes.c_int64(leading))
        chosen = self._chosen = self._chosen or self._choose()
        workspace = None
        if chosen.workspace:
            # Freed at once: whoever gets this memory next runs after the product, on its stream.
            room = xp.empty((chosen.workspace,), dtype=xp.uint8, device=out.device)
            workspace = room.data.ptr
        stream = import_module("cupy").cuda.get_current_stream().ptr
        a, b, layout = self._a.pointer, self._b.pointer, self._out.pointer
        addresses = [one.data.ptr for one in (x, y, out)]
        _call(
            *("Matmul", _handle(self.product.device), self._description.pointer),
            *(ctypes.byref(self._one), addresses[1], a, addresses[0], b),
            *(ctypes.byref(self._zero), addresses[2], layout, addresses[2], layout),
            *(ctypes.byref(chosen.algorithm), workspace, chosen.workspace, stream),
        )

    def _choose(self) -> _Heuristic:
        preference = _Handle("MatmulPreference")
        preference.set(MOST_WORKSPACE, ctypes.c_uint64(WORKSPACE))
        preference.set(ALIGNMENT_A, ctypes.c_uint32(self.product.y.alignment))
        preference.set(ALIGNMENT_B, ctypes.c_uint32(self.product.x.alignment))
        found, count = (_Heuristic * CANDIDATES)(), _INT()
        layouts = [one.pointer for one in (self._a, self._b, self._out, self._out)]
        _call(
            *("MatmulAlgoGetHeuristic", _handle(self.product.device), self._description.pointer),
            *(*layouts, preference.pointer, CANDIDATES),
            *(ctypes.byref(found), ctypes.byref(count)),
        )
        usable = [one for one in found[: count.value] if one.state == 0]
        if not usable:
            raise CublasError(f"cuBLASLt has no algorithm for {self.product}")
        return usable[0]


def _compute_type(product: Product) -> int:
    return PRECISIONS[product.precision] if product.dtype == "float32" else COMPUTE_FLOAT32


@cache
def _handle(device: int) -> Any:
    handle = _POINTER()
    _call("Create", ctypes.byref(handle))
    return handle


class _Plans(threading.local):
    """Plans of a thread: their descriptors are written to before each product."""

    def __init__(self) -> None:
        self.known: dict[Product, Plan] = {}


_plans = _Plans()
MOST_PLANS = 1024


def plan_for(product: Product) -> Plan:
    """Return this thread's plan for a product."""
    plan = _plans.known.get(product)
    if plan is None:
        if len(_plans.known) >= MOST_PLANS:
            _plans.known.clear()
        plan = _plans.known[product] = Plan(product)
    return plan


def can_multiply(x: Any, y: Any) -> bool:
    """Tell whether the library multiplies arrays of these dtypes."""
    return x.dtype == y.dtype and _name_of(x.dtype) in DATA


@cache
def _name_of(dtype: Any) -> str:
    return dtype.name  # which NumPy makes anew each time


def multiply(
    xp: Any,
    x: Any,
    y: Any,
    /,
    *,
    epilogue: str = "plain",
    bias: Any = None,
    auxiliary: Any = None,
) -> Any:
    """Compute ``x @ y``, matrices or stacks of them that broadcast, and then ``epilogue``.

    ``bias`` is read, or written where the epilogue ends in ``bgrad``; ``auxiliary`` is what an
    activation leaves for its derivative (``empty_auxiliary``).

    Raises:
        TypeError: dtypes differ, or the library has no products of them.
        ValueError: shapes do not fit.
        CublasError: the library has no such product; the caller does without an epilogue.
    """
    if not can_multiply(x, y):
        raise DTypeError(f"matmul: cuBLASLt cannot multiply {x.dtype} and {y.dtype}")
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-2]:
        raise ShapeError(f"matmul: {tuple(x.shape)} @ {tuple(y.shape)} do not fit")
    shape = (*_broadcast(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1])
    if 0 in shape or x.shape[-1] == 0:
        return xp.zeros(shape, dtype=x.dtype, device=x.device)
    if y.ndim == 2 and x.ndim > 2:
        x = contiguous(x).reshape(-1, x.shape[-1])  # one matrix of many rows
    batch = _broadcast(x.shape[:-2], y.shape[:-2])
    x, of_x = _operand(xp, x, batch)
    y, of_y = _operand(xp, y, batch)
    device = x.device
    out = xp.empty((*batch, x.shape[-2], y.shape[-1]), dtype=x.dtype, device=device)
    sizes = (x.shape[-2], y.shape[-1], x.shape[-1], prod(batch))
    settings = (current_matmul_precision(), epilogue, device.id)
    with device:
        plan = plan_for(Product(*sizes, _name_of(x.dtype), of_x, of_y, *settings))
        plan.run(xp, out, x, y, bias, auxiliary)
    return out if out.shape == shape else out.reshape(shape)


def matmul(xp: Any, x: Any, y: Any, /) -> Any:
    """Multiply as the standard's ``matmul`` does: by CuPy where the library cannot."""
    if not can_multiply(x, y) or 0 in (x.ndim, y.ndim):
        return xp.matmul(x, y)
    if x.ndim > 1 and y.ndim > 1:
        return multiply(xp, x, y)
    out = multiply(xp, x[None, :] if x.ndim == 1 else x, y[:, None] if y.ndim == 1 else y)
    rows = () if x.ndim == 1 else out.shape[-2:-1]
    columns = () if y.ndim == 1 else out.shape[-1:]
    return out.reshape((*out.shape[:-2], *rows, *columns))


def _broadcast(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
    if x == y:
        return x
    try:
        return np.broadcast_shapes(x, y)
    except ValueError as error:
        raise ShapeError(f"matmul: stacks of {x} and {y} matrices do not fit") from error


def _operand(xp: Any, array: Any, batch: tuple[int, ...]) -> tuple[Any, Operand]:
    """Say how an array lies in memory; copy one that no product can read where it lies."""
    if array.ndim > 2:
        if prod(array.shape[:-2]) == 1:
            array = array.reshape(array.shape[-2:])
        elif array.shape[:-2] != batch:
            array = xp.broadcast_to(array, (*batch, *array.shape[-2:]))
    for transposed in (False, True):
        places = _places_of(array.swapaxes(-1, -2) if transposed else array)
        if places is not None:
            return array, Operand(transposed, *places, _alignment_of(array))
    array = array.copy()
    places = (array.shape[-1], prod(array.shape[-2:]))
    return array, Operand(False, *places, _alignment_of(array))


def _alignment_of(array: Any) -> int:
    """Return what the address is a multiple of: of a part of an array it may be little."""
    address = array.data.ptr
    return min(address & -address, ALIGNED)


def _places_of(rows: Any) -> tuple[int, int] | None:
    """Return the steps from a row, and from a matrix, to the next; None if there are none."""
    *steps, row, column = (n // rows.itemsize for n in rows.strides)
    *counts, height, width = rows.shape
    if height == 1:
        row = width
    if (column != 1 and width > 1) or row < width:
        return None
    outer = zip(steps, steps[1:], counts[1:], strict=False)
    if any(step != inner * count for step, inner, count in outer):
        return None
    return row, steps[-1] if steps else 0


def auxiliary_type(epilogue: str, shape: tuple[int, ...], dtype: str) -> tuple[Any, str]:
    """Return the shape and dtype of what an activation leaves for its derivative.

    ReLU leaves a bit for each element of its result of ``shape``, GELU what it was given.
    """
    leading, rows = _auxiliary_leading(epilogue, shape[-1]), prod(shape[:-1])
    return ((rows, leading), dtype) if "gelu" in epilogue else ((rows, leading // 8), "uint8")


def empty_auxiliary(
    xp: Any, epilogue: str, shape: tuple[int, ...], dtype: Any, device: Any, /
) -> Any:
    """Return room for what an activation leaves, for a result of ``shape``."""
    room, name = auxiliary_type(epilogue, shape, np.dtype(dtype).name)
    return xp.empty(room, dtype=np.dtype(name), device=device)


def _auxiliary_leading(epilogue: str, columns: int) -> int:
    step = 8 if "gelu" in epilogue else 128
    return -(-columns // step) * step
