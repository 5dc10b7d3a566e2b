"""How NumPy asks: the protocols of NEP 13 (ufuncs) and NEP 18 (other functions).

A function that is in no table raises: NumPy would otherwise compute it from
plain values, and the derivative would be lost without a word. Of Tensors that
vary with nothing nothing is lost: those NumPy is given as plain arrays.
"""

import inspect
from contextlib import nullcontext, suppress
from functools import cache
from numbers import Number
from typing import Any

import numpy as np

from gradx.core.call import Tensor, holds_arrays
from gradx.core.explain import EXPLAINED, explain_composed
from gradx.errors import DTypeError, GradxError, TrackedError
from gradx.numpy_protocols import (
    arranging,
    differences,
    editing,
    fft,
    histograms,
    joining,
    linalg,
    padding,
    polynomials,
    products,
    quantiles,
    questions,
    reductions,
    scimath,
    selecting,
    writing,
)
from gradx.numpy_protocols.arranging import array_of
from gradx.numpy_protocols.casting import cast_as_asked
from gradx.numpy_protocols.constants import as_constants, as_plain, varies_with_nothing
from gradx.numpy_protocols.refusals import unknown, would_write
from gradx.numpy_protocols.ufunc_methods import method_of
from gradx.numpy_protocols.ufuncs import OPTIONS, ufunc_of
from gradx.numpy_protocols.writing import write_into
from gradx.ops.arithmetic import where as choose

FUNCTIONS: dict[Any, Any] = {
    **arranging.FUNCTIONS,
    **differences.FUNCTIONS,
    **editing.FUNCTIONS,
    **fft.FUNCTIONS,
    **histograms.FUNCTIONS,
    **joining.FUNCTIONS,
    **linalg.FUNCTIONS,
    **padding.FUNCTIONS,
    **polynomials.FUNCTIONS,
    **products.FUNCTIONS,
    **quantiles.FUNCTIONS,
    **questions.FUNCTIONS,
    **reductions.FUNCTIONS,
    **scimath.FUNCTIONS,
    **selecting.FUNCTIONS,
    **writing.FUNCTIONS,
}


# What a call of a universal function says of casts, and of the memory of its result.
CASTS = ("casting", "dtype", "signature")
LAYOUT = ("order", "subok")

# Where functions have it that old versions of NumPy do not tell the signature of.
OUT_IN_C: dict[Any, int] = {np.concatenate: 2, np.dot: 2}


@cache
def place_of_out(function: Any) -> int | None:
    """Return where a call may name the array to write into without saying ``out=``."""
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # written in C, in NumPy before 2.4
        return OUT_IN_C.get(function)
    by_place = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    taken = [name for name, p in parameters.items() if p.kind in by_place]
    return taken.index("out") if "out" in taken else None


def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Answer ``np.sin(t)`` and ``np.add.reduce(t)``, as NumPy's protocol asks."""
    call = _name_of(ufunc, method)
    if kwargs.get("out") is not None:
        return _ufunc_into(ufunc, method, call, inputs, kwargs)
    inputs, kwargs = _cast_inputs(ufunc, method, call, inputs, (None,) * ufunc.nout, kwargs)
    function = ufunc_of(ufunc)
    if method == "__call__" and function and set(kwargs) <= OPTIONS.get(ufunc, set()):
        try:
            return function(*map(_array_among, inputs), **kwargs)
        except EXPLAINED:
            if any(map(holds_arrays, inputs)):
                return NotImplemented  # NumPy asks them next
            raise
    adapter = method_of(ufunc, method, function)
    if adapter is None:
        return _plainly(getattr(ufunc, method), inputs, kwargs, unknown(call, kwargs))
    return _adapted(adapter, getattr(ufunc, method), call, inputs, kwargs)


def _name_of(ufunc, method):
    home = "np" if hasattr(np, ufunc.__name__) else "scipy.special"
    return f"{home}.{ufunc.__name__.lstrip('_')}" + ("" if method == "__call__" else f".{method}")


def _array_among(x):
    return array_of(x) if isinstance(x, list | tuple) else x


def _cast_inputs(ufunc, method, call, inputs, outs, kwargs):
    """Cast what a call asks to be cast; leave out what says so, and what changes no number."""
    if method != "__call__":
        return inputs, kwargs
    asked = {key: value for key, value in kwargs.items() if key in CASTS and value is not None}
    if asked:
        inputs = cast_as_asked(ufunc, call, tuple(map(_array_among, inputs)), outs, asked)
    return inputs, {key: value for key, value in kwargs.items() if key not in CASTS + LAYOUT}


def array_function(self: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Answer ``np.sum(t)``, as NumPy's protocol asks."""
    name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
    adapter = FUNCTIONS.get(function)
    out, args, kwargs = _without_out(function, args, kwargs)
    if out is not None:
        return _function_into(function, name, out, args, kwargs)
    if adapter is None:
        return _plainly(function, args, kwargs, unknown(name))
    try:
        return _adapted(adapter, function, name, args, kwargs)
    except DTypeError:
        # NumPy takes lists of numbers wherever it takes arrays.
        with suppress(GradxError, ValueError):
            arrays = [_numbers_as_array(x) for x in args]
            named = {key: _numbers_as_array(x) for key, x in kwargs.items()}
            return _adapted(adapter, function, name, arrays, named)
        raise


def _numbers_as_array(x):
    """Return a list of numbers, or of such lists, as an array; look into others for some."""
    if not isinstance(x, list | tuple):
        return x
    return np.asarray(x) if _are_numbers(x) else list(map(_numbers_as_array, x))


def _are_numbers(x):
    if isinstance(x, list | tuple):
        return all(map(_are_numbers, x))
    return isinstance(x, Number | np.bool)


def _adapted(adapter, function, name, args, kwargs):
    """Call what answers one of NumPy's functions; where it cannot, refuse in NumPy's name."""
    try:
        return adapter(*args, **kwargs)
    except TrackedError as error:
        return _plainly(function, args, kwargs, error)
    except GradxError:
        raise
    except EXPLAINED as error:
        inside = error.__traceback__ and error.__traceback__.tb_next
        if isinstance(error, TypeError) and inside is None:
            # It was not even called: NumPy's function takes more than the adapter.
            return _plainly(function, args, kwargs, unknown(name, kwargs))
        raise explain_composed(name, error, args, kwargs) from error


def _without_out(function, args, kwargs):
    """Take what a call is to write into from its arguments."""
    if "out" in kwargs:
        kwargs = dict(kwargs)
        return kwargs.pop("out"), args, kwargs
    place = place_of_out(function) if function in FUNCTIONS else None
    if place is None or len(args) <= place:
        return None, args, kwargs
    return args[place], (*args[:place], None, *args[place + 1 :]), kwargs


def _function_into(function, name, out, args, kwargs):
    if type(out) is Tensor:
        return write_into(out, function(*args, **kwargs), name)
    return _plainly(function, args, {**kwargs, "out": out}, would_write(name))


def _ufunc_into(ufunc, method, call, inputs, kwargs):
    """Write into Tensors, where ``where`` says so, what one of NumPy's ufuncs computes."""
    outs = kwargs["out"]
    if any(out is not None and type(out) is not Tensor for out in outs):
        return _plainly(getattr(ufunc, method), inputs, kwargs, would_write(call))
    beside = {key: value for key, value in kwargs.items() if key != "out"}
    if method != "__call__":
        return write_into(outs[0], getattr(ufunc, method)(*inputs, **beside), call)
    may_cast = beside.get("casting") is not None  # and NumPy is asked whether it does
    inputs, beside = _cast_inputs(ufunc, method, call, inputs, outs, beside)
    there = beside.pop("where", True)
    with nullcontext() if there is True else np.errstate(all="ignore"):
        found = ufunc(*inputs, **beside)
    # It broadcasts to what it is written into.
    written = [
        x if out is None else write_into(out, choose(there, x, out), call, may_cast=may_cast)
        for out, x in zip(outs, found if isinstance(found, tuple) else (found,), strict=True)
    ]
    return tuple(written) if isinstance(found, tuple) else written[0]


def _plainly(function: Any, args: Any, kwargs: Any, refusal: Exception) -> Any:
    """Let NumPy compute with plain arrays; raise where that would lose a derivative."""
    if not varies_with_nothing((args, kwargs)):
        raise refusal
    found = function(*as_plain(args), **as_plain(kwargs))
    return found if kwargs.get("out") is not None else as_constants(found)
