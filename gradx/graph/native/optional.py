"""Native groups where LLVM is installed: the extra ``gradx[llvm]``."""

from functools import cache
from importlib import import_module

from gradx.backends.native.optional import machine_code
from gradx.graph.ir import GroupCompiler


@cache
def group_compiler() -> GroupCompiler | None:
    """Return what compiles groups to machine code, or None where that is not to be had."""
    if machine_code("compiler") is None:
        return None
    compiler: GroupCompiler = import_module("gradx.graph.native.launch").compile_group
    return compiler
