"""What runs a graph: one module for each way, all of one form (``gradx.graph.ir.Executor``).

Each is imported when a graph is first compiled for its library: programs that compile
nothing, and those of other libraries, do not wait for it.
"""

from importlib import import_module

from gradx.graph.ir import Executor, Graph

# Array library -> what is better there than one op after another: a module and its executor.
EXECUTORS = {
    "numpy": ("gradx.graph.executors.numpy", "compile_numpy"),
    "cupy": ("gradx.graph.cuda.replay", "compile_cuda"),
}
BY_OP = ("gradx.graph.executors.by_op", "compile_by_op")


def executor_for(graph: Graph) -> Executor:
    """Return what makes a program of ``graph``, for the library of its arrays."""
    module, name = EXECUTORS.get(graph.backend.name, BY_OP)
    return getattr(import_module(module), name)


def in_groups(graph: Graph) -> Graph:
    """Return the graph with what its library runs as one loop, or in blocks, as groups."""
    if graph.backend.name != "numpy":
        return graph
    return import_module("gradx.graph.executors.numpy").in_groups(graph)
