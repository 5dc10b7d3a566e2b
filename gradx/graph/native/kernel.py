"""The two functions that a group becomes.

``run`` goes over *units*: as many rows as are worth handing to a thread at once. Each unit
leaves what it reduced over its rows at a place of its own among the ``partials``; ``finish``
joins those, in order, and computes what comes after. Which rows make a unit depends on shapes
only, so neither does the result depend on the number of threads.

Both take the address of the first item of a tuple of arrays, inputs, then outputs, then one for
the partials, and read the addresses of the elements from the arrays themselves: for a small array, asking Python for them
would take longer than the loop. ``run`` returns 1, and does nothing, where an input is not in
row-major order.
"""

from typing import NamedTuple

from gradx.backends.native.values import Code, Value
from gradx.graph.equations import Equation, Variable
from gradx.graph.native.analysis import Kind, Plan
from gradx.graph.native.operations import UnsupportedError, read_by
from gradx.graph.native.reductions import Reduction, State, column_reduction, reduction_of
from gradx.graph.native.rows import Row, along_row
from gradx.graph.native.scopes import (
    Scope,
    load_element,
    load_vector,
    size_of,
    store_element,
    store_vector,
)

# Where a NumPy array keeps things, in bytes after the head that all Python objects have:
# PyArrayObject_fields, part of NumPy's binary interface, which other compiled modules rely on.
DATA, FLAGS = 0, 48
IN_ORDER_AND_ALIGNED = 0x101
HEAD = object.__basicsize__

# The geometry: numbers that the functions are given, 8 bytes each; lengths of axes follow.
ROWS, INNER, ROWS_PER_UNIT, WHOLE, AXES = range(5)
WORD = 8


class Slot(NamedTuple):
    """Where a reduction over rows is kept, in words from the beginning of a unit's partials."""

    equation: Equation
    reduction: Reduction
    offset: int  # of a TOTAL; of a COLUMN, how many columns come before it


class Kernel:
    """The code of one group under construction."""

    def __init__(self, plan: Plan, lanes: int, fused_multiply_add: bool) -> None:
        self.plan = plan
        self.lanes, self.fused_multiply_add = lanes, fused_multiply_add
        self.declarations: dict[str, str] = {}
        self.arrays = [*plan.graph.inputs, *plan.graph.outputs]
        if len(set(self.arrays)) < len(self.arrays):
            raise UnsupportedError("an output that is an input, or twice the same")
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
        code = Code(self.lanes, self.fused_multiply_add)
        code.declarations = self.declarations
        return code

    def text(self) -> str:
        """Return the whole as a module of LLVM's."""
        functions = [Run(self).text(), Finish(self).text()]
        return "\n".join([*functions, *self.declarations.values(), ""])


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


class Run(Function):
    """``run(arrays, geometry, first unit, unit after the last)``."""

    def text(self) -> str:
        """Write the function."""
        self.find_data()
        self._check_order()
        self.find_padding()
        unit, head, done = self.loop("%first", "%end")
        self._unit(unit)
        self.end_loop(head, done)
        self.code.lines.append("ret i32 0")
        return self.assembled(
            "define i32 @run(ptr %arrays, ptr %geometry, i64 %first, i64 %end)"
        )

    def _check_order(self) -> None:
        code = self.code
        ordered, wrong = code.label("ordered"), code.label("wrong")
        all_flags = str(IN_ORDER_AND_ALIGNED)
        for place in range(len(self.plan.graph.inputs)):
            array = self._load("ptr", self._at("%arrays", place, WORD))
            flags = self._load("i32", self._at(array, HEAD + FLAGS, 1))
            both = code.fresh()
            code.lines.append(f"{both} = and i32 {flags}, {all_flags}")
            all_flags = both
        test = code.fresh()
        code.lines += [
            f"{test} = icmp eq i32 {all_flags}, {IN_ORDER_AND_ALIGNED}",
            f"br i1 {test}, label %{ordered}, label %{wrong}",
        ]
        code.start(wrong)
        code.lines.append("ret i32 1")
        code.start(ordered)

    def _unit(self, unit: str) -> None:
        per_unit, rows = self.word(ROWS_PER_UNIT), self.word(ROWS)
        first = self._binary("mul", unit, per_unit)
        end = self._smaller(self._binary("add", first, per_unit), rows)
        self._clear_columns(unit)
        self.cells = {
            slot.equation: self._cells(slot.reduction) for slot in self.kernel.totals
        }
        self.unit = unit
        self.scope = Scope(self.plan, self.code, self._load_whole)
        row, head, done = self.loop(first, end)
        self._row(row)
        self.end_loop(head, done)
        for slot in self.kernel.totals:
            state = self._state(self.cells[slot.equation], slot.reduction)
            for part, value in enumerate(state):
                store_vector(self.code, self.total_place(unit, slot, part), value)

    def _smaller(self, x: str, y: str) -> str:
        less = self._binary("icmp ult", x, y)
        name = self.code.fresh()
        self.code.lines.append(f"{name} = select i1 {less}, i64 {x}, i64 {y}")
        return name

    def _clear_columns(self, unit: str) -> None:
        for slot in self.kernel.columns:
            column, head, done = self.loop("0", self.padded)
            (start,) = slot.reduction.start(self.code)
            store_element(self.code, self.column_place(unit, slot, column), start)
            self.end_loop(head, done)

    def _cells(self, reduction: Reduction) -> list[str]:
        """Make a place for a state, and put that of nothing there."""
        cells = [self.code.cell(self.code.vector(reduction.dtype)) for _ in range(reduction.width)]
        self._keep(cells, reduction.start(self.code))
        return cells

    def _keep(self, cells: list[str], state: State) -> None:
        for cell, value in zip(cells, state, strict=True):
            self.code.lines.append(
                f"store {self.code.vector(value.dtype)} {value.name}, ptr {cell}"
            )

    def _state(self, cells: list[str], reduction: Reduction) -> State:
        vector = self.code.vector(reduction.dtype)
        return tuple(self.code.emit(reduction.dtype, f"load {vector}, ptr {c}") for c in cells)

    def _load_whole(self, variable: Variable) -> Value:
        return load_element(self.code, self._place(variable), variable.dtype)

    def _place(self, variable: Variable) -> str:
        """Return where this row's elements of a value begin."""
        row = self._row_of(variable)
        if row == "0":
            return self.data[variable]
        if self.plan.inner(variable):
            row = self._binary("mul", row, self.word(INNER))
        return self._at(self.data[variable], row, size_of(variable.dtype))

    def _row_of(self, variable: Variable) -> str:
        """Return which of a value's own rows this row is."""
        outer = self.plan.outer(variable)
        if self.plan.is_flat:
            return self.row if self.plan.inner(variable) else "0"
        if all(outer) and outer:
            return self.row
        found = "0"
        for axis, varies in enumerate(outer):
            if varies:
                size = self.word(AXES + axis)
                place = self._binary("urem", self._over(axis), size)
                found = self._binary("add", self._binary("mul", found, size), place)
        return found

    def _over(self, axis: int) -> str:
        """Return the row's number along an axis and those before it."""
        number = self.row
        for later in range(axis + 1, len(self.plan.sizes) - 1):
            number = self._binary("udiv", number, self.word(AXES + later))
        return number

    def _row(self, row: str) -> None:
        self.row = row
        self.scope = Scope(self.plan, self.code, self._load_whole)
        self.length = self.word(INNER)
        if self.plan.is_flat:
            before = self._binary("mul", row, self.length)
            self.length = self._smaller(
                self.length, self._binary("sub", self.word(WHOLE), before)
            )
        levels = self._levels()
        for level in range(max(levels.values(), default=0) + 1):
            within = [
                e
                for e, kind in self.plan.kinds.items()
                if kind is Kind.ROW and levels[next(e.variables)] == level
            ]
            if within:
                self._reduce_row(within)
        self._finish_row()

    def _levels(self) -> dict[Variable, int]:
        """Count the reductions of the row that come before each value."""
        levels = dict.fromkeys(self.plan.graph.inputs, 0)
        for equation in self.plan.graph.equations:
            deepest = max((levels[x] for x in read_by(equation)), default=0)
            within = self.plan.kinds.get(equation) is Kind.ROW
            levels.update(dict.fromkeys(equation.outputs, deepest + within))
        return levels

    def _reduce_row(self, equations: list[Equation]) -> None:
        """Go along the row once, and reduce it."""
        reductions = {e: reduction_of(e) for e in equations}
        cells = {e: self._cells(r) for e, r in reductions.items()}
        operands = [next(e.variables) for e in equations]

        def body(row: Row) -> None:
            scope = self._along(row, operands)
            for equation, reduction in reductions.items():
                x = scope.values[next(equation.variables)]
                self._add(cells[equation], reduction, x, row)

        self._go_along(operands, [], body)
        for equation, reduction in reductions.items():
            state = reduction.across(self._state(cells[equation], reduction))
            (out,) = equation.outputs
            self.scope.values[out] = reduction.result(state, out.dtype)

    def _add(self, cells: list[str], reduction: Reduction, x: Value, row: Row) -> None:
        x = row.valid().where(x, x.like(reduction.identity))
        self._keep(cells, reduction.step(self._state(cells, reduction), x))

    def _along(self, row: Row, targets: list[Variable]) -> Scope:
        scope = Scope(self.plan, self.code, row.load, around=self.scope)
        scope.compute(targets, self.plan.inner)
        return scope

    def _go_along(self, targets: list[Variable], outputs: list[Variable], body) -> None:
        """Compute what does not vary along the row, then go along it."""
        self.scope.compute(targets, lambda v: not self.plan.inner(v))
        needed = self.scope.needed(targets)
        inputs = {v: self._place(v) for v in self.plan.graph.inputs if v in needed}
        along_row(self.code, self.length, inputs, {v: self._place(v) for v in outputs}, body)

    def _finish_row(self) -> None:
        """Go along the row once more for outputs, and for what is reduced over rows."""
        plan = self.plan
        slots = [*self.kernel.totals, *self.kernel.columns]
        outputs = [v for v in plan.graph.outputs if v not in plan.after]
        wide = [v for v in outputs if plan.inner(v)]
        reduced = [slot for slot in slots if plan.inner(next(slot.equation.variables))]
        targets = wide + [next(slot.equation.variables) for slot in reduced]
        if targets:
            self._go_along(targets, wide, lambda row: self._write(row, targets, wide, reduced))
        rest = [v for v in outputs if not plan.inner(v)]
        single = [slot for slot in slots if slot not in reduced]
        self.scope.compute(
            rest + [next(slot.equation.variables) for slot in single], lambda v: not plan.inner(v)
        )
        for variable in rest:
            store_element(self.code, self._place(variable), self.scope.values[variable])
        for slot in single:
            x = self.scope.values[next(slot.equation.variables)]
            first = self._first_only(x, slot.reduction)
            cells = self.cells[slot.equation]
            self._keep(cells, slot.reduction.step(self._state(cells, slot.reduction), first))

    def _first_only(self, x: Value, reduction: Reduction) -> Value:
        places = ", ".join(["i1 true"] + ["i1 false"] * (self.code.lanes - 1))
        mask = Value(self.code, "bool", f"<{places}>")
        return mask.where(x, x.like(reduction.identity))

    def _write(self, row: Row, targets, wide, reduced) -> None:
        scope = self._along(row, targets)
        for slot in reduced:
            x = scope.values[next(slot.equation.variables)]
            if slot in self.kernel.totals:
                self._add(self.cells[slot.equation], slot.reduction, x, row)
                continue
            place = self.column_place(self.unit, slot, row.column())
            state = (load_vector(self.code, place, slot.reduction.dtype),)
            (total,) = slot.reduction.step(state, x)
            store_vector(self.code, place, total)
        for variable in wide:
            row.store(variable, scope.values[variable])


class Finish(Function):
    """``finish(arrays, geometry, units)``: what is the same for all rows."""

    def text(self) -> str:
        """Write the function."""
        plan = self.plan
        outputs = [v for v in plan.graph.outputs if v in plan.after]
        self.find_data()
        self.find_padding()
        self.scope = Scope(plan, self.code, self._load_element)
        for slot in self.kernel.totals:
            self._join_total(slot)
        wide = [v for v in outputs if plan.inner(v)]
        if wide:
            self._columns(wide)
        rest = [v for v in outputs if not plan.inner(v)]
        self.scope.compute(rest, lambda v: not plan.inner(v))
        for variable in rest:
            store_element(self.code, self.data[variable], self.scope.values[variable])
        self.code.lines.append("ret void")
        return self.assembled(
            "define void @finish(ptr %arrays, ptr %geometry, i64 %units)"
        )

    def _load_element(self, variable: Variable) -> Value:
        return load_element(self.code, self.data[variable], variable.dtype)

    def _join(self, slot: Slot, place_of) -> State:
        """Join the states of all units, in order."""
        code, reduction = self.code, slot.reduction
        vector = code.vector(reduction.dtype)
        cells = [code.cell(vector) for _ in range(reduction.width)]
        load = lambda: tuple(code.emit(reduction.dtype, f"load {vector}, ptr {c}") for c in cells)
        keep = lambda state: code.lines.extend(
            f"store {vector} {value.name}, ptr {cell}"
            for cell, value in zip(cells, state, strict=True)
        )
        keep(reduction.start(code))
        unit, head, done = self.loop("0", "%units")
        parts = tuple(
            load_vector(code, place_of(unit, part), reduction.dtype)
            for part in range(reduction.width)
        )
        keep(reduction.combine(load(), parts))
        self.end_loop(head, done)
        return load()

    def _join_total(self, slot: Slot) -> None:
        state = self._join(slot, lambda unit, part: self.total_place(unit, slot, part))
        (out,) = slot.equation.outputs
        reduction = slot.reduction
        self.scope.values[out] = reduction.result(reduction.across(state), out.dtype)

    def _columns(self, wide: list[Variable]) -> None:
        plan = self.plan
        self.scope.compute(wide, lambda v: not plan.inner(v))
        inputs = {v: self.data[v] for v in plan.graph.inputs if plan.inner(v)}
        inputs = {v: p for v, p in inputs.items() if not any(plan.outer(v))}
        outputs = {v: self.data[v] for v in wide}
        along_row(self.code, self.word(INNER), inputs, outputs, lambda row: self._column(row, wide))

    def _column(self, row: Row, wide: list[Variable]) -> None:
        scope = Scope(self.plan, self.code, row.load, around=self.scope)
        column = row.column()
        for slot in self.kernel.columns:
            place_of = lambda unit, part, slot=slot: self.column_place(unit, slot, column)
            (out,) = slot.equation.outputs
            state = self._join(slot, place_of)
            scope.values[out] = slot.reduction.result(state, out.dtype)
        scope.compute(wide, self.plan.inner)
        for variable in wide:
            row.store(variable, scope.values[variable])
