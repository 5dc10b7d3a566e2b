"""What runs a graph: one module for each way, all of one form (``gradx.graph.ir.Executor``)."""

from gradx.graph.cuda.replay import compile_cuda
from gradx.graph.executors.by_op import compile_by_op
from gradx.graph.ir import Executor, Graph

# Array library -> what is better there than one op after another.
EXECUTORS: dict[str, Executor] = {"cupy": compile_cuda}


def executor_for(graph: Graph) -> Executor:
    """Return what makes a program of ``graph``, for the library of its arrays."""
    return EXECUTORS.get(graph.backend.name, compile_by_op)
