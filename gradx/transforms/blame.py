"""Which op a number that is not finite comes from, found by computing it once more.

``gx.debug()`` raises at the first op that makes an infinity. Here one result is known to be bad,
and it is followed back to its cause: an infinity that a ``where`` left out is not to blame.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from gradx.core.call import Tensor
from gradx.core.trace import substitutes
from gradx.errors import NonFiniteError
from gradx.ops.creation import ones_like
from gradx.transforms.debugging import call_of, name_of_input, problem_of, tensors_of, user_line
from gradx.transforms.grad import vjp
from gradx.transforms.reverse import Node, Reverse

Function = Callable[..., Any]


class Suspect(NamedTuple):
    """An op, by its number from the start, and what of it is not finite."""

    number: int
    call: str
    line: str
    problem: str
    given: str = ""  # what of its arguments was not finite already

    def __str__(self) -> str:
        cause = f", as what it was given has {self.given}" if self.given else ""
        return f"{self.call}: {self.problem}{cause}, at {self.line}"


def blame(function: Function, *args: Any) -> tuple[str, bool] | None:
    """Say which op made the scalar ``function(*args)``, or a gradient of it, not finite.

    Seen are ops on what depends on floating-point leaves of the arguments. The second value tells
    whether the op was given what is not finite. Nothing is returned if none of them made it.
    """
    search = _Search()
    suspect = search.run(function, args)
    if suspect is None:
        return None
    try:
        _Search(suspect).run(function, args)
    except NonFiniteError as error:  # to which the layers it came through have added their paths
        return str(error), bool(suspect.given)
    return str(suspect), bool(suspect.given)


class _FoundError(NonFiniteError):
    def __init__(self, suspect: Suspect) -> None:
        super().__init__(str(suspect))
        self.suspect = suspect


class _Search:
    """Computes a gradient and looks at every value of the outermost tape.

    If ``wanted`` is known, the op of its number raises with its message.
    """

    def __init__(self, wanted: Suspect | None = None) -> None:
        self.wanted = wanted
        self.ops = 0
        self.first: Suspect | None = None

    def run(self, function: Function, args: tuple[Any, ...]) -> Suspect | None:
        """Return the op to blame, if there is one."""

        def looked_at(*args: Any) -> Any:
            out = function(*args)
            node = out.payload if type(out) is Tensor else None
            suspect = node.suspect if type(node) is _BlamedNode else None
            if suspect is None and problem_of(out):
                suspect = self.first  # of what was taken off the tape, as statistics are
            if suspect is not None and self.wanted is None:
                raise _FoundError(suspect)
            return out

        token = substitutes.set({Reverse: self._start})
        try:
            out, pullback = vjp(looked_at, *args)
            pullback(ones_like(out))
        except _FoundError as error:
            return error.suspect
        finally:
            substitutes.reset(token)
        return None

    def _start(self, name: str) -> Any:
        # A derivative within is an op of this one; what is compiled runs op by op.
        substitutes.set({None: None})
        return _Blaming(name, self)

    def look(self, trace: Any, op: Any, arrays: Any, outs: Any) -> Any:
        """Note whom to blame for a result; raise if it is the one that is wanted."""
        self.ops += 1
        if self.wanted is not None and self.wanted.number == self.ops:
            raise NonFiniteError(str(self.wanted))
        for out in tensors_of(trace, outs):
            node = out.payload
            node.made_by = self.ops, call_of(op, arrays), user_line()
            if problem := problem_of(out):
                node.suspect = self._suspect(trace, node, arrays, problem)
                self.first = self.first or node.suspect
        return outs

    def _suspect(self, trace: Any, node: Any, arrays: Any, problem: str) -> Suspect:
        known = [a.payload.suspect for a in tensors_of(trace, tuple(arrays))]
        if blamed := next(filter(None, known), None):
            return blamed
        given = next(filter(None, map(problem_of, arrays)), "")
        number, call, line = node.made_by
        return Suspect(number, call, line, f"its result has {problem}", given)


class _BlamedNode(Node):
    __slots__ = ("made_by", "suspect")

    def __init__(self) -> None:
        self.suspect: Suspect | None = None
        self.made_by: tuple[int, str, str] = (0, "a parameter", "the start")

    def inspect(self, g: Any, parts: list[Any]) -> None:
        """Raise if a derivative is not finite: the first that is found on the way back."""
        if problem := problem_of(g):  # Each part of it was finite.
            what = f"the sum of the derivatives by its result has {problem}"
            raise _FoundError(Suspect(*self.made_by, problem=what))
        for part, (_, rule, kept) in zip(parts, self.edges, strict=True):
            if problem := problem_of(part):
                given = next(filter(None, map(problem_of, kept)), "")
                what = f"its derivative by {name_of_input(self.op, rule)} has {problem}"
                raise _FoundError(Suspect(*self.made_by, problem=what, given=given))


class _Blaming(Reverse):
    node_type = _BlamedNode

    def __init__(self, name: str, search: _Search) -> None:
        super().__init__(name)
        self.search = search

    def apply_unary(self, op, x):
        return self.search.look(self, op, (x,), super().apply_unary(op, x))

    def apply_to_one(self, op, x, params):
        return self.search.look(self, op, (x,), super().apply_to_one(op, x, params))

    def apply_binary(self, op, x, y):
        return self.search.look(self, op, (x, y), super().apply_binary(op, x, y))

    def apply_general(self, op, arrays, params):
        return self.search.look(self, op, arrays, super().apply_general(op, arrays, params))
