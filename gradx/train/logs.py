"""The history of a run in a file, a line for each epoch, while the run goes on."""

import csv
import io
import json
import math
from typing import Any

from gradx.core.optional import optional
from gradx.saving.trees import as_path
from gradx.train.state import State


class _Log:
    """Write lines at the end of a file; a run that goes on writes those of before anew."""

    def __init__(self, path: Any) -> None:
        self.path = as_path(type(self).__name__, path)

    def on_start(self, state: State) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        columns = state.history.to_dict()
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        text = self.head(list(columns)) + "".join(map(self.line, rows))
        self.path.write_text(text, encoding="utf-8")

    def on_epoch_end(self, state: State) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(self.line(state.history.last()))

    def head(self, columns: list[str]) -> str:
        """Return what stands in front of the lines."""
        return ""

    def line(self, row: dict[str, float]) -> str:
        """Return the line of an epoch."""
        raise NotImplementedError


class JSONLog(_Log):
    """Write one JSON object a line: a callback of ``gx.train.fit``.

    Numbers that are not finite become ``null``, as JSON has none of them.

    >>> import gradx as gx
    >>> gx.train.JSONLog("run.jsonl").line({"epoch": 1, "loss": 0.5})
    '{"epoch": 1, "loss": 0.5}\\n'
    """

    def line(self, row: dict[str, float]) -> str:
        finite = {name: value if math.isfinite(value) else None for name, value in row.items()}
        return json.dumps(finite) + "\n"


class CSVLog(_Log):
    """Write comma-separated values under the names of the columns: a callback of ``fit``.

    >>> import gradx as gx
    >>> gx.train.CSVLog("run.csv").line({"epoch": 1, "loss": 0.5})
    '1,0.5\\n'
    """

    def head(self, columns: list[str]) -> str:
        return self._written(columns)

    def line(self, row: dict[str, float]) -> str:
        return self._written(list(row.values()))

    def _written(self, values: list[Any]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(values)
        return text.getvalue()


class TensorBoardLog:
    """Write each column of the history to ``directory`` for TensorBoard: a callback of ``fit``.

    A run that goes on, or a second one, takes the place of what is there; numbers that are not
    finite are left out. Needs tensorboardX: ``pip install 'gradx[tensorboard]'``.

    >>> import gradx as gx
    >>> gx.train.TensorBoardLog("logs/first").directory.name
    'first'
    """

    def __init__(self, directory: Any) -> None:
        self.directory = as_path("TensorBoardLog", directory)
        self._writer: Any = None

    def on_start(self, state: State) -> None:
        """Begin a file of events, with the epochs of before."""
        package = optional("tensorboardX", "TensorBoardLog", extra="tensorboard")
        # Of what earlier files have, TensorBoard shows nothing from purge_step on. Names of
        # files are the second they were made in, and this number.
        number = len(list(self.directory.glob("*"))) if self.directory.is_dir() else 0
        self._writer = package.SummaryWriter(
            str(self.directory), purge_step=0, filename_suffix=f".{number}"
        )
        for place in range(len(state.history)):
            self._write({name: values[place] for name, values in state.history.columns.items()})

    def on_epoch_end(self, state: State) -> None:
        """Write the epoch."""
        self._write(state.history.last())

    def on_end(self, state: State) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, row: dict[str, float]) -> None:
        for name, value in row.items():
            if name != "epoch" and math.isfinite(value):
                self._writer.add_scalar(name, value, int(row["epoch"]))
        self._writer.flush()
