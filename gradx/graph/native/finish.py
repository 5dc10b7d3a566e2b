"""``finish``: joins what the units left, and computes what is the same for all rows."""

from collections.abc import Callable

from gradx.backends.native.values import Value
from gradx.graph.equations import Variable
from gradx.graph.native.kernel import INNER, Function, Slot
from gradx.graph.native.reductions import State
from gradx.graph.native.rows import Row, along_row
from gradx.graph.native.scopes import Scope, load_element, load_vector, store_element


class Finish(Function):
    """``finish(arrays, geometry, units)``: what is the same for all rows."""

    def text(self) -> str:
        """Write the function."""
        plan = self.plan
        outputs = [v for v in plan.outputs if v in plan.after]
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
        return self.assembled("define void @finish(ptr %arrays, ptr %geometry, i64 %units)")

    def _load_element(self, variable: Variable) -> Value:
        return load_element(self.code, self.data[variable], variable.dtype)

    def _join(self, slot: Slot, place_of: Callable[[str, int], str]) -> State:
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
