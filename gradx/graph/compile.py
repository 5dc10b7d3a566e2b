"""``gx.compile``: capture a function at the first call of a kind, and replay its graph after.

A call's kind is its signature (signature.py). What the function reads besides its
arguments is guarded (guards.py); what it returns is nobody else's memory.
"""

import functools
import threading
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np

from gradx.core import tree
from gradx.core.call import Tensor
from gradx.core.op import PYTHON_SCALARS
from gradx.core.trace import substitutes
from gradx.graph.capture import Capture, captures, graph_of, is_input
from gradx.graph.executors import executor_for
from gradx.graph.guards import Guards, guards_of
from gradx.graph.interpret import interpret
from gradx.graph.ir import Graph, Program
from gradx.graph.passes import optimized
from gradx.graph.signature import (
    Call,
    hashed,
    is_weak,
    put_back,
    set_apart,
    static_places,
    take_apart,
)
from gradx.transforms.boundary import name_of, own

KEPT = 32  # programs of one function: those used last
MANY = 8  # captures of one signature, after which it is said why there are so many

Function = TypeVar("Function", bound=Callable[..., Any])


class Entry(NamedTuple):
    """A captured signature."""

    graph: Graph
    positions: tuple[int, ...]  # of the inputs among the leaves
    structure: Any  # of the result
    guards: Guards
    program: Program | None  # none where a constant is tracked by a transform around


class Compiled:
    """A function that is captured once for each signature, and then replayed."""

    def __init__(self, f: Callable[..., Any], static: Any, donate: Any) -> None:
        functools.update_wrapper(self, f)
        self.function = f
        self.static = static_places(f, static)
        self.donated = static_places(f, donate)
        self.programs: OrderedDict[Any, Entry] = OrderedDict()
        self._captures: dict[Any, int] = {}
        self._lock = threading.RLock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if substitutes.get():  # gx.debug() looks at every op, of which a program has none
            return self.function(*args, **kwargs)
        found: dict[str, Any] = {}
        statics: Any = ()
        if self.static:
            args, kwargs, found = set_apart(self.static, args, kwargs)
            statics = hashed(self.function, found)
        call = take_apart(self.function, args, kwargs, statics)
        entry = self._entry(call, found)
        inputs = [call.leaves[i] for i in entry.positions]
        if call.tracked or entry.program is None:
            outputs = interpret(entry.graph, inputs)
        else:
            with entry.graph.backend.quiet():
                outputs = entry.program(*inputs)
        return tree.unflatten(entry.structure, _owned(outputs, entry.graph, inputs))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<compiled {name_of(self.function)}: {len(self.programs)} programs>"

    def graph(self, *args: Any, **kwargs: Any) -> Graph:
        """Return the graph that a call with these arguments replays, optimised."""
        args, kwargs, found = set_apart(self.static, args, kwargs)
        call = take_apart(self.function, args, kwargs, hashed(self.function, found))
        return self._entry(call, found).graph

    def _entry(self, call: Call, found: dict[str, Any]) -> Entry:
        """Find the program of a signature, or capture it."""
        with self._lock:
            entry = self.programs.get(call.key)
            changed = entry.guards.changed() if entry is not None else ""
            if entry is not None and not changed:
                self.programs.move_to_end(call.key)
                return entry
        entry = self._capture(call, found)
        if entry.program is not None:
            with self._lock:
                self._remember(call.key, entry, changed)
        return entry

    def _remember(self, key, entry, changed):
        self.programs[key] = entry
        self.programs.move_to_end(key)
        while len(self.programs) > KEPT:
            dropped, _ = self.programs.popitem(last=False)
            self._captures.pop(dropped, None)
        self._captures[key] = self._captures.get(key, 0) + 1
        if self._captures[key] == MANY:
            warnings.warn(
                f"{name_of(self.function)} was compiled {MANY} times for arguments of one kind, "
                f"the last time because {changed} had changed: pass it as an argument",
                stacklevel=5,
            )

    def _capture(self, call: Call, found: dict[str, Any]) -> Entry:
        trace = Capture(name_of(self.function).replace("<lambda>", "f"))
        leaves = list(call.leaves)
        positions = tuple([i for i, leaf in enumerate(leaves) if is_input(leaf)])
        for i in positions:
            leaves[i] = trace.watch(_example(leaves[i]), f"input {i}")
        constant = [leaf for i, leaf in enumerate(leaves) if i not in positions]
        args, kwargs = tree.unflatten(call.structure, leaves)
        args = list(args)
        guards = guards_of((self.function, *constant, *found.values()), (args, kwargs))
        kwargs |= put_back(self.static, args, found)
        with captures(trace):
            outputs, structure = tree.flatten(self.function(*args, **kwargs))
            graph = graph_of(trace, [leaves[i] for i in positions], outputs)
        if trace.holds_tensors:
            return Entry(graph, positions, structure, guards, None)
        graph = optimized(graph)
        return Entry(graph, positions, structure, guards, executor_for(graph)(graph))


def _example(leaf: Any) -> Any:
    """Return the plain array, or the number, that a leaf stands for while it is captured."""
    while type(leaf) is Tensor:
        if is_weak(leaf):
            return leaf.value.item()
        leaf = leaf.trace.example(leaf)
    return leaf


def _owned(outputs: Sequence[Any], graph: Graph, inputs: Sequence[Any]) -> list[Any]:
    """Return outputs that share memory with nothing: neither inputs, constants nor one another."""
    constants = [constant.value for constant in graph.constants]
    arrays = iter(own([x for x in outputs if _may_be_shared(x)], lent=[*inputs, *constants]))
    return [next(arrays) if _may_be_shared(x) else x for x in outputs]


def _may_be_shared(x: Any) -> bool:
    return type(x) not in PYTHON_SCALARS and not isinstance(x, np.generic)


@overload
def compile(f: Function, *, static: Any = (), donate: Any = ()) -> Function: ...


@overload
def compile(
    f: None = None, *, static: Any = (), donate: Any = ()
) -> Callable[[Function], Function]: ...


def compile(f: Any = None, *, static: Any = (), donate: Any = ()) -> Any:
    """Return a function that computes what ``f`` does, replayed from a graph.

    For each kind of arguments (their tree structure, shapes, dtypes and devices) the
    first call captures ``f``: gradients, optimizers and random numbers in it included.
    Later calls replay the optimised graph. Arrays and numbers in the arguments may
    differ from call to call; truth values and texts are part of the kind.

    ``static`` names arguments, or gives their positions, that ``f`` uses as Python
    values: each value has a graph of its own, and must be hashable. Arrays of
    arguments named in ``donate`` are given up by the caller: their memory may be used
    for the results. What ``f`` reads from outside is noticed when it changes.

    Use it as ``gx.compile(f)``, ``@gx.compile`` or ``@gx.compile(static="n")``.

    Raises:
        TypeError: ``f`` asks for a number that differs from call to call, as
            ``if t > 0`` does; the message names the line and what to do.

    >>> import numpy as np, gradx as gx
    >>> @gx.compile
    ... def step(w, x, rate):
    ...     return w - rate * gx.grad(lambda w: gx.sum((w * x) ** 2))(w)
    >>> step(np.asarray([1.0, 2.0]), np.asarray([1.0, 0.5]), 0.25)
    array([0.5 , 1.75])
    """
    if f is None:
        return lambda function: compile(function, static=static, donate=donate)
    return Compiled(f, static, donate)
