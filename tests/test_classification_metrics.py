"""Metrics of classes are scikit-learn's; logs hold what the history holds."""

import csv
import json
import struct
import sys

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim
from gradx.errors import DTypeError, OutOfBoundsError, ShapeError
from gradx.train import Checkpoint, CSVLog, JSONLog, TensorBoardLog, confusion, f1, top_k_accuracy

KEY = gx.random.key(0)


def drawn(classes=5, rows=60, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, classes)), rng.integers(0, classes, size=rows)


@pytest.fixture
def sklearn():
    return pytest.importorskip("sklearn.metrics")


def placed(backend, *arrays):
    return [backend.from_numpy(np.asarray(a), backend.devices()[0]) for a in arrays]


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("digits", [9, 0])  # with none, many scores are equal
def test_top_k_accuracy_is_that_of_scikit_learn(k, digits, backend, sklearn):
    scores, labels = drawn()
    scores = np.round(scores, digits)

    found = top_k_accuracy(*placed(backend, scores, labels), k=k)

    expected = sklearn.top_k_accuracy_score(labels, scores, k=k, labels=np.arange(5))
    assert found == pytest.approx(expected, rel=1e-12)


def test_confusion_is_that_of_scikit_learn(backend, sklearn):
    scores, labels = drawn()
    predicted = np.argmax(scores, axis=1)
    expected = sklearn.confusion_matrix(labels, predicted)

    for predictions in (scores, predicted):
        found = confusion(*placed(backend, predictions, labels))
        np.testing.assert_array_equal(backend.to_numpy(found), expected)
    np.testing.assert_array_equal(confusion(predicted, labels, classes=7)[:5, :5], expected)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", "binary"])
@pytest.mark.parametrize("seed", range(3))
def test_f1_is_that_of_scikit_learn(average, seed, backend, sklearn):
    # Class 3 is never true, and class 4 neither true nor predicted.
    scores, labels = drawn(2 if average == "binary" else 5, 20, seed)
    labels = np.where(labels >= 3, 0, labels)
    predicted = np.where(np.argmax(scores, axis=1) == 4, 1, np.argmax(scores, axis=1))

    found = f1(*placed(backend, predicted, labels), average=average)

    assert found == pytest.approx(sklearn.f1_score(labels, predicted, average=average), rel=1e-12)


def test_a_row_with_a_nan_predicts_nothing():
    scores, labels = np.asarray([[np.nan, 1.0], [0.0, 1.0]]), np.asarray([1, 1])

    assert top_k_accuracy(scores, labels, k=2) == 0.5
    np.testing.assert_array_equal(confusion(scores, labels), [[0, 0], [0, 1]])


def test_metrics_go_into_the_history():
    scores, labels = drawn()
    model = nn.Linear(5, 5, key=KEY, dtype="float64")

    result = gx.train.fit(
        model,
        nn.cross_entropy,
        optim.sgd(0.1),
        (scores, labels),
        epochs=1,
        key=KEY,
        validation=(scores, labels),
        metrics={"f1": f1, "top": lambda p, t: top_k_accuracy(p, t, k=5)},
        progress=None,
    )

    assert result.history["validation_top"] == [1.0]
    assert result.history["validation_f1"] == [f1(result.model(scores), labels)]


WRONG = {
    "no scores": (lambda: top_k_accuracy(np.ones(2, int), np.ones(2, int)), DTypeError, "scores"),
    "k": (lambda: top_k_accuracy(np.ones((2, 2)), np.ones(2, int), k=0), ShapeError, "k=0"),
    "float labels": (lambda: confusion(np.ones(2, int), np.ones(2)), DTypeError, "of integers"),
    "no rows": (lambda: f1(np.ones(0, int), np.ones(0, int)), ShapeError, "of no elements"),
    "shapes": (lambda: f1(np.ones(2, int), np.ones(3, int)), ShapeError, "expected one shape"),
    "scores' shape": (
        lambda: confusion(np.ones((2, 2)), np.ones(3, int)),
        ShapeError,
        r"scores of shape \(2, 2\)",
    ),
    "a label outside": (
        lambda: top_k_accuracy(np.ones((2, 2)), np.asarray([0, 2])),
        OutOfBoundsError,
        "label 2, expected 0 to 1",
    ),
    "a negative label": (
        lambda: confusion(np.asarray([0, 0]), np.asarray([0, -1])),
        OutOfBoundsError,
        "label -1",
    ),
    "average": (lambda: f1(np.ones(2, int), np.ones(2, int), "mean"), ShapeError, "average='mean'"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()


# Label smoothing.


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_label_smoothing_is_torchs(smoothing, reduction):
    torch = pytest.importorskip("torch")
    scores, labels = drawn()
    logits = torch.tensor(scores, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        logits, torch.tensor(labels), label_smoothing=smoothing, reduction=reduction
    )
    expected.sum().backward()

    loss = lambda x: nn.cross_entropy(x, labels, reduction, smoothing=smoothing)

    np.testing.assert_allclose(loss(scores), expected.detach().numpy(), rtol=1e-12)
    gradient = gx.grad(lambda x: gx.sum(loss(x)))(scores)
    np.testing.assert_allclose(gradient, logits.grad.numpy(), atol=1e-12)


def test_smoothing_out_of_range_is_refused():
    with pytest.raises(ShapeError, match=r"smoothing=1\.5, expected from 0 to 1"):
        nn.cross_entropy(np.ones((2, 2)), np.asarray([0, 1]), smoothing=1.5)


# Logs.


def run(epochs, **options):
    x = gx.random.normal(KEY, (16, 2))
    metrics = {"nothing": lambda p, t: float("nan")}
    return gx.train.fit(
        nn.Linear(2, 1, key=KEY, dtype="float64"),
        nn.mse,
        optim.sgd(0.1),
        (x, x[:, :1]),
        epochs=epochs,
        key=KEY,
        validation=(x, x[:, :1]),
        metrics=metrics,
        progress=None,
        **options,
    )


def test_logs_hold_the_history(tmp_path):
    lines, table = tmp_path / "logs" / "run.jsonl", tmp_path / "run.csv"

    history = run(3, callbacks=[JSONLog(lines), CSVLog(table)]).history

    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row["loss"] for row in rows] == history["loss"]
    assert [row["validation_nothing"] for row in rows] == [None] * 3
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == history["loss"]
    assert list(rows[0]) == list(history.columns)


def events_in(file):
    """Read a file of TensorFlow records: length, its checksum, an event, its checksum."""
    proto = pytest.importorskip("tensorboardX.proto.event_pb2")
    content, place, events = file.read_bytes(), 0, []
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        events.append(proto.Event.FromString(content[place + 12 : place + 12 + length]))
        place += 12 + length + 4
    return events


def scalars_in(file):
    """Return the value of each name and step that TensorBoard finds in a file."""
    return {
        (value.tag, event.step): value.simple_value
        for event in events_in(file)
        for value in event.summary.value
    }


def test_a_log_for_tensorboard_holds_the_history_of_a_run_that_goes_on(tmp_path):
    pytest.importorskip("tensorboardX")
    logs = tmp_path / "logs"
    run(2, callbacks=[Checkpoint(tmp_path), TensorBoardLog(logs)])
    before = set(logs.iterdir())

    history = run(3, callbacks=[TensorBoardLog(logs)], resume=tmp_path).history

    (file,) = set(logs.iterdir()) - before
    found = scalars_in(file)
    for name in ["loss", "validation_loss", "seconds"]:
        expected = np.asarray(history[name], dtype=np.float32)
        np.testing.assert_array_equal([found[name, step] for step in (1, 2, 3)], expected)
    assert {name for name, _ in found} == {"loss", "validation_loss", "seconds"}  # others are NaN
    # What tells TensorBoard that the events of the first file are no longer those of the run.
    proto = pytest.importorskip("tensorboardX.proto.event_pb2")
    starts = [
        event.session_log.status for event in events_in(file) if event.HasField("session_log")
    ]
    assert starts == [proto.SessionLog.START]


def test_tensorboard_that_is_missing_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)

    with pytest.raises(gx.MissingPackageError, match=r"pip install 'gradx\[tensorboard\]'"):
        run(1, callbacks=[TensorBoardLog(tmp_path)])


def test_logs_of_a_run_that_goes_on_hold_all_of_it(tmp_path):
    log = JSONLog(tmp_path / "run.jsonl")
    run(2, callbacks=[Checkpoint(tmp_path), log])
    with log.path.open("a") as file:
        file.write('{"half a li')

    history = run(4, callbacks=[log], resume=tmp_path).history

    rows = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [row["loss"] for row in rows] == history["loss"]
