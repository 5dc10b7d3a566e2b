"""Whatever way a compiled function reads something from outside, it notices that it changed."""

import array
import collections
import contextvars
import ctypes
import dataclasses
import functools
import itertools
import operator
import os
import threading
import types
import warnings
import weakref

import numpy as np
import pytest

import gradx as gx

X = np.asarray([1.0, 2.0, 3.0])
AMOUNT = contextvars.ContextVar("AMOUNT", default=1.0)


class Settings:
    """An object of a user's."""

    def __init__(self):
        self.amount = 1.0


class Slotted:
    __slots__ = ("amount",)

    def __init__(self):
        self.amount = 1.0

    def scaled(self, x):
        return x * self.amount


@dataclasses.dataclass(slots=True)
class SlottedData:
    amount: float = 1.0


class Answering:
    """It answers to every name, and does not always know an answer."""

    def __init__(self):
        self.table = {"amount": 1.0}

    def __getattr__(self, name):
        return self.table[name]


class Kind(type):
    """The class of a class."""


class OfKind(metaclass=Kind):
    pass


class Decorator:
    """A function with a state."""

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function, self.amount = function, 1.0

    def __call__(self, x):
        return self.function(x) * self.amount


def of_attribute(make, read=lambda found: found.amount):
    """Return a way: a function that reads an attribute of what is made, and what sets it."""

    def way():
        found = make()
        return lambda x: x * read(found), lambda: setattr(found, "amount", 3.0)

    return way


def of_item(make, key, value=3):
    def way():
        found = make()
        return lambda x: x * found[key], lambda: operator.setitem(found, key, value)

    return way


def of_parts(make, read, change):
    def way():
        found = make()
        return lambda x: x * read(found), lambda: change(found)

    return way


def of_function_attribute():
    def scaled(x):
        return x * scaled.amount

    scaled.amount = 1.0
    return scaled, lambda: setattr(scaled, "amount", 3.0)


def of_code():
    def amount():
        return 1.0

    def reload():
        amount.__code__ = (lambda: 3.0).__code__

    return lambda x: x * amount(), reload


def of_defaults():
    def scaled(x, amount=1.0):
        return x * amount

    return scaled, lambda: setattr(scaled, "__defaults__", (3.0,))


def of_kind():
    Kind.amount, change = 1.0, lambda: setattr(OfKind, "amount", 3.0)
    if "amount" in vars(OfKind):
        del OfKind.amount
    return lambda x: x * OfKind.amount, change


def of_method():
    slotted = Slotted()
    return slotted.scaled, lambda: setattr(slotted, "amount", 3.0)


def of_decorator():
    scaled = Decorator(lambda x: x + 0)
    return scaled, lambda: setattr(scaled, "amount", 3.0)


def of_environment():
    change = functools.partial(operator.setitem, os.environ, "GRADX_TEST_AMOUNT", "3")
    return lambda x: x * float(os.getenv("GRADX_TEST_AMOUNT")), change


def of_reference():
    settings = Settings()
    found = weakref.ref(settings)
    return lambda x: x * found().amount, lambda: setattr(settings, "amount", 3.0)


def of_mapping_proxy():
    table = {"amount": 1.0}
    found = types.MappingProxyType(table)
    return lambda x: x * found["amount"], lambda: operator.setitem(table, "amount", 3.0)


def of_sign():
    zero = 1.0 - 1.0

    def change():
        nonlocal zero
        zero = -0.0

    return lambda x: x * np.copysign(1.0, zero), change


def subclass(kind, *arguments):
    """Return an object with attributes of its own, of a subclass of a container."""
    found = types.new_class("Own", (kind,))(*arguments)
    found.amount = 1.0
    return found


def thread_local():
    found = threading.local()
    found.amount = 1.0
    return found


WAYS = {
    "slots": of_attribute(Slotted),
    "slots of a dataclass": of_attribute(SlottedData),
    "slots behind a list": of_parts(
        lambda: [Slotted()],
        lambda found: found[0].amount,
        lambda found: setattr(found[0], "amount", 3.0),
    ),
    "method of slots": of_method,
    "attribute of a function": of_function_attribute,
    "code that is loaded again": of_code,
    "defaults that are replaced": of_defaults,
    "object around a function": of_decorator,
    "class of a class": of_kind,
    "getattr": of_attribute(Settings, lambda found: getattr(found, "am" + "ount")),
    "getattr with a default": of_attribute(
        types.SimpleNamespace, lambda found: getattr(found, "amount", 1.0)
    ),
    "hasattr": of_attribute(
        types.SimpleNamespace, lambda found: found.amount if hasattr(found, "amount") else 1.0
    ),
    "vars": of_attribute(Settings, lambda found: sum(vars(found).values())),
    "attrgetter": of_attribute(Settings, operator.attrgetter("amount")),
    "asdict": of_attribute(
        dataclasses.make_dataclass("Data", [("amount", float, 1.0)]),
        lambda found: sum(dataclasses.asdict(found).values()),
    ),
    "__getattr__": of_parts(
        Answering, lambda found: found.amount, lambda found: found.table.update(amount=3.0)
    ),
    "attribute of a list": of_attribute(lambda: subclass(list)),
    "attribute of a dictionary": of_attribute(lambda: subclass(dict)),
    "deque": of_item(lambda: collections.deque([1.0]), 0),
    "bytearray": of_item(lambda: bytearray([1]), 0),
    "array of Python": of_item(lambda: array.array("d", [1.0]), 0),
    "memoryview": of_item(lambda: memoryview(bytearray([1])), 0),
    "ctypes": of_parts(
        lambda: ctypes.c_double(1.0),
        lambda found: found.value,
        lambda found: setattr(found, "value", 3.0),
    ),
    "mapping proxy": of_mapping_proxy,
    "context variable": lambda: (lambda x: x * AMOUNT.get(), lambda: AMOUNT.set(3.0)),
    "local of a thread": of_attribute(thread_local),
    "weak reference": of_reference,
    "environment": of_environment,
    "sign of a zero": of_sign,
}


@pytest.fixture(autouse=True)
def leave_no_trace(monkeypatch):
    """Put back what ways change for the whole process."""
    monkeypatch.setenv("GRADX_TEST_AMOUNT", "1")
    token = AMOUNT.set(1.0)
    yield
    AMOUNT.reset(token)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_is_read_from_outside_is_noticed_when_it_changes(way):
    function, change = way()
    compiled = gx.compile(function)
    np.testing.assert_array_equal(compiled(X), X)

    change()

    assert not np.array_equal(function(X), X)
    np.testing.assert_array_equal(compiled(X), function(X))


def counting():
    number = 0.0
    while True:
        number += 1
        yield number


ITERATORS = {
    "generator": counting,
    "generator expression": lambda: (x for x in (1.0, 2.0, 3.0)),
    "count": lambda: itertools.count(1.0),
    "list": lambda: iter([1.0, 2.0, 3.0]),
    "range": lambda: iter(range(1, 5)),
    "cycle": lambda: itertools.cycle([1.0, 2.0, 3.0]),
    "map": lambda: map(float, (1, 2, 3)),
    "zip": lambda: map(sum, zip((1.0, 2.0, 3.0))),
}


@pytest.mark.parametrize("make", ITERATORS.values(), ids=ITERATORS)
def test_every_call_takes_the_next_element_of_an_iterator(make):
    iterator = make()
    compiled = gx.compile(lambda x: x * next(iterator))

    assert [compiled(X)[0] for _ in range(3)] == [1, 2, 3]


class Scale(gx.nn.Module):
    factor: object
    settings: object = gx.nn.static()

    def __call__(self, x):
        return x * self.factor * sum(self.settings)


def test_setting_of_a_model_that_is_changed_in_place_is_noticed():
    model = Scale(2.0, [1.0])
    compiled = gx.compile(lambda model, x: model(x))
    assert compiled(model, X)[0] == 2

    model.settings.append(4.0)

    assert compiled(model, X)[0] == 10


def test_setting_that_is_an_object_is_noticed_when_it_changes():
    class Shift(gx.nn.Module):
        factor: object
        settings: Settings = gx.nn.static()

        def __call__(self, x):
            return x * self.factor + self.settings.amount

    model = Shift(2.0, Settings())
    compiled = gx.compile(lambda model, x: model(x))
    assert compiled(model, X)[0] == 3

    model.settings.amount = 3.0

    assert compiled(model, X)[0] == 5


@dataclasses.dataclass(frozen=True)
class Fixed:
    power: object


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((2,), (2.0,)),
        ((1,), (True,)),
        (0.0, -0.0),
        ((0.0,), (-0.0,)),
        (frozenset([2]), frozenset([2.0])),
        (Fixed(2), Fixed(2.0)),
    ],
)
def test_static_values_are_told_apart_by_the_types_of_their_parts(one, other):
    compiled = gx.compile(lambda x, value: x * (repr(value) == repr(one)), static="value")

    assert compiled(X, one)[0] == 1
    assert compiled(X, other)[0] == 0


def test_static_module_and_class_are_themselves():
    model = Scale(2.0, (1.0,))
    compiled = gx.compile(lambda x, made, kind: made(x) * len(kind.__name__), static=(1, 2))

    np.testing.assert_array_equal(compiled(X, model, Fixed), X * 10)


def test_what_is_left_alone_captures_nothing_anew():
    settings, table, items = Slotted(), {"a": 1.0}, collections.deque([1.0])
    rest = iter([1.0])

    def scaled(x):
        return (
            x * settings.amount * table["a"] * items[0] * len(list(getattr(rest, "nothing", [1])))
        )

    compiled = gx.compile(scaled)
    compiled(X)
    (program,) = compiled.programs.values()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(10):
            compiled(X)

    assert next(iter(compiled.programs.values())) is program


def test_names_of_keyword_arguments_are_not_taken_for_globals(monkeypatch):
    compiled = gx.compile(lambda x, axis: gx.sum(x * axis, keepdims=True))
    for number in range(3):
        monkeypatch.setitem(globals(), "keepdims", number)
        compiled(X, 2.0)

    assert compiled._captures == {next(iter(compiled.programs)): 1}
