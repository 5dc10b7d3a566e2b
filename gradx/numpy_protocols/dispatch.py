"""How NumPy asks: the protocols of NEP 13 (ufuncs) and NEP 18 (other functions).

A function that is in no table raises: NumPy would otherwise compute it from
plain values, and the derivative would be lost without a word. Of Tensors that
vary with nothing nothing is lost: those NumPy is given as plain arrays.
"""

from typing import Any

import numpy as np

from gradx.errors import TrackedError
from gradx.numpy_protocols import (
    arranging,
    differences,
    editing,
    fft,
    joining,
    linalg,
    polynomials,
    products,
    quantiles,
    questions,
    reductions,
    selecting,
)
from gradx.numpy_protocols.arranging import array_of
from gradx.numpy_protocols.constants import as_constants, as_plain, varies_with_nothing
from gradx.numpy_protocols.refusals import unknown, would_write
from gradx.numpy_protocols.ufuncs import ACCUMULATIONS, OPTIONS, REDUCTIONS, ufunc_of

FUNCTIONS: dict[Any, Any] = {
    **arranging.FUNCTIONS,
    **differences.FUNCTIONS,
    **editing.FUNCTIONS,
    **fft.FUNCTIONS,
    **joining.FUNCTIONS,
    **linalg.FUNCTIONS,
    **polynomials.FUNCTIONS,
    **products.FUNCTIONS,
    **quantiles.FUNCTIONS,
    **questions.FUNCTIONS,
    **reductions.FUNCTIONS,
    **selecting.FUNCTIONS,
}


def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Answer ``np.sin(t)`` and ``np.add.reduce(t)``, as NumPy's protocol asks."""
    plain = getattr(ufunc, method)
    if kwargs.get("out") is not None:
        return _plainly(plain, inputs, kwargs, would_write(f"np.{ufunc.__name__}"))
    arrays = tuple([array_of(x) if isinstance(x, list | tuple) else x for x in inputs])
    function = ufunc_of(ufunc)
    if method == "__call__" and function and set(kwargs) <= OPTIONS.get(ufunc, set()):
        return function(*arrays, **kwargs)
    home = "np" if hasattr(np, ufunc.__name__) else "scipy.special"
    call = f"{home}.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    if method == "reduce" and ufunc in REDUCTIONS:
        return _adapted(REDUCTIONS[ufunc], plain, call, arrays, {"axis": 0} | kwargs)
    if method == "accumulate" and ufunc in ACCUMULATIONS and set(kwargs) <= {"axis"}:
        return ACCUMULATIONS[ufunc](*arrays, **({"axis": 0} | kwargs))
    if method == "outer" and function and not kwargs:
        return function(*products.spread_apart(*arrays))
    return _plainly(plain, inputs, kwargs, unknown(call, kwargs))


def array_function(self: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Answer ``np.sum(t)``, as NumPy's protocol asks."""
    name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
    adapter = FUNCTIONS.get(function)
    if adapter is None:
        return _plainly(function, args, kwargs, unknown(name))
    if kwargs.get("out") is not None:
        return _plainly(function, args, kwargs, would_write(name))
    return _adapted(adapter, function, name, args, kwargs)


def _adapted(adapter: Any, function: Any, name: str, args: Any, kwargs: Any) -> Any:
    """Call what answers for NumPy's function; where it cannot, refuse in NumPy's name."""
    try:
        return adapter(*args, **kwargs)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            # It was not even called: NumPy's function takes more than the adapter.
            return _plainly(function, args, kwargs, unknown(name, kwargs))
        if not isinstance(error, TrackedError):
            raise
        return _plainly(function, args, kwargs, error)


def _plainly(function: Any, args: Any, kwargs: Any, refusal: Exception) -> Any:
    """Let NumPy compute with plain arrays; raise where that would lose a derivative."""
    if not varies_with_nothing((args, kwargs)):
        raise refusal
    found = function(*as_plain(args), **as_plain(kwargs))
    return found if kwargs.get("out") is not None else as_constants(found)
