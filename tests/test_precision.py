"""Mixed precision: ``fit(precision=...)`` trains as well, and takes no step on what overflowed."""

import numpy as np
import pytest

import gradx as gx
from gradx.core import tree
from gradx.errors import DTypeError, ShapeError
from gradx.train import precision
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import cuda as cuda
from tests.test_cuda_replay import products_are_recorded as products_are_recorded

KEY = gx.random.key(0)
eager_and_compiled = pytest.mark.parametrize("compiled", [False, True])


def network(seed=0, hidden=32):
    first, second = gx.random.split(gx.random.key(seed))
    return gx.nn.Sequential(
        gx.nn.Linear(64, hidden, key=first),
        gx.nn.relu,
        gx.nn.Dropout(0.1),
        gx.nn.Linear(hidden, 10, key=second),
    )


@pytest.fixture(scope="module")
def digits():
    return gx.data.split(gx.data.datasets.digits(), 0.8, key=KEY)


def trained(digits, **options):
    training, validation = digits
    given = {"epochs": 4, "key": KEY, "progress": None, "compile": False} | options
    return gx.train.fit(
        network(),
        gx.nn.cross_entropy,
        gx.optim.adam(3e-3),
        training,
        validation=validation,
        metrics=[gx.train.accuracy],
        **given,
    )


# What is computed in what


@eager_and_compiled
def test_layers_compute_in_float16_and_weights_stay_float32(compiled):
    seen = []

    class Looking(gx.nn.Module):
        layer: object

        def __call__(self, x):
            seen.append((str(x.dtype), str(self.layer.weight.dtype)))
            return self.layer(x)

    def loss(predictions, targets):
        seen.append((str(predictions.dtype), str(targets.dtype)))
        return gx.nn.mse(predictions, targets)

    model = Looking(gx.nn.Linear(3, 1, key=KEY))
    data = (np.ones((4, 3), np.float32), np.ones((4, 1), np.float32))
    options = {"epochs": 1, "key": KEY, "progress": None, "compile": compiled}
    result = gx.train.fit(model, loss, gx.optim.adam(0.1), data, precision="fp16", **options)

    assert set(seen) == {("float16", "float16"), ("float32", "float32")}
    kinds = {str(leaf.dtype) for leaf in tree.leaves((result.model, result.optimizer_state))}
    assert kinds == {"float32", "int64"}


def test_loss_of_the_model_has_inputs_in_float16_and_targets_as_they_are():
    seen = []

    def loss(model, x, z, y, *, key, train):
        seen.append(tuple(str(a.dtype) for a in (model, x, z, y)))
        return gx.sum((model * x + z) * 2), y

    data = (np.ones(4), np.ones(4, np.float32), np.ones(4, np.float32))
    options = {"epochs": 1, "key": KEY, "progress": None, "compile": False}
    result = gx.train.fit(
        np.asarray(1.0, np.float32), loss, gx.optim.sgd(0.1), data, precision="fp16", **options
    )

    assert set(seen) == {("float16", "float16", "float16", "float32")}
    assert result.model.dtype == np.float32


def test_what_a_layer_remembers_stays_float32():
    model = gx.nn.Sequential(gx.nn.Linear(3, 2, key=KEY), gx.nn.BatchNorm(2))
    rows = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    options = {"epochs": 2, "key": KEY, "progress": None}

    result = gx.train.fit(
        model, gx.nn.mse, gx.optim.sgd(0.1), (rows, rows[:, :2]), precision="fp16", **options
    )

    normal = result.model.layers[1]
    assert normal.mean.dtype == normal.variance.dtype == np.float32
    assert not np.array_equal(normal.mean, np.zeros(2))


@eager_and_compiled
def test_digits_are_learned_as_well_as_in_float32(compiled, digits):
    exact = trained(digits, compile=compiled).history
    mixed = trained(digits, compile=compiled, precision="fp16").history

    assert abs(mixed["validation_accuracy"][-1] - exact["validation_accuracy"][-1]) < 0.015
    assert abs(mixed["loss"][-1] / exact["loss"][-1] - 1) < 0.02
    assert mixed["loss"] != exact["loss"]
    assert mixed["skipped_steps"][-1] == 0


# The scale of the loss


def line(w, x, y, *, key, train):
    return gx.sum(w * x) + gx.sum(y) * 0


def scales(steps, compiled, slope=8.0, optimizer=None):
    """Train on ``slope * w``, one step an epoch, and return the history and the weight."""
    data = (np.full(1, slope, np.float32), np.zeros(1, np.float32))
    return gx.train.fit(
        np.asarray(1.0, np.float32),
        line,
        optimizer or gx.optim.sgd(2.0**-10),
        data,
        epochs=steps,
        key=KEY,
        progress=None,
        precision="fp16",
        compile=compiled,
    )


@eager_and_compiled
def test_scale_falls_after_an_overflow_and_the_step_is_not_taken(compiled):
    result = scales(5, compiled)

    # 8 times 2**15, 2**14 and 2**13 are more than a float16 holds.
    assert result.history["loss_scale"] == [2.0**14, 2.0**13, 2.0**12, 2.0**12, 2.0**12]
    assert result.history["skipped_steps"] == [1, 2, 3, 3, 3]
    assert float(result.model) == 1 - 2 * 8 * 2.0**-10
    assert int(result.optimizer_state.count) == 2


@eager_and_compiled
def test_scale_grows_back_after_enough_good_steps(compiled, monkeypatch):
    monkeypatch.setattr(precision, "GROW_AFTER", 3)

    history = scales(11, compiled).history

    powers = [int(np.log2(scale)) for scale in history["loss_scale"]]
    assert powers == [14, 13, 12, 12, 12, 13, 12, 12, 12, 13, 12]
    assert history["skipped_steps"][-1] == 5


@eager_and_compiled
def test_skipped_step_leaves_averages_as_they_were(compiled):
    result = scales(3, compiled, optimizer=gx.optim.adam(0.1))

    state = result.optimizer_state
    assert float(state.mean) == float(state.square) == int(state.count) == 0
    assert float(result.model) == 1


@eager_and_compiled
def test_gradient_that_overflows_at_a_scale_of_one_is_an_error(compiled, monkeypatch):
    monkeypatch.setattr(precision, "FIRST_SCALE", 2.0)

    def loss(w, x, y, *, key, train):
        return gx.sum(w * x) * 3.0e4 * 3.0 + gx.sum(y) * 0

    data = (np.full(1, 1e-3, np.float32), np.zeros(1, np.float32))
    with pytest.raises(gx.train.NonFiniteError, match=r"epoch 2, .* scale of 1, and the gradient"):
        gx.train.fit(
            np.asarray(1.0, np.float32),
            loss,
            gx.optim.sgd(0.1),
            data,
            epochs=5,
            key=KEY,
            progress=None,
            precision="fp16",
            compile=compiled,
        )


@eager_and_compiled
def test_loss_that_is_not_finite_is_an_error_at_any_scale(compiled):
    def loss(w, x, y, *, key, train):
        return gx.sum(w * x) * 6e4 + gx.sum(y) * 0

    with pytest.raises(gx.train.NonFiniteError, match="the loss is inf, at a loss scale of 32768"):
        gx.train.fit(
            np.asarray(1.0, np.float32),
            loss,
            gx.optim.sgd(0.1),
            (np.full(1, 8.0, np.float32), np.zeros(1, np.float32)),
            epochs=1,
            key=KEY,
            progress=None,
            precision="fp16",
            compile=compiled,
        )


@eager_and_compiled
def test_run_is_resumed_to_the_bit_with_its_scale(compiled, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "GROW_AFTER", 30)
    options = {"precision": "fp16", "compile": compiled}
    whole = trained(digits, epochs=3, **options)

    saving = gx.train.Checkpoint(tmp_path)
    trained(digits, epochs=2, callbacks=[saving], **options)
    resumed = trained(digits, epochs=3, resume=tmp_path, **options)

    for name in ("loss", "loss_scale", "skipped_steps", "validation_loss"):
        assert whole.history[name] == resumed.history[name]
    assert whole.history["loss_scale"][-1] != precision.FIRST_SCALE
    for one, other in zip(tree.leaves(whole.model), tree.leaves(resumed.model), strict=True):
        assert np.array_equal(one, other)


# On CUDA


@needs_compiler
@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_step_in_sixteen_bits_is_captured_on_cuda(name, cuda):
    rows = np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)
    data = (rows, np.arange(8) % 10)
    options = {"epochs": 3, "key": KEY, "progress": None, "batch_size": 8}

    def fitted(**how):
        model = network(hidden=16)
        return gx.train.fit(model, gx.nn.cross_entropy, gx.optim.adam(1e-2), data, **options, **how)

    exact = fitted().history["loss"]
    cuda.machine.launches = []
    mixed = fitted(precision=name, device="cuda").history["loss"]

    assert cuda.machine.launches.count("product") == 5
    assert np.allclose(mixed, exact, rtol=2e-2)
    assert mixed != exact


# What cannot be

WRONG = {
    "another name": ("fp8", ShapeError, "precision='fp8', expected None or one of 'bf16', 'fp16'"),
    "a number": (16, ShapeError, "precision=16, expected None"),
    "bfloat16 on a CPU": ("bf16", DTypeError, "precision='bf16' of arrays of numpy: 'fp16' works"),
}


@pytest.mark.parametrize("case", WRONG)
def test_precision_that_cannot_be_is_refused(case):
    name, error, message = WRONG[case]

    with pytest.raises(error, match=message):
        gx.train.fit(
            np.asarray(1.0),
            line,
            gx.optim.sgd(0.1),
            (np.ones(1),),
            epochs=1,
            key=KEY,
            precision=name,
        )


def test_library_without_float16_is_refused():
    xp = pytest.importorskip("array_api_strict")

    with pytest.raises(DTypeError, match="of arrays of strict: give a NumPy or CuPy"):
        gx.train.fit(
            xp.asarray(1.0),
            line,
            gx.optim.sgd(0.1),
            (xp.ones(1),),
            epochs=1,
            key=KEY,
            precision="fp16",
        )
