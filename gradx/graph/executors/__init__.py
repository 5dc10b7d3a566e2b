"""What runs a graph: one module for each way, all of one form (``gradx.graph.ir.Executor``)."""
