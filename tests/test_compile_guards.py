"""What a compiled function reads from outside is noticed when it changes: nothing freezes."""

import random
import threading
import types
import warnings
from functools import partial

import numpy as np
import pytest

import gradx as gx
from gradx.backends.native import threads

X = np.asarray([1.0, 2.0, 3.0])
SCALE = 1.0
TABLE = {"scale": 1.0, "inner": [1.0]}


FIRST = (np.ones((3, 2)), np.zeros((4, 2), dtype=bool))


def masked_gradient(weights, mask):
    loss = lambda w: gx.sum(gx.where(mask, gx.sqrt(np.ones((4, 3)) @ w), 0.0))
    return gx.grad(loss)(weights)


def scaled(x):
    return x * SCALE


def through_a_helper(x):
    return scaled(x) + 0


def test_global_number_is_noticed(monkeypatch):
    compiled = gx.compile(scaled)
    assert compiled(X)[0] == 1

    monkeypatch.setitem(globals(), "SCALE", 4.0)

    assert compiled(X)[0] == 4


def test_global_of_a_function_that_is_called_is_noticed(monkeypatch):
    compiled = gx.compile(through_a_helper)
    assert compiled(X)[0] == 1

    monkeypatch.setitem(globals(), "SCALE", 4.0)

    assert compiled(X)[0] == 4


def test_function_that_is_replaced_is_noticed(monkeypatch):
    compiled = gx.compile(through_a_helper)
    compiled(X)

    monkeypatch.setitem(globals(), "scaled", lambda x: -x)

    assert compiled(X)[0] == -1


def test_entry_of_a_global_dictionary_is_noticed(monkeypatch):
    compiled = gx.compile(lambda x: x * TABLE["scale"] * TABLE["inner"][0])
    assert compiled(X)[0] == 1

    monkeypatch.setitem(TABLE, "scale", 3.0)
    assert compiled(X)[0] == 3
    monkeypatch.setitem(TABLE, "inner", inner := [1.0])
    assert compiled(X)[0] == 3
    inner[0] = 2.0
    assert compiled(X)[0] == 6


def test_variable_of_the_function_around_is_noticed():
    scale = 2.0
    compiled = gx.compile(lambda x: x * scale)
    assert compiled(X)[0] == 2

    scale = 5.0

    assert compiled(X)[0] == 5


def test_list_that_grows_is_noticed():
    layers = [gx.sin]
    compiled = gx.compile(lambda x: [x := layer(x) for layer in layers][-1])
    compiled(X)

    layers.append(gx.cos)

    np.testing.assert_array_equal(compiled(X), np.cos(np.sin(X)))


def test_default_argument_and_partial_are_seen_through():
    config = {"scale": 2.0}
    compiled = gx.compile(partial(lambda x, c, d=config: x * c["scale"] * d["scale"], c=config))
    assert compiled(X)[0] == 4

    config["scale"] = 3.0

    assert compiled(X)[0] == 9


def test_attribute_of_an_object_is_noticed():
    config = types.SimpleNamespace(scale=2.0, deeper=types.SimpleNamespace(shift=0.0))
    compiled = gx.compile(lambda x: x * config.scale + config.deeper.shift)
    assert compiled(X)[0] == 2

    config.scale = 3.0
    assert compiled(X)[0] == 3
    config.deeper.shift = 1.0
    assert compiled(X)[0] == 4


def test_attribute_that_code_does_not_name_may_change():
    config = types.SimpleNamespace(scale=2.0, calls=0)
    compiled = gx.compile(lambda x: x * config.scale)
    compiled(X)
    (program,) = compiled.programs.values()

    config.calls = 7
    compiled(X)

    assert next(iter(compiled.programs.values())) is program


def test_class_attribute_is_noticed():
    class Config:
        scale = 2.0

    compiled = gx.compile(lambda x: x * Config.scale)
    assert compiled(X)[0] == 2

    Config.scale = 3.0

    assert compiled(X)[0] == 3


def test_class_attribute_read_from_an_instance_is_noticed():
    class Config:
        scale = 2.0

    config = Config()
    compiled = gx.compile(lambda x: x * config.scale)
    assert compiled(X)[0] == 2

    Config.scale = 3.0
    assert compiled(X)[0] == 3
    config.scale = 4.0
    assert compiled(X)[0] == 4


def test_attribute_of_a_users_module_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "settings_of_a_user.py").write_text("SCALE = 2.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    import settings_of_a_user as settings

    compiled = gx.compile(lambda x: x * settings.SCALE)
    assert compiled(X)[0] == 2

    settings.SCALE = 3.0

    assert compiled(X)[0] == 3


def test_closed_over_array_that_is_replaced_is_noticed():
    weight = np.full(3, 2.0)
    compiled = gx.compile(lambda x: x * weight)
    assert compiled(X)[0] == 2

    weight = np.full(3, 3.0)

    assert compiled(X)[0] == 3


@pytest.mark.parametrize("size", [3, 1000])
def test_closed_over_array_that_is_written_to_is_read_as_it_is(size):
    weight = np.full(size, 2.0)
    compiled = gx.compile(lambda x: x * weight)
    assert compiled(np.ones(size))[0] == 2

    weight[...] = 5.0

    assert compiled(np.ones(size))[0] == 5


def test_small_array_that_is_written_to_is_noticed_behind_a_computation():
    weight = np.full(3, 2.0)
    compiled = gx.compile(lambda x: x * (weight + 1))
    assert compiled(X)[0] == 3

    weight[...] = 5.0

    assert compiled(X)[0] == 6


def test_closed_over_model_is_noticed_when_a_weight_is_replaced():
    model = gx.nn.Linear(3, 1, key=gx.random.key(0))
    compiled = gx.compile(lambda x: model(x))
    compiled(X)

    object.__setattr__(model, "weight", model.weight * 2)

    np.testing.assert_array_equal(compiled(X), model(X))


def test_schedule_of_a_user_is_seen_through_the_optimizer(monkeypatch):
    optimizer = gx.optim.sgd(lambda step: SCALE)
    compiled = gx.compile(lambda g, state: optimizer.update(g, state)[0])
    state = optimizer.init(X)
    assert compiled(X, state)[0] == -1

    monkeypatch.setitem(globals(), "SCALE", 4.0)

    assert compiled(X, state)[0] == -4


def test_change_back_and_forth_is_right_and_warned_of():
    scale = 0.0
    compiled = gx.compile(lambda x: x * scale)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(10):
            scale = float(n)
            assert compiled(X)[0] == n

    (warning,) = caught
    assert "compiled 8 times" in str(warning.message)
    assert "because scale had changed" in str(warning.message)


def test_state_that_the_function_changes_is_changed_at_every_call():
    calls = []

    def f(x):
        calls.append(1)
        return x * len(calls)

    compiled = gx.compile(f)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [compiled(X)[0] for _ in range(3)] == [1, 2, 3]


GENERATOR = np.random.default_rng(0)


class Masked:
    """A model of a user's, with a generator of its own."""

    def __init__(self):
        self.generator = np.random.default_rng(0)

    def __call__(self, x):
        return x * self.generator.integers(0, 2, x.shape)


@pytest.mark.parametrize(
    ("draws", "named"),
    [
        (lambda x: x + np.random.rand(), "np.random"),  # noqa: NPY002 -- what users have
        (lambda x: x + random.random(), "random"),
        (lambda x: x + GENERATOR.normal(size=3), "a Generator"),
        (Masked(), "a Generator"),
    ],
)
@pytest.mark.parametrize("captured", [gx.compile, gx.capture])
def test_random_numbers_of_others_are_not_frozen_but_refused(captured, draws, named):
    with pytest.raises(gx.CaptureError, match=f"drew random numbers from {named}: .* gx.random"):
        captured(draws)(X)


def test_helpers_of_loops_are_not_taken_for_others_who_draw():
    before = threads.limit()
    try:
        threads.limit(3)
        gx.compile(lambda x: gx.exp(x) * 2 + 1)(np.zeros(1_000_000))

        with pytest.raises(gx.CaptureError, match="drew random numbers"):
            gx.compile(lambda x: x + np.random.normal())(np.zeros(3))  # noqa: NPY002
    finally:
        threads.limit(before)


def test_generator_that_is_there_but_not_drawn_from_does_no_harm():
    compiled = gx.compile(lambda x: x * float(GENERATOR.bit_generator is not None))

    np.testing.assert_array_equal(compiled(X), X)


def test_numbers_that_another_thread_may_have_drawn_are_a_warning():
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    try:
        with pytest.warns(UserWarning, match=r"drawn from np\.random, in this thread or another"):
            gx.compile(lambda x: x + np.random.rand())(X)  # noqa: NPY002
    finally:
        go_on.set()
        thread.join()


CAPTURES = {"compile": gx.compile, "capture": lambda f: gx.capture(f)(*FIRST)}


@pytest.mark.parametrize("capture", CAPTURES.values(), ids=CAPTURES)
def test_mask_that_is_all_false_at_the_first_call_leaves_the_later_gradients(capture):
    weights, all_true = (
        np.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        np.ones((4, 2), dtype=bool),
    )
    captured = capture(masked_gradient)
    captured(*FIRST)

    np.testing.assert_array_equal(
        captured(weights, all_true), masked_gradient(weights, all_true), strict=True
    )
