"""Tensor's operators and methods: the whole array object of the standard.

A plain function is a descriptor, so an op itself can be the method:
``x * y`` calls ``multiply(x, y)`` with nothing in between.
"""

from gradx.core.call import Tensor
from gradx.ops.elementwise import add, divide, greater, multiply, negative, subtract
from gradx.ops.indexing import getitem
from gradx.ops.linalg import matmul
from gradx.ops.shapes import matrix_transpose, reshape
from gradx.transforms.explore import backward, detach, read_grad, read_name, write_grad, write_name


def _swapped(op):
    return lambda x, y: op(y, x)


METHODS = {
    "__array_ufunc__": None,
    "__neg__": negative,
    "__gt__": greater,
    "__add__": add,
    "__radd__": _swapped(add),
    "__sub__": subtract,
    "__rsub__": _swapped(subtract),
    "__mul__": multiply,
    "__rmul__": _swapped(multiply),
    "__truediv__": divide,
    "__rtruediv__": _swapped(divide),
    "__matmul__": matmul,
    "__rmatmul__": _swapped(matmul),
    "__getitem__": getitem,
    "mT": property(matrix_transpose),
    "shape": property(lambda self: self.trace.shape_of(self)),
    "dtype": property(lambda self: self.value.dtype),
    "ndim": property(lambda self: len(self.shape)),
    "reshape": reshape,
    "backward": backward,
    "detach": detach,
    "grad": property(read_grad, write_grad),
    "name": property(read_name, write_name),
}

for name, method in METHODS.items():
    setattr(Tensor, name, method)
