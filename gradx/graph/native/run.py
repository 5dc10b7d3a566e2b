"""``run``: over the rows of some units, writing outputs and what is reduced over rows."""

from collections.abc import Callable

from gradx.backends.native.values import Value
from gradx.graph.equations import Equation, Variable
from gradx.graph.native.analysis import Kind
from gradx.graph.native.kernel import (
    AXES,
    DTYPE,
    FLAGS,
    HEAD,
    IN_ORDER_AND_ALIGNED,
    INNER,
    ROWS,
    ROWS_PER_UNIT,
    WHOLE,
    WORD,
    Function,
)
from gradx.graph.native.operations import read_by
from gradx.graph.native.reductions import Reduction, State, reduction_of
from gradx.graph.native.rows import Row, Vector, along_row
from gradx.graph.native.scopes import (
    Scope,
    load_element,
    load_vector,
    size_of,
    store_element,
    store_vector,
)


class Run(Function):
    """``run(arrays, geometry, first unit, unit after the last)``."""

    def text(self) -> str:
        """Write the function."""
        self.find_data()
        self._check_arrays()
        self.find_padding()
        unit, head, done = self.loop("%first", "%end")
        self._unit(unit)
        self.end_loop(head, done)
        self.code.lines.append("ret i32 0")
        return self.assembled("define i32 @run(ptr %arrays, ptr %geometry, i64 %first, i64 %end)")

    def _check_arrays(self) -> None:
        """Return 1 unless every array is as the loop expects it."""
        code = self.code
        as_expected, wrong = code.label("as_expected"), code.label("wrong")
        all_flags, difference = str(IN_ORDER_AND_ALIGNED), "0"
        for place in range(len(self.kernel.arrays)):
            array = self._load("ptr", self._at("%arrays", place, WORD))
            flags = self._load("i32", self._at(array, HEAD + FLAGS, 1))
            dtype = self._load("i64", self._at(array, HEAD + DTYPE, 1))
            other = self._binary("xor", dtype, self.word(AXES + len(self.plan.sizes) + place))
            difference = self._binary("or", difference, other)
            both = code.fresh()
            code.lines.append(f"{both} = and i32 {flags}, {all_flags}")
            all_flags = both
        ordered, same, good = code.fresh(), code.fresh(), code.fresh()
        code.lines += [
            f"{ordered} = icmp eq i32 {all_flags}, {IN_ORDER_AND_ALIGNED}",
            f"{same} = icmp eq i64 {difference}, 0",
            f"{good} = and i1 {ordered}, {same}",
            f"br i1 {good}, label %{as_expected}, label %{wrong}",
        ]
        code.start(wrong)
        code.lines.append("ret i32 1")
        code.start(as_expected)

    def _unit(self, unit: str) -> None:
        per_unit, rows = self.word(ROWS_PER_UNIT), self.word(ROWS)
        first = self._binary("mul", unit, per_unit)
        end = self._smaller(self._binary("add", first, per_unit), rows)
        self._clear_columns(unit)
        self.cells = {slot.equation: self._cells(slot.reduction) for slot in self.kernel.totals}
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
        if variable in self.plan.places and not self.plan.is_flat:
            return self._at(self.data[variable], self._steps(variable), size_of(variable.dtype))
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

    def _steps(self, variable: Variable) -> str:
        """Return how far this row of a view or a part is from its first, in elements."""
        found, word = "0", self.kernel.place_words[variable] + 1
        for axis, varies in enumerate(self.plan.outer(variable)):
            if varies:
                place = self._binary("urem", self._over(axis), self.word(AXES + axis))
                step = self._binary("mul", place, self.word(word + axis))
                found = self._binary("add", found, step)
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
            self.length = self._smaller(self.length, self._binary("sub", self.word(WHOLE), before))
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
        if type(row) is Vector:  # what is computed for a reduction is there for what follows
            self.scope.values.update(scope.values)
        return scope

    def _go_along(
        self, targets: list[Variable], outputs: list[Variable], body: Callable[[Row], None]
    ) -> None:
        """Compute what does not vary along the row, then go along it."""
        self.scope.compute(targets, lambda v: not self.plan.inner(v))
        needed = self.scope.needed(targets)
        inputs = {v: self._place(v) for v in self.plan.graph.inputs if v in needed}
        targets_at = {v: self._place(v) for v in outputs}
        if not self.plan.is_flat and self.plan.sizes[-1] == self.code.lanes:
            body(Vector(self.code, inputs | targets_at))
            return
        along_row(self.code, self.length, inputs, targets_at, body)

    def _finish_row(self) -> None:
        """Go along the row once more for outputs, and for what is reduced over rows."""
        plan = self.plan
        slots = [*self.kernel.totals, *self.kernel.columns]
        outputs = [v for v in plan.outputs if v not in plan.after]
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
