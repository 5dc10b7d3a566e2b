"""Calls: several ops that a GPU has one function for, as one equation of a graph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from gradx.graph.equations import Equation, Input, Variable


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What stands in an equation where an op would: a function of a name.

    It is called with the namespace, arrays and parameters, and returns a tuple.
    """

    function: Callable[..., tuple[Any, ...]]
    fresh: ClassVar = True  # no result is a view of an input

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.__name__


def call(
    function: Callable[..., tuple[Any, ...]],
    inputs: tuple[Input, ...],
    outputs: tuple[Variable, ...],
    line: str,
    **params: Any,
) -> Equation:
    """Return an equation that calls ``function``."""
    return Equation(Call(function), inputs, params, outputs, line)
