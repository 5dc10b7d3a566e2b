"""A run that was cut off and goes on ends in the same bits as one that was not."""

import itertools
import json
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim
from gradx.core import tree
from gradx.errors import CheckpointError, DTypeError, ShapeError
from gradx.saving.reading import read_file
from gradx.train import Checkpoint, EarlyStopping, checkpoint
from gradx.train.checkpoint import save_run
from tests.test_optim import optimizers

ROOT = Path(__file__).parent.parent
KEY = gx.random.key(0)
WRAPPED = {
    "accumulate": lambda: optim.accumulate(optim.adam(0.01), every=3),
    "averaged": lambda: optim.averaged(optim.sgd(0.01, momentum=0.9), decay=0.9),
    "chain": lambda: optim.chain(optim.clip_by_global_norm(0.1), optim.adam(0.01)),
    "lookahead": lambda: optim.lookahead(optim.adam(0.01), every=3),
    "partition": lambda: optim.partition(
        {"layers[0]": None, nn.is_weight: optim.adamw(0.01), "*": optim.sgd(0.1, momentum=0.9)}
    ),
    "schedule": lambda: optim.adam(optim.schedules.cosine(0.01, 40)),
}
MAKERS = {name: lambda name=name: getattr(optim, name)(0.01) for name in optimizers()} | WRAPPED


class Cut(Exception):
    """What cuts a run off."""


def cut_at(epoch, step):
    class Cutting:
        def on_step_end(self, state):
            if (state.epoch, state.step) == (epoch, step):
                raise Cut

    return Cutting()


def network():
    first, second = gx.random.split(KEY)
    linear = nn.Linear(3, 6, key=first)
    in_columns = np.asfortranarray(linear.weight)  # whose sums are rounded in another order
    return nn.Sequential(
        linear.replace(weight=in_columns),
        nn.BatchNorm(6),
        nn.relu,
        nn.Dropout(0.3),
        nn.Linear(6, 1, key=second),
    )


def run(optimizer, epochs=10, sampling="subsets", callbacks=(), **options):
    x = gx.random.normal(gx.random.key(1), (40, 3), dtype="float32")
    y = gx.sum(x * x, axis=1, keepdims=True)
    options = {"key": gx.random.key(2), "validation": 0.25, "progress": None} | options
    return gx.train.fit(
        network(),
        nn.mse,
        optimizer,
        (x, y),
        epochs=epochs,
        batch_size=8,
        sampling=sampling,
        callbacks=callbacks,
        **options,
    )


def assert_same_run(actual, expected):
    ours = tree.leaves((actual.model, actual.optimizer_state))
    theirs = tree.leaves((expected.model, expected.optimizer_state))
    assert [a.tobytes() for a in ours] == [b.tobytes() for b in theirs]
    for column in expected.history.columns:
        if column != "seconds":
            assert actual.history[column] == expected.history[column]
    assert actual.stopped == expected.stopped


@pytest.mark.parametrize(("sampling", "compile"), [("subsets", True), ("random", False)])
@pytest.mark.parametrize("name", MAKERS)
def test_five_epochs_and_five_are_ten(name, sampling, compile, tmp_path):
    make, options = MAKERS[name], {"sampling": sampling, "compile": compile}
    expected = run(make(), **options)
    with pytest.raises(Cut):
        run(make(), callbacks=[Checkpoint(tmp_path), cut_at(6, 2)], **options)

    actual = run(make(), callbacks=[Checkpoint(tmp_path)], resume=tmp_path, **options)

    assert_same_run(actual, expected)


def test_runs_that_are_killed_at_random_moments_go_on_to_the_same_bits():
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_runs", "--runs", "4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 runs ended in the bits of a run left alone")


@pytest.mark.parametrize("cut", [2, 4, 7])
def test_early_stopping_goes_on_counting_and_finds_the_best_from_before(cut, tmp_path):
    stopping = lambda: EarlyStopping(patience=6, min_delta=0.2)
    options = {"epochs": 30, "early_stopping": stopping()}
    expected = run(optim.adam(0.1), **options)
    assert expected.stopped
    with pytest.raises(Cut):
        run(optim.adam(0.1), callbacks=[Checkpoint(tmp_path), cut_at(cut, 1)], **options)

    resumed = stopping()
    actual = run(optim.adam(0.1), epochs=30, early_stopping=resumed, resume=tmp_path)

    assert_same_run(actual, expected)
    assert resumed.best == min(actual.history["validation_loss"])


def test_a_run_that_is_over_stays_over(tmp_path):
    options = {"epochs": 30, "early_stopping": EarlyStopping(patience=3)}
    expected = run(optim.adam(0.1), callbacks=[Checkpoint(tmp_path)], **options)

    assert_same_run(run(optim.adam(0.1), resume=tmp_path, **options), expected)


def test_the_best_epoch_is_kept_beside_the_last(tmp_path):
    models = []
    remember = lambda state: models.append(state.model)

    result = run(optim.adam(0.1), 12, callbacks=[remember, Checkpoint(tmp_path, "validation_loss")])

    losses = result.history["validation_loss"]
    assert np.argmin(losses) < 11
    for name, epoch in (("best", int(np.argmin(losses))), ("last", 11)):
        found = gx.load(tmp_path / f"{name}.safetensors")
        weight = found["['weights'].model.layers[0].weight"]
        np.testing.assert_array_equal(weight, models[epoch][0].weight)


def test_the_best_epoch_is_remembered_over_an_interruption(tmp_path):
    best = tmp_path / "best.safetensors"
    monitor = lambda: Checkpoint(tmp_path, "loss", mode="max")  # worse and worse is the first
    with pytest.raises(Cut):
        run(optim.adam(0.01), callbacks=[monitor(), cut_at(6, 2)])
    before = best.read_bytes()

    result = run(optim.adam(0.01), callbacks=[monitor()], resume=tmp_path)

    assert np.argmax(result.history["loss"]) == 0
    assert best.read_bytes() == before


@pytest.mark.parametrize("killed_after", [1, 2, 7])
def test_a_run_cut_off_between_its_two_files_has_the_best_in_the_end(
    killed_after, tmp_path, monkeypatch
):
    monitor = lambda: Checkpoint(tmp_path / "cut", "loss")  # which falls: each epoch is the best
    whole = Checkpoint(tmp_path / "whole", "loss")
    run(optim.adam(0.01), 4, callbacks=[whole])
    saves = itertools.count(1)

    def save(path, state):
        save_run(path, state)
        if next(saves) == killed_after:
            raise Cut

    monkeypatch.setattr(checkpoint, "save_run", save)
    with pytest.raises(Cut):
        run(optim.adam(0.01), 4, callbacks=[monitor()])
    monkeypatch.undo()
    start = tmp_path / "cut" if (tmp_path / "cut/last.safetensors").exists() else None
    run(optim.adam(0.01), 4, callbacks=[monitor()], resume=start)

    found, expected = (gx.load(tmp_path / name / "best.safetensors") for name in ("cut", "whole"))
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)


@pytest.mark.parametrize(
    ("every", "saved"), [(1, [1, 2, 3, 4]), (3, [0, 0, 3, 4]), (9, [0, 0, 0, 4])]
)
def test_every_so_many_epochs_are_saved_and_the_last(every, saved, tmp_path):
    seen, path = [], tmp_path / "last.safetensors"

    def look(state):
        found = gx.load(path) if path.exists() else {}
        seen.append(int(found.get("['weights'].optimizer_state.count", 0)) // state.steps)

    run(optim.adam(0.01), 4, callbacks=[Checkpoint(tmp_path, every=every), look])

    assert seen == saved


@pytest.mark.parametrize("error", [KeyboardInterrupt, Cut])
def test_the_last_whole_epoch_is_saved_when_training_is_interrupted(error, tmp_path):
    class Interrupt:
        def on_step_end(self, state):
            if (state.epoch, state.step) == (6, 2):
                raise error

    with suppress(Cut):
        result = run(optim.adam(0.01), callbacks=[Checkpoint(tmp_path, every=4), Interrupt()])
        assert result.stopped == "interrupted"

    saved = json.loads(read_file(tmp_path / "last.safetensors").metadata["gradx.run"])
    assert saved["epoch"] == 5
    assert_same_run(run(optim.adam(0.01), resume=tmp_path), run(optim.adam(0.01)))


def test_a_history_with_numbers_that_are_none_comes_back(tmp_path):
    metrics = {"nan": lambda p, t: float("nan"), "inf": lambda p, t: float("inf")}
    options = {"epochs": 2, "metrics": metrics}

    result = run(optim.adam(0.01), callbacks=[Checkpoint(tmp_path)], **options)
    again = run(optim.adam(0.01), resume=tmp_path, **options)

    assert repr(again.history.to_dict()) == repr(result.history.to_dict())


# What does not fit.


def test_another_run_is_refused(tmp_path):
    run(optim.adam(0.01), 1, callbacks=[Checkpoint(tmp_path)])

    with pytest.raises(ShapeError, match="had another key than key="):
        run(optim.adam(0.01), resume=tmp_path, key=gx.random.key(9))
    with pytest.raises(ShapeError, match=r"recorded epoch, loss, validation_loss, seconds"):
        run(optim.adam(0.01), resume=tmp_path, validation=None)
    with pytest.raises(ShapeError, match="the state AdamState, this one has SGDState"):
        run(optim.sgd(0.01), resume=tmp_path)
    with pytest.raises(ShapeError, match="it holds another tree"):
        run(optim.adam(0.01, amsgrad=True), resume=tmp_path)
    with pytest.raises(DTypeError, match="fit: resume: the path is True, expected"):
        run(optim.adam(0.01), resume=True)
    with pytest.raises(ShapeError, match="no best parameters to go back to"):
        run(optim.adam(0.01), resume=tmp_path, early_stopping=EarlyStopping())


@pytest.mark.parametrize("name", ["adamw", "lamb", "radam", "yogi"])
def test_an_optimizer_whose_state_has_the_same_arrays_is_refused(name, tmp_path):
    run(optim.adam(0.01), 1, callbacks=[Checkpoint(tmp_path)])
    limited = optim.chain(optim.clip_by_global_norm(1.0), getattr(optim, name)(0.01))

    with pytest.raises(ShapeError, match=r"the state AdamState, this one has \w+State: another"):
        run(getattr(optim, name)(0.01), resume=tmp_path)
    run(limited, 1, callbacks=[Checkpoint(tmp_path)])
    with pytest.raises(ShapeError, match=r"the state \w+State, this one has AdamState: another"):
        run(optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.01)), resume=tmp_path)
    run(limited, 2, resume=tmp_path)


def test_a_model_with_other_settings_is_told_of(tmp_path):
    data, options = (np.ones((8, 3)), np.ones((8, 3))), {"key": KEY, "progress": None}
    scale = lambda layer: nn.Sequential(nn.Linear(3, 3, key=KEY), nn.Dropout(layer[0]), layer[1])
    fit = lambda model, **more: gx.train.fit(
        model, nn.mse, optim.sgd(0.01), data, **options | {"epochs": 1} | more
    )
    fit(scale((0.2, nn.relu)), callbacks=[Checkpoint(tmp_path)])

    with pytest.warns(UserWarning, match=r"settings: .*rate=0\.2.*now .*rate=0\.5"):
        fit(scale((0.5, nn.relu)), epochs=2, resume=tmp_path)
    with pytest.warns(UserWarning, match=r"settings: .*relu\), now .*tanh\)"):
        fit(scale((0.2, nn.tanh)), epochs=2, resume=tmp_path)


def test_a_model_of_a_python_number_goes_on_without_a_warning(tmp_path):
    loss = lambda model, x, *, key, train: gx.mean((model * x - 1.0) ** 2)
    fit = lambda **more: gx.train.fit(
        2.0, loss, optim.sgd(0.1), (np.ones(8),), key=KEY, progress=None, **more
    )
    fit(epochs=1, callbacks=[Checkpoint(tmp_path)])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fit(epochs=2, resume=tmp_path)

    assert result.history["loss"] == fit(epochs=2).history["loss"]


class Opaque:
    """Its text has its address, which is another in each process."""

    def __call__(self, x):
        return x


def test_where_a_setting_lies_in_memory_is_no_other_setting(tmp_path):
    data, options = (np.ones((8, 3)), np.ones((8, 3))), {"key": KEY, "progress": None}
    fit = lambda **more: gx.train.fit(
        nn.Sequential(nn.Linear(3, 3, key=KEY), Opaque()),
        nn.mse, optim.sgd(0.01), data, **options, **more,
    )  # fmt: skip
    fit(epochs=1, callbacks=[Checkpoint(tmp_path)])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fit(epochs=2, resume=tmp_path)

    assert result.history["epoch"] == [1, 2]


def batches_of(size=8, seed=3, rows=40, **options):
    x = np.ones((rows, 3), np.float32)
    return gx.data.batches((x, x[:, :1]), size, key=gx.random.key(seed), **options)


OTHER_BATCHES = {
    "batch_size=8, this one has batch_size=16": lambda: batches_of(16),
    "sampling='subsets', this one has sampling='random'": lambda: batches_of(sampling="random"),
    "rows=40, this one has rows=41": lambda: batches_of(rows=41),
    r"the key of gx.data.batches=\[3, 0\], this one has .*=\[4, 0\]": lambda: batches_of(seed=4),
    "rows=40, this one has rows=None": lambda: [(np.ones((8, 3)), np.ones((8, 1)))] * 5,
}


@pytest.mark.parametrize("words", OTHER_BATCHES)
def test_batches_of_other_rows_are_refused(words, tmp_path):
    fit = lambda data, **options: gx.train.fit(
        network(), nn.mse, optim.sgd(0.01), data, epochs=1, key=KEY, progress=None, **options
    )
    fit(batches_of(), callbacks=[Checkpoint(tmp_path)])

    with pytest.raises(ShapeError, match=words):
        fit(OTHER_BATCHES[words](), resume=tmp_path)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({"size": 7}, {"size": 7, "drop_last": True}, "drop_last=False, this one has .*=True"),
        ({"sampling": "random"}, {"sampling": "random", "replace": True}, "replace=False, this"),
    ],
)
def test_batches_that_are_drawn_in_another_way_are_refused(before, now, words, tmp_path):
    options = {"epochs": 1, "key": KEY, "progress": None}
    fit = lambda data, **more: gx.train.fit(
        network(), nn.mse, optim.sgd(0.01), data, **options, **more
    )
    fit(batches_of(**before), callbacks=[Checkpoint(tmp_path)])

    with pytest.raises(ShapeError, match=words):
        fit(batches_of(**now), resume=tmp_path)


def test_another_batch_size_or_part_to_validate_on_is_refused(tmp_path):
    run(optim.adam(0.01), 1, callbacks=[Checkpoint(tmp_path)])

    with pytest.raises(ShapeError, match="rows=30, this one has rows=20"):
        run(optim.adam(0.01), resume=tmp_path, validation=0.5)
    with pytest.raises(ShapeError, match="sampling='subsets', this one has sampling='random'"):
        run(optim.adam(0.01), sampling="random", resume=tmp_path)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    gx.save(tmp_path / "model", network())

    with pytest.raises(CheckpointError, match=r"it is no checkpoint of gx\.train\.Checkpoint"):
        run(optim.adam(0.01), resume=tmp_path / "model")
    with pytest.raises(FileNotFoundError):
        run(optim.adam(0.01), resume=tmp_path / "nothing")


def test_settings_of_a_checkpoint_are_checked(tmp_path):
    with pytest.raises(ShapeError, match="every=0: it is 1 epoch or more"):
        Checkpoint(tmp_path, every=0)
    with pytest.raises(ShapeError, match="Checkpoint: mode=None for 'score'"):
        Checkpoint(tmp_path, "score")
    with pytest.raises(ShapeError, match="'validation_r2' will not be recorded"):
        run(optim.adam(0.01), callbacks=[Checkpoint(tmp_path, "validation_r2")])
