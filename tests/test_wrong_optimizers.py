"""Optimizers and schedules given what they cannot use say what, and what they can."""

import numpy as np
import pytest

from gradx import optim, random
from gradx.errors import DTypeError, ShapeError
from gradx.optim import schedules

KEY = random.key(0)

PARAMS = {"w": np.ones(2)}
TWO = [schedules.constant(1.0), schedules.constant(2.0)]
MAKERS = ["adabelief", "lars", "yogi"]
MAKERS += ["adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "lamb", "lbfgs"]
MAKERS += ["asgd", "lion", "muon", "nadam", "radam", "rmsprop", "rprop", "sgd", "sgdw"]
every_optimizer = pytest.mark.parametrize("name", MAKERS)


def updated(optimizer, grads=PARAMS, params=PARAMS):
    return optimizer.update(grads, optimizer.init(PARAMS), params)


@every_optimizer
@pytest.mark.parametrize("rate", [np.inf, np.float64(-1.0), np.asarray(-0.5)], ids=repr)
def test_rates_that_are_no_size_of_a_step_are_refused(name, rate):
    with pytest.raises(ShapeError, match=f"{name}: learning_rate=.*0 or more"):
        getattr(optim, name)(rate)


@every_optimizer
@pytest.mark.parametrize("rate", [np.ones(2), np.asarray("a"), np.asarray(1j)], ids=repr)
def test_rates_that_are_not_one_real_number_are_refused(name, rate):
    with pytest.raises(DTypeError, match=f"{name}: learning_rate is .*, expected one real number"):
        getattr(optim, name)(rate)


@every_optimizer
@pytest.mark.parametrize("rate", [-1.0, np.nan, np.inf])
def test_schedules_that_leave_the_range_are_refused_at_that_step(name, rate):
    optimizer = getattr(optim, name)(lambda step: rate)

    with pytest.raises(ShapeError, match=f"learning rate is {rate!r}, expected 0 or more"):
        updated(optimizer)


@every_optimizer
@pytest.mark.parametrize("rate", ["a", None, np.ones(2)], ids=repr)
def test_schedules_of_something_else_are_refused(name, rate):
    with pytest.raises(DTypeError, match=r"a schedule's learning rate.*expected"):
        updated(getattr(optim, name)(lambda step: rate))


@every_optimizer
@pytest.mark.parametrize("state", [None, 3, ()], ids=repr)
def test_the_state_of_nothing_is_refused(name, state):
    with pytest.raises(DTypeError, match=f"{name}: the state is a .*, expected the .*State"):
        getattr(optim, name)(0.1).update(PARAMS, state, PARAMS)


def test_the_state_of_another_optimizer_is_refused():
    state = optim.adam(0.1).init(PARAMS)

    with pytest.raises(DTypeError, match="sgd: the state is a AdamState, expected the SGDState"):
        optim.sgd(0.1).update(PARAMS, state, PARAMS)


@every_optimizer
@pytest.mark.parametrize("grads", [{"w": "a"}, {"w": np.ones(2, dtype=int)}], ids=["text", "int"])
def test_gradients_that_are_not_floating_point_are_refused(name, grads):
    with pytest.raises(DTypeError, match=f"{name}: a gradient is .*, expected a floating-point"):
        updated(getattr(optim, name)(0.1), grads)


@every_optimizer
@pytest.mark.parametrize("grads", [None, {"v": np.ones(2)}, {"w": np.ones(3)}], ids=repr)
def test_gradients_of_other_parameters_are_refused(name, grads):
    with pytest.raises(ShapeError, match=r"another structure|a gradient of float64"):
        updated(getattr(optim, name)(0.1), grads)


CASES = {
    "momentum of 1": (lambda: optim.sgd(0.1, momentum=1.0), ShapeError, r"momentum=1\.0"),
    "dampening of 1": (
        lambda: optim.sgd(0.1, momentum=0.9, dampening=1.0),
        ShapeError,
        r"dampening=1\.0",
    ),
    "dampening of no momentum": (
        lambda: optim.sgd(0.1, dampening=0.5),
        ShapeError,
        r"dampening=0\.5 needs a momentum above 0 and no nesterov, got momentum=0\.0",
    ),
    "dampening beside nesterov": (
        lambda: optim.sgd(0.1, momentum=0.9, nesterov=True, dampening=0.5),
        ShapeError,
        r"dampening=0\.5 needs .*, got momentum=0\.9, nesterov=True",
    ),
    "sizes that grow when they should shrink": (
        lambda: optim.rprop(shrink=1.2),
        ShapeError,
        r"shrink=1\.2, grow=1\.2: expected 0 < shrink < 1 < grow",
    ),
    "sizes between nothing": (
        lambda: optim.rprop(smallest=1.0, largest=0.5),
        ShapeError,
        r"smallest=1\.0 is more than largest=0\.5",
    ),
    "complex matrices": (
        lambda: optim.muon().init(np.ones((2, 2)) * 1j),
        DTypeError,
        "muon: a parameter is complex128 .*, expected real numbers",
    ),
    "momentum above 1": (lambda: optim.rmsprop(momentum=1.5), ShapeError, r"momentum=1\.5"),
    "endless eps": (lambda: optim.adam(eps=np.inf), ShapeError, "eps=inf"),
    "endless norm": (lambda: optim.clip_by_global_norm(np.inf), ShapeError, "max_norm=inf"),
    "norm of text": (lambda: optim.global_norm({"a": "b"}), DTypeError, "a leaf is 'b'"),
    "text to clip": (
        lambda: optim.clip_by_global_norm(1.0).update({"w": "a"}, ()),
        DTypeError,
        "'a', expected an array",
    ),
    "integers to clip": (
        lambda: optim.clip_by_global_norm(1.0).update(np.ones(2, dtype=int), ()),
        DTypeError,
        r"a gradient is int64 \(2,\)",
    ),
    "negative noise": (lambda: optim.add_noise(-1.0, key=KEY), ShapeError, r"variance=-1\.0"),
    "growing noise": (lambda: optim.add_noise(1.0, key=KEY, decay=-1), ShapeError, "decay=-1"),
    "noise of a seed": (lambda: optim.add_noise(1.0, key=7), DTypeError, "a key from gx.random"),
    "noise without its state": (
        lambda: optim.add_noise(1.0, key=KEY).update({"w": np.ones(2)}, ()),
        DTypeError,
        "add_noise: the state is a tuple, expected the NoiseState",
    ),
    "decay of nothing": (
        lambda: updated(optim.add_decayed_weights(0.1), params=None),
        DTypeError,
        "update needs the parameters",
    ),
    "the state of no chain": (
        lambda: optim.chain(optim.sgd(0.1)).update(PARAMS, None),
        DTypeError,
        "chain: the state is None, expected the tuple of 1",
    ),
    "the state of a shorter chain": (
        lambda: optim.chain(optim.sgd(0.1)).update(PARAMS, ()),
        DTypeError,
        r"chain: the state is \(\), expected the tuple of 1",
    ),
    "text as update": (
        lambda: optim.apply_updates(PARAMS, {"w": "a"}),
        DTypeError,
        "an update is 'a', expected a floating-point",
    ),
    "integers as parameters": (
        lambda: optim.apply_updates(np.ones(2, dtype=int), np.ones(2)),
        DTypeError,
        r"a parameter is int64 \(2,\), expected a floating-point",
    ),
    "steps that are NaN": (lambda: schedules.cosine(1.0, np.nan), ShapeError, "steps=nan"),
    "endless steps": (lambda: schedules.step(1.0, np.inf), ShapeError, "every=inf"),
    "a boundary of text": (lambda: schedules.join(TWO, ["a"]), DTypeError, "a boundary='a'"),
    "a boundary that is NaN": (lambda: schedules.join(TWO, [np.nan]), ShapeError, r"\[nan\]"),
    "half a boundary": (lambda: schedules.join(TWO, [2.5]), ShapeError, r"\[2\.5\]"),
    "one boundary, not a list": (lambda: schedules.join(TWO, 2), DTypeError, "boundaries=2"),
    "no schedules": (lambda: schedules.join(None, []), DTypeError, "schedules=None"),
    "numbers to join": (lambda: schedules.join([1.0, 2.0], [2]), DTypeError, "1.0 is no schedule"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_used_is_named(case):
    call, error, words = CASES[case]

    with pytest.raises(error, match=words):
        call()


def test_rates_may_be_numbers_of_numpy():
    grads, _ = updated(optim.sgd(np.float32(0.5)))

    np.testing.assert_array_equal(grads["w"], [-0.5, -0.5])
