"""Metrics: those of scikit-learn, and shapes that do not fit."""

import numpy as np
import pytest

from gradx.errors import ShapeError
from gradx.random import key, normal, uniform
from gradx.train.metrics import accuracy, mean_absolute_error, mean_squared_error, r2


def test_accuracy_counts_the_largest_score_or_equal_labels(backend):
    metrics = pytest.importorskip("sklearn.metrics")
    scores, labels = np.asarray(uniform(key(0), (50, 4))), np.arange(50) % 4
    expected = metrics.accuracy_score(labels, np.argmax(scores, axis=1))
    scores, labels = backend.xp.asarray(scores), backend.xp.asarray(labels)

    assert accuracy(scores, labels) == pytest.approx(expected)
    assert accuracy(backend.xp.argmax(scores, axis=1), labels) == pytest.approx(expected)


REGRESSION = [
    (mean_absolute_error, "mean_absolute_error"),
    (mean_squared_error, "mean_squared_error"),
    (r2, "r2_score"),
]


@pytest.mark.parametrize("shape", [(30,), (30, 2)])
@pytest.mark.parametrize(("metric", "name"), REGRESSION)
def test_metrics_of_regression_agree_with_scikit_learn(metric, name, shape, backend):
    metrics = pytest.importorskip("sklearn.metrics")
    predictions, targets = normal(key(0), shape), normal(key(1), shape)

    found = metric(backend.xp.asarray(predictions), backend.xp.asarray(targets))

    assert found == pytest.approx(getattr(metrics, name)(targets, predictions), rel=1e-12)


def test_r2_of_constant_targets_is_as_in_scikit_learn():
    score = pytest.importorskip("sklearn.metrics").r2_score
    constant, other = np.ones(3), np.asarray([1.0, 1.0, 2.0])

    assert r2(constant, constant) == score(constant, constant) == 1.0
    assert r2(other, constant) == score(constant, other) == 0.0


def test_float32_and_integers_are_compared_in_float64():
    predictions = np.full(3, 16777216.0, dtype=np.float32)

    assert mean_absolute_error(predictions, np.full(3, 16777217)) == 1.0


@pytest.mark.parametrize("metric", [metric for metric, _ in REGRESSION])
def test_a_column_against_a_row_is_refused(metric):
    with pytest.raises(ShapeError, match=r"predictions have shape \(3, 1\), targets \(3,\)"):
        metric(np.ones((3, 1)), np.ones(3))


def test_scores_of_another_shape_are_refused():
    words = r"scores of shape \(3, 2\) need classes, and targets of shape \(3,\), got \(3, 2\)"
    with pytest.raises(ShapeError, match=words):
        accuracy(np.ones((3, 2)), np.ones((3, 2)))
