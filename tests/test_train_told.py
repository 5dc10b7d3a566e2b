"""What a run tells: its history, progress and callbacks."""

from importlib import import_module

import numpy as np
import pytest

import gradx as gx
from gradx.errors import DTypeError, ShapeError
from gradx.optim.sgd import sgd
from gradx.train import History
from gradx.train.metrics import r2
from gradx.train.progress import Bar
from tests.test_train import Constant, run
from tests.test_train import compile as compile

# History


def test_history_has_one_number_a_column_and_epoch():
    result = run(validation=0.2, metrics=[r2])

    assert list(result.history.to_dict()) == [
        "epoch",
        "loss",
        "validation_loss",
        "validation_r2",
        "seconds",
    ]
    assert result.history["epoch"] == [1, 2, 3]
    assert all(len(values) == 3 for values in result.history.to_dict().values())
    assert result.history["loss"][2] < result.history["loss"][0]
    assert all(seconds > 0 for seconds in result.history["seconds"])
    assert "validation_r2" in repr(result)


def test_the_learning_rate_of_the_last_step_of_an_epoch_is_recorded():
    schedule = lambda step: 0.1 * 0.5 ** (step // 4)

    result = run(optimizer=Constant(*sgd(schedule), schedule))
    fixed = run(optimizer=Constant(*sgd(0.2), 0.2), epochs=1)

    assert result.history["learning_rate"] == [0.1, 0.05, 0.025]
    assert fixed.history["learning_rate"] == [0.2]


def test_to_dict_is_a_copy_and_a_wrong_name_lists_the_right_ones():
    history = History(["epoch", "loss"])
    history.add({"epoch": 1, "loss": 2.0})

    history.to_dict()["loss"].append(3.0)

    assert history["loss"] == [2.0]
    with pytest.raises(ShapeError, match="no column 'validation_loss': there are epoch, loss"):
        history["validation_loss"]
    with pytest.raises(ShapeError, match="expected epoch, loss, got epoch"):
        history.add({"epoch": 2})


def test_a_long_history_shows_its_ends():
    history = History(["epoch", "loss"])
    for epoch in range(1, 31):
        history.add({"epoch": epoch, "loss": 1 / epoch})

    lines = repr(history).splitlines()

    assert len(lines) == 1 + 6 + 1 + 6
    assert lines[1].split() == ["1", "1"]
    assert lines[-1].split() == ["30", "0.03333"]


def test_plot_returns_axes_with_the_losses():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    history = run(validation=0.2, metrics=[r2]).history
    _, given = pyplot.subplots()

    ax = history.plot()
    one = history.plot(given, columns=["validation_r2"])

    assert one is given is not ax
    assert [curve.get_label() for curve in ax.lines] == ["loss", "validation loss"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), history["loss"])
    assert [curve.get_label() for curve in one.lines] == ["validation r2"]
    pyplot.close("all")


def test_plot_ticks_whole_epochs():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    history = History(["epoch", "loss"])
    for epoch in (1, 2, 3):
        history.add({"epoch": epoch, "loss": 1.0})

    ticks = history.plot().get_xticks()

    assert all(tick == round(tick) for tick in ticks)
    pyplot.close("all")


def test_plot_of_one_epoch_shows_a_point():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    history = History(["epoch", "loss"])
    history.add({"epoch": 1, "loss": 0.5})

    ax = history.plot()

    assert ax.lines[0].get_marker() == "o"
    assert all(tick == round(tick) for tick in ax.get_xticks())
    pyplot.close("all")


def test_plot_without_matplotlib_says_how_to_install_it(monkeypatch):
    history = run(epochs=1).history

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("gradx.core.optional.import_module", missing)
    with pytest.raises(gx.MissingPackageError, match=r"pip install 'gradx\[plot\]'"):
        history.plot()


# Progress


def test_off_a_terminal_each_epoch_is_one_line(capsys):
    result = run(progress="auto", validation=0.2, metrics=[r2], epochs=10)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith(
        f"epoch  1/10  loss {result.history['loss'][0]:.4g}  validation_loss "
    )
    assert " validation_r2 " in lines[9]
    assert lines[9].startswith("epoch 10/10")
    assert lines[9].endswith(" s")


def test_progress_none_prints_nothing_and_log_says_why_it_stopped(capsys):
    stop = lambda state: state.stop("seen enough")

    run(progress=None, callbacks=[stop])
    silent = capsys.readouterr()
    run(progress="log", callbacks=[stop])
    lines = capsys.readouterr().out.splitlines()

    assert silent.out == silent.err == ""
    assert lines[1:] == ["stopped: seen enough"]
    with pytest.raises(ShapeError, match="progress='loud': use 'auto', 'log' or None"):
        run(progress="loud")


def test_the_bar_shows_the_epoch_loss_rate_and_validation():
    console = import_module("rich.console").Console(
        force_terminal=True, width=150, file=import_module("io").StringIO(), _environ={}
    )
    bar = Bar(console)
    shown = []

    class Draw:
        def on_step_end(self, state):
            with console.capture() as capture:
                console.print(bar.bar)
            shown.append(capture.get())

    run(callbacks=[bar, Draw()], validation=0.2, epochs=2, batch_size=4)

    assert "epoch 1/2" in shown[0]
    assert "1/4" in shown[0]
    assert "loss" in shown[0]
    assert "validation_loss" not in shown[0]
    assert "epoch 2/2" in shown[-1]
    assert "4/4" in shown[-1]
    assert "validation_loss" in shown[-1]
    assert "steps/s" in shown[-1]
    assert console.file.getvalue().count("epoch 1/2  loss") == 1
    assert not bar.bar.live.is_started


# Callbacks


def test_callbacks_are_told_what_happens_in_order():
    told = []

    class Everything:
        def on_start(self, state):
            told.append(("start", state.epoch, state.steps))

        def on_step_end(self, state):
            told.append(("step", state.epoch, state.step))

        def on_epoch_end(self, state):
            told.append(("epoch", state.epoch, len(state.history)))

        def on_end(self, state):
            told.append(("end", state.epoch, state.total_steps))

    run(callbacks=[Everything()], epochs=2, batch_size=10)

    assert told == [
        ("start", 0, 2), ("step", 1, 1), ("step", 1, 2), ("epoch", 1, 1),
        ("step", 2, 1), ("step", 2, 2), ("epoch", 2, 2), ("end", 2, 4),
    ]  # fmt: skip


def test_a_callback_can_stop_after_an_epoch_or_a_step():
    class AfterStep:
        def on_step_end(self, state):
            if state.total_steps == 6:
                state.stop("six")

    after_epoch = run(callbacks=[lambda state: state.stop("one")])
    after_step = run(callbacks=[AfterStep()])

    assert (after_epoch.stopped, len(after_epoch.history)) == ("one", 1)
    assert (after_step.stopped, len(after_step.history)) == ("six", 2)
    assert after_step.optimizer_state.count == 6
    assert run().stopped is None


def test_what_is_no_callback_is_refused():
    with pytest.raises(DTypeError, match="3 is neither a function nor has one of on_start"):
        run(callbacks=[3])
