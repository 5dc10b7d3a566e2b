"""Special functions come from a companion of the array library: SciPy's, or cupyx's.

It is imported the first time that one of its functions is called, so gradx works
without it; then the error says what to install.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np

from gradx.backends.base import Kernel
from gradx.errors import DTypeError, GradxError

NUMBERS = {bool, int, float}

# Ops that both companions have under the op's own name.
NAMES = """
    beta betaln binom digamma entr erfc erfcinv erfcx erfinv exprel gamma gammainc gammaincc
    gammaln i0 i0e i1 i1e kl_div log_ndtr logit ndtr ndtri rel_entr xlog1py xlogy zeta
"""
FUNCTIONS = NAMES.split()


class MissingPackageError(GradxError, ImportError):
    """A package that gradx does not need for anything else is not installed."""


def kernels_of(module: str, install: str) -> dict[str, Kernel]:
    """Return a kernel for each of ``FUNCTIONS``: the function of ``module`` of that name.

    ``install`` is the command that installs the module.
    """
    return {op: _kernel(module, op, install) for op in FUNCTIONS}


def _kernel(module: str, op: str, install: str) -> Kernel:
    found: list[Callable[..., Any]] = []

    def kernel(xp: Any, *arrays: Any) -> Any:
        if not found:
            found.append(getattr(_imported(module, op, install), op))
        return found[0](*_real_arrays(op, arrays))

    return kernel


def _imported(module: str, op: str, install: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"{op}: it is computed by {module}, which cannot be imported ({error}): {install}"
        ) from error


def _real_arrays(op: str, arrays: Iterable[Any]) -> Iterable[Any]:
    """Return the arrays, with plain numbers in their dtype: some functions would widen it."""
    dtypes = [array.dtype for array in arrays if type(array) not in NUMBERS]
    for dtype in dtypes:
        if dtype.kind != "f":
            raise DTypeError(f"{op}: expected real floating-point numbers, got {dtype}")
    common = np.result_type(*dtypes).type
    return [common(array) if type(array) in NUMBERS else array for array in arrays]
