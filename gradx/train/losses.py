"""The two ways to write a loss, brought to one: ``objective(model, batch, key, train)``.

A loss of the model says everything itself, and is recognised by its parameters
``key`` and ``train``; a loss of predictions, such as ``gx.nn.cross_entropy``, has
neither, and is given what the model makes of the batch's inputs.
"""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from gradx.errors import DTypeError, ShapeError
from gradx.nn.stateful import with_state
from gradx.train.precision import in_dtype, lowered_model

# (model, batch, key, train) -> (scalar loss, predictions or None)
Objective = Callable[[Any, Any, Any, bool], tuple[Any, Any]]

FORMS = (
    "write loss(model, *batch, key, train) with the parameters key and train, "
    "or a loss of predictions, loss(predictions, targets), with neither"
)


def as_objective(loss: Callable[..., Any], dtype: str | None = None) -> Objective:
    """Return the objective for a loss of either kind, with layers that compute in ``dtype``.

    Raise ``DTypeError`` for what is neither.
    """
    if not callable(loss):
        raise DTypeError(f"fit: the loss is {loss!r}: {FORMS}")
    parameters = _signature(loss).parameters
    given = {"key", "train"} & parameters.keys()
    if len(given) == 1:
        raise DTypeError(f"fit: {_name(loss)}{_signature(loss)} has only {given.pop()}: {FORMS}")
    objective = (_of_the_model if given else _of_predictions)(loss, dtype)
    objective.__name__ = _name(loss)  # for the messages of the derivative
    return objective


def with_next_state(objective: Objective) -> Callable[..., tuple[Any, Any]]:
    """Return ``(model, batch, key, train) -> (loss, the model with its next state)``."""
    stateful = with_state(objective)

    def differentiable(model, batch, key, train):
        (loss, _), following = stateful(model, batch, key, train)
        return loss, following

    differentiable.__name__ = objective.__name__
    return differentiable


def arguments(batch: Any) -> tuple[Any, ...]:
    """Return what a batch gives the loss: a tuple's parts, or the batch as it is."""
    return tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)


def _signature(loss: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(loss)
    except (TypeError, ValueError) as error:  # Some functions written in C do not say.
        raise DTypeError(f"fit: {loss!r} does not tell its parameters: {FORMS}") from error


def _name(loss: Callable[..., Any]) -> str:
    return getattr(loss, "__name__", type(loss).__name__)


def _kind(model: Any) -> str:
    return f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"


def _of_the_model(loss: Callable[..., Any], dtype: str | None) -> Objective:
    def objective(model, batch, key, train):
        parts = arguments(batch)
        if dtype is not None:
            model, parts = lowered_model(model, dtype), _lowered_inputs(parts, dtype)
        result = loss(model, *parts, key=key, train=train)
        if dtype is not None:
            result = in_dtype(result, "float32")
        if not isinstance(result, tuple):
            return result, None
        if len(result) != 2:
            raise ShapeError(
                f"fit: {_name(loss)} returned {len(result)} values: expected the loss, "
                "or (loss, predictions)"
            )
        return result

    return objective


def _lowered_inputs(parts: tuple[Any, ...], dtype: str) -> tuple[Any, ...]:
    """Return the parts of a batch with inputs in sixteen bits: all but the last, the targets."""
    inputs = in_dtype(parts[:-1] or parts, dtype)
    return (*inputs, *parts[len(inputs) :])


def _of_predictions(loss: Callable[..., Any], dtype: str | None) -> Objective:
    if not _takes_two(loss):
        raise DTypeError(f"fit: {_name(loss)}{_signature(loss)}: {FORMS}")

    def objective(model, batch, key, train):
        parts = arguments(batch)
        if len(parts) != 2:
            raise ShapeError(
                f"fit: {_name(loss)} is a loss of predictions, which takes batches "
                f"(inputs, targets), got one of {len(parts)} parts (data that is a list is a "
                f"sequence of batches; a pair of arrays is a tuple): {FORMS}"
            )
        if not callable(model) or isinstance(model, type):
            raise DTypeError(
                f"fit: {_name(loss)} is a loss of predictions, but the model, "
                f"{_kind(model)}, cannot be called: {FORMS}"
            )
        inputs, targets = parts
        options = {"key": key, "train": train}
        taken = {name: options[name] for name in _taken(type(model).__call__)}
        if dtype is not None:
            model = lowered_model(model, dtype)
            inputs = in_dtype(inputs, dtype)
        predictions = model(inputs, **taken)
        if dtype is not None:
            predictions = in_dtype(predictions, "float32")
        return loss(predictions, targets), predictions

    return objective


@cache
def _taken(call: Callable[..., Any]) -> tuple[str, ...]:
    """Return which of key and train a model takes: a single layer may take neither."""
    return tuple([name for name in ("key", "train") if name in inspect.signature(call).parameters])


def _takes_two(loss: Callable[..., Any]) -> bool:
    try:
        inspect.signature(loss).bind(None, None)
    except TypeError:
        return False
    return True
