"""Code that recognises a call of a known kind: it takes those of one signature, and no other."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import gradx as gx
from gradx.core import tree
from gradx.graph.matching import match_of
from gradx.graph.signature import take_apart

Pair = namedtuple("Pair", "one other")
Two = namedtuple("Two", "one other")
ones = np.ones


def linear(**settings):
    return gx.nn.Linear(3, 2, key=gx.random.key(0), **settings)


CALLS = {
    "an array": ((ones(2),), {}),
    "another of its kind": ((np.zeros(2),), {}),
    "of another shape": ((ones(3),), {}),
    "of another dtype": ((ones(2, np.float32),), {}),
    "of another byte order": ((ones(2, ">f8"),), {}),
    "by name": ((), {"x": ones(2)}),
    "two arrays": ((ones(2), ones(2)), {}),
    "a list of it": (([ones(2)],), {}),
    "a tuple of it": (((ones(2),),), {}),
    "a list of a list": (([[ones(2)]],), {}),
    "an empty list": (([],), {}),
    "an integer": ((1,), {}),
    "another integer": ((2,), {}),
    "a float": ((1.0,), {}),
    "true": ((True,), {}),
    "false": ((False,), {}),
    "a text": (("a",), {}),
    "another text": (("b",), {}),
    "bytes": ((b"a",), {}),
    "none": ((None,), {}),
    "no argument": ((), {}),
    "a dictionary": (({"a": ones(2), "b": 1},), {}),
    "in another order": (({"b": 1, "a": ones(2)},), {}),
    "with another key": (({"a": ones(2), "c": 1},), {}),
    "with a key more": (({"a": ones(2), "b": 1, "c": 1},), {}),
    "an ordered dictionary": ((OrderedDict(a=ones(2), b=1),), {}),
    "a named tuple": ((Pair(ones(2), 1),), {}),
    "another named tuple": ((Two(ones(2), 1),), {}),
    "a module": ((linear(),), {}),
    "the module with other numbers": ((linear().replace(bias=ones(2)),), {}),
    "the module without a bias": ((linear().replace(bias=None),), {}),
    "a module with a rate": ((gx.nn.Dropout(0.5),), {}),
    "with another rate": ((gx.nn.Dropout(0.25),), {}),
    "layers": ((gx.nn.Sequential(linear(), gx.nn.Dropout(0.5)),), {}),
    "a number of NumPy": ((np.float64(1),), {}),
    "a whole one": ((np.int64(1),), {}),
}


def key_of(call):
    return take_apart(lambda *args, **kwargs: None, *call, ()).key


@pytest.mark.parametrize("name", CALLS)
def test_calls_that_match_are_those_of_one_signature(name):
    match, key = match_of(*CALLS[name]), key_of(CALLS[name])

    for call in CALLS.values():
        leaves = match(*call)
        assert (leaves is not None) == (key_of(call) == key)
        if leaves is not None:
            assert all(x is y for x, y in zip(leaves, tree.leaves(call), strict=True))


def test_leaf_of_another_type_is_left_to_the_signature():
    assert match_of((object(),), {}) is None


def test_steps_of_an_optimizer_that_counts_match():
    optimizer = gx.optim.adam(0.1)

    @gx.compile
    def step(w, state):
        updates, state = optimizer.update(gx.grad(lambda w: gx.sum(w * w))(w), state, w)
        return gx.optim.apply_updates(w, updates), state

    w = ones(3)
    state = optimizer.init(w)
    for _ in range(4):
        w, state = step(w, state)

    assert step._recognised((w, state), {}, ())[1] is not None


def test_tracked_array_matches_nothing():
    match = match_of((ones(2),), {})
    found = []

    gx.grad(lambda x: found.append(match((x,), {})) or gx.sum(x))(ones(2))

    assert found == [None]


def test_default_device_is_part_of_the_kind(monkeypatch):
    match = match_of((ones(2),), {})
    monkeypatch.setitem(match.__globals__, "current_device", lambda: "cuda:0")

    assert match((ones(2),), {}) is None


def test_program_is_replayed_for_calls_that_match_and_found_for_others():
    double = gx.compile(lambda x: x * 2)
    for size in (2, 2, 2, 3, 2, 3, 3, 3):
        assert np.array_equal(double(ones(size)), np.full(size, 2.0))

    assert [*double._captures.values()] == [1, 1]


def test_what_changed_outside_is_noticed_in_a_call_that_matches():
    scale = [2.0]
    scaled = gx.compile(lambda x: x * scale[0])
    for _ in range(3):
        scaled(ones(2))

    scale[0] = 3.0

    assert np.array_equal(scaled(ones(2)), [3.0, 3.0])


def test_static_value_is_part_of_what_matches():
    power = gx.compile(lambda x, n: x**n, static="n")
    for n in (2, 2, 2, 3, 3, 3, 2):
        assert np.array_equal(power(np.asarray([2.0]), n=n), [2.0**n])


def test_no_code_is_written_for_very_many_leaves():
    assert match_of(([1.0] * 2000,), {}) is not None
    assert match_of(([1.0] * 2001,), {}) is None
