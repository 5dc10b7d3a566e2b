"""``gx.profile``: where the time of a step goes, op by op and group by group."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from gradx.errors import ShapeError
from gradx.graph.compile import Compiled
from gradx.graph.equations import Equation, Variable
from gradx.graph.executors import executor_for, in_groups
from gradx.graph.ir import Graph, Program
from gradx.graph.lifetimes import bytes_of
from gradx.random.arguments import as_integer
from gradx.saving.trees import as_path
from gradx.transforms.boundary import label_of, name_of


class Timed(NamedTuple):
    """One equation in the fastest run: what, where, when it began, how long it took."""

    name: str
    line: str
    start: float  # seconds
    seconds: float
    bytes: int  # read and written


class Row(NamedTuple):
    """All calls of one op."""

    name: str
    calls: int
    seconds: float
    bytes: int
    share: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The fastest of several runs of a graph; ``print(profile)`` shows a table."""

    name: str
    events: list[Timed]

    @property
    def rows(self) -> list[Row]:
        """One row for each op, the slowest first."""
        total = sum(event.seconds for event in self.events) or 1.0
        rows = []
        for name in dict.fromkeys(event.name for event in self.events):
            mine = [event for event in self.events if event.name == name]
            seconds = sum(event.seconds for event in mine)
            moved = sum(event.bytes for event in mine)
            rows.append(Row(name, len(mine), seconds, moved, seconds / total))
        return sorted(rows, key=lambda row: -row.seconds)

    def __str__(self) -> str:
        head = f"{self.name:<24}{'calls':>6}{'us':>12}{'MB':>10}{'share':>8}"
        lines = [
            f"{row.name:<24}{row.calls:>6}{1e6 * row.seconds:>12.1f}"
            f"{row.bytes / 1e6:>10.3f}{row.share:>8.1%}"
            for row in self.rows
        ]
        return "\n".join([head, *lines])

    def save(self, path: str | Path) -> None:
        """Write a trace that ``chrome://tracing`` and Perfetto show."""
        events = [
            {
                "name": event.name,
                "ph": "X",
                "ts": 1e6 * event.start,
                "dur": 1e6 * event.seconds,
                "pid": 0,
                "tid": 0,
                "args": {"line": event.line, "bytes": event.bytes},
            }
            for event in self.events
        ]
        as_path("save", path).write_text(json.dumps({"traceEvents": events}), encoding="utf-8")


def profile(f: Callable[..., Any], *args: Any, runs: int = 10, **kwargs: Any) -> Profile:
    """Run the graph of ``f(*args)`` ``runs`` times, and time each op of the fastest.

    The graph is the one that ``gx.compile`` replays, in the groups that run as one on
    NumPy, each op into memory of its own. ``f`` may be compiled already.

    >>> import numpy as np, gradx as gx
    >>> found = gx.profile(lambda x: gx.sum(gx.exp(x) @ x), np.ones((50, 50)))
    >>> sorted(row.name for row in found.rows)
    ['exp', 'matmul', 'sum']
    """
    label_of("profile", f)
    if as_integer("profile: runs", runs) < 1:
        raise ShapeError(f"profile: runs={runs}: it is 1 or more")
    compiled = f if isinstance(f, Compiled) else Compiled(f, (), ())
    graph, inputs = compiled.prepared(*args, **kwargs)
    graph = in_groups(graph)
    steps = [(equation, _alone(graph, equation)) for equation in graph.equations]
    with graph.backend.quiet():
        timed = [_run(graph, steps, inputs) for _ in range(runs)]
    fastest = min(timed, key=lambda events: sum(event.seconds for event in events))
    return Profile(name_of(compiled), fastest)


def _alone(graph: Graph, equation: Equation) -> Program:
    """Return a program of one equation."""
    read = tuple(dict.fromkeys(equation.variables))
    one = replace(graph, inputs=read, constants=(), equations=(equation,), outputs=equation.outputs)
    return executor_for(graph)(one)


def _run(graph: Graph, steps: list[tuple[Equation, Program]], inputs: list[Any]) -> list[Timed]:
    known: dict[Any, Any] = dict(zip(graph.inputs, inputs, strict=True))
    known |= {constant.variable: constant.value for constant in graph.constants}
    began = time.perf_counter()
    events = []
    for equation, program in steps:
        arrays = [known[x] for x in dict.fromkeys(equation.variables)]
        start = time.perf_counter()
        outs = program(*arrays)
        graph.backend.synchronize()
        seconds = time.perf_counter() - start
        known.update(zip(equation.outputs, outs, strict=True))
        moved = sum(map(bytes_of, (*_variables(equation), *equation.outputs)))
        events.append(Timed(equation.op.name, equation.line, start - began, seconds, moved))
    return events


def _variables(equation: Equation) -> list[Variable]:
    return list(dict.fromkeys(equation.variables))
