"""Tensor's operators and methods: the whole array object of the standard.

A plain function is a descriptor, so an op itself can be the method:
``x * y`` calls ``multiply(x, y)`` with nothing in between.
"""

from collections.abc import Iterable
from math import prod as product
from operator import index
from typing import Any

from gradx.backends import canonical_device
from gradx.core.arrays import backend_for, is_kind, read_for, untracked
from gradx.core.call import Tensor, operator_of
from gradx.core.explain import describe
from gradx.core.op import OPS
from gradx.core.views import is_number, lend, rebind, writing
from gradx.device import LEAF_MOVES
from gradx.errors import DTypeError, MissingAttributeError, ShapeError, TrackedError
from gradx.namespace import namespace_of
from gradx.numpy_protocols import METHODS as NUMPY_METHODS
from gradx.numpy_protocols import PYTHON_PROTOCOLS, array_function, array_ufunc
from gradx.numpy_protocols.arranging import copy_of, flat, reshaped
from gradx.numpy_protocols.writing import Flat
from gradx.ops.elementwise import (
    abs,
    add,
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    conj,
    divide,
    equal,
    floor_divide,
    greater,
    greater_equal,
    imag,
    less,
    less_equal,
    multiply,
    negative,
    not_equal,
    positive,
    pow,
    real,
    remainder,
    subtract,
)
from gradx.ops.indexing import (
    getitem,
    setitem,
)
from gradx.ops.linalg import (
    matmul,
)
from gradx.ops.shapes import (
    astype,
    broadcast_to,
    matrix_transpose,
    permute_dims,
)
from gradx.ops.sorting import sort
from gradx.transforms.boundary import copied
from gradx.transforms.explore import backward, detach, read_grad, read_name, write_grad, write_name


def _swapped(op):
    return lambda x, y: op(y, x)


def _times(y, x):
    # A list times a count repeats it, which Python does once nobody multiplies.
    if type(x) in SEQUENCES and y.trace.level < 0:
        return NotImplemented
    return OPERATORS["__mul__"](x, y)


SEQUENCES = {list, str, tuple}
# A result in place is cast within its kind, as NumPy does.
KINDS = ("integral", "real floating", "complex floating")


def _in_place(op, sign):
    """Rebind the Tensor to the result of ``op``, as NumPy would overwrite it."""

    def write(x, y):
        with writing:
            return written(x, y)

    def written(x, y):
        updated, shape = op(x, y), x.shape
        if updated is NotImplemented:
            raise DTypeError(
                f"{sign}: {describe(x)} cannot hold a {type(y).__name__}: write the array in it"
            )
        if not shape and is_number(x):
            return updated
        if updated.shape != shape:
            raise ShapeError(f"{sign}: {describe(x)} cannot hold a result of shape {updated.shape}")
        if updated.dtype != x.dtype and any(is_kind(updated, k) and is_kind(x, k) for k in KINDS):
            updated = astype(updated, x.dtype)
        if updated.dtype != x.dtype:
            raise DTypeError(f"{sign}: {describe(x)} cannot hold a result of dtype {updated.dtype}")
        rebind(x, updated)
        return x

    return write


def _set_item(self, key, value):
    with writing:
        rebind(self, setitem(self, value, key))


# Traces whose Tensors may be converted all the same: those of suites, which read numbers.
CONVERTIBLE: set[type] = set()


def _refuse(what, convert):
    def method(self, *args, **kwargs):
        if self.trace.level < 0 or type(self.trace) in CONVERTIBLE:
            return convert(untracked(self), *args, **kwargs)
        read_for(self, what)  # in a captured graph that is the reason, whoever else tracks it
        raise self.trace.refusal(what)

    return method


def _reading(what, convert):
    refusing = _refuse(what, convert)

    def read(self, *args):
        if self.trace.gives_items:
            return convert(read_for(self, what), *args)
        return refusing(self, *args)

    return read


def _index_of(array):
    """Return a whole number; CuPy's arrays of one do not tell it themselves."""
    return index(array if hasattr(array, "__index__") else array.item())


def _array(self, *args, **kwargs):
    """Return NumPy's array: of what varies with nothing the memory itself, as NumPy does."""
    if self.trace.level < 0:
        return lend(self).__array__(*args, **kwargs)
    read_for(self, "np.asarray()")
    raise self.trace.refusal("np.asarray()")


def _dlpack(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    if self.trace.level < 0:
        settings = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        return copied(self).__dlpack__(stream=stream, **settings)
    read_for(self, "DLPack export")
    raise TrackedError(
        f"DLPack export of a Tensor tracked by {self.trace.name} would lend its memory and lose "
        "its derivative: export t.detach()"
    )


def _of_complex(part):
    """Leave what is not complex as it is, and not a copy of it: what is written to it stays."""
    return lambda self: part(self) if is_kind(self, "complex floating") else self


def _imag(self):
    """Return the imaginary part; of a real array, as NumPy's, zeros that are read-only."""
    part = imag(self)
    return part if is_kind(self, "complex floating") else broadcast_to(part, part.shape)


def _write_real(self, value):
    _set_item(_of_complex(real)(self), ..., value)


def _write_imag(self, value):
    if not is_kind(self, "complex floating"):
        raise DTypeError(f"imag: {describe(self)} has no imaginary part to write to")
    _set_item(imag(self), ..., value)


def _missing(self, name):
    """Say that there is no such attribute; Python asks only where it found none."""
    hint = ""
    if name not in Tensor.__slots__ and hasattr(untracked(self), name):
        hint = (
            f", which depends on memory or changes it: t.detach().{name} is that of a copy "
            "without derivative"
        )
    raise MissingAttributeError(f"a Tensor has no attribute {name!r}{hint}", name=name)


def _length(self):
    if not self.shape:
        raise DTypeError("len() of a 0-d Tensor")
    return self.shape[0]


def _iterate(self):
    return iter([self[i] for i in range(_length(self))])


def _repr(self):
    name = read_name(self)
    label = f", name={name!r}" if name else ""
    tracked = "" if self.trace.level < 0 else f", tracked by {self.trace.name}"
    return f"Tensor({self.value!r}{label}{tracked})"


def _text(self):
    return str(self.value) if self.trace.level < 0 else repr(self)


def _flexible_reshape(self, *shape, order="C", copy=None):
    return reshaped(self, _together(shape), order, copy=copy)


def _transpose(self, *axes):
    whole = not axes or axes[0] is None
    return permute_dims(self, tuple(reversed(range(self.ndim))) if whole else _together(axes))


def _together(values):
    """Return the numbers of ``t.reshape(2, 3)`` or ``t.reshape((2, 3))`` as a tuple."""
    return tuple(values[0]) if len(values) == 1 and isinstance(values[0], Iterable) else values


def _to_device(self, device, /, stream=None):
    if canonical_device(device) == backend_for(self).device_of(untracked(self)):
        return self
    raise TrackedError(
        f"to_device of a Tensor tracked by {self.trace.name}: move the array before it is tracked"
    )


LEAF_MOVES[Tensor] = _to_device


OPERATORS: dict[str, Any] = {
    "__abs__": abs,
    "__invert__": bitwise_invert,
    "__neg__": negative,
    "__pos__": positive,
    "__getattr__": _missing,
    "__getitem__": getitem,
    "__setitem__": _set_item,
    "__len__": _length,
    "__iter__": _iterate,
    "__repr__": _repr,
    "__str__": _text,
    "__hash__": None,
}

ARITHMETIC = {
    "add": add,
    "and": bitwise_and,
    "lshift": bitwise_left_shift,
    "or": bitwise_or,
    "rshift": bitwise_right_shift,
    "xor": bitwise_xor,
    "sub": subtract,
    "mul": multiply,
    "truediv": divide,
    "floordiv": floor_divide,
    "mod": remainder,
    "pow": pow,
    "matmul": matmul,
}

COMPARISONS = {
    "eq": equal,
    "ne": not_equal,
    "lt": less,
    "le": less_equal,
    "gt": greater,
    "ge": greater_equal,
}

for _name, _function in COMPARISONS.items():
    OPERATORS[f"__{_name}__"] = operator_of(OPS[_function.__name__])

for _name, _function in ARITHMETIC.items():
    _op = OPERATORS[f"__{_name}__"] = operator_of(OPS[_function.__name__])
    OPERATORS[f"__r{_name}__"] = _swapped(_op)
    OPERATORS[f"__i{_name}__"] = _in_place(_op, f"__i{_name}__")

OPERATORS["__rmul__"] = _times

PROTOCOLS: dict[str, Any] = {
    **PYTHON_PROTOCOLS,
    "__array_ufunc__": array_ufunc,
    "__array_function__": array_function,
    "__array_namespace__": namespace_of,
    "__array__": _array,
    "__bool__": _refuse("bool()", bool),
    "__complex__": _refuse("complex()", complex),
    "__dlpack__": _dlpack,
    "__dlpack_device__": lambda self: untracked(self).__dlpack_device__(),
    "__float__": _refuse("float()", float),
    "__index__": _refuse("operator.index()", _index_of),
    "__int__": _refuse("int()", int),
}

ATTRIBUTES = {
    "T": property(_transpose),
    "flat": property(Flat, lambda self, values: Flat(self).__setitem__(slice(None), values)),
    "device": property(lambda self: untracked(self).device),
    "dtype": property(lambda self: self.value.dtype),
    "grad": property(read_grad, write_grad),
    "imag": property(_imag, _write_imag),
    "mT": property(matrix_transpose),
    "name": property(read_name, write_name),
    "ndim": property(lambda self: len(self.shape)),
    "real": property(_of_complex(real), _write_real),
    "shape": property(lambda self: self.trace.shape_of(self)),
    "size": property(lambda self: product(self.shape)),
}

METHODS: dict[str, Any] = {
    **NUMPY_METHODS,
    "astype": astype,
    "backward": backward,
    "conj": _of_complex(conj),
    "copy": lambda self, order="C": copy_of(self),
    "detach": detach,
    "fill": lambda self, value: _set_item(self, ..., value),
    "flatten": lambda self, order="C": copy_of(flat(self, order, "flatten")),
    "item": _reading("item()", lambda x, *place: x.item(*place)),
    "ravel": flat,
    "reshape": _flexible_reshape,
    "sort": lambda self, axis=-1: _set_item(self, ..., sort(self, axis=axis)),
    "to_device": _to_device,
    "tolist": _reading("tolist()", lambda x: x.tolist()),
    "transpose": _transpose,
}

for _table in (OPERATORS, PROTOCOLS, ATTRIBUTES, METHODS):
    for _name, _method in _table.items():
        setattr(Tensor, _name, _method)
