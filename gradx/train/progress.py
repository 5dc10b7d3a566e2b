"""Telling whoever watches how training goes: a bar on a terminal, lines elsewhere."""

from importlib import import_module
from typing import Any

from gradx.errors import DTypeError, ShapeError
from gradx.train.history import short
from gradx.train.state import State


def reporter(progress: str | None) -> list[Any]:
    """Return the callbacks for ``progress``: ``"auto"``, ``"log"`` or None."""
    if progress is None:
        return []
    if not isinstance(progress, str):
        raise DTypeError(f"fit: progress={progress!r}: use 'auto', 'log' or None")
    if progress == "log":
        return [Log()]
    if progress != "auto":
        raise ShapeError(f"fit: progress={progress!r}: use 'auto', 'log' or None")
    # Imported here because it takes longer than the rest of gradx.
    console = import_module("rich.console").Console()
    return [Bar(console)] if console.is_interactive else [Log()]


class Log:
    """Print one line an epoch."""

    def on_epoch_end(self, state: State) -> None:
        print(epoch_line(state), flush=True)

    def on_end(self, state: State) -> None:
        if state.stopped:
            print(f"stopped: {state.stopped}", flush=True)


class Bar:
    """Show the running epoch as a bar, below the lines of the finished ones."""

    def __init__(self, console: Any) -> None:
        rich = import_module("rich.progress")
        self.bar = rich.Progress(
            rich.TextColumn("{task.description}"),
            rich.BarColumn(),
            rich.MofNCompleteColumn(),
            rich.TextColumn("{task.fields[numbers]}"),
            rich.TextColumn("{task.fields[rate]}"),
            rich.TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self.task: Any = None

    def on_start(self, state: State) -> None:
        self.task = self.bar.add_task("", total=state.steps, numbers="", rate="")
        self.bar.start()

    def on_step_end(self, state: State) -> None:
        if state.step == 1:
            self.bar.reset(self.task, total=state.steps)
        speed = self.bar.tasks[0].speed
        self.bar.update(
            self.task,
            completed=state.step,
            description=f"epoch {state.epoch}/{state.epochs}",
            numbers=self._numbers(state),
            rate=f"{speed:.0f} steps/s" if speed else "",
        )

    def on_epoch_end(self, state: State) -> None:
        self.bar.console.print(epoch_line(state), highlight=False)

    def on_end(self, state: State) -> None:
        self.bar.stop()
        if state.stopped:
            self.bar.console.print(f"stopped: {state.stopped}", highlight=False)

    def _numbers(self, state: State) -> str:
        """Write the loss of this step, and the last epoch's validation."""
        before = state.history.last() if len(state.history) else {}
        measured = {name: value for name, value in before.items() if name.startswith("validation_")}
        return _pairs({"loss": state.loss} | measured)


def epoch_line(state: State) -> str:
    """Write the last row of the history as one line."""
    row = state.history.last()
    counter = f"{row.pop('epoch')}".rjust(len(str(state.epochs)))
    seconds = row.pop("seconds")
    return f"epoch {counter}/{state.epochs}  {_pairs(row)}  {seconds:.2f} s"


def _pairs(numbers: dict[str, float]) -> str:
    return "  ".join(f"{name} {short(value)}" for name, value in numbers.items())
