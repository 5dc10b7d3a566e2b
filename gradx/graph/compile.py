"""``gx.compile``: capture a function at the first call of a kind, and replay its graph after.

A call's kind is its signature (signature.py). What the function reads besides its
arguments is guarded (guards.py); what it returns is nobody else's memory.
"""

import functools
import threading
import types
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np

from gradx.core import tree
from gradx.core.arrays import PYTHON_SCALARS, backend_for, untracked
from gradx.core.call import Tensor
from gradx.core.trace import substitutes
from gradx.graph.capture import Capture, captures, graph_of, is_input
from gradx.graph.executors import executor_for
from gradx.graph.guards import Guards
from gradx.graph.interpret import interpret
from gradx.graph.ir import Graph, Own, Program
from gradx.graph.matching import Match, match_of
from gradx.graph.passes import optimized
from gradx.graph.reading import guards_of
from gradx.graph.signature import (
    Call,
    hashed,
    is_weak,
    put_back,
    set_apart,
    static_places,
    take_apart,
)
from gradx.transforms.boundary import copied, is_own, label_of, name_of
from gradx.transforms.honesty import is_differentiated

KEPT = 32  # programs of one function: those used last
READY = 0x1 | 0x400  # NumPy's flags of arrays in row-major order, and writeable
MANY = 8  # captures of one signature, after which it is said why there are so many

Function = TypeVar("Function", bound=Callable[..., Any])


class Entry(NamedTuple):
    """A captured signature."""

    graph: Graph
    positions: tuple[int, ...]  # of the inputs among the leaves
    structure: Any  # of the result
    guards: Guards
    constants: tuple[Any, ...]
    quiet: Callable[[], AbstractContextManager[Any]]
    donated: frozenset[int]  # which of the inputs are given up
    written: frozenset[int]  # which of these the program writes to
    layout: list[Any] | None  # strides of the inputs, where something depends on them
    fresh: frozenset[int]  # which of the results nobody else can hold
    program: Program | None  # none where a constant is tracked by a transform around


class Last(NamedTuple):
    """The program that was used last, and what recognises a call that it is for."""

    entry: Entry
    statics: Any
    match: Match | None


class Compiled:
    """A function that is captured once for each signature, and then replayed."""

    def __init__(self, f: Callable[..., Any], static: Any, donate: Any) -> None:
        functools.update_wrapper(self, f)
        self.function = f
        self.static = static_places(f, static)
        self.donated = static_places(f, donate)
        self.programs: OrderedDict[Any, Entry] = OrderedDict()
        self._matches: dict[Any, Match | None] = {}
        self._last: Last | None = None
        self.unstable = ""  # what changes from call to call, if arguments of one kind are no use
        self._captures: dict[Any, int] = {}
        self._lock = threading.RLock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if substitutes.get():  # gx.debug() looks at every op, of which a program has none
            return self.function(*args, **kwargs)
        given, named = args, kwargs
        found: dict[str, Any] = {}
        statics: Any = ()
        if self.static:
            given, named, found = set_apart(self.static, args, kwargs)
            statics = hashed(self.function, found)
        tracked = False
        leaves, entry = self._recognised(given, named, statics)
        if entry is None:
            call = take_apart(self.function, given, named, statics)
            leaves, tracked = call.leaves, call.tracked
            if tracked and any(map(is_differentiated, leaves)):
                # The gradients in a program take its inputs for constants: passes made them so.
                return self.function(*args, **kwargs)
            entry = self._entry(call, found)
        inputs = [leaves[i] for i in entry.positions]
        if tracked or entry.program is None:
            outputs = interpret(entry.graph, inputs)
        else:
            if entry.written:
                inputs = _given_up(inputs, entry)
            with entry.quiet():
                outputs = entry.program(*inputs)
            if type(outputs) is Own:
                return tree.unflatten(entry.structure, outputs)
            inputs = [x for i, x in enumerate(inputs) if i not in entry.donated]
        return tree.unflatten(entry.structure, _owned(outputs, entry, inputs))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<compiled {name_of(self.function)}: {len(self.programs)} programs>"

    def graph(self, *args: Any, **kwargs: Any) -> Graph:
        """Return the graph that a call with these arguments replays, optimised."""
        return self.prepared(*args, **kwargs)[0]

    def prepared(self, *args: Any, **kwargs: Any) -> tuple[Graph, list[Any]]:
        """Return the graph of a call, and its inputs among the arguments."""
        args, kwargs, found = set_apart(self.static, args, kwargs)
        call = take_apart(self.function, args, kwargs, hashed(self.function, found))
        entry = self._entry(call, found)
        return entry.graph, [call.leaves[i] for i in entry.positions]

    def _recognised(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], statics: Any
    ) -> tuple[list[Any], Entry | None]:
        """Return the leaves and the program of a call of the kind of the last one, if it is."""
        last = self._last
        if last is not None and last.match is not None and last.statics == statics:
            leaves = last.match(args, kwargs)
            if leaves is not None and not _changed(last.entry, leaves):
                return leaves, last.entry
        return [], None

    def _entry(self, call: Call, found: dict[str, Any]) -> Entry:
        """Find the program of a signature, or capture it."""
        with self._lock:
            entry = self.programs.get(call.key)
            changed = _changed(entry, call.leaves) if entry is not None else ""
            if entry is not None and not changed:
                self.programs.move_to_end(call.key)
                self._last = Last(entry, call.statics, self._match(call))
                return entry
        entry = self._capture(call, found)
        if entry.program is not None:
            with self._lock:
                self._remember(call.key, entry, changed)
        return entry

    def _remember(self, key, entry, changed):
        self.programs[key] = entry
        self.programs.move_to_end(key)
        self._last = None
        while len(self.programs) > KEPT:
            dropped, _ = self.programs.popitem(last=False)
            self._captures.pop(dropped, None)
            self._matches.pop(dropped, None)
        self._captures[key] = self._captures.get(key, 0) + 1
        if self._captures[key] == MANY:
            self.unstable = changed
            warnings.warn(
                f"{name_of(self.function)} was compiled {MANY} times for arguments of one kind, "
                f"the last time because {changed} had changed: pass it as an argument",
                stacklevel=5,
            )

    def _match(self, call: Call) -> Match | None:
        """Return what recognises calls of a kind, which is written at the second of them."""
        if call.tracked:
            return None
        if call.key not in self._matches:
            self._matches[call.key] = match_of(*tree.unflatten(call.structure, call.leaves))
        return self._matches[call.key]

    def _donated(self, call: Call) -> set[int]:
        """Return which leaves belong to donated arguments."""
        if not self.donated:
            return set()
        args, kwargs = tree.unflatten(call.structure, range(len(call.leaves)))
        found = [
            kwargs[name] if name in kwargs else args[position]
            for position, name in self.donated
            if name in kwargs or (position is not None and position < len(args))
        ]
        return set(tree.leaves(found))

    def _capture(self, call: Call, found: dict[str, Any]) -> Entry:
        trace = Capture(name_of(self.function).replace("<lambda>", "f"))
        leaves = list(call.leaves)
        positions = tuple([i for i, leaf in enumerate(leaves) if is_input(leaf)])
        donated = self._donated(call)
        for i in positions:
            leaves[i] = trace.watch(_example(leaves[i]), f"input {i}", i in donated)
        constant = [leaf for i, leaf in enumerate(leaves) if i not in positions]
        args, kwargs = tree.unflatten(call.structure, leaves)
        args = list(args)
        guards = guards_of((self.function, *constant, *found.values()), (args, kwargs))
        kwargs |= put_back(self.static, args, found)
        with captures(trace, guards.generators):
            outputs, structure = tree.flatten(self.function(*args, **kwargs))
            graph = graph_of(trace, outputs)
        program = None
        if not trace.holds_tensors:
            graph = optimized(graph)
            program = executor_for(graph)(graph)
        given_up = frozenset([i for i, x in enumerate(graph.inputs) if x.donated])
        return Entry(
            graph=graph,
            positions=positions,
            structure=structure,
            guards=guards,
            constants=tuple([constant.value for constant in graph.constants]),
            quiet=graph.backend.quiet,
            donated=given_up,
            written=frozenset(
                # What has no axes is never written to.
                [i for i in given_up if graph.inputs[i].shape]
                if not getattr(program, "copies_inputs", False)
                else []
            ),
            layout=_strides(call.leaves, positions) if trace.layout_matters else None,
            fresh=getattr(program, "fresh", frozenset()),
            program=program,
        )


def _changed(entry: Entry, leaves: list[Any]) -> str:
    """Name what is no longer as it was when ``entry`` was captured; empty if nothing is."""
    if entry.layout is not None and entry.layout != _strides(leaves, entry.positions):
        return "how arguments lie in memory"
    return entry.guards.changed()


def _strides(leaves: list[Any], positions: Sequence[int]) -> list[Any]:
    return [getattr(untracked(leaves[i]), "strides", None) for i in positions]


def _example(leaf: Any) -> Any:
    """Return the plain array, or the number, that a leaf stands for while it is captured."""
    while type(leaf) is Tensor:
        if is_weak(leaf):
            return leaf.value.item()
        leaf = leaf.trace.example(leaf)
    return leaf


def _given_up(inputs: list[Any], entry: Entry) -> list[Any]:
    """Return the inputs, with a copy of each donated one that is not the caller's alone."""
    if _are_callers_own(inputs, entry):
        return inputs
    held = Counter(map(id, (*inputs, *entry.constants)))
    held.update(id(getattr(x, "base", None)) for x in inputs)
    ready = list(inputs)
    for i in entry.written:
        x = inputs[i]
        if not is_own(x, set()) or held[id(x)] > 1 or not x.flags.c_contiguous:
            # In row-major order, as results are written: so the next call needs no copy.
            xp = backend_for(x).xp
            ready[i] = copied(x) if x.flags.c_contiguous else xp.ascontiguousarray(x)
    return ready


def _are_callers_own(inputs: list[Any], entry: Entry) -> bool:
    """Tell quickly, of what is given up in most calls, that it needs no copy: arrays of NumPy's."""
    ids = {*map(id, inputs)}
    if len(ids) < len(inputs) or not ids.isdisjoint(map(id, entry.constants)):
        return False
    for i, x in enumerate(inputs):
        if i not in entry.written:
            if id(getattr(x, "base", None)) in ids:
                return False
        elif type(x) is not np.ndarray or x.base is not None or x.flags.num & READY != READY:
            return False
    return True


def _owned(outputs: Sequence[Any], entry: Entry, inputs: Sequence[Any]) -> list[Any]:
    """Return outputs that share memory with nothing: neither inputs, constants nor one another."""
    seen = {id(x) for x in (*inputs, *entry.constants)}
    owned = list(outputs)
    for i, x in enumerate(outputs):
        # Numbers, and NumPy's scalars, are never written to.
        if i not in entry.fresh and type(x) not in PYTHON_SCALARS and not isinstance(x, np.generic):
            if not is_own(x, seen):
                x = owned[i] = copied(x)
            seen.add(id(x))
    return owned


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
    label_of("compile", f)
    return Compiled(f, static, donate)
