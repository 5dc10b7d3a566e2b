"""Checkpoints: forget what a part of a tape would keep, and compute it again on the way back.

While a checkpointed function runs, a trace of its own sees each op before the
tape does and notes the call. What the tape's rules would keep of the calls'
results is then replaced by a promise; the first promise that is read replays
the notes. The tape is walked as any other, so what the function closes over,
its structural zeros and derivatives of derivatives need no second thought.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, ref

from gradx.core import tree
from gradx.core.call import Tensor
from gradx.core.trace import Trace
from gradx.core.views import freeze, held, new_tensor
from gradx.transforms.boundary import copied, label_of, leave
from gradx.transforms.constants import constant
from gradx.transforms.reverse import Reverse

P = ParamSpec("P")
Returned = TypeVar("Returned")

# The segment of each tape whose results are in memory.
_replayed: WeakKeyDictionary[Any, ref[Any]] = WeakKeyDictionary()


class Place(NamedTuple):
    """Where a value is after a replay: of which call, and which output if it has several."""

    call: int
    output: int | None


class Promise:
    """What an edge of a tape keeps, with places instead of the results of calls."""

    __slots__ = ("kept", "segment")

    def __init__(self, segment: "Segment", kept: list[Any]) -> None:
        self.segment = segment
        self.kept = kept

    def __iter__(self) -> Iterator[Any]:
        results = self.segment.replayed()
        return iter([find(value, results) for value in self.kept])

    def __getitem__(self, index: int) -> Any:
        return find(self.kept[index], self.segment.replayed())


class Segment:
    """The calls that a function made on one tape and, after a replay, their results."""

    def __init__(self, tape: Any) -> None:
        self.tape = tape
        self.calls: list[tuple[Any, list[Any], dict[str, Any]]] = []
        self.results: list[Any] | None = None

    def replayed(self) -> list[Any]:
        """Return the results of all calls; of a tape's segments only the last keeps them."""
        results = self.results  # which another thread may take away
        if results is None:
            _forget_other(self)
            results = []
            for op, arguments, params in self.calls:
                results.append(op.run(tuple([find(a, results) for a in arguments]), params))
            self.results = results
        return results

    def note(self, op: Any, arguments: list[Any], params: dict[str, Any], outs: Any) -> list[Place]:
        """Note a call whose results the tape has just recorded; return the place of each."""
        number = len(self.calls)
        self.calls.append((op, [place or value for value, place in arguments], params))
        places = [Place(number, i if op.results else None) for i in range(len(outs))]
        known = [(value, place) for value, place in arguments if place]
        known += [(out.value, place) for out, place in zip(outs, places, strict=True)]
        for out in outs:
            node = out.payload
            if node.inspect is None:  # gx.debug() wants to see what is kept
                node.edges = tuple([self._promised(edge, known) for edge in node.edges])
        return places

    def _promised(self, edge: Any, known: Any) -> tuple[Any, Any, Any]:
        """Replace by a promise what an edge keeps, if the result of a call is part of it."""
        parent, rule, saved = edge
        kept = [_placed(value, known) for value in saved]
        if any(new is not old for new, old in zip(kept, saved, strict=True)):
            saved = Promise(self, kept)
        return parent, rule, saved


def find(value: Any, results: list[Any]) -> Any:
    """Return ``value``, or what it is the place of."""
    if type(value) is not Place:
        return value
    result = results[value.call]
    return result if value.output is None else result[value.output]


def _placed(value, known):
    return next((place for other, place in known if other is value), value)


def _forget_other(segment):
    """Let go of what another segment of the same tape replayed: the walk has left it."""
    other = _replayed.get(segment.tape)
    if other is not None and (last := other()) is not None:
        last.results = None
    _replayed[segment.tape] = ref(segment)


class Checkpointing(Trace):
    """Sees each op before the tape does. The payload of a value is its place, if it has one."""

    differentiates = False

    def __init__(self, name: str, tape: Any) -> None:
        super().__init__(name)
        self.segment = Segment(tape)

    def lift(self, constant):
        return new_tensor(constant, self, None)

    def apply_general(self, op, arrays, params):
        mine = [type(a) is Tensor and a.trace is self for a in arrays]
        values = tuple([a.value if m else a for a, m in zip(arrays, mine, strict=True)])
        out = op.run(values, params)
        outs = out if isinstance(out, tuple) else (out,)
        places: list[Any] = [None] * len(outs)
        if self._is_on_tape(outs[0]):
            inner = [v.value if self._is_on_tape(v) else held(v) for v in values]
            known = [a.payload if m else None for a, m in zip(arrays, mine, strict=True)]
            places = self.segment.note(op, list(zip(inner, known, strict=True)), params, outs)
        seen = [
            new_tensor(o, self, place) if type(o) is Tensor else constant(o)
            for o, place in zip(outs, places, strict=True)
        ]
        return seen[0] if out is not outs else op.results(*seen) if op.results else tuple(seen)

    def _is_on_tape(self, x):
        return type(x) is Tensor and x.trace is self.segment.tape


def checkpoint(f: Callable[P, Returned]) -> Callable[P, Returned]:
    """Return a function like ``f`` whose intermediate results are computed twice, not kept.

    The gradient of a program keeps what its rules need of every step. Of a
    checkpointed function it keeps the arguments, and on the way back runs the
    same ops on them once more: with one checkpoint per layer the memory is that
    of the largest layer and the time about a third more. Gradients are the same
    to the last bit. Only the innermost reverse mode saves memory; in other
    transforms, and inside another checkpointed function, ``f`` is just called.

    >>> import numpy as np, gradx as gx
    >>> layer = gx.checkpoint(lambda w, x: gx.tanh(w @ x))
    >>> gx.grad(lambda w: gx.sum(layer(w, layer(w, np.ones(2)))))(np.zeros((2, 2)))
    array([[0., 0.],
           [0., 0.]])
    """
    label = label_of("checkpoint", f)

    @wraps(f)
    def checkpointed(*args, **kwargs):
        leaves, structure = tree.flatten((args, kwargs))
        traces = [leaf.trace for leaf in leaves if type(leaf) is Tensor]
        tape = max(traces, key=lambda trace: trace.level, default=None)
        if not isinstance(tape, Reverse):
            return f(*args, **kwargs)
        trace = Checkpointing(label, tape)
        starts = [_start(leaf, trace, label) if type(leaf) is Tensor else leaf for leaf in leaves]
        args, kwargs = tree.unflatten(structure, starts)
        try:
            return tree.map(lambda leaf: _end(leaf, trace), f(*args, **kwargs))
        finally:
            trace.end()

    return checkpointed


def _start(leaf, trace, label):
    return freeze(new_tensor(held(leaf), trace, None), f"an argument of a {label}")


def _end(leaf, trace):
    out, _ = leave(trace, leaf)
    return copied(out) if type(out) is Tensor else out
