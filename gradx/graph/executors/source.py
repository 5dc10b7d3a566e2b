"""Programs as Python source: a graph's equations become straight-line code.

As dataclasses write their ``__init__``: a loop over equations at every call would cost
more than most of the calls it makes.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from gradx.graph.equations import Equation, Input, Variable
from gradx.graph.listing import short_names

SIMPLE = (bool, int, type(None))


class Source:
    """Lines of a function under construction, and the objects that they name."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {}
        self.lines: list[tuple[str, Equation | None]] = []
        self.names: dict[Variable, str] = {}
        self.fresh: set[Variable] = set()  # in memory that nobody else holds
        self._fresh = short_names()

    def name(self, x: Input) -> str:
        """Return the source of a variable or a literal."""
        if type(x) is not Variable:
            return repr(x) if type(x) in SIMPLE else self.bind(x)
        if x not in self.names:
            self.names[x] = f"{next(self._fresh)}_"
        return self.names[x]

    def bind(self, value: Any) -> str:
        """Return a name for an object."""
        name = f"{next(self._fresh)}_"
        self.scope[name] = value
        return name

    def call(self, function: Callable[..., Any], equation: Equation) -> str:
        """Return the source of a call of ``function`` with the arguments of ``equation``."""
        arguments = [self.name(x) for x in equation.inputs]
        arguments += [f"{name}={self.bind(value)}" for name, value in equation.params.items()]
        return f"{self.bind(function)}({', '.join(arguments)})"

    def add(self, line: str, equation: Equation | None = None) -> None:
        """Add a line, which belongs to ``equation``."""
        self.lines.append((line, equation))

    def assign(self, equation: Equation, value: str) -> None:
        """Add a line that writes the outputs of ``equation``."""
        targets = ", ".join(self.name(out) for out in equation.outputs)
        self.add(f"{targets} = {value}", equation)

    def compile(self, parameters: Sequence[str]) -> Any:
        """Return a function of the lines: the first of them is line 2 of its code."""
        head = f"def program({', '.join(parameters)}):"
        body = [line for line, _ in self.lines]
        exec(compile("\n    ".join([head, *body]), "<gradx program>", "exec"), self.scope)
        return self.scope["program"]


def last_uses(equations: tuple[Equation, ...], kept: Any) -> list[list[Variable]]:
    """Return, for each equation, the variables that nothing reads after it."""
    remaining = Counter(x for equation in equations for x in equation.variables)
    held = set(kept)
    dead = []
    for equation in equations:
        remaining.subtract(equation.variables)
        candidates = dict.fromkeys([*equation.variables, *equation.outputs])
        dead.append([x for x in candidates if x not in held and remaining[x] <= 0])
    return dead
