"""Running a group's machine code on arrays."""

import ctypes
import math
from functools import cache
from typing import Any

import numpy as np

from gradx.backends.native import compiler, threads
from gradx.backends.native.storage import user_store
from gradx.graph.ir import Graph, GroupKernel
from gradx.graph.native.analysis import Plan, analyse
from gradx.graph.native.kernel import Kernel
from gradx.graph.native.likeness import remembering_likes
from gradx.graph.native.operations import UnsupportedError
from gradx.graph.native.scopes import size_of
from gradx.graph.native.writing import write

Address = ctypes.c_ssize_t
ARGUMENTS = (Address, Address, ctypes.c_int64, ctypes.c_int64)
# Loops let other threads run Python; for short ones that would take longer than the loop.
SHORT = ctypes.PYFUNCTYPE(ctypes.c_int32, *ARGUMENTS)
FINISH = ctypes.PYFUNCTYPE(None, Address, Address, ctypes.c_int64)

ITEMS = tuple.__basicsize__  # where the items of a tuple are, in bytes from its beginning
ELEMENTS_PER_UNIT = 1 << 14
FEWEST_LANES = 4
MOST_UNITS_OF_COLUMNS = 16  # each leaves a whole row of partials
WORTH_SHARING = 1 << 18  # element operations
WORTH_THE_LOCK = 1 << 14  # below this, Python's own lock is kept


class Launch:
    """A group's kernel, as ``gradx.graph.ir.GroupKernel`` has it."""

    def __init__(self, plan: Plan, kernel: Kernel, functions: tuple[int, ...]) -> None:
        run, finish = functions
        self._loop, self._finish = threads.loop_at(run), FINISH(finish)
        rows, inner, per_unit = _rows(plan, kernel)
        self.units = -(-rows // per_unit)
        self._dtypes = [np.dtype(variable.dtype) for variable in kernel.arrays]
        numbers = [rows, inner, per_unit, math.prod(plan.sizes), *plan.sizes]
        numbers += map(id, self._dtypes)
        for stretch in plan.places.values():
            numbers += [stretch.offset, *stretch.strides]
        self._geometry = (ctypes.c_int64 * len(numbers))(*numbers)
        self.address = ctypes.addressof(self._geometry)
        work = math.prod(plan.sizes) * (len(plan.graph.equations) + len(kernel.arrays))
        self.is_shared = self.units > 1 and work >= WORTH_SHARING
        self.run = SHORT(run) if work < WORTH_THE_LOCK else self._loop.function
        self._words = kernel.words_per_unit(inner) * self.units
        self._finishes = bool(plan.after)
        self._idle: list[Any] = []  # partials, for calls to come
        self._count = len(plan.inputs)
        # NumPy gives numbers of its own where an array has no axes, and Python's may come too.
        self._numbers = [
            (place, variable.dtype)
            for place, variable in enumerate(plan.inputs)
            if variable.shape == ()
        ]

        # Where these share memory, a row would read what another row has written.
        moved = {stretch.base for stretch in plan.places.values()}
        self._clashes = [
            (i, self._count + j)
            for i, x in enumerate(plan.inputs)
            for j, out in enumerate(plan.results)
            if x.shape
            and x.shape == out.shape
            and (not moved.isdisjoint((x, out)) or plan.varies[x] != plan.varies[out])
        ]

    @property
    def needs_more(self) -> bool:
        """Tell whether a call is more than one run over arrays as they are."""
        return bool(self._numbers or self._words or self._finishes or self._clashes)

    def __call__(self, *arrays: Any) -> None:
        """Compute the outputs, the last of ``arrays``, from the inputs before them."""
        if self._numbers:
            given = list(arrays)
            for place, dtype in self._numbers:
                given[place] = np.asarray(given[place], dtype)
            arrays = tuple(given)
        for place, target in self._clashes:
            if np.may_share_memory(arrays[place], arrays[target]):
                arrays = (*arrays[:place], np.array(arrays[place]), *arrays[place + 1 :])
        if not self._words:
            self._run(arrays)
            return
        # Popping and appending are atomic: no two threads ever hold the same partials.
        try:
            partials = self._idle.pop()
        except IndexError:
            partials = np.empty(self._words)
        try:
            self._run((*arrays, partials))
        finally:
            self._idle.append(partials)

    def _run(self, arrays: tuple[Any, ...]) -> None:
        if self._go(arrays):
            self._convert_and_go(arrays)
            return
        if self._finishes:
            self._finish(id(arrays) + ITEMS, self.address, self.units)

    def _convert_and_go(self, arrays: tuple[Any, ...]) -> None:
        """Run on copies of arrays in another order, or of a dtype that NumPy calls the same."""
        count = len(self._dtypes)
        copies = [
            x
            if x.dtype is dtype and x.flags.c_contiguous and x.flags.aligned
            else np.array(x, dtype, order="C")
            for x, dtype in zip(arrays[:count], self._dtypes, strict=True)
        ]
        arrays_as_expected = (*copies, *arrays[count:])
        self._go(arrays_as_expected)
        if self._finishes:
            self._finish(id(arrays_as_expected) + ITEMS, self.address, self.units)
        for target, computed in zip(
            arrays[self._count : count], copies[self._count :], strict=True
        ):
            if target is not computed:
                target[...] = computed

    def _go(self, arrays: tuple[Any, ...]) -> int:
        items = id(arrays) + ITEMS
        if self.is_shared:
            return threads.run(self._loop, items, self.address, self.units)
        return self.run(items, self.address, 0, self.units)


def _shortest(launch: Launch) -> GroupKernel:
    """Return a kernel that does only what this one needs: a small array's loop takes less."""
    if launch.is_shared or launch.needs_more:
        return launch
    run, address, units = launch.run, launch.address, launch.units

    def kernel(*arrays: Any) -> None:
        if run(id(arrays) + ITEMS, address, 0, units):
            launch(*arrays)

    return kernel


def _rows(plan: Plan, kernel: Kernel) -> tuple[int, int, int]:
    """Return how many rows there are, how long they are, and how many make a unit."""
    *outer, inner = plan.sizes
    if plan.is_flat:
        length = min(inner, ELEMENTS_PER_UNIT)
        return -(-inner // length), length, 1
    rows = math.prod(outer)
    per_unit = max(1, ELEMENTS_PER_UNIT // inner)
    if kernel.columns:
        per_unit = max(per_unit, -(-rows // MOST_UNITS_OF_COLUMNS))
    return rows, inner, min(per_unit, rows)


def lanes_of(plan: Plan) -> int:
    """Return how many elements fill the processor's vectors."""
    sizes = [size_of(v.dtype) for v in plan.varies if any(plan.varies[v]) and v.dtype != "bool"]
    narrowest = min(sizes, default=8)
    most = compiler.VECTOR_BYTES // max(4, narrowest)
    # Short rows fill no more than one vector: what is beyond them would be computed for nothing.
    return most if plan.is_flat else min(most, max(FEWEST_LANES, _power_above(plan.sizes[-1])))


def _power_above(count: int) -> int:
    """Return the least power of 2 that is not less."""
    return 1 << (count - 1).bit_length()


@remembering_likes
def compile_group(graph: Graph) -> GroupKernel | None:
    """Make a kernel of the graph of a group; None where there is no loop for it.

    The kernel is for NumPy's arrays. Inputs in another order than row-major ones are copied.
    """
    try:
        plan = analyse(graph)
        kernel = Kernel(plan, lanes_of(plan), compiler.PROCESSOR)
        text = write(kernel)
    except UnsupportedError:
        return None
    return _shortest(Launch(plan, kernel, _functions(text)))


@cache
def _functions(text: str) -> tuple[int, ...]:
    return compiler.addresses(text, ("run", "finish"), user_store(), compiler.PASSES)


def reason(graph: Graph) -> str:
    """Say why ``compile_group`` returns None for this graph; empty if it does not."""
    try:
        plan = analyse(graph)
        write(Kernel(plan, lanes_of(plan), compiler.PROCESSOR))
    except UnsupportedError as error:
        return str(error)
    return ""
