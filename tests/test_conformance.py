"""What the array API standard demands, as far as it shows without its own suite.

array-api-strict has the standard's names and signatures and no others, so it is
what gradx is compared with. `tests/conformance` runs the standard's own suite.
"""

import copy
import pickle
from inspect import Parameter, Signature, signature
from types import FunctionType

import array_api_strict as strict
import numpy as np
import pytest

import gradx as gx
from gradx.errors import TrackedError
from gradx.namespace import namespace_on
from gradx.testing import tracked

KEYWORD = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
CHAPTERS = {"": strict, "linalg.": strict.linalg, "fft.": strict.fft}
# Of array-api-strict itself, not of the standard.
OWN = {"ArrayAPIStrictFlags", "Device"}

NAMES = [
    prefix + name
    for prefix, module in CHAPTERS.items()
    for name in module.__all__
    if name not in OWN and not name.endswith("_array_api_strict_flags")
]
ARRAY = type(strict.asarray(0))
METHODS = [
    name
    for name in vars(ARRAY)
    if not name.startswith("_") or (name.endswith("__") and callable(getattr(ARRAY, name)))
]
# Python's and NumPy's, not the standard's.
FOREIGN = {"__array__", "__buffer__", "__init__", "__new__", "__reduce__", "__repr__", "__str__"}
METHODS = sorted(set(METHODS) - FOREIGN)


def found(space, name):
    for part in name.split("."):
        space = getattr(space, part)
    return space


FUNCTIONS = [name for name in NAMES if isinstance(found(strict, name), FunctionType)]


def counterpart(ours, place, theirs):
    """Return our parameter that stands for one of the standard's, of a kind that will do."""
    by_place = list(ours.parameters.values())[place : place + 1]
    by_name = ours.parameters.get(theirs.name)
    if theirs.kind is Parameter.POSITIONAL_ONLY:
        return next((own for own in by_place if own.kind in POSITIONAL), None)
    if theirs.kind is Parameter.KEYWORD_ONLY:
        return by_name if by_name and by_name.kind in KEYWORD else None
    return next(
        (own for own in by_place if (own.name, own.kind) == (theirs.name, theirs.kind)), None
    )


def assert_takes(ours, theirs):
    """Assert that a function may be called in every way that the standard's may be."""
    for place, parameter in enumerate(theirs.parameters.values()):
        own = counterpart(ours, place, parameter)
        assert own is not None, f"{ours} lacks {parameter!r}"
        assert (own.default is own.empty) <= (parameter.default is parameter.empty), own


@pytest.mark.parametrize("name", NAMES)
def test_gradx_has_every_name_of_the_standard(name):
    assert found(gx, name) is not None or name == "newaxis"


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("space", [gx, namespace_on("cpu"), tracked], ids=lambda s: s.__name__)
def test_function_takes_what_the_standard_says(space, name):
    assert_takes(signature(found(space, name)), signature(found(strict, name)))


def without_self(method):
    _, *rest = signature(method).parameters.values()
    return Signature(rest)


@pytest.mark.parametrize("name", METHODS)
def test_tensor_has_every_method_of_the_standard(name):
    ours, theirs = getattr(gx.Tensor, name), getattr(ARRAY, name)

    if callable(theirs):
        assert_takes(*(without_self(method) for method in (ours, theirs)))


def test_operators_of_tensors_work_on_integers_and_masks():
    x, mask = np.asarray([6, 3]), np.asarray([True, False])

    def operate(x, mask):
        return x & 2, x | 1, x ^ 1, x << 1, x >> 1, ~x, 2 | x, ~mask & mask

    for actual, expected in zip(gx.vmap(operate)(x, mask), operate(x, mask), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("device", ["cpu", "strict:device1"])
def test_namespace_tells_its_device_and_the_dtypes_there(device):
    xp = namespace_on(device)
    info = xp.__array_namespace_info__()

    assert info.default_device() == xp.zeros(1).device
    assert info.default_device() in info.devices()
    assert info.capabilities()["boolean indexing"] is True
    assert info.dtypes(kind="real floating") == {"float32": xp.float32, "float64": xp.float64}
    for kind, dtype in info.default_dtypes(device=info.default_device()).items():
        assert kind == "indexing" or xp.isdtype(dtype, kind)


def test_gradx_tells_its_version_of_the_standard_and_its_devices():
    info = gx.__array_namespace_info__()

    assert gx.__array_api_version__ == strict.__array_api_version__
    assert info.default_device() == "cpu"
    assert "cpu" in info.devices()
    assert type(info.devices()) is tuple  # since version 2025.12 of the standard
    with gx.default_device("strict:device2"):
        assert info.default_device() == strict.Device("device2")
        assert info.default_device() in info.devices()


def test_namespace_answers_with_the_dtypes_of_its_library():
    xp = namespace_on("strict")

    assert xp.result_type(xp.float32, xp.int8, 1) == xp.float32
    assert xp.finfo(xp.complex64).dtype == xp.float32
    assert xp.iinfo(xp.int8).dtype == xp.int8
    assert gx.finfo(strict.zeros(1)).dtype == strict.float64
    assert gx.iinfo(strict.zeros(1, dtype=strict.int8)).dtype == strict.int8


def test_limits_are_python_numbers():
    floats, integers = gx.finfo("float32"), gx.iinfo("uint64")

    assert {type(floats.eps), type(floats.max), type(floats.smallest_normal)} == {float}
    assert {type(integers.max), type(integers.min)} == {int}
    assert (floats.bits, integers.bits) == (32, 64)


def test_namespace_makes_arrays_on_its_device_where_none_is_named():
    xp = namespace_on("strict:device1")
    here = strict.Device("device1")

    assert xp.zeros(2, device=None).device == here
    assert xp.fft.fftfreq(4).device == here
    assert xp.from_dlpack(np.ones(2)).device == here
    assert xp.zeros(2, device=strict.Device("device2")).device == strict.Device("device2")


@pytest.mark.parametrize("name", ["numpy", "strict"])
def test_tracked_namespace_puts_what_may_vary_on_the_tape(name):
    xp = tracked(name)
    integers = xp.asarray([1, 2])
    made = [
        xp.zeros(2),
        xp.asarray([1.0, 2.0]),
        xp.asarray([1j]),
        xp.ones_like(xp.zeros(2)),
        xp.astype(integers, xp.float32),
        xp.linspace(0, 1, 3),
        xp.fft.fftfreq(3),
    ]

    assert [type(x) for x in made] == [gx.Tensor] * len(made)
    assert type(xp.sin(made[0])) is gx.Tensor
    assert xp.sin(made[0]).payload.edges
    assert type(integers) is gx.Tensor
    assert integers.payload is None


@pytest.mark.parametrize("name", ["numpy", "strict"])
def test_all_that_is_made_beside_the_tape_answers_the_tracked_namespace(name):
    xp = tracked(name)
    x, integers = xp.asarray([2.0, 1.0, 2.0]), xp.asarray([1, 2, 3])
    found = [
        x,
        xp.asarray(x > 1, copy=True),
        -integers,
        integers + 1,
        integers < 2,
        xp.argsort(x),
        xp.nonzero(x)[0],
        xp.unique_all(x).counts,
        xp.astype(x, xp.int64),
        integers[:2],
        pickle.loads(pickle.dumps(integers)),
        copy.deepcopy(integers),
    ]

    assert tracked(name) is xp
    assert [array.__array_namespace__() is xp for array in found] == [True] * len(found)
    assert x.__array_namespace__().zeros(2).trace is x.trace


def test_what_is_put_on_the_tape_is_still_the_array_that_was_written_to():
    floats = tracked.asarray([1, 2]).astype(tracked.float64)

    tracked.asarray(floats)[0] = 5.0

    assert floats[0] == 5.0


def test_only_tensors_of_the_tracked_namespace_convert_to_numbers():
    watched = tracked.asarray(2.0)

    assert (float(watched), int(watched), bool(watched), complex(watched)) == (2.0, 2, True, 2 + 0j)
    with pytest.raises(TrackedError, match="would lose its derivative"):
        float(gx.tensor(2.0))
    with pytest.raises(TrackedError, match="would lend its memory"):
        watched.__dlpack__()


def test_in_place_result_without_derivative_is_held_as_a_constant():
    def divided(x):
        y = x * 1.0
        y //= 2.0
        return gx.sum(y + 3.0 * x)

    np.testing.assert_array_equal(gx.grad(divided)(np.asarray([5.0, 3.0])), [3.0, 3.0])


def test_tensor_goes_to_its_own_device_and_to_no_other():
    x = gx.tensor(strict.asarray([1.0]))

    assert x.to_device(x.device) is x
    assert gx.to_device(x, "strict") is x
    with pytest.raises(TrackedError, match="move the array before it is tracked"):
        gx.to_device(x, "cpu")


def test_value_that_repeats_gives_its_gradient_to_the_first():
    x = np.asarray([3.0, 1.0, 3.0, 1.0])

    gradient = gx.grad(lambda x: gx.sum(gx.unique_values(x) * np.asarray([10.0, 100.0])))(x)

    np.testing.assert_array_equal(gradient, [100.0, 10.0, 0.0, 0.0])


def test_sign_of_a_complex_zero_is_a_plain_zero(backend):
    zeros = np.asarray([complex(-0.0, -0.0), complex(0.0, -0.0), complex(-0.0, 0.0)])

    out = backend.to_numpy(gx.sign(backend.from_numpy(zeros, backend.devices()[0])))

    assert not np.signbit([out.real, out.imag]).any()


def test_diff_refuses_what_is_no_count():
    with pytest.raises(ValueError, match="got -1"):
        gx.diff(np.ones(3), n=-1)


def test_namespace_of_tensors_has_what_libraries_look_for_beyond_the_standard():
    labels, x = np.asarray([0, 1, 0, 2]), np.asarray([1.0, 4.0, 2.0, 7.0])

    def f(x):
        xp = x.__array_namespace__()
        places = xp.where(xp.asarray(labels) == 0)[0]
        return [xp.median(x), xp.bincount(xp.asarray(labels), x), xp.diff(x, 2), x[places]]

    for found, expected in zip(
        gx.vjp(f, x)[0], [3.0, [3.0, 4.0, 7.0], [-5.0, 7.0], [1.0, 2.0]], strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    gx.testing.check_derivatives(f, x)


def test_polynomials_of_the_namespace_are_numpys_roots_in_their_order():
    x = np.asarray([2.0, -1.0, 3.0, 0.5, -2.0])

    def f(x):
        xp = x.__array_namespace__()
        roots = xp.roots(x)
        return [xp.convolve(x, x[:2], mode="same"), xp.real(roots), xp.imag(roots)]

    convolved, *parts = gx.vjp(f, x)[0]

    np.testing.assert_array_equal(convolved, np.convolve(x, x[:2], mode="same"))
    np.testing.assert_allclose(parts[0] + 1j * parts[1], np.roots(x), 1e-12)
    gx.testing.check_derivatives(f, x)


def test_namespace_has_the_half_precision_of_a_library_that_has_one():
    f = lambda x: gx.sum(x.__array_namespace__().astype(x, x.__array_namespace__().float16) ** 2)

    np.testing.assert_array_equal(gx.grad(f)(np.asarray([1.5, 2.0])), [3.0, 4.0])
    assert "float16" in dir(namespace_on("cpu"))
    assert not hasattr(gx.tensor(strict.asarray([1.0])).__array_namespace__(), "float16")
