"""A model's loss and metrics on data that it is not trained on."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gradx.core import tree
from gradx.core.arrays import backend_for
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
    for batch in source.epoch(0):
        if device is not None:
            batch = to_device(batch, device)
        loss, predictions = objective(model, batch, None, False)
        total += _number(loss) * rows_in(batch)
        rows += rows_in(batch)
        if metrics:
            seen.append((_required(predictions), arguments(batch)[-1]))
    if not rows:
        raise ShapeError(
            "evaluate: the data gave no batch: an iterator can be gone through only once"
        )
    gathered = tree.map(_join, *seen) if metrics else ()
    return {"loss": total / rows} | {name: float(f(*gathered)) for name, f in metrics.items()}


def named_metrics(metrics: Iterable[Metric] | Mapping[str, Metric]) -> Mapping[str, Metric]:
    """Return metrics by name: their own, unless a mapping says otherwise."""
    if callable(metrics):
        raise DTypeError(f"metrics: expected a sequence or a mapping, got {metrics!r}: write [...]")
    if isinstance(metrics, Mapping):
        return metrics
    return {metric.__name__: metric for metric in metrics}


def _number(loss: Any) -> float:
    if getattr(loss, "shape", ()) != ():
        raise ShapeError(f"evaluate: the loss must be a scalar, got shape {tuple(loss.shape)}")
    return float(loss)


def _required(predictions: Any) -> Any:
    if predictions is None:
        raise DTypeError("metrics need the predictions: let the loss return (loss, predictions)")
    return predictions


def _join(*parts: Any) -> Any:
    return backend_for(parts[0]).xp.concat(parts, axis=0)
