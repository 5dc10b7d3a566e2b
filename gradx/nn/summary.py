"""What a model consists of, as a table: its layers, their outputs, and how large they are."""

from collections.abc import Iterator
from dataclasses import fields
from math import prod
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.core.arrays import backend_for, is_array, untracked
from gradx.errors import CaptureError
from gradx.graph.capture import Capture, captures, is_input
from gradx.graph.drawing import Generators
from gradx.nn.counting import Count
from gradx.nn.watching import watching

HEAD = ("layer", "kind", "output", "parameters", "bytes", "FLOPs")
TEXTS = 3  # of the columns, before those of numbers
ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Row(NamedTuple):
    """A layer: its path in the model and class, and how large it is.

    If the model was called there are the shape of its output, and the operations that it took,
    without those of layers inside it.
    """

    path: str
    kind: str
    output: str
    parameters: int
    bytes: int
    flops: int | None


class Summary(NamedTuple):
    """The layers of a model in order; it prints as a table. State counts as bytes alone."""

    rows: list[Row]

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(row.parameters for row in self.rows)

    @property
    def bytes(self) -> int:
        """How much memory parameters and state take."""
        return sum(row.bytes for row in self.rows)

    @property
    def flops(self) -> int | None:
        """How many operations on floating-point numbers the call took, if it was counted."""
        counts = [row.flops for row in self.rows if row.flops is not None]
        return sum(counts) if counts else None

    def cells(self) -> list[tuple[str, ...]]:
        """Return the table as texts, with its head and its total."""
        total = Row("total", "", "", self.parameters, self.bytes, self.flops)
        shown = len(HEAD) if self.flops is not None else len(HEAD) - 1
        return [HEAD[:shown], *[_texts(row)[:shown] for row in [*self.rows, total]]]

    def __repr__(self) -> str:
        lines = self.cells()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(_line(cells, widths) for cells in lines)

    def to_html(self) -> str:
        """Return the table as HTML, which notebooks show by themselves."""
        head, *rows = self.cells()
        return f"<table>{''.join([_html('th', head), *[_html('td', row) for row in rows]])}</table>"

    def _repr_html_(self) -> str:
        return self.to_html()


def counted(model: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Count:
    """Call a model and return what was seen: without operations if it cannot be captured."""
    trace = Capture("summary")
    leaves, structure = tree.flatten((inputs, options))
    arguments = [trace.watch(untracked(x), "") if is_input(x) else x for x in leaves]
    try:
        with captures(trace, Generators()):
            return _called(Count(trace), model, *tree.unflatten(structure, arguments))
    except CaptureError:
        return _called(Count(None), model, inputs, options)


def _called(count: Count, model: Any, inputs: Any, options: Any) -> Count:
    with watching(count):
        model(*inputs, **options)
    return count


def summarize(model: Any, kind: type, called: Count | None) -> Summary:
    """Describe the modules, instances of ``kind``, in a model, and what was seen of its call."""
    outputs = {} if called is None else called.outputs
    knows = called is not None and called.trace is not None
    rows = []
    for path, module, is_leaf in _modules(model, "", kind):
        own = list(_own_arrays(module, kind))
        # A layer that is there twice computes what it does once: in its first row.
        flops = called.operations.pop(id(module), 0) if knows and called else None
        if not own and not is_leaf and not flops:
            continue
        parameters = sum(prod(value.shape) for value, state in own if not state)
        size = sum(_bytes_of(value) for value, _ in own)
        output = outputs.get(id(module), "")
        rows.append(Row(path or "model", type(module).__name__, output, parameters, size, flops))
    return Summary(rows)


def _modules(module: Any, path: str, kind: type) -> Iterator[tuple[str, Any, bool]]:
    """Give the path of a module and of all inside it, and whether there is one inside."""
    inside = [found for name, value, _ in _fields(module) for found in _found(value, name, kind)]
    yield path, module, not inside
    for name, child in inside:
        yield from _modules(child, f"{path}.{name}".removeprefix("."), kind)


def _found(value: Any, path: str, kind: type) -> Iterator[tuple[str, Any]]:
    if isinstance(value, kind):
        yield path, value
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from _found(part, f"{path}[{index}]", kind)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _found(part, f"{path}[{key!r}]", kind)


def _own_arrays(module: Any, kind: type) -> Iterator[tuple[Any, bool]]:
    """Give the arrays of a module that lie in no module inside it, and whether they are state."""
    for _, value, is_state in _fields(module):
        leaves, _ = tree.flatten(_without_modules(value, kind))
        yield from ((leaf, is_state) for leaf in leaves if is_array(leaf))


def _without_modules(value: Any, kind: type) -> Any:
    if isinstance(value, kind):
        return None
    if isinstance(value, (list, tuple)):
        return [_without_modules(part, kind) for part in value]
    if isinstance(value, dict):
        return {key: _without_modules(part, kind) for key, part in value.items()}
    return value


def _fields(module: Any) -> list[tuple[str, Any, bool]]:
    return [
        (f.name, getattr(module, f.name), "state" in f.metadata)
        for f in fields(module)
        if "static" not in f.metadata
    ]


def _bytes_of(array: Any) -> int:
    plain = untracked(array)
    xp = backend_for(plain).xp
    if xp.isdtype(plain.dtype, "bool"):
        return prod(plain.shape)
    is_float = xp.isdtype(plain.dtype, ("real floating", "complex floating"))
    bits = (xp.finfo if is_float else xp.iinfo)(plain.dtype).bits
    parts = 2 if xp.isdtype(plain.dtype, "complex floating") else 1  # finfo is of one of two
    return prod(plain.shape) * parts * bits // 8


def _texts(row: Row) -> tuple[str, ...]:
    numbers = [n for n in (row.parameters, row.bytes, row.flops) if n is not None]
    return (row.path, row.kind, row.output, *[f"{number:,}" for number in numbers])


def _line(cells: Any, widths: list[int]) -> str:
    texts = [t.ljust(width) for t, width in zip(cells[:TEXTS], widths[:TEXTS], strict=True)]
    numbers = [t.rjust(width) for t, width in zip(cells[TEXTS:], widths[TEXTS:], strict=True)]
    return "  ".join([*texts, *numbers]).rstrip()


def _html(tag: str, cells: tuple[str, ...]) -> str:
    aligned = ["left"] * TEXTS + ["right"] * (len(cells) - TEXTS)
    shown = [
        f'<{tag} style="text-align: {side}">{text.translate(ESCAPED)}</{tag}>'
        for text, side in zip(cells, aligned, strict=True)
    ]
    return f"<tr>{''.join(shown)}</tr>"
