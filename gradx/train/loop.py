"""The training loop: batches, gradients, optimizer, validation, and who is told.

It holds no mathematics and nothing random of its own: every number comes from
the loss, the optimizer and ``key``, so the same call gives the same bits again.
"""

import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gradx.core import tree
from gradx.core.arrays import is_array
from gradx.data.prefetching import OnTheWay, on_the_way
from gradx.device import to_device
from gradx.distributed import World
from gradx.errors import DTypeError, ShapeError
from gradx.optim.numbers import require_not_negative
from gradx.optim.optimizer import Optimizer
from gradx.random import fold_in, split
from gradx.random.arguments import as_integer, as_number
from gradx.train.callbacks import Handler, handlers
from gradx.train.checkpoint import resume_run
from gradx.train.compiling import while_it_compiles
from gradx.train.early_stopping import EarlyStopping
from gradx.train.evaluation import Metric, measure, named_metrics
from gradx.train.history import History
from gradx.train.losses import Objective, as_objective
from gradx.train.precision import Scaling, numbers_of, of_the_optimizer, precision_of
from gradx.train.progress import reporter
from gradx.train.sources import (
    Source,
    evaluation_source,
    holds_rows,
    rows_in,
    set_apart,
    training_source,
)
from gradx.train.state import Model, Result, State, Weights, in_row_order
from gradx.train.step import Step, make_step
from gradx.transforms.boundary import name_of


def fit(
    model: Model,
    loss: Callable[..., Any],
    optimizer: Optimizer,
    data: Any,
    *,
    epochs: int,
    key: Any,
    validation: Any = None,
    metrics: Iterable[Metric] | Mapping[str, Metric] = (),
    early_stopping: EarlyStopping | None = None,
    callbacks: Iterable[Any] = (),
    batch_size: int = 32,
    sampling: str = "subsets",
    progress: str | None = "auto",
    device: Any = None,
    compile: bool = True,
    precision: str | None = None,
    sharpness: float | None = None,
    resume: Any = None,
    world: World | None = None,
) -> Result[Model]:
    """Train ``model`` for ``epochs`` and return a ``Result`` with ``.model`` and ``.history``.

    ``model`` is a tree of floating-point arrays; it is not changed.

    ``loss`` is a loss of the model, recognised by its parameters ``key`` and
    ``train``: ``loss(model, *batch, key, train)`` returns a scalar, or a scalar
    and the predictions. In training every step has a key of its own; in
    evaluation ``key`` is None and ``train`` False. Or it is a loss of
    predictions with neither: ``loss(model(inputs, key=key, train=train), targets)``,
    where a model that takes no ``key`` or no ``train`` is not given it.

    ``data`` is a tuple or dictionary of arrays with one number of rows, drawn
    in batches of ``batch_size`` (``sampling``: see ``gx.data.batches``); or
    ``gx.data.batches(...)``; or a function of the epoch's key that returns
    batches; or any iterable of batches that can be gone through again.

    ``validation`` is data to evaluate on after each epoch, or the fraction of
    ``data`` to set apart for that. ``metrics`` are functions of all its
    predictions and targets (the last part of a batch).

    ``callbacks`` are functions of the ``State``, called after each epoch, or
    objects with methods ``on_start``, ``on_step_end``, ``on_epoch_end``,
    ``on_end``. ``progress`` is ``"auto"`` (a bar on a terminal, else a line an
    epoch), ``"log"`` (lines) or None. With ``device``, the model and every
    batch are moved there. ``resume`` is a checkpoint that ``Checkpoint`` saved, or its
    directory: the run goes on from there, up to ``epochs`` in all, as if never interrupted;
    with another kind of optimizer or other batches it raises.

    Steps and evaluations are compiled (see ``gx.compile``), which changes no more than last bits
    of sums. Where that cannot be, as of a loss that reads a number, they run as they are, and a
    warning says why of steps.
    ``compile=False`` runs every step in Python, as for a debugger or a loss that prints.

    With ``world=gx.distributed.world()``, processes that ``mpiexec`` started train together: each
    takes its part of every batch, and all have the same model. Callbacks run in the first.

    With ``precision`` layers compute in sixteen bits, and weights stay as they are. ``"bf16"``,
    on CUDA: matrix products round what they multiply to bfloat16. ``"fp16"``: parameters and
    inputs are float16 (of a loss of the model, all parts of a batch but the last are inputs),
    predictions float32 again. The loss is then scaled while it is differentiated: a step with a
    gradient that is not finite is not taken and the scale is halved; after 1000 good steps it is
    doubled. The history has it as ``loss_scale``, and ``skipped_steps`` so far.

    With ``sharpness``, gradients are those of ``gx.optim.sharpness_aware`` with so large a ``rho``:
    two are computed for a step.

    Ctrl-C ends training and returns what is trained so far, with
    ``result.stopped == "interrupted"``; the epoch it cut off is not in the
    history.

    Raises:
        NonFiniteError: a loss, gradient or parameter is not finite; it holds the last good
            model, from before that step.

    >>> import numpy as np
    >>> import gradx as gx
    >>> def loss(model, x, y, *, key, train):
    ...     return gx.sum((model * x - y) ** 2) / x.shape[0]
    >>> x = np.asarray([1.0, 2.0, 3.0, 4.0])
    >>> result = gx.train.fit(np.asarray(0.0), loss, gx.optim.sgd(0.05), (x, 3 * x),
    ...     epochs=20, batch_size=2, key=gx.random.key(0), progress=None)
    >>> round(float(result.model), 4)
    3.0
    """
    epochs = as_integer("fit: epochs", epochs)
    if epochs < 0:
        raise ShapeError(f"fit: epochs={epochs}: it is 0 or more")
    _require_optimizer(optimizer)
    _warn_of_one_array_twice(model)
    world = _checked(world)
    data_key, split_key, step_key = split(key, 3)
    if isinstance(validation, float) or getattr(validation, "shape", None) == ():
        validation = as_number("fit: validation", validation)
        data, validation = set_apart(data, validation, split_key)
    if device is not None:
        model = to_device(model, device)
    chosen = precision_of(precision, model)
    lowered = None if chosen is None else chosen.dtype
    if sharpness is not None:
        require_not_negative("fit: sharpness", sharpness)
    objective = as_objective(loss, lowered)
    run = Run(
        evaluated=while_it_compiles(objective) if compile else objective,
        step=make_step(objective, optimizer, world, compile, chosen, sharpness),
        optimizer=optimizer if lowered is None else Scaling(optimizer),
        source=training_source(data, batch_size, sampling, data_key, world),
        validation=None if validation is None else evaluation_source(validation, batch_size),
        metrics=_with_validation(named_metrics(metrics), validation),
        handlers=_handlers(world, _present(early_stopping), callbacks, reporter(progress)),
        key=step_key,
        device=device,
        settings={
            "model": name_of(type(model)),
            "loss": name_of(loss),
            "optimizer": _named(optimizer),
            "epochs": epochs,
            **({"batch_size": batch_size, "sampling": sampling} if holds_rows(data) else {}),
            "device": device or "that of the model",
            "compiled": compile,
        },
    )
    return run.train(model, epochs, resume)


@dataclass(frozen=True, slots=True)
class Run:
    """What stays the same from the first step to the last."""

    evaluated: Objective
    step: Step
    optimizer: Optimizer | Scaling
    source: Source
    validation: Source | None
    metrics: Mapping[str, Metric]
    handlers: dict[str, list[Handler]]
    key: Any
    device: Any
    settings: Mapping[str, Any]

    def train(self, model: Model, epochs: int, resume: Any = None) -> Result[Model]:
        """Go through the epochs until they are over or somebody stops."""
        weights = Weights(model, self.optimizer.init(model))
        history = History(self._columns(), self.settings)
        source = self.source
        state = State(weights, history, epochs, source.steps, key=self.key, order=source.order)
        if resume is not None:
            resume_run(state, resume)
        state.weights = in_row_order(state.weights)
        try:
            self._tell("on_start", state)
            while state.epoch < epochs and not state.stopped:
                self._epoch(state)
        except KeyboardInterrupt:
            state.stop("interrupted")
        finally:
            self._tell("on_end", state)
        optimizer_state = of_the_optimizer(state.weights.optimizer_state)
        return Result(state.model, state.history, optimizer_state, state.stopped)

    def _epoch(self, state: State) -> None:
        began = time.perf_counter()
        state.epoch, state.step = state.epoch + 1, 0
        row = {"epoch": state.epoch, "loss": self._steps(state)}
        state.weights = in_row_order(state.weights)
        if self.validation is not None:
            found = measure(state.model, self.evaluated, self.validation, self.metrics, self.device)
            row |= {f"validation_{name}": value for name, value in found.items()}
        if "learning_rate" in state.history:
            row["learning_rate"] = self._learning_rate(state.total_steps - 1)
        row |= numbers_of(state.weights.optimizer_state)
        state.history.add(row | {"seconds": time.perf_counter() - began})
        self._tell("on_epoch_end", state)

    def _steps(self, state: State) -> float:
        """Take the steps of an epoch, and return the mean loss over the samples in them."""
        key = fold_in(self.key, state.epoch - 1)
        total, seen = 0.0, 0
        batches = self.source.epoch(state.epoch - 1)
        if self.device is not None:
            batches = on_the_way(batches, self.device)
        # While a GPU is at work on a step; its loss is waited for.
        prepare_next = batches.prepare if isinstance(batches, OnTheWay) else _nothing
        for number, batch in enumerate(batches):
            rows = rows_in(batch, "fit")
            state.step = number + 1
            step_key = fold_in(key, number)
            state.weights, state.loss = self.step(state, batch, step_key, prepare_next)
            state.total_steps += 1
            total += state.loss * rows
            seen += rows
            self._tell("on_step_end", state)
            if state.stopped:
                break
        if not seen:
            raise ShapeError(
                f"fit: no batch in epoch {state.epoch}: an iterator can be gone through only "
                "once; give a function that returns a new one, as in data=lambda key: ..."
            )
        return total / seen

    def _columns(self) -> list[str]:
        measured = ["loss", *self.metrics] if self.validation is not None else []
        rate = [] if getattr(self.optimizer, "learning_rate", None) is None else ["learning_rate"]
        scale = ["loss_scale", "skipped_steps"] if type(self.optimizer) is Scaling else []
        validation = [f"validation_{name}" for name in measured]
        return ["epoch", "loss", *validation, *rate, *scale, "seconds"]

    def _learning_rate(self, step: int) -> float:
        rate = self.optimizer.learning_rate  # type: ignore[union-attr]
        return float(rate(step) if callable(rate) else rate)

    def _tell(self, event: str, state: State) -> None:
        for handler in self.handlers[event]:
            handler(state)


def _nothing() -> None:
    """Prepare no batch: the next one is made when it is asked for."""


def _checked(world: Any) -> World:
    if world is not None and not isinstance(world, World):
        raise DTypeError(f"fit: world is {world!r}, expected gx.distributed.world()")
    return world or World(0, 1)


def _handlers(world: World, everywhere: Any, callbacks: Any, reports: Any) -> Any:
    """Return whom to tell: of several processes the first alone has callbacks and reports."""
    if world.size == 1:
        return handlers(everywhere, callbacks, reports)

    def follow(state: State) -> None:
        state.stopped, state.rate = world.agree((state.stopped, state.rate))

    found = handlers(everywhere, *([callbacks, reports] if world.rank == 0 else []))
    return {name: [*told, *([] if name == "on_end" else [follow])] for name, told in found.items()}


def _named(optimizer: Any) -> str:
    """Return the name of the function that made an optimizer."""
    made_in = getattr(optimizer.update, "__qualname__", "")
    return made_in.partition(".<locals>")[0] or name_of(optimizer)


def _require_optimizer(optimizer: Any) -> None:
    functions = [getattr(optimizer, name, None) for name in ("init", "update")]
    if isinstance(optimizer, type) or not all(map(callable, functions)):
        raise DTypeError(
            f"fit: the optimizer is {optimizer!r}, expected an Optimizer, "
            "as gx.optim.adam(1e-3) makes"
        )


def _warn_of_one_array_twice(model: Any) -> None:
    """Say that leaves which are one array do not stay one: a tree has no tied weights."""
    first: dict[int, str] = {}
    for path, leaf in zip(tree.paths(model), tree.leaves(model), strict=True):
        if is_array(leaf) and (before := first.setdefault(id(leaf), path)) != path:
            warnings.warn(
                f"fit: model{before} and model{path} are one array, and will be two, as each is "
                "trained by itself. To tie weights, let the model have the layer once and call it "
                "twice; otherwise give each an array of its own",
                stacklevel=3,
            )


def _present(early_stopping: EarlyStopping | None) -> list[EarlyStopping]:
    return [] if early_stopping is None else [early_stopping]


def _with_validation(metrics: Mapping[str, Metric], validation: Any) -> Mapping[str, Metric]:
    if metrics and validation is None:
        raise ShapeError(
            f"fit: metrics ({', '.join(metrics)}) are of validation data: give validation=..."
        )
    return metrics
