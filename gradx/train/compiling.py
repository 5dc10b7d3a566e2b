"""What training compiles, and goes on with as it is where that cannot be."""

import warnings
from collections.abc import Callable
from typing import Any

from gradx.errors import CaptureError
from gradx.graph.compile import Compiled


def while_it_compiles(function: Callable[..., Any], what: str = "") -> Callable[..., Any]:
    """Return a function compiled, or as it is once it turns out that it cannot be.

    That is worth a warning where calls are many: ``what`` says then what they are.
    """
    compiled = Compiled(function, (), ())
    reason = ""

    def run(*args: Any) -> Any:
        nonlocal reason
        if reason or compiled.unstable:
            return function(*args)
        try:
            return compiled(*args)
        except CaptureError as error:
            reason = str(error)
            if what:
                warnings.warn(f"fit: {what} run without being compiled: {reason}", stacklevel=3)
            return function(*args)

    return run
