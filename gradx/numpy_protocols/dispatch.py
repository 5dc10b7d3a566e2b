"""How NumPy asks: the protocols of NEP 13 (ufuncs) and NEP 18 (other functions).

A function that is in no table raises: NumPy would otherwise compute it from
plain values, and the derivative would be lost without a word.
"""

from typing import Any

import numpy as np

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
from gradx.numpy_protocols.refusals import unknown, would_write
from gradx.numpy_protocols.ufuncs import ACCUMULATIONS, REDUCTIONS, ufunc_of

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
    inputs = tuple([array_of(x) if isinstance(x, list | tuple) else x for x in inputs])
    if kwargs.get("out") is not None:
        raise would_write(f"np.{ufunc.__name__}")
    function = ufunc_of(ufunc)
    if method == "__call__" and function and not kwargs:
        return function(*inputs)
    if method == "reduce" and ufunc in REDUCTIONS and set(kwargs) <= {"axis", "keepdims"}:
        return REDUCTIONS[ufunc](*inputs, **({"axis": 0} | kwargs))
    if method == "accumulate" and ufunc in ACCUMULATIONS and set(kwargs) <= {"axis"}:
        return ACCUMULATIONS[ufunc](*inputs, **({"axis": 0} | kwargs))
    if method == "outer" and function and not kwargs:
        return function(*products.spread_apart(*inputs))
    home = "np" if hasattr(np, ufunc.__name__) else "scipy.special"
    call = f"{home}.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    raise unknown(call, kwargs)


def array_function(self: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Answer ``np.sum(t)``, as NumPy's protocol asks."""
    adapter = FUNCTIONS.get(function)
    name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
    if adapter is None:
        raise unknown(name)
    if kwargs.get("out") is not None:
        raise would_write(name)
    try:
        return adapter(*args, **kwargs)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            # It was not even called: NumPy's function takes more than the adapter.
            raise unknown(name, kwargs) from error
        raise
