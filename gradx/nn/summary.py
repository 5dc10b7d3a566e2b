"""What a model consists of, as a table: its layers, their outputs, and how large they are."""

from collections.abc import Iterator
from dataclasses import fields
from math import prod
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.core.arrays import backend_for, is_array, untracked

HEAD = ("layer", "kind", "output", "parameters", "bytes")


class Row(NamedTuple):
    """A layer: its path in the model, class, output's shape if known, parameters and bytes."""

    path: str
    kind: str
    output: str
    parameters: int
    bytes: int


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

    def __repr__(self) -> str:
        total = Row("total", "", "", self.parameters, self.bytes)
        lines = [HEAD, *[_texts(row) for row in [*self.rows, total]]]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(_line(cells, widths) for cells in lines)


def summarize(model: Any, kind: type, outputs: dict[int, str]) -> Summary:
    """Describe the modules, instances of ``kind``, in a model, with outputs by their identity."""
    rows = []
    for path, module, is_leaf in _modules(model, "", kind):
        own = list(_own_arrays(module, kind))
        if not own and not is_leaf:
            continue
        parameters = sum(prod(value.shape) for value, state in own if not state)
        size = sum(_bytes_of(value) for value, _ in own)
        output = outputs.get(id(module), "")
        rows.append(Row(path or "model", type(module).__name__, output, parameters, size))
    return Summary(rows)


def shapes_of(out: Any) -> str:
    """Write the shapes of what a layer returned."""
    return ", ".join(str(tuple(x.shape)) for x in tree.leaves(out) if hasattr(x, "shape"))


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
    return (row.path, row.kind, row.output, f"{row.parameters:,}", f"{row.bytes:,}")


def _line(cells: Any, widths: list[int]) -> str:
    texts = [text.ljust(width) for text, width in zip(cells[:3], widths[:3], strict=True)]
    numbers = [text.rjust(width) for text, width in zip(cells[3:], widths[3:], strict=True)]
    return "  ".join([*texts, *numbers]).rstrip()
