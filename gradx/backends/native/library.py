"""The C library's own functions, element by element: slow, and right everywhere."""

import ctypes
import ctypes.util

import llvmlite.binding as llvm

from gradx.backends.native.values import LLVM_TYPES, Code, Value

UNARY = ("sin", "cos", "tan", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh")
BINARY = ("pow", "atan2", "hypot", "fmod", "nextafter")


def _symbol(name: str, dtype: str) -> str:
    return f"gradx_{name}{'f' if dtype == 'float32' else ''}"


def provide() -> None:
    """Tell LLVM where the functions are, under names of our own."""
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    for name in UNARY + BINARY:
        for dtype, suffix in (("float64", ""), ("float32", "f")):
            function = getattr(library, name + suffix)
            address = ctypes.cast(function, ctypes.c_void_p).value
            llvm.add_symbol(_symbol(name, dtype), address)
