"""Training: what ``fit`` computes, records, tells, and refuses to do."""

import os
import signal
from typing import Any, NamedTuple

import numpy as np
import pytest

import gradx as gx
from gradx.data import batches
from gradx.errors import DTypeError, ShapeError
from gradx.optim.sgd import sgd
from gradx.random import key, normal
from gradx.train import EarlyStopping, evaluate, fit
from gradx.train.metrics import mean_absolute_error, r2


class Line(gx.nn.Module):
    """``inputs @ weight + bias``; in training with noise from the key, if asked for."""

    weight: Any
    bias: Any
    noise: float = gx.nn.static(0.0)

    def __call__(self, inputs, *, key, train):
        out = gx.matmul(inputs, self.weight) + self.bias
        return out + normal(key, out.shape) * self.noise if train and self.noise else out


class Seen(Line):
    """A line that remembers what it was called with: to be run in Python, at every step."""

    def __call__(self, inputs, *, key, train):
        seen.append((key, train))
        return super().__call__(inputs, key=key, train=train)


seen: list[tuple[Any, bool]] = []
defaults: dict[str, Any] = {}


@pytest.fixture(autouse=True, params=[True, False], ids=["compiled", "eager"])
def compile(request):
    """Run every test both ways."""
    seen.clear()
    defaults["compile"] = request.param


def squared_error(predictions, targets):
    """Return the mean over samples, as a loss of predictions."""
    error = predictions - targets
    return gx.sum(error * error) / targets.shape[0]


def model_loss(model, inputs, targets, *, key, train):
    """Return the same, as a loss of the model."""
    predictions = model(inputs, key=key, train=train)
    return squared_error(predictions, targets), predictions


def data(rows=20, seed=1, backend=None):
    """Return inputs (rows, 3) and targets that a line explains but for some noise."""
    inputs = normal(key(seed), (rows, 3))
    noise = normal(key(seed + 100), (rows,))
    targets = inputs @ np.asarray([1.0, -2.0, 0.5]) + 0.3 + 0.1 * noise
    move = np.asarray if backend is None else backend.xp.asarray
    return move(inputs), move(targets)


def line(noise=0.0, backend=None):
    move = np.asarray if backend is None else backend.xp.asarray
    return Line(move(np.zeros(3)), move(np.zeros(())), noise)


def run(loss=squared_error, model=None, rows=None, optimizer=None, **settings):
    settings = {"epochs": 3, "key": key(0), "batch_size": 6, "progress": None} | defaults | settings
    rows = data() if rows is None else rows
    return fit(line() if model is None else model, loss, optimizer or sgd(0.05), rows, **settings)


def parameters(model):
    return np.asarray(model.weight), np.asarray(model.bias)


class Constant(NamedTuple):
    """An optimizer's functions, and the rate that it tells."""

    init: Any
    update: Any
    learning_rate: Any


# What is computed


@pytest.mark.parametrize("sampling", ["subsets", "random"])
def test_fit_finds_the_least_squares_solution_with_both_samplers(sampling, backend):
    inputs, targets = data()
    design = np.concatenate([inputs, np.ones((20, 1))], axis=1)
    expected = np.linalg.lstsq(design, targets, rcond=None)[0]

    result = run(
        model=line(backend=backend),
        rows=data(backend=backend),
        epochs=300,
        sampling=sampling,
        optimizer=sgd(lambda step: 0.1 / (1 + 0.1 * step)),
    )

    found = np.append(*map(backend.to_numpy, (result.model.weight, result.model.bias)))
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_the_samplers_differ_and_subsets_uses_every_row_once():
    rows = {"subsets": [], "random": []}

    for sampling, collected in rows.items():

        def loss(model, x, *, key, train, collected=collected):
            collected.extend(np.asarray(x).tolist())
            return gx.sum(model * 0.0 + 1.0)

        run(loss, np.asarray(0.0), np.arange(20.0), epochs=1, sampling=sampling, compile=False)

    assert sorted(rows["subsets"]) == list(range(20))
    assert sorted(rows["random"]) != list(range(20))


def test_a_full_batch_epoch_is_one_step_of_gradient_descent():
    inputs, targets = data()

    result = run(epochs=1, batch_size=20)

    gradient = -2 * inputs.T @ targets / 20
    np.testing.assert_allclose(result.model.weight, -0.05 * gradient, rtol=1e-12)
    assert result.optimizer_state.count == 1


def test_both_kinds_of_loss_give_the_same_bits():
    of_predictions, of_model = run(), run(model_loss)

    assert of_predictions.history["loss"] == of_model.history["loss"]
    np.testing.assert_array_equal(
        parameters(of_predictions.model)[0], parameters(of_model.model)[0]
    )


def test_the_same_key_gives_the_same_bits_and_another_key_others():
    first, again, other = (run(model=line(noise=0.5), key=key(seed)) for seed in (0, 0, 1))

    assert first.history["loss"] == again.history["loss"]
    for x, y in zip(parameters(first.model), parameters(again.model), strict=True):
        assert x.tobytes() == y.tobytes()
    assert first.history["loss"] != other.history["loss"]


def test_every_step_has_a_key_of_its_own():
    run(model=Seen(np.zeros(3), np.zeros(())), epochs=2, compile=False)

    keys = {tuple(step_key.tolist()) for step_key, _ in seen}
    assert len(keys) == len(seen) == 2 * 4


def test_the_given_model_is_not_changed():
    model = line()

    run(model=model)

    assert not np.any(model.weight)
    assert model.bias == 0


def test_no_epoch_returns_the_model_as_it_was():
    result = run(epochs=0)

    assert not np.any(result.model.weight)
    assert len(result.history) == 0


# Validation and metrics


def test_validation_has_no_key_and_no_noise():
    validation = data(seed=2)

    model = Seen(np.zeros(3), np.zeros(()), 3.0)
    result = run(model=model, validation=validation, epochs=1, compile=False)

    assert [train for _, train in seen] == [True] * 4 + [False] * 4
    assert all(step_key is None for step_key, train in seen if not train)
    exact = validation[0] @ result.model.weight + result.model.bias - validation[1]
    assert result.history["validation_loss"] == [pytest.approx(np.mean(exact**2), rel=1e-12)]


def test_batches_weigh_as_much_as_they_have_rows():
    inputs, targets = data(rows=11)
    errors = inputs @ np.ones(3) + 1.0 - targets
    model = Line(np.ones(3), np.asarray(1.0))

    found = evaluate(
        model, squared_error, (inputs, targets), batch_size=4, metrics=[mean_absolute_error, r2]
    )

    assert found["loss"] == pytest.approx(np.mean(errors**2), rel=1e-12)
    assert found["mean_absolute_error"] == pytest.approx(np.mean(abs(errors)), rel=1e-12)
    assert found["r2"] == pytest.approx(1 - np.mean(errors**2) / np.var(targets), rel=1e-12)


def test_the_training_loss_of_an_epoch_is_the_mean_over_its_samples():
    losses = []

    class Collect:
        def on_step_end(self, state):
            losses.append(state.loss)

    result = run(epochs=1, callbacks=[Collect()])

    assert result.history["loss"] == [pytest.approx(np.average(losses, weights=[6, 6, 6, 2]))]


def test_a_fraction_is_set_apart_and_never_trained_on():
    trained, validated = set(), set()

    def loss(model, x, *, key, train):
        (trained if train else validated).update(np.asarray(x).tolist())
        return gx.sum(model * 1.0)

    run(loss, np.asarray(0.0), np.arange(20.0), validation=0.25, compile=False)

    assert len(trained) == 15
    assert trained | validated == set(range(20))
    assert not trained & validated


def test_metrics_take_the_names_that_a_mapping_gives():
    result = run(validation=0.2, metrics={"mae": mean_absolute_error}, epochs=1)

    assert "validation_mae" in result.history


def test_a_metric_needs_predictions_and_validation():
    def loss(model, x, y, *, key, train):
        return model_loss(model, x, y, key=key, train=train)[0]

    with pytest.raises(DTypeError, match=r"let the loss return \(loss, predictions\)"):
        run(loss, validation=0.2, metrics=[r2])
    with pytest.raises(ShapeError, match=r"metrics \(r2\) are of validation data"):
        run(metrics=[r2])


# What is taken as data


def test_batches_dictionaries_functions_and_lists_are_data():
    def named(model, batch, *, key, train):
        return model_loss(model, batch["x"], batch["y"], key=key, train=train)

    x, y = data()
    made = batches((x, y), 6, key=key(3))
    keys = []

    def function(epoch_key):
        keys.append(tuple(epoch_key.tolist()))
        return [(x, y)]

    assert len(run(named, rows={"x": x, "y": y}).history) == 3
    assert run(rows=made).history["loss"] == run(rows=made, batch_size=1).history["loss"]
    assert run(rows=[(x, y)]).history["loss"] == run(rows=function).history["loss"]
    assert len(set(keys)) == 3


def test_data_that_cannot_be_used_is_named():
    with pytest.raises(DTypeError, match="fit: data is int"):
        run(rows=7)
    with pytest.raises(
        ShapeError, match="no batch in epoch 2: an iterator can be gone through only once"
    ):
        run(rows=iter([data()]))
    with pytest.raises(DTypeError, match=r"validation=0\.2 divides arrays, but data is list"):
        run(rows=[data()], validation=0.2)
    with pytest.raises(ShapeError, match=r"takes batches \(inputs, targets\), got one of 1 parts"):
        run(rows=data()[0])
    with pytest.raises(ShapeError, match=r"validation=1\.5"):
        run(validation=1.5)


@pytest.mark.parametrize(
    "loss", [lambda model, x, y: 0.0, lambda model, x, y, key: 0.0, lambda x: 0.0, 3]
)
def test_a_loss_of_neither_kind_is_refused(loss):
    with pytest.raises(DTypeError, match="with the parameters key and train"):
        run(loss)


def test_device_moves_the_model_and_every_batch():
    pytest.importorskip("array_api_strict")

    result = run(device="strict:device1", validation=0.2, metrics=[r2])

    assert gx.backends.device_of(result.model.weight) == "strict:device1"
    np.testing.assert_allclose(
        result.history["loss"], run(validation=0.2).history["loss"], rtol=1e-12
    )


# Ctrl-C


@pytest.fixture
def interruptible():
    """Let Ctrl-C interrupt: a process that was started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("early_stopping", [None, EarlyStopping("loss")])
def test_control_c_returns_what_is_trained_so_far(early_stopping):
    class Interrupt:
        def on_step_end(self, state):
            if state.total_steps == 7:
                os.kill(os.getpid(), signal.SIGINT)

        def on_end(self, state):
            ended.append(state.stopped)

    ended: list[str | None] = []
    result = run(callbacks=[Interrupt()], early_stopping=early_stopping, epochs=5)

    assert result.stopped == "interrupted"
    assert ended == ["interrupted"]
    assert len(result.history) == 1
    # With early stopping the model is the best of the finished epochs.
    assert result.optimizer_state.count == (7 if early_stopping is None else 4)


# Compiled and not


@pytest.mark.usefixtures("eager_bits")
@pytest.mark.parametrize("optimizer", [sgd(0.05, momentum=0.9), gx.optim.adam(0.01)])
def test_compiled_and_eager_training_give_the_same_bits(optimizer):
    runs = [
        run(model=line(noise=0.3), optimizer=optimizer, epochs=20, validation=0.2, compile=compile)
        for compile in (True, False)
    ]

    assert runs[0].history["loss"] == runs[1].history["loss"]
    assert runs[0].history["validation_loss"] == runs[1].history["validation_loss"]
    for x, y in zip(parameters(runs[0].model), parameters(runs[1].model), strict=True):
        assert x.tobytes() == y.tobytes()


def test_loss_that_reads_a_number_is_run_as_it_is_after_one_warning():
    def reading(predictions, targets):
        error = predictions - targets
        return gx.sum(error * error) / float(targets.shape[0] + (targets[0] > 1e9))

    with pytest.warns(
        UserWarning, match=r"steps run without being compiled: float\(\).*line|float"
    ):
        result = run(reading, compile=True)

    assert result.history["loss"] == run(compile=False).history["loss"]


def test_loss_that_keeps_count_is_run_at_every_step():
    calls = []

    def counting(predictions, targets):
        calls.append(1)
        return squared_error(predictions, targets)

    with pytest.warns(UserWarning, match="compiled 8 times"):
        run(counting, epochs=5, compile=True)

    assert len(calls) == 5 * 4
