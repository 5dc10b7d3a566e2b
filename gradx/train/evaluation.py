"""A model's loss and metrics on data that it is not trained on."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gradx.core import tree
from gradx.core.arrays import backend_for, is_array, is_kind
from gradx.core.explain import describe
from gradx.data import prefetch
from gradx.device import to_device
from gradx.errors import DTypeError, ShapeError
from gradx.train.losses import Objective, arguments, as_objective
from gradx.train.sources import Source, evaluation_source, rows_in

Metric = Callable[[Any, Any], Any]


def evaluate(
    model: Any,
    loss: Callable[..., Any],
    data: Any,
    *,
    metrics: Iterable[Metric] | Mapping[str, Metric] = (),
    batch_size: int = 256,
    device: Any = None,
) -> dict[str, float]:
    """Compute the mean loss over all samples, and metrics, in evaluation mode.

    ``loss``, ``data`` and ``metrics`` are as for ``fit``. The loss is called
    with ``key=None, train=False``, batch by batch; batches weigh as much as
    they have rows. The result is ``{"loss": ..., "<metric>": ...}``.

    >>> import numpy as np
    >>> import gradx as gx
    >>> def loss(model, x, y, *, key, train):
    ...     return gx.sum((model * x - y) ** 2) / x.shape[0]
    >>> x = np.asarray([1.0, 2.0, 3.0])
    >>> gx.train.evaluate(np.asarray(2.0), loss, (x, 3 * x), batch_size=2)
    {'loss': 4.666666666666667}
    """
    source = evaluation_source(data, batch_size)
    if device is not None:
        model = to_device(model, device)
    return measure(model, as_objective(loss), source, named_metrics(metrics), device)


def measure(
    model: Any, objective: Objective, source: Source, metrics: Mapping[str, Metric], device: Any
) -> dict[str, float]:
    """Compute what ``evaluate`` returns, from what ``fit`` has prepared once."""
    total, rows, seen = 0.0, 0, []
    batches = source.epoch(0)
    for batch in batches if device is None else prefetch(batches, device):
        count = rows_in(batch, "evaluate")
        loss, predictions = objective(model, batch, None, False)
        total += _number("evaluate: the loss", loss) * count
        rows += count
        if metrics:
            seen.append((_required(predictions), arguments(batch)[-1]))
    if not rows:
        raise ShapeError(
            "evaluate: the data gave no batch: an iterator can be gone through only once"
        )
    gathered = tree.map(_join, *seen) if metrics else ()
    measured = {name: _number(f"metrics: {name}", f(*gathered)) for name, f in metrics.items()}
    return {"loss": total / rows} | measured


def named_metrics(metrics: Iterable[Metric] | Mapping[str, Metric]) -> Mapping[str, Metric]:
    """Return metrics by name: their own, unless a mapping says otherwise."""
    if callable(metrics) or isinstance(metrics, str) or not isinstance(metrics, Iterable):
        raise DTypeError(f"metrics: expected a sequence or a mapping, got {metrics!r}: write [...]")
    named = (
        list(metrics.items())
        if isinstance(metrics, Mapping)
        else [(getattr(metric, "__name__", None), metric) for metric in metrics]
    )
    for name, metric in named:
        if not isinstance(name, str) or not callable(metric):
            raise DTypeError(
                f"metrics: {metric!r} by the name {name!r}: expected functions that have names, "
                'or {"name": function}'
            )
    names = [name for name, _ in named]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ShapeError(f"metrics: two are called {repeated[0]!r}: name them in a mapping")
    if "loss" in names:
        raise ShapeError("metrics: one is called 'loss', as the loss is: name it in a mapping")
    return dict(named)


def _number(what: str, value: Any) -> float:
    is_number = isinstance(value, (int, float))
    if not is_number and not (is_array(value) and not is_kind(value, "complex floating")):
        raise DTypeError(f"{what} is {describe(value)}, expected a real scalar")
    if not is_number and value.shape != ():
        raise ShapeError(f"{what} must be a scalar, got shape {tuple(value.shape)}")
    return float(value)


def _required(predictions: Any) -> Any:
    if predictions is None:
        raise DTypeError("metrics need the predictions: let the loss return (loss, predictions)")
    return predictions


def _join(*parts: Any) -> Any:
    return backend_for(parts[0]).xp.concat(parts, axis=0)
