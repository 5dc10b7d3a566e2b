"""Native groups where LLVM is installed: the extra ``gradx[llvm]``.

llvmlite is imported when the first graph is compiled. Without it, and where
``GRADX_NATIVE=0`` is in the environment, groups are run by NumPy.
"""

import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from gradx.graph.ir import GroupCompiler

INSTALL = "pip install 'gradx[llvm]'"


@cache
def group_compiler() -> GroupCompiler | None:
    """Return what compiles groups to machine code, or None where that is not to be had."""
    if os.environ.get("GRADX_NATIVE") == "0" or find_spec("llvmlite") is None:
        return None
    compiler: GroupCompiler = import_module("gradx.graph.native.launch").compile_group
    return compiler
