"""The C library's own functions, element by element: slow, and right everywhere."""

import ctypes
import ctypes.util
import sys
from functools import cache

from gradx.backends.native.values import LLVM_TYPES, Code, Value

UNARY = {
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "sinh": "sinh",
    "cosh": "cosh",
    "asin": "asin",
    "acos": "acos",
    "atan": "atan",
    "asinh": "asinh",
    "acosh": "acosh",
    "atanh": "atanh",
}
BINARY = {"pow": "pow", "atan2": "atan2", "hypot": "hypot", "nextafter": "nextafter"}
PREFIX = "gradx_libm_"  # a name that nothing else has
YIELD = "gradx_yield"


@cache
def symbols() -> dict[str, int]:
    """Return where each function is, by the name that generated code calls it by."""
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    found = {
        f"{PREFIX}{name}{suffix}": ctypes.cast(
            getattr(library, name + suffix), ctypes.c_void_p
        ).value
        or 0
        for name in (*UNARY, *BINARY)
        for suffix in ("", "f")
    }
    return {YIELD: _address_of_yield(), **_of_the_system(), **found}


def _of_the_system() -> dict[str, int]:
    """Return what compiled code calls by itself: on Windows, before it uses much of the stack."""
    if sys.platform != "win32":
        return {}
    probe = getattr(ctypes.windll.ntdll, "__chkstk", None)
    return {} if probe is None else {"__chkstk": ctypes.cast(probe, ctypes.c_void_p).value or 0}


def _address_of_yield() -> int:
    """Return where the system's function is that leaves the processor to other threads."""
    if sys.platform == "win32":
        function = ctypes.windll.kernel32.SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def from_library(name: str, *operands: Value) -> Value:
    """Call a function of the C library for every element."""
    code, dtype = operands[0].code, operands[0].dtype
    mask = code.constant("bool", True)
    return code.call(
        _one_by_one(code, name, dtype, len(operands)), dtype, *operands, mask, operands[0]
    )


def with_library(name: str, operands: tuple[Value, ...], mask: Value, otherwise: Value) -> Value:
    """Call a function of the C library where a mask holds: a branch that is hardly ever taken."""
    code, dtype = otherwise.code, otherwise.dtype
    function = _one_by_one(code, name, dtype, len(operands))
    rare = lambda: code.call(function, dtype, *operands, mask, otherwise)
    return code.branch(mask, otherwise, rare)


def _one_by_one(code: Code, name: str, dtype: str, count: int) -> str:
    """Define a function that replaces the elements of its last operand where a mask holds."""
    element, vector, masks = LLVM_TYPES[dtype], code.vector(dtype), code.vector("bool")
    scalar = f"@{PREFIX}{name}{'f' if dtype == 'float32' else ''}"
    code.declarations[scalar] = f"declare {element} {scalar}({', '.join([element] * count)})"
    takes = ", ".join(f"{vector} %x{i}" for i in range(count))
    picks = "\n".join(f"  %e{i} = extractelement {vector} %x{i}, i32 %i" for i in range(count))
    passes = ", ".join(f"{element} %e{i}" for i in range(count))
    symbol = f"@each_{name}_{dtype}"
    code.declarations[symbol] = f"""
define internal {vector} {symbol}({takes}, {masks} %mask, {vector} %rest) noinline cold {{
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %next, %step ]
  %out = phi {vector} [ %rest, %entry ], [ %new, %step ]
  %take = extractelement {masks} %mask, i32 %i
  br i1 %take, label %call, label %step
call:
{picks}
  %result = call {element} {scalar}({passes})
  %set = insertelement {vector} %out, {element} %result, i32 %i
  br label %step
step:
  %new = phi {vector} [ %out, %loop ], [ %set, %call ]
  %next = add i32 %i, 1
  %more = icmp ult i32 %next, {code.lanes}
  br i1 %more, label %loop, label %done
done:
  ret {vector} %new
}}"""
    return symbol
