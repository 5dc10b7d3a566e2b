"""Python numbers of a captured function: today's, at every replay.

What Python would compute of them Python computes before the launch. What kernels read of the
results lies in the device's memory, one number each, so a learning rate that changes needs no
new capture. A number that something else than a kernel of ours reads is part of the capture.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from gradx.graph.cuda.group import WEAK, number_on_device
from gradx.graph.cuda.packing import Pack
from gradx.graph.equations import Equation, Group, Variable
from gradx.graph.executors.by_op import function_of
from gradx.graph.ir import Graph

KERNELS = (Group, Pack)


class Numbers:
    """Which variables of a graph are Python numbers, who computes them and who reads them."""

    def __init__(self, graph: Graph) -> None:
        self.equations = [e for e in graph.equations if e.outputs[0].weak]
        self._calls = [(e, function_of(e)) for e in self.equations]
        reading = [e for e in graph.equations if not e.outputs[0].weak]
        by_kernels = _weak(e for e in reading if type(e.op) in KERNELS)
        by_others = _weak(e for e in reading if type(e.op) not in KERNELS)
        complex_ones = {x for x in by_kernels if x.dtype not in WEAK}
        self.baked = [*(by_others | complex_ones)]
        self.on_device = [*(by_kernels - complex_ones)]

    def computed(self, given: dict[Variable, Any]) -> dict[Variable, Any]:
        """Return the value of each number, of those that are inputs."""
        known = dict(given)
        for equation, call in self._calls:
            values = [known[x] if type(x) is Variable else x for x in equation.inputs]
            known[equation.outputs[0]] = call(*values, **equation.params)
        return known


class Held:
    """Numbers in the device's memory, each written when it changes."""

    def __init__(self, variables: Iterable[Variable], values: dict[Variable, Any]) -> None:
        self.arrays = {x: number_on_device(values[x]) for x in variables}
        self._last = {x: values[x] for x in self.arrays}

    def update(self, values: dict[Variable, Any], stream: Any) -> None:
        """Write today's numbers, in the order of ``stream``."""
        for x, array in self.arrays.items():
            value = values[x]
            # Equal numbers of two types, and zeros of two signs, are written anew.
            if repr(value) != repr(self._last[x]):
                array.set(np.asarray(value, dtype=array.dtype), stream=stream)
                self._last[x] = value


def _weak(equations: Iterable[Equation]) -> set[Variable]:
    return {x for equation in equations for x in equation.variables if x.weak}
