"""Machine code where LLVM is installed: the extra ``gradx[llvm]``.

llvmlite is imported when it is first needed. Without it, and where ``GRADX_NATIVE=0`` is in the
environment, NumPy does all the work.
"""

import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

INSTALL = "pip install 'gradx[llvm]'"


@cache
def machine_code(module: str) -> ModuleType | None:
    """Return a module of this package that needs LLVM, or None where there is none."""
    if os.environ.get("GRADX_NATIVE") == "0" or find_spec("llvmlite") is None:
        return None
    return import_module(f"gradx.backends.native.{module}")
