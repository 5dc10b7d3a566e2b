"""Estimators pass scikit-learn's own checks, and are as good as its networks."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, ShapeError
from gradx.sklearn import Classifier, Regressor, on_host
from tests.test_cuda import machine, no_wheels  # noqa: F401

X = np.random.default_rng(0).normal(size=(80, 3))
LABELS = np.where(X[:, 0] + X[:, 1] > 0, "up", "down")


@parametrize_with_checks([Classifier(epochs=100), Regressor(epochs=100, learning_rate=1e-2)])
@pytest.mark.filterwarnings("default")
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_accuracy_is_not_below_that_of_scikit_learns_network(load):
    x, y = load(return_X_y=True)
    ours, theirs = [], []
    for seed in range(5):
        train, test, labels, expected = train_test_split(x, y, random_state=seed, stratify=y)
        for scores, kind in ((ours, Classifier), (theirs, MLPClassifier)):
            model = make_pipeline(StandardScaler(), kind(random_state=seed)).fit(train, labels)
            scores.append(model.score(test, expected))

    # One row of 225 decides otherwise; tests.estimators measures on more.
    difference = np.subtract(ours, theirs)
    assert np.mean(difference) >= -2 * np.std(difference, ddof=1) / len(difference) ** 0.5


def test_it_is_searched_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), Classifier(epochs=20, random_state=0))
    search = GridSearchCV(pipeline, {"classifier__learning_rate": [1e-6, 1e-2]}, cv=3)

    search.fit(X, LABELS)

    assert search.best_params_ == {"classifier__learning_rate": 1e-2}
    assert search.score(X, LABELS) > 0.9


def test_any_module_may_be_the_model():
    def convolutional(inputs, outputs, key):
        first, second = gx.random.split(key)
        return nn.Sequential(
            lambda x: gx.reshape(x, (-1, 1, inputs)),
            nn.Conv(1, 4, (2,), key=first, dtype="float64"),
            nn.BatchNorm(4, dtype="float64"),
            nn.relu,
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(4 * (inputs - 1), outputs, key=second, dtype="float64"),
        )

    made = Classifier(convolutional, learning_rate=1e-2, weight_decay=0.3, random_state=0).fit(
        X, LABELS
    )
    start = nn.Linear(3, 2, key=gx.random.key(0), dtype="float64")
    before = np.array(start.weight)
    given = Classifier(start, optimizer=gx.optim.sgd(0.5), random_state=0).fit(X, LABELS)

    assert made.score(X, LABELS) > 0.95
    assert given.score(X, LABELS) > 0.95
    np.testing.assert_array_equal(start.weight, before)


def test_partial_fit_goes_on():
    whole = Classifier(epochs=1, random_state=0).fit(X, LABELS)
    parts = Classifier(random_state=0).partial_fit(X, LABELS, classes=["up", "down"])

    np.testing.assert_array_equal(whole.predict_proba(X), parts.predict_proba(X))
    for _ in range(60):
        parts.partial_fit(X, LABELS)
    assert parts.score(X, LABELS) > 0.9
    assert [int(state.count) for state in parts._optimizer_state] == [61, 61]

    regressor = Regressor(learning_rate=1e-2, random_state=0)
    for _ in range(200):
        regressor.partial_fit(X, X[:, 0])
    assert regressor.score(X, X[:, 0]) > 0.9


def test_a_weight_is_a_repetition_and_none_is_absence():
    weights = np.random.default_rng(0).integers(0, 3, size=80)
    repeated = np.repeat(np.arange(80), weights)

    weighted = Regressor(random_state=0, epochs=30).fit(X, X[:, 0], sample_weight=weights)
    again = Regressor(random_state=0, epochs=30).fit(X[repeated], X[repeated, 0])

    np.testing.assert_allclose(weighted.predict(X), again.predict(X), rtol=1e-7)


def test_targets_may_have_several_columns():
    targets = np.stack([X[:, 0], X[:, 1] * X[:, 2]], axis=1)
    regressor = Regressor(learning_rate=1e-2, random_state=0)

    both = regressor.fit(X, targets)

    assert both.predict(X).shape == (80, 2)
    assert both.score(X, targets) > 0.9
    assert regressor.fit(X, targets[:, 0]).predict(X).shape == (80,)
    with pytest.raises(ShapeError, match="y has 2 columns, and had 1 before"):
        regressor.partial_fit(X, targets)


def test_patience_stops_early_and_goes_back_to_the_best():
    noise = np.random.default_rng(1).normal(size=80)
    regressor = Regressor(
        learning_rate=1e-2, weight_decay=0.0, patience=3, validation_fraction=0.25, random_state=0
    )

    regressor.fit(X, noise)

    losses = regressor.history_["validation_loss"]
    assert len(losses) < 200
    assert int(np.argmin(losses)) == len(losses) - 1 - 3
    assert "validation_loss" not in Regressor(epochs=1).fit(X, noise).history_.columns


def test_rows_set_apart_have_each_class():
    labels = np.where(np.arange(80) < 8, "rare", "common")  # of which 1 in 10 is one

    classifier = Classifier(patience=2, epochs=5, random_state=0).fit(X, labels)

    assert list(classifier.classes_) == ["common", "rare"]
    (_, y, _), (_, apart, _) = classifier._divided((X, labels, X[:, 0]))
    assert (sorted(set(apart)), sorted(set(y))) == (["common", "rare"], ["common", "rare"])


def test_weights_of_classes_are_weights_of_their_rows():
    weights, labels = {"up": 3.0, "down": 0.5}, LABELS
    of_rows = np.where(labels == "up", 3.0, 0.5)
    options = {"epochs": 20, "random_state": 0}

    of_classes = Classifier(class_weight=weights, **options).fit(X, labels)
    balanced = Classifier(class_weight="balanced", **options).fit(X[:50], labels[:50])
    parts = Classifier(class_weight=weights, **options).partial_fit(X, labels, ["up", "down"])

    expected = Classifier(**options).fit(X, labels, of_rows)
    np.testing.assert_array_equal(of_classes.predict_proba(X), expected.predict_proba(X))
    counts = {name: 25 / np.sum(labels[:50] == name) for name in ("up", "down")}
    expected = Classifier(class_weight=counts, **options).fit(X[:50], labels[:50])
    np.testing.assert_array_equal(balanced.predict_proba(X), expected.predict_proba(X))
    expected = Classifier(**options).partial_fit(X, labels, ["up", "down"], of_rows)
    np.testing.assert_array_equal(parts.predict_proba(X), expected.predict_proba(X))


@pytest.mark.usefixtures("machine")
def test_arrays_of_cupy_are_taken():
    rows, targets = gx.to_device((X, X[:, 0]), "cuda")
    estimator = Regressor(epochs=5, random_state=0)

    theirs = estimator.fit(rows, targets).predict(rows)

    np.testing.assert_array_equal(theirs, estimator.fit(X, X[:, 0]).predict(X))
    assert type(on_host(rows)) is np.ndarray  # which CuPy's arrays do not become by themselves


def test_wrong_use_is_explained():
    with pytest.raises(DTypeError, match=r"model=3, expected a gx\.nn\.Module"):
        Classifier(3).fit(X, LABELS)
    with pytest.raises(DTypeError, match=r"hidden=10, expected the widths of layers"):
        Classifier(hidden=10).fit(X, LABELS)
    for count in (1, 5):
        model = gx.nn.Linear(X.shape[1], count, key=gx.random.key(0), dtype="float64")
        with pytest.raises(ShapeError, match=rf"scores are \(\d+, {count}\), expected \(\d+, 2\)"):
            Classifier(model=model).fit(X, LABELS)
    with pytest.raises(ShapeError, match="the first partial_fit needs classes"):
        Classifier().partial_fit(X, LABELS)
    with pytest.raises(ShapeError, match="class_weight='balanced' needs all rows at once"):
        Classifier(class_weight="balanced").partial_fit(X, LABELS, ["up", "down"])
    with pytest.raises(ShapeError, match=r"y has \['up'\], which is not in classes"):
        Classifier().partial_fit(X, LABELS, classes=["down"])
    with pytest.raises(ValueError, match=r"non-zero|batch|rows"):
        Regressor().fit(X, X[:, 0], sample_weight=np.zeros(80))
