"""What happened in each epoch: plain lists of numbers, printed and plotted."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gradx.core.optional import optional
from gradx.errors import DTypeError, ShapeError
from gradx.graph.draw import Picture
from gradx.nn.summary import Summary
from gradx.saving.trees import as_path
from gradx.train.report import page

SHOWN = 6  # rows at the beginning and at the end of a long table


class History:
    """One list of numbers for each column, one number in it for each finished epoch.

    The columns are ``epoch`` (from 1), ``loss`` (the mean over the samples
    trained on, as met during the epoch), ``validation_loss`` and
    ``validation_<metric>`` where there is validation, ``learning_rate`` where
    the optimizer tells it, and ``seconds``. ``settings`` are what ``fit`` was
    asked for, for reports.

    >>> from gradx.train import History
    >>> history = History(["epoch", "loss"])
    >>> history.add({"epoch": 1, "loss": 0.75})
    >>> history.add({"epoch": 2, "loss": 0.5})
    >>> history["loss"], len(history)
    ([0.75, 0.5], 2)
    >>> history
    epoch  loss
        1  0.75
        2   0.5
    """

    def __init__(self, columns: Iterable[str], settings: Mapping[str, Any] | None = None) -> None:
        self.columns: dict[str, list[float]] = {name: [] for name in columns}
        if not self.columns:
            raise ShapeError("history: expected the names of columns, got none")
        self.settings: dict[str, Any] = dict(settings or {})

    def add(self, row: Mapping[str, float]) -> None:
        """Append one epoch: a number for each column."""
        if row.keys() != self.columns.keys():
            raise ShapeError(f"history: expected {', '.join(self.columns)}, got {', '.join(row)}")
        for name, value in row.items():
            self.columns[name].append(value)

    def last(self) -> dict[str, float]:
        """Return the row of the last finished epoch."""
        if not len(self):
            raise ShapeError("history: no epoch is finished yet")
        return {name: values[-1] for name, values in self.columns.items()}

    def to_dict(self) -> dict[str, list[float]]:
        """Return the columns as lists of their own."""
        return {name: list(values) for name, values in self.columns.items()}

    def plot(self, ax: Any = None, columns: Iterable[str] | None = None) -> Any:
        """Draw columns over the epochs, by default the losses, and return matplotlib's Axes.

        They are drawn on ``ax`` if given, else on new Axes.

        Raises:
            MissingPackageError: matplotlib is not installed.
        """
        ax = new_axes() if ax is None else ax
        chosen = (
            [name for name in self.columns if name.endswith("loss")] if columns is None else columns
        )
        for name in chosen:
            marker = "o" if len(self) == 1 else None  # a line of one point is invisible
            ax.plot(self["epoch"], self[name], marker=marker, label=name.replace("_", " "))
        ax.set_xlabel("epoch")
        ticker = optional("matplotlib.ticker", "drawing curves", "plot")
        places = ticker.MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
        ax.xaxis.set_major_locator(places)
        ax.legend()
        return ax

    def report(
        self,
        path: str | Path,
        *,
        title: str = "Training run",
        settings: Mapping[str, Any] | None = None,
        summary: Summary | None = None,
        confusion: Any = None,
        classes: Iterable[Any] | None = None,
        graph: Picture | None = None,
    ) -> None:
        """Write the run to one HTML file, which needs no network: curves, settings, all epochs.

        ``settings`` are put beside those of ``fit``. ``summary`` is that of
        ``model.summary(inputs)``, ``confusion`` that of ``gx.train.confusion``, with the names
        of its ``classes``, and ``graph`` that of ``gx.draw``, if they are to be in it.

        >>> from gradx.train import History
        >>> history = History(["epoch", "loss"])
        >>> history.add({"epoch": 1, "loss": 0.75})
        >>> history.report("run.html", settings={"learning_rate": 0.1})
        """
        if settings is not None and not isinstance(settings, Mapping):
            raise DTypeError(f"report: settings is {settings!r}, expected a mapping")
        text = page(
            self.columns,
            self.settings | dict(settings or {}),
            title=title,
            summary=summary,
            confusion=confusion,
            classes=classes,
            graph=graph,
        )
        as_path("report", path).write_text(text, encoding="utf-8")

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.columns:
            raise ShapeError(f"history: no column {name!r}: there are {', '.join(self.columns)}")
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def __repr__(self) -> str:
        columns = [_as_texts(name, values) for name, values in self.columns.items()]
        lines = ["  ".join(cells) for cells in zip(*columns, strict=True)]
        head, rows = lines[0], lines[1:]
        if len(rows) > 2 * SHOWN:
            rows = [*rows[:SHOWN], "...", *rows[-SHOWN:]]
        return "\n".join([head, *rows])


def short(value: float) -> str:
    """Write a number with the digits that somebody watching needs."""
    return f"{value:.4g}"


def _as_texts(name: str, values: list[float]) -> list[str]:
    texts = [name, *map(short, values)]
    width = max(map(len, texts))
    return [text.rjust(width) for text in texts]


def new_axes() -> Any:
    """Return new Axes of matplotlib; raise ``MissingPackageError`` without it."""
    _, ax = optional("matplotlib.pyplot", "history.plot", extra="plot").subplots()
    return ax
