"""``gx.debug()``: where a NaN or infinity began, and what was changed behind the tape's back.

While it is on, transforms start traces that look at every value. They cost
several times as much; elsewhere nothing is different.
"""

import linecache
import math
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gradx.core import tree
from gradx.core.arrays import backend_for, is_array, is_kind, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.trace import Trace, substitutes
from gradx.errors import NonFiniteError, TapeError
from gradx.transforms.batching import Batching
from gradx.transforms.explore import TAPE, Explore, ExploredNode
from gradx.transforms.forward import Forward
from gradx.transforms.reverse import Node, Reverse
from gradx.transforms.structural import follow

PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


@contextmanager
def debug() -> Iterator[None]:
    """Trace NaNs, infinities and changed arrays to the line that caused them.

    Inside the block, each op of a derivative is looked at, forward and backward.
    The first that makes a NaN or an infinity from finite numbers raises, and
    so does one whose arrays were changed between the two passes. The message
    names the op, its arguments and the line of the program; also of a Tensor
    that is used after its transform has returned.

    Raises:
        FloatingPointError: a value or derivative is not finite.
        RuntimeError: an array that a derivative depends on was changed.

    >>> import numpy as np, gradx as gx
    >>> with gx.debug():
    ...     gx.grad(lambda x: gx.sum(gx.sqrt(x)))(np.asarray([0.0, 1.0]))
    Traceback (most recent call last):
      ...
    gradx.errors.NonFiniteError: sqrt(float64 (2,)): its derivative by x has 1 infinity...
    """
    token = substitutes.set(SUBSTITUTES)
    try:
        yield
    finally:
        substitutes.reset(token)


class _Seen:
    """What a node remembers for its message: the call, the line, and sums of what it keeps."""

    __slots__ = ()

    def remember(self: Any, call: str, line: str) -> None:
        self.made_by, self.sums = f"{call}, at {line}", _sums(self)

    def inspect(self: Any, g: Any, parts: list[Any]) -> None:
        """Raise if a derivative is not finite where ``g`` is, or what is kept has changed."""
        if self.sums != _sums(self):
            raise TapeError(
                f"{self.made_by}: an array that its derivative depends on was changed "
                "in place since; write to a copy of it"
            )
        if not parts or problem_of(g):
            return
        for part, (_, rule, kept) in zip(parts, self.edges, strict=True):
            if problem := problem_of(part):
                call, _, line = self.made_by.rpartition(", at ")
                given = next(filter(None, map(problem_of, kept)), "")
                cause = f", as what it was given has {given}" if given else ""
                name = name_of_input(self.op, rule)
                raise NonFiniteError(
                    f"{call}: its derivative by {name} has {problem}{cause}, at {line}"
                )


class SeenNode(_Seen, Node):
    """A node of a tape that is looked at."""

    __slots__ = ("made_by", "sums")


class SeenExploredNode(_Seen, ExploredNode):
    """A node of the tape of ``gx.tensor`` that is looked at."""

    __slots__ = ("made_by", "sums")


class _SeeingReverse(Reverse):
    """Looks at what each op of a tape gives."""

    def watch(self, value):
        leaf = super().watch(value)
        leaf.payload.remember(f"an argument of {self.name}, {describe(value)}", user_line())
        return leaf

    def apply_unary(self, op, x):
        return _look(self, op, (x,), super().apply_unary(op, x))

    def apply_to_one(self, op, x, params):
        return _look(self, op, (x,), super().apply_to_one(op, x, params))

    def apply_binary(self, op, x, y):
        return _look(self, op, (x, y), super().apply_binary(op, x, y))

    def apply_general(self, op, arrays, params):
        return _look(self, op, arrays, super().apply_general(op, arrays, params))


class SeeingReverse(_SeeingReverse):
    """Reverse mode that looks at every value."""

    node_type = SeenNode


class SeeingExplore(_SeeingReverse, Explore):
    """The tape of ``gx.tensor``, looking at every value."""

    node_type = SeenExploredNode


class SeeingForward(Forward):
    """Forward mode that looks at every value and tangent."""

    apply_unary = Trace.apply_unary
    apply_to_one = Trace.apply_to_one
    apply_binary = Trace.apply_binary

    def apply_general(self, op, arrays, params):
        outs = _look(self, op, arrays, super().apply_general(op, arrays, params))
        for out in tensors_of(self, outs):
            out.payload = SeenTangent(out.payload)
            out.payload.made_by = f"{call_of(op, arrays)}, at {user_line()}"
        mine = [a.payload[0] for a in arrays if type(a) is Tensor and a.trace is self]
        if not any(map(problem_of, mine)):
            for out in tensors_of(self, outs):
                if problem := problem_of(out.payload[0]):
                    raise NonFiniteError(
                        f"{call_of(op, arrays)}: its tangent has {problem}, at {user_line()}"
                    )
        return outs


class SeenTangent(tuple[Any, ...]):
    """A tangent and what of it lives, with the call that made it."""

    made_by: str


class Origin:
    """The call that made a value of a batch."""

    def __init__(self, made_by: str) -> None:
        self.made_by = made_by


class SeeingBatching(Batching):
    """Maps over an axis, and knows where its values were made; what is in them, others see."""

    apply_unary = Trace.apply_unary

    def apply_general(self, op, arrays, params):
        outs = super().apply_general(op, arrays, params)
        for out in tensors_of(self, outs):
            out.payload = Origin(f"{call_of(op, arrays)}, at {user_line()}")
        return outs


SUBSTITUTES: dict[Any, Any] = {
    Reverse: SeeingReverse,
    Forward: SeeingForward,
    Batching: SeeingBatching,
    TAPE: SeeingExplore(TAPE.name),
}


def _look(trace, op, arrays, outs):
    """Raise if ``outs`` is not finite though all of ``arrays`` is; else remember the call."""
    call = line = None
    for out in tensors_of(trace, outs):
        call, line = call or call_of(op, arrays), line or user_line()
        problem = problem_of(out)
        if problem and not any(map(problem_of, arrays)) and not _is_in_a_rule():
            raise NonFiniteError(f"{call}: its result has {problem}, at {line}")
        if isinstance(out.payload, _Seen):
            out.payload.remember(call, line)
    return outs


def _is_in_a_rule():
    """Tell whether a derivative is being computed: its dead elements may be NaN until masked."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code is not follow.__code__:
        frame = frame.f_back
    return frame is not None


def tensors_of(trace, outs):
    candidates = outs if isinstance(outs, tuple) else (outs,)
    return [out for out in candidates if type(out) is Tensor and out.trace is trace]


def call_of(op, arrays):
    return f"{op.name}({', '.join(map(describe, arrays))})"


def name_of_input(op, rule):
    """Name the input that a rule is for, as well as the op tells."""
    named = zip(op.signature.inputs, op.vjp, strict=True)
    return next((name for name, known in named if known is rule), "an input")


def problem_of(x: Any) -> str:
    """Say what of ``x`` is not finite: empty if all is."""
    if type(x) is float:
        return "" if math.isfinite(x) else "1 NaN" if math.isnan(x) else "1 infinity"
    if not is_array(x) or not is_kind(x, ("real floating", "complex floating")):
        return ""
    plain = untracked(x)
    host = np.asarray(backend_for(plain).to_numpy(plain))
    counts = [(int(np.sum(np.isnan(host))), "NaN"), (int(np.sum(np.isinf(host))), "infinity")]
    found = " and ".join(f"{count} {what}" for count, what in counts if count)
    return f"{found} of {host.size}" if found else ""


def _sums(node):
    """Return a check sum of each plain array that a node keeps."""
    kept = tree.leaves([saved for _, _, saved in node.edges or ()])
    plain = [value for value in kept if type(value) is not Tensor and is_array(value)]
    hosts = [np.asarray(backend_for(value).to_numpy(value)) for value in plain]
    return [zlib.crc32(np.ascontiguousarray(host).tobytes()) for host in hosts]


def user_line() -> str:
    """Return the innermost line that is not gradx's own, as ``file:number: source``."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    name, number = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(name, number).strip()
    return f"{name}:{number}: {source}" if source else f"{name}:{number}"
