"""Special functions come from a companion of the array library: SciPy's, or cupyx's.

It is imported the first time that one of its functions is called, so gradx works
without it; then the error says what to install.
"""

from collections.abc import Callable, Iterable
from functools import partial
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
    agm bei beip ber berp betaincc betainccinv dawsn ellipe ellipeinc ellipkinc elliprd
    elliprf elliprg erfi gammasgn hyp0f1 hyp1f1 hyp2f1 hyperu iv ive jv kei keip ker kerp
    kv kve lpmv modstruve ndtri_exp owens_t powm1 rgamma spence stdtr stdtrit struve wrightomega
    yv zetac
"""
# Of a whole degree, which comes first, they are computed otherwise than of a real one.
DEGREES = """
    eval_chebyt eval_chebyu eval_gegenbauer eval_genlaguerre eval_hermite eval_hermitenorm
    eval_jacobi eval_laguerre eval_legendre spherical_first spherical_modified_first
    spherical_modified_second spherical_second
"""
OF_DEGREES = DEGREES.split()
# Ops that compute one part of what a function of SciPy does.
PARTS: dict[str, Callable[..., Any]] = {
    "airy_function": lambda special, x: special.airy(x)[0],
    "airy_slope": lambda special, x: special.airy(x)[1],
    "cosine_integral": lambda special, x: special.sici(x)[1],
    "elliprc_above": lambda special, x, y: special.elliprc(x, y),
    "elliprj_above": lambda special, x, y, z, p: special.elliprj(x, y, z, p),
    "faddeeva_imag": lambda special, x, y: special.wofz(x + 1j * y).imag,
    "faddeeva_real": lambda special, x, y: special.wofz(x + 1j * y).real,
    "fresnel_cosine": lambda special, x: special.fresnel(x)[1],
    "fresnel_sine": lambda special, x: special.fresnel(x)[0],
    "hyperbolic_cosine_integral": lambda special, x: special.shichi(x)[1],
    "hyperbolic_sine_integral": lambda special, x: special.shichi(x)[0],
    "jacobi_amplitude": lambda special, u, m: special.ellipj(u, m)[3],
    "jacobi_cosine": lambda special, u, m: special.ellipj(u, m)[1],
    "jacobi_delta": lambda special, u, m: special.ellipj(u, m)[2],
    "jacobi_sine": lambda special, u, m: special.ellipj(u, m)[0],
    "lambert_branch": lambda special, z, k, tol: special.lambertw(z, k.real, tol.real),
    "second_airy_function": lambda special, x: special.airy(x)[2],
    "second_airy_slope": lambda special, x: special.airy(x)[3],
    "sine_integral": lambda special, x: special.sici(x)[0],
    "spherical_first": lambda special, n, z: special.spherical_jn(n, z),
    "spherical_modified_first": lambda special, n, z: special.spherical_in(n, z),
    "spherical_modified_second": lambda special, n, z: special.spherical_kn(n, z),
    "spherical_second": lambda special, n, z: special.spherical_yn(n, z),
}
COMPLEX = {"lambert_branch"}
ONLY_OF_SCIPY = [*SCIPYS.split(), *OF_DEGREES, *PARTS]


def kernels_of(module: str, install: str, names: Iterable[str] = FUNCTIONS) -> dict[str, Kernel]:
    """Return a kernel for each of ``names``: the function of ``module`` of that name.

    ``install`` is the command that installs the module.
    """
    return {op: _kernel(module, op, install) for op in names}


def _kernel(module: str, op: str, install: str) -> Kernel:
    found: list[Callable[..., Any]] = []
    of_degrees = op in OF_DEGREES

    def kernel(xp: Any, *arrays: Any) -> Any:
        if not found:
            special = imported(module, op, install)
            found.append(partial(PARTS[op], special) if op in PARTS else getattr(special, op))
        dtype = _common_dtype(op, arrays)
        whole = 1 if of_degrees and _is_whole(arrays[0]) else 0
        out = found[0](*arrays[:whole], *[_in(dtype, array) for array in arrays[whole:]])
        return out if out.dtype == dtype else out.astype(dtype)  # half precision is widened

    return kernel


def _is_whole(n: Any) -> bool:
    return type(n) is int if type(n) in NUMBERS else n.dtype.kind in "iu"


def imported(module: str, op: str, install: str) -> Any:
    """Import what computes an op, or say what to install."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"{op}: it is computed by {module}, which cannot be imported ({error}): {install}"
        ) from error


def _common_dtype(op: str, arrays: Iterable[Any]) -> Any:
    """Return the dtype that whole and plain numbers are taken in, and the result is given in.

    Whole numbers alone are taken in double precision.
    """
    given = [array.dtype for array in arrays if type(array) not in NUMBERS]
    for dtype in given:
        if dtype.kind not in ("fiuc" if op in COMPLEX else "fiu"):
            raise DTypeError(f"{op}: expected real numbers, got {dtype}")
    real = [dtype for dtype in given if dtype.kind in "fc"]
    return np.result_type(*real).type if real else np.float64


def _in(dtype: Any, array: Any) -> Any:
    if type(array) in NUMBERS:
        return dtype(array)
    return array if array.dtype.kind in "fc" else array.astype(dtype)
