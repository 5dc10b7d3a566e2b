"""What the two functions share that a group becomes: where everything is.

``run`` (run.py) goes over *units*: as many rows as are worth handing to a thread at once. Each
unit leaves what it reduced over its rows at a place of its own among the ``partials``;
``finish`` (finish.py) joins those, in order, and computes what comes after. Which rows make a
unit depends on shapes only, so neither does the result depend on the number of threads.

Both take the address of the first item of a tuple of arrays, inputs, then outputs, then one for
the partials, and read the addresses of the elements from the arrays themselves: for a small
array, asking Python for them would take longer than the loop. ``run`` returns 1, and does
nothing, where an array is not in row-major order or not of the dtype, byte order included, that the
loop is for.
"""

from typing import NamedTuple

from gradx.backends.native.values import Code, Processor
from gradx.graph.equations import Equation, Variable
from gradx.graph.native.analysis import Kind, Plan
from gradx.graph.native.operations import UnsupportedError
from gradx.graph.native.reductions import Reduction, column_reduction, reduction_of
from gradx.graph.native.scopes import size_of

# Where a NumPy array keeps things, in bytes after the head that all Python objects have:
# PyArrayObject_fields, part of NumPy's binary interface, which other compiled modules rely on.
DATA, DTYPE, FLAGS = 0, 40, 48
IN_ORDER_AND_ALIGNED = 0x101
HEAD = object.__basicsize__

# The geometry: numbers that the functions are given, 8 bytes each; then the lengths of axes, then
# the addresses of the arrays' dtypes, each of which NumPy has one of; then, of each view and part,
# where it begins and its strides.
ROWS, INNER, ROWS_PER_UNIT, WHOLE, AXES = range(5)
WORD = 8


class Slot(NamedTuple):
    """Where a reduction over rows is kept, in words from the beginning of a unit's partials."""

    equation: Equation
    reduction: Reduction
    offset: int  # of a TOTAL; of a COLUMN, how many columns come before it


class Kernel:
    """The code of one group under construction."""

    def __init__(self, plan: Plan, lanes: int, processor: Processor) -> None:
        self.plan = plan
        self.lanes, self.processor = lanes, processor
        self.declarations: dict[str, str] = {}
        self.arrays = [*plan.inputs, *plan.results]
        if len(set(self.arrays)) < len(self.arrays):
            raise UnsupportedError("an output that is an input, or twice the same")
        self.place_words: dict[Variable, int] = {}
        word = AXES + len(plan.sizes) + len(self.arrays)
        for variable in plan.places:
            self.place_words[variable] = word
            word += len(plan.sizes)
        self.totals: list[Slot] = []
        self.columns: list[Slot] = []
        for equation, kind in plan.kinds.items():
            if kind is Kind.TOTAL:
                words = sum(slot.reduction.width for slot in self.totals)
                self.totals.append(Slot(equation, reduction_of(equation), words))
            if kind is Kind.COLUMN:
                self.columns.append(Slot(equation, column_reduction(equation), len(self.columns)))

    def words_per_unit(self, inner: int) -> int:
        """Return how many words a unit leaves its partials in."""
        padded = -(-inner // self.lanes) * self.lanes
        return self.total_words + len(self.columns) * padded

    @property
    def total_words(self) -> int:
        """How many words of a unit's partials are for totals."""
        return self.lanes * sum(slot.reduction.width for slot in self.totals)

    def new_code(self) -> Code:
        """Begin a function."""
        code = Code(self.lanes, self.processor)
        code.declarations = self.declarations
        return code


class Function:
    """What both functions begin with."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel, self.plan = kernel, kernel.plan
        self.code = kernel.new_code()
        self.data: dict[Variable, str] = {}

    def word(self, place: int) -> str:
        """Load a number of the geometry."""
        return self._load("i64", self._at("%geometry", place, WORD))

    def _load(self, kind: str, pointer: str) -> str:
        name = self.code.fresh()
        self.code.lines.append(f"{name} = load {kind}, ptr {pointer}")
        return name

    def _at(self, pointer: str, index: object, size: int) -> str:
        """Return the place of an element."""
        offset, place = self.code.fresh(), self.code.fresh()
        self.code.lines += [
            f"{offset} = mul i64 {index}, {size}",
            f"{place} = getelementptr inbounds i8, ptr {pointer}, i64 {offset}",
        ]
        return place

    def _binary(self, instruction: str, x: object, y: object) -> str:
        name = self.code.fresh()
        self.code.lines.append(f"{name} = {instruction} i64 {x}, {y}")
        return name

    def find_data(self) -> None:
        """Load where the elements of every array begin."""
        for place, variable in enumerate(self.kernel.arrays):
            array = self._load("ptr", self._at("%arrays", place, WORD))
            self.data[variable] = self._load("ptr", self._at(array, HEAD + DATA, 1))
        for variable, stretch in self.plan.places.items():
            offset = self.word(self.kernel.place_words[variable])
            size = size_of(variable.dtype)
            self.data[variable] = self._at(self.data[stretch.base], offset, size)
        if self.kernel.totals or self.kernel.columns:
            array = self._load("ptr", self._at("%arrays", len(self.kernel.arrays), WORD))
            self.partials = self._load("ptr", self._at(array, HEAD + DATA, 1))

    def loop(self, first: str, end: str) -> tuple[str, str, str]:
        """Begin a loop from ``first`` up to ``end``; return the number of the turn and labels."""
        code = self.code
        cell = code.cell("i64")
        head, body, done = code.label("loop"), code.label("body"), code.label("end")
        code.lines += [f"store i64 {first}, ptr {cell}", f"br label %{head}"]
        code.start(head)
        turn = self._load("i64", cell)
        more = self._binary("icmp ult", turn, end)
        code.lines.append(f"br i1 {more}, label %{body}, label %{done}")
        code.start(body)
        following = self._binary("add", turn, 1)
        code.lines.append(f"store i64 {following}, ptr {cell}")
        return turn, head, done

    def end_loop(self, head: str, done: str) -> None:
        """Close a loop."""
        self.code.lines.append(f"br label %{head}")
        self.code.start(done)

    def partial(self, unit: str) -> str:
        """Return where a unit's partials begin."""
        words = self._binary("mul", self.padded, len(self.kernel.columns))
        words = self._binary("add", words, self.kernel.total_words)
        return self._at(self.partials, self._binary("mul", words, unit), WORD)

    def find_padding(self) -> None:
        """Compute the length of a row in whole vectors."""
        lanes = self.kernel.lanes
        up = self._binary("add", self.word(INNER), lanes - 1)
        self.padded = self._binary("and", up, -lanes)

    def total_place(self, unit: str, slot: Slot, part: int) -> str:
        """Return where one vector of a total's state is."""
        return self._at(self.partial(unit), (slot.offset + part) * self.kernel.lanes, WORD)

    def column_place(self, unit: str, slot: Slot, column: str) -> str:
        """Return where a column's state is."""
        before = self._binary("mul", self.padded, slot.offset)
        words = self._binary("add", self._binary("add", before, column), self.kernel.total_words)
        return self._at(self.partial(unit), words, WORD)

    def assembled(self, head: str) -> str:
        """Return the function's text."""
        code = self.code
        return "\n".join([f"{head} {{", "entry:", *code.cells, *code.lines, "}"])
