"""Which backend an array has, and what every backend promises."""

import subprocess
import sys

import numpy as np
import pytest

from gradx import backends
from gradx.backends import registry
from gradx.errors import DeviceError, DTypeError, ShapeError

NEVER_IMPORTED = ("cupy", "torch", "scipy", "sklearn", "matplotlib", "threadpoolctl", "jax")


@pytest.fixture
def clean_registry(monkeypatch):
    """Undo what a test registers."""
    for table in ("_registered", "_by_array_type", "_by_device", "LOADERS"):
        monkeypatch.setattr(registry, table, dict(getattr(registry, table)))


def test_importing_the_backends_imports_no_optional_library():
    program = (
        "import sys, gradx.backends, gradx.device, gradx.random;"
        f"print([name for name in {NEVER_IMPORTED} if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_array_type_chooses_the_backend():
    strict = pytest.importorskip("array_api_strict")

    class Subclass(np.ndarray):
        pass

    assert backends.backend_of(np.ndarray).name == "numpy"
    assert backends.backend_of(np.float32).name == "numpy"
    assert backends.backend_of(Subclass).name == "numpy"
    assert backends.backend_of(type(strict.asarray(0))).name == "strict"


@pytest.mark.parametrize("other", [int, list, type(None), np.dtype, np.random.Generator])
def test_what_is_no_array_has_no_backend(other):
    assert backends.find_backend(other) is None
    with pytest.raises(DTypeError, match=rf"'{other.__name__}'.*gx\.asarray"):
        backends.backend_of(other)


def test_conversion_to_numpy_and_back_changes_nothing(backend):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)

    for device in backend.devices():
        array = backend.from_numpy(values, device)

        assert type(array) in backend.array_types
        assert backend.device_of(array) == device
        assert type(backend.to_numpy(array)) is np.ndarray
        assert backend.to_numpy(array).dtype == np.float32
        assert np.array_equal(backend.to_numpy(array), values)


def test_device_names_and_native_devices_are_each_others_inverse(backend):
    for name in backend.devices():
        assert backend.device_name(backend.native_device(name)) == name


def test_backend_refuses_a_device_of_another_library(backend):
    with pytest.raises(DeviceError, match="'elsewhere:0'"):
        backend.native_device("elsewhere:0")


def test_creation_functions_place_arrays_on_the_named_device(backend):
    xp = backend.xp
    for name in backend.devices():
        device = backend.native_device(name)
        ones = xp.ones((2,), device=device)
        made = [ones, xp.arange(3, device=device), xp.asarray([1.0], device=device)]
        made += [xp.zeros_like(ones), xp.full_like(ones, 2.0), xp.asarray(ones)]

        assert [backend.device_of(array) for array in made] == [name] * len(made)


def test_views_share_memory_and_copies_do_not(backend):
    xp = backend.xp
    array = xp.zeros((4,))

    assert backend.shares_memory(array, array[1:])
    assert not backend.shares_memory(array, xp.asarray(array, copy=True))


def test_view_does_not_own_its_memory(backend):
    array = backend.xp.asarray(backend.xp.zeros((4,)), copy=True)

    assert backend.owns_memory(array)
    assert not backend.owns_memory(array[1:])


def test_array_around_memory_of_numpy_does_not_own_it():
    strict = pytest.importorskip("array_api_strict")
    values = np.zeros(3)
    owned = strict.asarray(values, copy=True)

    wrapped = [strict.asarray(values), owned, strict.asarray(owned)]

    assert [backends.backend_of(type(array)).owns_memory(array) for array in wrapped] == [False] * 3


def test_read_only_array_is_not_owned():
    array = np.zeros(3)
    array.flags.writeable = False

    assert not backends.backend_of(np.ndarray).owns_memory(array)


def test_kernels_of_standard_functions_agree_with_them(backend):
    xp = backend.xp
    x = xp.reshape(xp.arange(6, dtype=xp.float32), (2, 3))
    calls = {
        "sum": [((x,), {}), ((x,), {"axis": 1, "keepdims": True, "dtype": xp.float64})],
        "matmul": [((x, x.T), {})],
    }

    for name in calls.keys() & backend.kernels.keys():
        for arrays, parameters in calls[name]:
            ours = backend.kernels[name](xp, *arrays, **parameters)
            theirs = getattr(xp, name)(*arrays, **parameters)
            assert np.array_equal(backend.to_numpy(ours), backend.to_numpy(theirs))
            assert ours.dtype == theirs.dtype


def test_synchronize_can_be_called(backend):
    assert backend.synchronize() is None


def test_conforming_library_is_registered_in_one_line(clean_registry):
    torch = pytest.importorskip("torch")
    namespace = pytest.importorskip("array_api_compat.torch")

    backend = backends.register("torch", namespace, torch.Tensor)

    array = backend.from_numpy(np.arange(3.0), "torch:cpu")
    assert backends.backend_of(torch.nn.Parameter) is backend
    assert backends.device_of(array) == "torch:cpu"
    assert backends.canonical_device("torch") == "torch:cpu"
    assert backends.canonical_device(array.device) == "torch:cpu"
    assert "torch:cpu" in backends.devices()
    assert np.array_equal(backend.to_numpy(array), [0.0, 1.0, 2.0])


def test_registered_backend_takes_the_fields_it_is_given(clean_registry):
    strict = pytest.importorskip("array_api_strict")

    def never_shared(x, y):
        return False

    array_type = type(strict.asarray(0))
    backend = backends.register("other", strict, array_type, shares_memory=never_shared)

    assert backend.shares_memory is never_shared
    assert backends.backend_of(array_type) is backend


def test_registering_again_replaces_the_first(clean_registry):
    strict = pytest.importorskip("array_api_strict")
    first = backends.register("other", strict, type(strict.asarray(0)))
    assert backends.backend_for_device("other")[0] is first

    second = backends.register("other", strict, type(strict.asarray(0)))

    assert backends.backend_for_device("other")[0] is second


@pytest.mark.parametrize("name", ["cpu", "cuda", "strict", "my torch", "torch:cpu", ""])
def test_register_refuses_a_name_that_is_taken_or_no_word(name, clean_registry):
    with pytest.raises(ShapeError, match=f"identifier other than 'cpu', 'cuda'.*got {name!r}"):
        backends.register(name, np, np.ndarray)


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32")])
def test_numpy_dtype_reads_every_spelling(dtype):
    assert backends.numpy_dtype(dtype) == np.float32


def test_dtypes_of_other_libraries_go_by_their_names():
    strict = pytest.importorskip("array_api_strict")
    backend = backends.backend_of(type(strict.asarray(0)))

    assert backends.numpy_dtype(strict.float32) == np.float32
    assert backends.numpy_dtype(strict.bool) == np.bool_
    assert backends.native_dtype(backend, np.int16) == strict.int16


@pytest.mark.parametrize("dtype", ["U5", object, "datetime64[s]", "no such dtype", None, [1]])
def test_numpy_dtype_refuses_what_is_not_of_numbers(dtype):
    with pytest.raises(DTypeError, match="numbers or booleans, got"):
        backends.numpy_dtype(dtype)
