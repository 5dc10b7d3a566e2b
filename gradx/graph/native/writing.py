"""A group's kernel as a module of LLVM's, in text."""

from gradx.graph.native.finish import Finish
from gradx.graph.native.kernel import Kernel
from gradx.graph.native.run import Run


def write(kernel: Kernel) -> str:
    """Return the source of both functions and of what they call."""
    functions = [Run(kernel).text(), Finish(kernel).text()]
    return "\n".join([*functions, *kernel.declarations.values(), ""])
