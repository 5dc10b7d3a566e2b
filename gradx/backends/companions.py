"""Special functions come from a companion of the array library: SciPy's, or cupyx's.

It is imported the first time that one of its functions is called, so gradx works
without it; then the error says what to install.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np

from gradx.backends.base import Kernel
from gradx.errors import DTypeError, MissingPackageError

NUMBERS = {bool, int, float}

# Ops that both companions have under the op's own name.
NAMES = """
    beta betainc betaincinv betaln binom cbrt cosdg cosm1 cotdg digamma ellipk ellipkm1 entr erfc
    erfcinv erfcx erfinv exp1 expi expn exprel gamma gammainc gammaincc gammainccinv gammaincinv
    gammaln i0 i0e i1 i1e j0 j1 k0 k0e k1 k1e kl_div log_ndtr logit ndtr ndtri poch rel_entr sindg
    tandg xlog1py xlogy y0 y1 zeta
"""
FUNCTIONS = NAMES.split()

# Ops that SciPy alone has: other libraries' arrays are copied to it and back.
SCIPYS = """
    betaincc betainccinv dawsn ellipe erfi gammasgn hyp0f1 hyp1f1 hyp2f1 iv ive jv kv kve lpmv
    ndtri_exp owens_t powm1 rgamma spence stdtr stdtrit yv zetac
"""
ONLY_OF_SCIPY = SCIPYS.split()


def kernels_of(module: str, install: str, names: Iterable[str] = FUNCTIONS) -> dict[str, Kernel]:
    """Return a kernel for each of ``names``: the function of ``module`` of that name.

    ``install`` is the command that installs the module.
    """
    return {op: _kernel(module, op, install) for op in names}


def _kernel(module: str, op: str, install: str) -> Kernel:
    found: list[Callable[..., Any]] = []

    def kernel(xp: Any, *arrays: Any) -> Any:
        if not found:
            found.append(getattr(_imported(module, op, install), op))
        placed = _real_arrays(op, arrays)
        out = found[0](*placed)
        # SciPy has no half precision: it answers in double.
        half = all(array.dtype.itemsize == 2 for array in placed)
        return out.astype(placed[0].dtype) if half else out

    return kernel


def _imported(module: str, op: str, install: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"{op}: it is computed by {module}, which cannot be imported ({error}): {install}"
        ) from error


def _real_arrays(op: str, arrays: Iterable[Any]) -> list[Any]:
    """Return the arrays, with whole and plain numbers in their dtype: it would be widened.

    Whole numbers alone are taken in double precision.
    """
    given = [array.dtype for array in arrays if type(array) not in NUMBERS]
    for dtype in given:
        if dtype.kind not in "fiu":
            raise DTypeError(f"{op}: expected real numbers, got {dtype}")
    real = [dtype for dtype in given if dtype.kind == "f"]
    common = np.result_type(*real).type if real else np.float64
    return [_in(common, array) for array in arrays]


def _in(dtype: Any, array: Any) -> Any:
    if type(array) in NUMBERS:
        return dtype(array)
    return array if array.dtype.kind == "f" else array.astype(dtype)
