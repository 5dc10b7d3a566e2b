"""Moving: a graph for arrays of other devices, with its constants brought there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gradx.device import array_to_device
from gradx.graph.equations import Constant, Equation, Variable


def moved(graph: Any, places: Mapping[str, str]) -> Any:
    """Return ``graph`` with each device replaced by what ``places`` has for it."""
    known: dict[Variable, Variable] = {}

    def at(x: Any) -> Any:
        if type(x) is not Variable:
            return x
        if x not in known:
            known[x] = replace(x, device=places.get(x.device, x.device))
        return known[x]

    def place(equation: Equation) -> Equation:
        device = equation.params.get("device")
        params = {"device": places.get(device, device)} if device is not None else {}
        return replace(
            equation,
            inputs=tuple(map(at, equation.inputs)),
            params=equation.params | params,
            outputs=tuple(map(at, equation.outputs)),
        )

    constants = [
        Constant(at(variable), array_to_device(value, places.get(variable.device, variable.device)))
        for variable, value in graph.constants
    ]
    return replace(
        graph,
        inputs=tuple(map(at, graph.inputs)),
        constants=tuple(constants),
        equations=tuple(map(place, graph.equations)),
        outputs=tuple(map(at, graph.outputs)),
    )
