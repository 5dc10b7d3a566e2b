"""Early stopping: when it stops, and what it goes back to."""

import math

import numpy as np
import pytest

import gradx as gx
from gradx.errors import ShapeError
from gradx.optim.optimizer import Optimizer
from gradx.random import key
from gradx.train import EarlyStopping, fit


def follow(values, stopping, epochs=None):
    """Train with validation losses ``values``: the model counts the steps, one in an epoch."""

    def loss(model, x, *, key, train):
        return gx.sum(model) * 0.0 + (1.0 if train else values[round(float(model)) - 1])

    def update(grads, state, params):
        return np.asarray(1.0), state + 1

    counting = Optimizer(lambda params: 0, update)
    rows = np.ones(2)
    return fit(
        np.asarray(0.0), loss, counting, rows, epochs=epochs or len(values), key=key(0),
        validation=rows, early_stopping=stopping, progress=None,
    )  # fmt: skip


def test_the_best_parameters_are_restored_when_it_stops():
    stopping = EarlyStopping(patience=2)

    result = follow([5.0, 3.0, 4.0, 4.0, 1.0], stopping)

    assert float(result.model) == 2.0
    assert result.optimizer_state == 2
    assert result.history["validation_loss"] == [5.0, 3.0, 4.0, 4.0]
    assert result.stopped == "validation_loss did not improve for 2 epochs"
    assert (stopping.best_epoch, stopping.best) == (2, 3.0)


def test_the_best_parameters_are_restored_at_a_normal_end():
    result = follow([5.0, 1.0, 2.0, 3.0], EarlyStopping(patience=10))

    assert float(result.model) == 2.0
    assert result.stopped is None
    assert len(result.history) == 4


def test_the_last_parameters_are_kept_when_asked():
    result = follow([5.0, 1.0, 2.0, 3.0], EarlyStopping(patience=2, restore_best=False))

    assert float(result.model) == 4.0


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 6), (3, 9), (4, 9)])
def test_patience_counts_epochs_in_a_row(patience, epochs):
    values = [5.0, 4.0, 4.5, 3.0, 3.0, 3.5, 2.0, 2.0, 2.0]
    #              best  1    best  1    2   best  1    2
    lengths = {1: 3, 2: 6, 3: 9, 4: 9}

    result = follow(values, EarlyStopping(patience=patience))

    assert len(result.history) == lengths[patience] == epochs


def test_min_delta_is_what_an_improvement_must_exceed():
    values = [4.0, 3.75, 3.5, 3.25, 3.0, 2.75]

    exceeded = follow(values, EarlyStopping(patience=1, min_delta=0.125))
    not_exceeded = follow(values, EarlyStopping(patience=1, min_delta=0.25))
    in_two_steps = follow(values, EarlyStopping(patience=2, min_delta=0.375))

    assert len(exceeded.history) == 6
    assert len(not_exceeded.history) == 2
    assert len(in_two_steps.history) == 6


def test_the_best_is_restored_though_it_is_too_little_better_to_count():
    stopping = EarlyStopping(patience=2, min_delta=1.0)

    result = follow([4.0, 3.75, 3.5, 3.25], stopping)

    assert len(result.history) == 3
    assert float(result.model) == 3.0
    assert stopping.best == 3.5


def test_max_mode_looks_for_the_largest():
    result = follow([1.0, 3.0, 2.0, 2.0], EarlyStopping(patience=2, mode="max"))

    assert float(result.model) == 2.0
    assert len(result.history) == 4


def test_not_a_number_is_no_improvement():
    result = follow([math.nan, 3.0, math.nan, 4.0, math.nan], EarlyStopping(patience=3))

    assert float(result.model) == 2.0
    assert len(result.history) == 5


def test_an_early_stopping_can_be_used_again():
    stopping = EarlyStopping(patience=2)
    follow([1.0, 2.0, 3.0], stopping)

    result = follow([9.0, 8.0, 9.0, 9.0], stopping)

    assert float(result.model) == 2.0
    assert (len(result.history), stopping.best) == (4, 8.0)


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [("loss", "min"), ("validation_loss", "min"), ("validation_mean_absolute_error", "min"),
     ("validation_accuracy", "max"), ("validation_r2", "max")],
)  # fmt: skip
def test_the_direction_follows_from_the_name(monitor, mode):
    assert EarlyStopping(monitor).mode == mode


def test_settings_out_of_range_are_named():
    with pytest.raises(ShapeError, match="mode=None for 'validation_f1': use 'min' or 'max'"):
        EarlyStopping("validation_f1")
    with pytest.raises(ShapeError, match="mode='least'"):
        EarlyStopping(mode="least")
    with pytest.raises(ShapeError, match="patience=0"):
        EarlyStopping(patience=0)
    with pytest.raises(ShapeError, match="min_delta=-1"):
        EarlyStopping(min_delta=-1)


def test_a_column_that_is_not_recorded_is_refused_before_training():
    with pytest.raises(
        ShapeError, match="'validation_accuracy' will not be recorded, only epoch, loss"
    ):
        follow([1.0], EarlyStopping("validation_accuracy"))
