"""Devices by name, what goes there, and what is said where one cannot be used."""

import sys
from collections import namedtuple
from threading import Thread

import numpy as np
import pytest

from gradx import backends, device
from gradx.backends import report
from gradx.device import asarray, to_device
from gradx.errors import DeviceError, DTypeError, ShapeError

strict = pytest.importorskip("array_api_strict")
Point = namedtuple("Point", "x y")


def strict_array(values, name="CPU_DEVICE"):
    return strict.asarray(values, device=strict.Device(name))


# Names


@pytest.mark.parametrize(
    "name", ["tpu", "gpu", "CPU", "", " cpu", None, 0, True, ["cpu"], np.zeros(2)]
)
def test_unknown_device_is_named_with_what_is_allowed(name):
    with pytest.raises(DeviceError) as caught:
        backends.backend_for_device(name)

    assert f"unknown device {name!r}: expected 'cpu', 'cuda', 'cuda:<index>'" in str(caught.value)


@pytest.mark.parametrize("name", ["cpu:0", "cpu:1"])
def test_numpy_has_one_device(name):
    with pytest.raises(DeviceError, match=f"unknown device {name!r}"):
        backends.backend_for_device(name)


def test_cpu_is_numpy():
    backend, native = backends.backend_for_device("cpu")

    assert (backend.name, native) == ("numpy", "cpu")
    assert backends.device_of(np.zeros(2)) == "cpu"


def test_device_of_names_an_invented_device():
    assert backends.device_of(strict_array([1.0], "device2")) == "strict:device2"
    assert backends.canonical_device("strict") == "strict:CPU_DEVICE"
    assert backends.canonical_device(strict.Device("device1")) == "strict:device1"


# The default device


def test_default_device_lasts_for_its_block():
    assert (backends.current_device(), backends.chosen_device()) == ("cpu", None)

    with backends.default_device("strict:device1") as outer:
        assert backends.current_device() == outer == "strict:device1"
        with backends.default_device("cpu"):
            assert backends.chosen_device() == "cpu"
        assert backends.default_backend()[0].name == "strict"

    assert (backends.current_device(), backends.chosen_device()) == ("cpu", None)


def test_default_device_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), backends.default_device("strict:device1"):
        raise ZeroDivisionError

    assert backends.chosen_device() is None


def test_default_device_is_checked_before_its_block():
    with pytest.raises(DeviceError, match="'tpu'"):
        backends.default_device("tpu")


def test_default_device_is_each_threads_own():
    seen = []

    def look():
        with backends.default_device("strict:device2"):
            seen.append(backends.current_device())

    with backends.default_device("strict:device1"):
        thread = Thread(target=look)
        thread.start()
        thread.join()
        seen.append(backends.current_device())

    assert seen == ["strict:device2", "strict:device1"]


# Trees


def test_to_device_moves_the_arrays_of_a_tree_and_nothing_else():
    tree = {"a": [np.ones(2), None, "text", 3, 2.5], "b": Point(np.zeros(1), strict_array([1.0]))}

    moved = to_device(tree, "strict:device1")

    assert backends.device_of(moved["a"][0]) == "strict:device1"
    assert moved["a"][1:] == [None, "text", 3, 2.5]
    assert type(moved["b"]) is Point
    assert [backends.device_of(leaf) for leaf in moved["b"]] == ["strict:device1"] * 2
    assert type(to_device(moved, "cpu")["b"].y) is np.ndarray


def test_to_device_returns_an_array_that_is_there_itself():
    array, invented = np.ones(2), strict_array([1.0], "device1")

    assert to_device(array, "cpu") is array
    assert to_device([invented], "strict:device1")[0] is invented


def test_to_device_moves_within_a_library():
    moved = to_device(strict_array([1.0, 2.0]), "strict:device2")

    assert backends.device_of(moved) == "strict:device2"


def test_to_device_copies_what_it_moves():
    values = np.ones(2)

    moved = to_device(values, "strict:device1")
    values[0] = 7.0
    back = to_device(moved, "cpu")
    assert back[0] == 1.0
    back[0] = 5.0

    assert values[0] == 7.0
    assert to_device(moved, "cpu")[0] == 1.0


def test_kind_of_leaf_may_say_how_it_moves(monkeypatch):
    monkeypatch.setitem(device.LEAF_MOVES, Wrapped, lambda leaf, name: Wrapped(leaf, name))

    moved = to_device([Wrapped(None, "cpu")], "strict")

    assert moved[0].device == "strict:CPU_DEVICE"


class Wrapped:
    """A leaf that holds more than numbers."""

    def __init__(self, inner, device):
        self.inner, self.device = inner, device


def test_to_device_checks_the_device_of_an_empty_tree():
    with pytest.raises(DeviceError, match="'tpu'"):
        to_device([], "tpu")


# asarray


@pytest.mark.parametrize(
    ("x", "dtype"),
    [(1, "int64"), (1.5, "float64"), (True, "bool"), (1j, "complex128"), ([1, 2.5], "float64")]
    + [
        ([], "float64"),
        (np.float32(2), "float32"),
        (((1, 2), (3, 4)), "int64"),
        (range(3), "int64"),
    ],
)
def test_asarray_takes_numpys_dtype(x, dtype):
    array = asarray(x)

    assert type(array) is np.ndarray
    assert array.dtype == dtype
    assert np.array_equal(array, np.asarray(x))


def test_asarray_returns_an_array_itself():
    array, invented = np.ones(2), strict_array([1.0], "device1")

    assert asarray(array) is array
    assert backends.device_of(asarray(invented)) == "strict:device1"
    assert backends.backend_of(type(invented)).shares_memory(asarray(invented), invented)


def test_asarray_goes_where_it_is_told():
    assert backends.device_of(asarray(np.ones(2), device="strict:device1")) == "strict:device1"
    assert backends.device_of(asarray([1.0], device="strict:device2")) == "strict:device2"
    assert backends.device_of(asarray(strict_array([1.0], "device1"), device="cpu")) == "cpu"


def test_asarray_goes_to_a_default_device_that_was_set():
    with backends.default_device("strict:device1"):
        assert backends.device_of(asarray([1.0])) == "strict:device1"
        assert backends.device_of(asarray(np.ones(2))) == "strict:device1"
        assert backends.device_of(asarray(np.ones(2), device="cpu")) == "cpu"
    with backends.default_device("cpu"):
        assert backends.device_of(asarray(strict_array([1.0]))) == "cpu"


@pytest.mark.parametrize("dtype", ["float32", np.float32, strict.float32])
@pytest.mark.parametrize("name", ["cpu", "strict:device1"])
def test_asarray_converts_to_a_dtype_of_any_spelling(dtype, name):
    for x in ([1, 2], np.asarray([1, 2])):
        array = asarray(x, dtype=dtype, device=name)

        assert backends.numpy_dtype(array.dtype) == np.float32


def test_asarray_copies_when_asked():
    array = np.ones(2)

    assert not np.shares_memory(asarray(array, copy=True), array)
    assert np.shares_memory(asarray(array, copy=False), array)


@pytest.mark.parametrize(
    ("x", "options"),
    [([1.0], {}), (np.ones(2), {"device": "strict"}), (np.ones(2), {"dtype": "float32"})],
)
def test_asarray_says_where_a_copy_cannot_be_avoided(x, options):
    with pytest.raises(ShapeError, match=r"copy=False.*leave copy out"):
        asarray(x, copy=False, **options)


@pytest.mark.parametrize("x", ["text", [None], object(), {"a": 1}, [1, "a"], 10**30, b"bytes"])
def test_asarray_refuses_what_is_not_numbers(x):
    with pytest.raises(DTypeError, match="asarray: "):
        asarray(x)


def test_asarray_refuses_ragged_sequences():
    with pytest.raises(ShapeError, match=r"list \[\[1, 2\], \[3\]\]"):
        asarray([[1, 2], [3]])


def test_asarray_refuses_a_dtype_without_numbers():
    with pytest.raises(DTypeError, match="got 'U5'"):
        asarray(np.ones(2), dtype="U5")


def test_asarray_refuses_numbers_that_do_not_fit():
    with pytest.raises(DTypeError, match="300"):
        asarray([300], dtype="uint8")


# info


def test_info_prints_what_it_returns(capsys):
    facts = report.info()

    printed = capsys.readouterr().out
    assert facts["versions"]["numpy"] == np.__version__
    assert f"numpy {np.__version__}" in printed
    assert facts["devices"][0] == "cpu"
    assert facts["processors"] >= 1
    assert {"python", "cuda", "blas", "threads"} <= facts.keys()


def test_info_does_without_threadpoolctl(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)

    assert report.info()["threads"] == "unknown: pip install threadpoolctl"
