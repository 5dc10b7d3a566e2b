"""A run as one HTML file that needs nothing else: curves, settings, model, confusion, graph."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gradx.core.arrays import backend_for, is_array, is_kind
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.graph.draw import Picture
from gradx.graph.svg import escape
from gradx.nn.summary import TEXTS, Summary
from gradx.train.curves import line_chart, number

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --faint: #57606a; --back: #f4f6f8; --paper: white;
  --edge: #dfe3e8; --rule: #eceff2; --none: #c3c9d0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --faint: #9aa4af; --back: #0d1117;
  --paper: #161b22; --edge: #30363d; --rule: #21262d; --none: #4d5560; } }
:root { color: var(--ink); background: var(--back);
  font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
body { max-width: 1120px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 26px; margin: 0 0 18px; } h2 { font-size: 17px; margin: 0 0 12px; }
section { background: var(--paper); border: 1px solid var(--edge); border-radius: 10px;
  padding: 18px 20px; margin: 16px 0; overflow-x: auto; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; }
.tile { flex: 1 1 130px; background: var(--paper); border: 1px solid var(--edge);
  border-radius: 10px; padding: 12px 16px; }
.tile b { display: block; font-size: 22px; font-weight: 600; }
.tile span, caption, summary { color: var(--faint); font-size: 13px; }
.charts { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
.charts svg { max-width: 640px; } .charts text { fill: var(--faint); }
.charts .level { stroke: var(--rule); }
.columns { columns: 2 380px; column-gap: 16px; margin: 16px 0; }
.columns section { break-inside: avoid; margin: 0 0 16px; }
svg { max-width: 100%; height: auto; } .graph svg { max-width: none; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th { text-align: left; font-weight: 600; color: var(--faint); font-size: 13px; }
th, td { padding: 4px 10px 4px 0; border-bottom: 1px solid var(--rule); }
td.number, th.number { text-align: right; } tr.total td { font-weight: 600; border: 0; }
.model th, .model td { white-space: nowrap; font-size: 13px; }
.confusion { width: auto; } .confusion td { text-align: center; border: 1px solid var(--paper);
  min-width: 34px; padding: 5px 6px; border-radius: 4px; } .confusion th { padding: 2px 8px;
  border: 0; text-align: center; } .confusion caption { text-align: left; padding-bottom: 6px; }
"""
# Without it a phone shows a page as wide as a desk's, in small.
FITTING = '<meta name="viewport" content="width=device-width, initial-scale=1">'


def page(
    columns: Mapping[str, Sequence[float]],
    settings: Mapping[str, Any],
    *,
    title: str,
    summary: Summary | None,
    confusion: Any,
    classes: Iterable[Any] | None,
    graph: Picture | None,
) -> str:
    """Return the HTML of ``History.report``, which says what the arguments are."""
    _require_kind("title", title, str, "a string")
    _require_kind("summary", summary, Summary | None, "that of model.summary()")
    _require_kind("graph", graph, Picture | None, "that of gx.draw(...)")
    side = [
        *([_section("Settings", _pairs(settings))] if settings else []),
        *([_section("Model", _model(summary), "model")] if summary is not None else []),
        *([_section("Confusion", _matrix(confusion, classes))] if confusion is not None else []),
    ]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<div class="tiles">{"".join(_tiles(columns))}</div>',
        _section("Curves", f'<div class="charts">{"".join(_charts(columns))}</div>'),
        f'<div class="columns">{"".join(side)}</div>',
        *([_section("Graph", graph.to_svg(), "graph")] if graph is not None else []),
        _section("Epochs", f"<details><summary>every number</summary>{_epochs(columns)}</details>"),
    ]
    head = f'<meta charset="utf-8">{FITTING}<title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(
        [*parts, "</body></html>\n"]
    )


def _require_kind(name: str, value: Any, kind: Any, expected: str) -> None:
    if not isinstance(value, kind):
        raise DTypeError(f"report: {name} is {describe(value)}, expected {expected}")


def _section(heading: str, content: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{escape(heading)}</h2>{content}</section>'


def _tiles(columns: Mapping[str, Sequence[float]]) -> Iterable[str]:
    epochs = columns.get("epoch", next(iter(columns.values())))
    yield _tile(str(len(epochs)), "epochs")
    for name, values in columns.items():
        finite = [(value, epoch) for value, epoch in zip(values, epochs, strict=True)
                  if math.isfinite(value)]  # fmt: skip
        if name.endswith("loss") and finite:
            least, at = min(finite)
            yield _tile(f"{least:.4g}", f"least {_words(name)}, epoch {number(at)}")
        elif name.startswith("validation_") and values:
            yield _tile(f"{values[-1]:.4g}", f"{_words(name)} at the end")
    if "seconds" in columns:
        yield _tile(f"{sum(columns['seconds']):.3g} s", "in all epochs")


def _tile(value: str, words: str) -> str:
    return f'<div class="tile"><b>{escape(value)}</b><span>{escape(words)}</span></div>'


def _charts(columns: Mapping[str, Sequence[float]]) -> Iterable[str]:
    """Draw the losses together, and every other column alone; not the time."""
    losses = {name: values for name, values in columns.items() if name.endswith("loss")}
    others = [
        {name: values}
        for name, values in columns.items()
        if name not in losses and name not in ("epoch", "seconds")
    ]
    epochs = columns.get("epoch", range(1, len(next(iter(columns.values()))) + 1))
    for series in [losses, *others]:
        if series:
            yield line_chart(series, epochs)


def _pairs(settings: Mapping[str, Any]) -> str:
    return _table([], [[_words(str(name)), str(value)] for name, value in settings.items()])


def _model(summary: Summary) -> str:
    head, *rows = summary.cells()
    return _table(head, rows, texts=TEXTS, last="total")


def _epochs(columns: Mapping[str, Sequence[float]]) -> str:
    rows = [[f"{v:.5g}" for v in row] for row in zip(*columns.values(), strict=True)]
    return _table([_words(name) for name in columns], rows, texts=0)


def _table(
    head: Iterable[str], rows: Iterable[Sequence[str]], texts: int = 2, last: str = ""
) -> str:
    """Write a table whose columns after the first ``texts`` are numbers."""
    names = _row("th", list(head), texts)
    lines = [_row("td", row, texts, "total" if last and row[0] == last else "") for row in rows]
    return f"<table>{names}{''.join(lines)}</table>"


def _row(tag: str, cells: Sequence[str], texts: int, kind: str = "") -> str:
    kinds = ["text" if place < texts else "number" for place in range(len(cells))]
    written = [
        f'<{tag} class="{kind_of}">{escape(cell)}</{tag}>'
        for kind_of, cell in zip(kinds, cells, strict=True)
    ]
    return f'<tr class="{kind}">{"".join(written)}</tr>' if written else ""


def _matrix(confusion: Any, classes: Iterable[Any] | None) -> str:
    counts = _counts(confusion)
    names = [str(name) for name in (range(len(counts)) if classes is None else classes)]
    if len(names) != len(counts):
        raise ShapeError(f"report: {len(names)} classes for a confusion of {counts.shape}")
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(_cells(row, place))}</tr>"
        for place, (name, row) in enumerate(zip(names, counts, strict=True))
    )
    caption = "<caption>Rows are the true classes, columns the predicted ones.</caption>"
    return f'<table class="confusion">{caption}<tr><th></th>{head}</tr>{rows}</table>'


def _counts(confusion: Any) -> np.ndarray:
    if not is_array(confusion) or not is_kind(confusion, "integral"):
        raise DTypeError(
            f"report: confusion is {describe(confusion)}, expected that of gx.train.confusion"
        )
    counts = np.asarray(backend_for(confusion).to_numpy(confusion))
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ShapeError(f"report: confusion has the shape {counts.shape}, expected a square")
    return counts


def _cells(row: np.ndarray, place: int) -> Iterable[str]:
    """Colour each count by its share of the row: what is right in blue, what is wrong in red."""
    total = max(int(row.sum()), 1)
    for column, count in enumerate(row.tolist()):
        colour, share = "47,111,219" if column == place else "209,60,60", count / total
        strength = math.sqrt(share) * 0.85
        ink = "white" if strength > 0.55 else "var(--ink)" if count else "var(--none)"
        yield f'<td style="background:rgba({colour},{strength:.2f});color:{ink}">{count}</td>'


def _words(name: str) -> str:
    return name.replace("_", " ")
