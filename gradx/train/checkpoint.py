"""Saving a run while it goes on, and going on with it later, to the same bits.

A checkpoint holds the parameters, the optimizer's state, the best parameters if early
stopping keeps them, the history and how far the run is. All else is a function of those
and of the key: batches and random numbers are numbered by epoch and step.
"""

import json
import math
import re
import warnings
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from gradx.core import tree
from gradx.errors import CheckpointError, ShapeError
from gradx.nn.module import show
from gradx.random.arguments import as_integer
from gradx.saving.reading import read_file
from gradx.saving.trees import as_path, into_tree, save
from gradx.train.early_stopping import SIGNS, mode_for, require_recorded
from gradx.train.sources import words_of
from gradx.train.state import State

LAST, BEST = "last.safetensors", "best.safetensors"


@dataclass
class Checkpoint:
    """Save the run to ``directory`` once ``every`` epochs: a callback of ``gx.train.fit``.

    When training ends, also by Ctrl-C or an error, the last whole epoch is saved.
    ``last.safetensors`` is what ``fit(resume=...)`` goes on from. With ``monitor``, a column
    of the history, ``best.safetensors`` is that of the epoch where it was best; ``mode`` is as for
    ``EarlyStopping``. The directory is made if it is not there.

    >>> import gradx as gx
    >>> gx.train.Checkpoint("run", monitor="validation_loss").mode
    'min'
    """

    directory: Any
    monitor: str | None = None
    mode: str | None = None
    every: int = 1
    _best: float = field(default=math.inf, init=False, repr=False)
    _unsaved: State | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.directory = as_path("Checkpoint", self.directory)
        if self.monitor is not None:
            self.mode = mode_for("Checkpoint", self.monitor, self.mode)
        if as_integer("Checkpoint: every", self.every) < 1:
            raise ShapeError(f"Checkpoint: every={self.every}: it is 1 epoch or more")

    def on_start(self, state: State) -> None:
        """Make the directory, and look for the best epoch so far."""
        if self.monitor is not None:
            require_recorded("Checkpoint", self.monitor, state)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._best = min(self._costs(state), default=math.inf)
        self._unsaved = None

    def on_epoch_end(self, state: State) -> None:
        """Save the run, and once more if this epoch is the best."""
        # The best first: a run that is killed in between goes on from before this epoch.
        if self.monitor is not None and self._costs(state)[-1] < self._best:
            self._best = self._costs(state)[-1]
            save_run(self.directory / BEST, state)
        self._unsaved = None
        if state.epoch % self.every == 0 or state.epoch == state.epochs or state.stopped:
            save_run(self.directory / LAST, state)
        else:
            self._unsaved = replace(state)

    def on_end(self, state: State) -> None:
        """Save the last whole epoch, if training ended before its turn: by Ctrl-C or an error."""
        if self._unsaved is not None:
            save_run(self.directory / LAST, self._unsaved)

    def _costs(self, state: State) -> list[float]:
        if self.monitor is None or self.mode is None:
            return []
        costs = [SIGNS[self.mode] * value for value in state.history[self.monitor]]
        return [math.inf if math.isnan(cost) else cost for cost in costs]


def save_run(path: Path, state: State) -> None:
    """Write where a run stands after an epoch."""
    facts = {
        "epoch": state.epoch,
        "total_steps": state.total_steps,
        "key": words_of(state.key),
        "order": dict(state.order),
        "optimizer": kinds_of(state.weights.optimizer_state),
        "model": _settings_of(state.model),
        "has_best": state.best is not None,
        "history": state.history.to_dict(),
    }
    arrays = {"weights": state.weights, "best": state.best}
    save(path, arrays, metadata={"gradx.run": json.dumps(facts)})


def resume_run(state: State, path: Any) -> None:
    """Bring a run that has not begun to where the run in a checkpoint stood."""
    path = as_path("fit: resume", path)
    content = read_file(path / LAST if path.is_dir() else path)
    if "gradx.run" not in content.metadata:
        raise CheckpointError(f"{path}: it is no checkpoint of gx.train.Checkpoint")
    # The digest of the header held: this is what save_run wrote.
    facts = json.loads(content.metadata["gradx.run"])
    if facts["key"] != words_of(state.key):
        raise ShapeError(f"fit: resume: the run in {path} had another key than key=...")
    if list(facts["history"]) != list(state.history.columns):
        raise ShapeError(
            f"fit: resume: the run in {path} recorded {', '.join(facts['history'])}, "
            f"this one records {', '.join(state.history.columns)}"
        )
    _require_order(path, facts.get("order", {}), state.order)
    _require_optimizer(path, facts.get("optimizer"), kinds_of(state.weights.optimizer_state))
    _warn_of_another_model(path, facts.get("model"), _settings_of(state.model))
    like = {"weights": state.weights, "best": state.weights if facts["has_best"] else None}
    found = into_tree(content.arrays, like)
    state.weights, state.best = found["weights"], found["best"]
    state.epoch, state.total_steps = facts["epoch"], facts["total_steps"]
    state.history.columns = facts["history"]


def kinds_of(optimizer_state: Any) -> list[str]:
    """Return the names of the states of optimizers, from the outside in.

    Those of several have the same arrays, which would be taken for one another.
    """
    own = [type(optimizer_state).__name__] if hasattr(optimizer_state, "_fields") else []
    if isinstance(optimizer_state, dict):
        optimizer_state = tuple(optimizer_state.values())
    parts = optimizer_state if isinstance(optimizer_state, tuple) else ()
    return own + [kind for part in parts for kind in kinds_of(part)]


def _settings_of(model: Any) -> str:
    """Write a model's settings, without its arrays, as they would be written in any process."""
    return re.sub(r" at 0x[0-9a-f]+", "", show(tree.map(lambda leaf: None, model)))


def _require_optimizer(path: Path, before: list[str] | None, now: list[str]) -> None:
    if before is not None and before != now:
        raise ShapeError(
            f"fit: resume: the run in {path} had an optimizer with the state "
            f"{' of '.join(before) or '()'}, this one has {' of '.join(now) or '()'}: another "
            "optimizer begins anew, from the model that gx.load reads"
        )


def _warn_of_another_model(path: Path, before: str | None, now: str) -> None:
    """Say which line of a model is another: its arrays fit, but it computes something else."""
    if before is None or before == now:
        return
    had, has = before.splitlines(), now.splitlines()
    pairs = zip_longest(had, has, fillvalue="nothing")
    one, other = next((a.strip(), b.strip()) for a, b in pairs if a != b)
    warnings.warn(
        f"fit: resume: the model of the run in {path} had other settings: {one}, now {other}",
        stacklevel=5,
    )


def _require_order(path: Path, before: Any, now: Any) -> None:
    """Raise if batches would have other rows than those of the run that goes on."""
    for name in [*before, *(name for name in now if name not in before)]:
        had, has = before.get(name), now.get(name)
        if had != has:
            raise ShapeError(
                f"fit: resume: the run in {path} had {name}={had!r}, this one has {name}={has!r}: "
                "its batches would be others, and it could not go on as if never interrupted"
            )
