"""Which equations run as one loop: as many as there is a loop for.

Equations are taken in order. Each joins the groups of what it reads, one after another, where
the whole still has a loop (analysis.py) and nothing outside would have to run in its middle.
Views cost nothing, so each group that reads one has its own. Arithmetic on single numbers
stays outside: NumPy's is quicker than any call.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from gradx.graph.equations import Equation, Group, Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.lifetimes import bytes_of
from gradx.graph.native.analysis import ALIGNED_AGAIN, REDUCTIONS, analyse
from gradx.graph.native.expanding import expanded
from gradx.graph.native.likeness import remembering_likes
from gradx.graph.native.operations import FILLED, SUPPORTED, UnsupportedError
from gradx.graph.native.places import MOVED
from gradx.graph.native.slicing import sliced
from gradx.graph.passes.dead import without_dead
from gradx.graph.rewriting import in_order
from gradx.transforms.structural import names

VIEWS = ALIGNED_AGAIN | {"broadcast_to"}
FREE = frozenset(VIEWS | FILLED.keys())  # nothing is computed
# What NumPy takes several passes for, or computes element by element; and relu, whose loop two
# processors share behind a convolution.
SLOW = names(
    """
    erf erfc expm1 gelu log1p logaddexp pow quiet_pow relu sigmoid softplus tan where
    """
)
OWN = (SUPPORTED | REDUCTIONS | {"concat"}) - FREE  # may be in a group for their own sake
WORTH_IT = 4096  # elements of an equation that is alone
MOST_ARRAYS = 32  # read in a group: more would all be kept until it runs
MOST_KEPT = 1 << 18  # bytes: what comes then stays in a core's cache
MUCH_LESS = 0.5  # of the memory that an equation's result takes, where it is computed early
NEVER_ALONE = REDUCTIONS | {"concat"}
LARGEST = 400  # equations in a group: LLVM's time grows faster than their number


class _Cluster:
    """Equations that run together, by their places in the graph."""

    def __init__(self, places: set[int], views: set[int], plain: bool) -> None:
        self.places = places
        self.first, self.last = min(places), max(places)
        self.views = views  # copies of views, which others may have too
        self.plain = plain  # nothing but elementwise ops of one shape
        self.mask = _mask(places)
        self._outside: int | None = None

    def outside(self, sources: list[int]) -> int:
        """Return the mask of what it reads from and does not hold, given that of each place."""
        if self._outside is None:
            members = self.places | self.views
            read = 0
            for place in members:
                read |= sources[place]
            self._outside = read & ~_mask(members)
        return self._outside


def _mask(places: set[int]) -> int:
    """Return a set of places as a number with a bit for each: quicker where there are many."""
    mask = 0
    for place in places:
        mask |= 1 << place
    return mask


class Loops(NamedTuple):
    """A kind of loops: which equations may be in one for their own sake, which graphs are one.

    ``alone`` tells for which equation a loop is worth it where nothing joins it; ``views`` are
    ops that cost nothing in a loop of what they are views of.
    """

    computes: Callable[[Equation], bool]
    has_loop: Callable[[Graph], bool]
    alone: Callable[[Equation], bool]
    views: frozenset[str] = frozenset()
    most_kept: float = math.inf  # bytes more than without a group, until the rest of it can run


def grouped(graph: Graph) -> Graph:
    """Make groups of the equations that have a loop of machine code together."""
    has_loop = remembering_likes(_has_loop)
    loops = Loops(_computes, has_loop, _is_slow, frozenset(MOVED), MOST_KEPT)
    return in_loops(sliced(expanded(graph)), loops)


def in_loops(graph: Graph, loops: Loops) -> Graph:
    """Make groups of the equations that have a loop together, of any kind of loops."""
    return _Grouping(graph, loops).result()


class _Grouping:
    def __init__(self, graph: Graph, loops: Loops) -> None:
        self.graph, self.equations, self.loops = graph, graph.equations, loops
        self.made_at = {out: i for i, e in enumerate(self.equations) for out in e.outputs}
        self.sources = [
            {self.made_at[x] for x in e.variables if x in self.made_at} for e in self.equations
        ]
        self.source_masks = [_mask(places) for places in self.sources]
        self.cluster_of = {
            i: _Cluster({i}, set(), self._plain(i)) for i in range(len(self.sources))
        }
        self.wide: set[_Cluster] = set()  # those of more than one place
        self.readers: dict[Input, set[int]] = {}
        for place, equation in enumerate(self.equations):
            for x in equation.variables:
                self.readers.setdefault(x, set()).add(place)
        self.results = {x for x in graph.outputs if type(x) is Variable}
        sizes = [sum(map(bytes_of, equation.outputs)) for equation in self.equations]
        self.written = [0, *accumulate(sizes)]  # bytes before each place
        for place, equation in enumerate(self.equations):
            if loops.computes(equation):
                self._join_sources(place)

    def _plain(self, place: int) -> bool:
        equation = self.equations[place]
        if equation.op.name in FREE | self.loops.views | REDUCTIONS | {"concat"}:
            return False
        shape = equation.outputs[0].shape
        return all(x.shape in (shape, ()) for x in equation.variables)

    def _join_sources(self, place: int) -> None:
        own, sources = self._with_views(place)
        for source in sorted(sources, reverse=True):
            other = self.cluster_of[source]
            if other is own or not self.loops.computes(self.equations[source]):
                continue
            both = _Cluster(
                own.places | other.places, own.views | other.views, own.plain and other.plain
            )
            if self._may_run_as_one(own, other, both):
                self._replace({own, other}, both)
                own = both

    def _with_views(self, place: int) -> tuple[_Cluster, set[int]]:
        """Give an equation copies of the views that it reads; return what is behind them too."""
        own = self.cluster_of[place]
        sources: set[int] = set()
        for free in dict.fromkeys((FREE | self.loops.views, FREE)):
            views, sources = self._through_views(place, free)
            wider = _Cluster(own.places, own.views | views, False)
            if views and self.loops.has_loop(self._inner(wider)):
                self._replace({own}, wider)
                return wider, sources
        return own, sources

    def _replace(self, old: set[_Cluster], new: _Cluster) -> None:
        self.cluster_of.update(dict.fromkeys(new.places, new))
        self.wide -= old
        if new.first < new.last:
            self.wide.add(new)

    def _through_views(self, place: int, free: frozenset[str]) -> tuple[set[int], set[int]]:
        """Return the views that an equation reads, one behind another, and what is behind."""
        views: set[int] = set()
        sources: set[int] = set()
        pending = list(self.sources[place])
        while pending:
            source = pending.pop()
            if self.equations[source].op.name not in free:
                sources.add(source)
            elif source not in views:
                views.add(source)
                pending += self.sources[source]
        return views, sources

    def _may_run_as_one(self, own: _Cluster, other: _Cluster, both: _Cluster) -> bool:
        if len(both.places) > LARGEST or self._is_interrupted(both):
            return False
        if self._arrays(both) > max(MOST_ARRAYS, self._arrays(own), self._arrays(other)):
            return False
        if self._keeps_much(own, other) or self._comes_too_early(own, other):
            return False
        if both.plain and self._shape(own) == self._shape(other):
            return True
        return self.loops.has_loop(self._inner(both))

    def _arrays(self, cluster: _Cluster) -> int:
        """Count the arrays that a group reads from outside."""
        inside = cluster.places | cluster.views
        read = {x for place in inside for x in self.equations[place].variables}
        return len([x for x in read if x.shape and self.made_at.get(x, -1) not in inside])

    def _keeps_much(self, own: _Cluster, other: _Cluster) -> bool:
        """Tell whether what one group reads would be kept for another that has to wait.

        Products that are added up one by one stay in the cache; kept for one loop they do not.
        """
        read = {x for place in own.places for x in self.equations[place].variables}
        if all(self.made_at.get(x, -1) <= other.last for x in read):
            return False
        inside = own.places | other.places
        kept = {
            x
            for place in other.places
            for x in self.equations[place].variables
            if self.made_at.get(x, place) not in inside and self.readers[x] <= inside
        }
        between = {x for x in read if self.made_at.get(x) in other.places}
        gone = {x for x in between if self.readers[x] <= inside}
        return sum(map(bytes_of, kept)) - sum(map(bytes_of, gone)) >= self.loops.most_kept

    def _comes_too_early(self, own: _Cluster, other: _Cluster) -> bool:
        """Tell whether what one group writes would be kept long, and what it reads is anyway.

        A derivative is computed when its cotangent comes, from what others read then too.
        """
        if self._bytes_between(other.last, own.first) <= self.loops.most_kept:
            return False
        inside = own.places | other.places
        read = {x for place in own.places for x in self.equations[place].variables}
        kept = 0
        for x in read:
            if self.made_at.get(x) in other.places:
                until = max(self.readers[x] - inside, default=0)
                kept += bytes_of(x) * self._bytes_between(max(until, other.last), own.first)
        written = [x for place in own.places for x in self.equations[place].outputs]
        result = sum(bytes_of(x) for x in written if not self.readers.get(x, set()) <= inside)
        return kept < MUCH_LESS * result * self._bytes_between(other.last, own.first)

    def _bytes_between(self, first: int, last: int) -> int:
        """Return how much is written between two places."""
        return self.written[last] - self.written[first + 1] if first < last else 0

    def _shape(self, cluster: _Cluster) -> tuple[int, ...]:
        return self.equations[next(iter(cluster.places))].outputs[0].shape

    def _is_interrupted(self, cluster: _Cluster) -> bool:
        """Tell whether something outside reads from a group what the group reads from it."""
        later = -1 << self._horizon(cluster.first)
        pending = seen = cluster.outside(self.source_masks) & later
        while pending:
            if pending & cluster.mask:
                return True
            around = self.cluster_of[pending.bit_length() - 1]
            seen |= around.mask
            new = around.outside(self.source_masks) & later & ~seen
            seen |= new
            pending = (pending | new) & ~around.mask
        return False

    def _horizon(self, place: int) -> int:
        """Return the last place up to here that no group is around: before it, none reads later."""
        while around := [c.first for c in self.wide if c.first < place <= c.last]:
            place = min(around)
        return place

    def _inner(self, cluster: _Cluster) -> Graph:
        """Return the graph of a group."""
        places = sorted(cluster.places | cluster.views)
        equations = tuple([self.equations[place] for place in places])
        made = {out for equation in equations for out in equation.outputs}
        used = dict.fromkeys(x for e in equations for x in e.variables if x not in made)
        results = [out for place in sorted(cluster.places) for out in self.equations[place].outputs]
        outside = [out for out in results if self._is_read_outside(out, cluster)]
        return Graph(tuple(used), (), equations, tuple(outside or results[-1:]), name="group")

    def _is_read_outside(self, variable: Variable, cluster: _Cluster) -> bool:
        """Tell whether others need a value; a view that a group has a copy of may be needed too."""
        if variable in self.results:
            return True
        for place in self.readers.get(variable, set()) - cluster.places:
            if place not in cluster.views:
                return True
            if any(self._is_read_outside(out, cluster) for out in self.equations[place].outputs):
                return True
        return False

    def result(self) -> Graph:
        """Return the graph with groups, in an order in which it can run."""
        clusters = list(dict.fromkeys(self.cluster_of.values()))
        equations = [e for cluster in clusters for e in self._as_equations(cluster)]
        return without_dead(replace(self.graph, equations=tuple(in_order(equations))))

    def _as_equations(self, cluster: _Cluster) -> list[Equation]:
        inside = [self.equations[place] for place in sorted(cluster.places)]
        computed = [e for e in inside if e.op.name not in FREE]
        inner = self._inner(cluster)
        if len(computed) < 2:
            worth_it = computed and self.loops.alone(computed[0])
            if not worth_it or not self.loops.has_loop(inner):
                return inside
        inputs: tuple[Input, ...] = inner.inputs
        results = tuple([x for x in inner.outputs if type(x) is Variable])
        return [Equation(Group(inner), inputs, {}, results, inside[0].line)]


def _computes(equation: Equation) -> bool:
    """Tell whether an equation may be in a group for its own sake."""
    name = equation.op.name
    if len(equation.outputs) != 1 or name not in OWN:
        return False
    shapes = [x.shape for x in (*equation.variables, *equation.outputs)]
    return any(shapes)


def _has_loop(graph: Graph) -> bool:
    try:
        analyse(graph)
    except UnsupportedError:
        return False
    return True


def _is_slow(equation: Equation) -> bool:
    """Tell whether a loop is worth it for one equation: its op is slow, or reads along axes."""
    (out, *_) = equation.outputs
    if not _computes(equation) or math.prod(out.shape) < WORTH_IT:
        return False
    broadcast = any(x.shape not in (out.shape, ()) for x in equation.variables)
    return equation.op.name in SLOW or (broadcast and equation.op.name not in NEVER_ALONE)
