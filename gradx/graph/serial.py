"""Graphs as JSON: for files and other processes. Reading one runs nothing.

Ops are looked up by name among those that gradx declares, and every shape, dtype and
reference is checked, so a wrong or hostile file is an error and not a call. Numbers that
JSON lacks, slices, tuples and arrays are written as objects of one key.
"""

import json
from collections.abc import Callable, Iterable
from importlib import import_module
from math import inf, isfinite, nan
from types import EllipsisType, NoneType
from typing import Any, NamedTuple

import numpy as np

from gradx.backends import backend_for_device, backend_of, numpy_dtype
from gradx.core.arrays import is_array
from gradx.core.explain import describe
from gradx.core.op import OPS, Op
from gradx.errors import DTypeError, GradxError, ShapeError
from gradx.graph.equations import Constant, Equation, Group, Variable

FORMAT = "gradx graph 1"
# Modules with ops that are imported when they are first asked for.
DECLARED_LATER = ("gradx.random", "gradx.special")
SPECIAL = {"inf": inf, "-inf": -inf, "nan": nan}


class Parts(NamedTuple):
    """What a graph is made of."""

    inputs: tuple[Variable, ...]
    constants: tuple[Constant, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Any, ...]
    name: str


def write(graph: Any) -> str:
    """Return the text of a graph.

    Raise ``DTypeError`` for a parameter that has no form in JSON, or a grouped equation.
    """
    numbers: dict[Variable, int] = {}

    def put(x: Any) -> Any:
        return {"var": numbers[x]} if type(x) is Variable else encoded(x)

    def declare(x: Variable) -> dict[str, Any]:
        numbers[x] = len(numbers)
        text = {"shape": list(x.shape), "dtype": x.dtype, "device": x.device}
        return text | ({"weak": True} if x.weak else {}) | ({"name": x.name} if x.name else {})

    document = {
        "format": FORMAT,
        "name": graph.name,
        "inputs": [declare(x) for x in graph.inputs],
        "constants": [declare(x) | {"value": encoded(value)} for x, value in graph.constants],
        "equations": [_written(equation, put, declare) for equation in graph.equations],
        "outputs": [put(x) for x in graph.outputs],
    }
    return json.dumps(document, allow_nan=False)


def _written(equation: Equation, put: Callable[..., Any], declare: Callable[..., Any]) -> Any:
    if type(equation.op) is Group:
        raise DTypeError("to_json: a grouped equation: write the graph before it is grouped")
    return {
        "op": equation.op.name,
        "inputs": [put(x) for x in equation.inputs],
        "params": {name: encoded(value) for name, value in equation.params.items()},
        "outputs": [declare(x) for x in equation.outputs],
        "line": equation.line,
    }


def encoded(value: Any) -> Any:
    """Return a parameter, a literal or a constant as JSON has it."""
    if type(value) in _ENCODERS:
        return _ENCODERS[type(value)](value)
    if not is_array(value):
        raise DTypeError(f"to_json: {describe(value)} has no form in JSON")
    host = np.asarray(backend_of(type(value)).to_numpy(value))
    return {"array": [host.dtype.name, list(host.shape), _all(host.reshape(-1).tolist())]}


def _all(values: Iterable[Any]) -> list[Any]:
    return [encoded(value) for value in values]


_ENCODERS: dict[type, Callable[[Any], Any]] = {
    **dict.fromkeys((NoneType, bool, int, str), lambda value: value),
    float: lambda value: value if isfinite(value) else {"float": repr(value)},
    complex: lambda value: {"complex": _all((value.real, value.imag))},
    slice: lambda value: {"slice": _all((value.start, value.stop, value.step))},
    EllipsisType: lambda value: {"ellipsis": True},
    tuple: lambda value: {"tuple": _all(value)},
    list: lambda value: {"list": _all(value)},
}


def decoded(value: Any) -> Any:
    """Return what ``encoded`` was given."""
    if not isinstance(value, dict):
        if value is None or type(value) in (bool, int, float, str):
            return value
        raise _wrong(f"a bare {type(value).__name__}")
    if len(value) != 1:
        raise _wrong(f"an object of {len(value)} keys, {sorted(value)}, where a value is expected")
    ((kind, content),) = value.items()
    if kind not in _DECODERS:
        raise _wrong(f"a value of kind {kind!r}, expected one of {', '.join(_DECODERS)}")
    return _DECODERS[kind](content)


def _array(content: Any) -> np.ndarray:
    dtype, shape, flat = content
    return np.asarray(list(map(decoded, flat)), numpy_dtype(dtype)).reshape(_shape(shape))


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "array": _array,
    "complex": lambda content: complex(*map(decoded, content)),
    "ellipsis": lambda content: Ellipsis,
    "float": lambda content: SPECIAL[content],
    "list": lambda content: list(map(decoded, content)),
    "slice": lambda content: slice(*map(decoded, content)),
    "tuple": lambda content: tuple(map(decoded, content)),
}


def read(text: str) -> Parts:
    """Return the parts of the graph that ``text`` holds.

    Raise ``ShapeError`` for what is no such text, and say what is wrong.
    """
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise _wrong(f"no text of the format {FORMAT!r}")
        return _read(document)
    except GradxError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise _wrong(f"{type(error).__name__}: {error}") from error


def _read(document: dict[str, Any]) -> Parts:
    known: list[Variable] = []

    def declare(text: dict[str, Any]) -> Variable:
        variable = Variable(
            shape=_shape(text["shape"]),
            dtype=numpy_dtype(_text(text["dtype"])).name,
            weak=text.get("weak", False) is True,
            name=_text(text.get("name", "")),
            device=_text(text.get("device", "cpu")),
        )
        known.append(variable)
        return variable

    def get(value: Any) -> Any:
        if not isinstance(value, dict) or "var" not in value:
            return decoded(value)
        number = value["var"]
        if type(number) is not int or not 0 <= number < len(known):
            raise _wrong(f"variable {number!r} is used before it is written")
        return known[number]

    return Parts(
        inputs=tuple([declare(x) for x in document["inputs"]]),
        constants=tuple([_constant(x, declare) for x in document["constants"]]),
        equations=tuple([_equation(x, get, declare) for x in document["equations"]]),
        outputs=tuple([get(x) for x in document["outputs"]]),
        name=_text(document["name"]),
    )


def _constant(text: dict[str, Any], declare: Callable[..., Variable]) -> Constant:
    value = decoded(text["value"])
    variable = declare(text)
    host = np.asarray(value)
    if host.shape != variable.shape or host.dtype.name != variable.dtype:
        raise _wrong(f"a constant of {describe(host)}, declared {variable.type}")
    backend, _ = backend_for_device(variable.device)
    return Constant(variable, backend.from_numpy(host, variable.device))


def _equation(text: dict[str, Any], get: Callable[..., Any], declare: Callable[..., Any]) -> Any:
    op = _op_named(_text(text["op"]))
    params = {name: decoded(value) for name, value in text["params"].items()}
    if unknown := params.keys() - set(op.signature.params):
        raise _wrong(f"{op.name} has no parameter {sorted(unknown)[0]!r}")
    inputs = tuple([get(x) for x in text["inputs"]])
    if not op.signature.variadic and len(inputs) != len(op.signature.inputs):
        raise _wrong(f"{op.name} takes {len(op.signature.inputs)} arrays, got {len(inputs)}")
    outputs = tuple([declare(x) for x in text["outputs"]])
    return Equation(op, inputs, params, outputs, _text(text.get("line", "")))


def _op_named(name: str) -> Op:
    if name not in OPS:
        for module in DECLARED_LATER:
            import_module(module)
    if name not in OPS:
        raise _wrong(f"there is no op {name!r}")
    return OPS[name]


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or any(type(n) is not int or n < 0 for n in value):
        raise _wrong(f"the shape {value!r}")
    return tuple(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(f"{value!r} where a text is expected")
    return value


def _wrong(what: str) -> ShapeError:
    return ShapeError(f"from_json: {what}")
