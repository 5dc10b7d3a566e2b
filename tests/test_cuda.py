"""CUDA by name: why it cannot be used, and CuPy on a machine of which all is known."""

import sys
from functools import partial
from importlib import import_module, metadata

import array_api_compat.numpy
import numpy as np
import optree
import pytest

import gradx as gx
from gradx import backends
from gradx.backends import cuda, registry, report
from gradx.device import asarray, to_device
from gradx.errors import DeviceError, DTypeError, GradxError, ShapeError
from tests.fake_cupy import Machine, installed

HINTS = ("pip install 'gradx[cuda13]'", "pip install 'gradx[cuda12]'", "device='cpu'")


@pytest.fixture
def no_wheels(monkeypatch):
    """Let no CuPy be installed, as far as metadata tells, and forget devices found."""
    monkeypatch.setattr(registry, "_by_device", {})
    monkeypatch.setattr(registry, "_by_array_type", {})
    wheels = {}

    def version(distribution):
        if distribution in wheels:
            return wheels[distribution]
        raise metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr(metadata, "version", version)
    return wheels


@pytest.fixture
def machine(no_wheels):
    """A machine with two GPUs, a driver and CuPy."""
    no_wheels["cupy-cuda13x"] = "14.2.0"
    machine = Machine()
    with installed(machine) as cupy:
        machine.cupy = cupy
        yield machine


def message_for(name):
    with pytest.raises(DeviceError) as caught:
        backends.backend_for_device(name)
    return str(caught.value)


# Where CUDA cannot be used


def assert_refused(reason, name="cuda"):
    message = message_for(name)
    for words in (repr(name), reason, *HINTS):
        assert words in message
    assert backends.devices()[:1] == ["cpu"]
    assert not any(found.startswith("cuda") for found in backends.devices())


def test_cuda_without_cupy_is_refused(no_wheels, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)

    assert_refused("CuPy is not installed", "cuda:1")


def test_cuda_without_a_dependency_of_cupy_is_refused(machine, monkeypatch):
    def fail(name):
        if name != "cupy":
            return import_module(name)
        raise ModuleNotFoundError("No module named 'fastrlock'", name="fastrlock")

    monkeypatch.setattr(cuda, "import_module", fail)

    assert_refused("CuPy cannot be imported (No module named 'fastrlock')")


def test_cuda_with_a_broken_cupy_is_refused_with_its_last_words(machine, monkeypatch):
    def fail(name):
        if name != "cupy":
            return import_module(name)
        raise ImportError("====\nFailed to import CuPy.\n\nlibcudart.so.13: cannot open\n====\n")

    monkeypatch.setattr(cuda, "import_module", fail)

    assert_refused("CuPy cannot be imported (libcudart.so.13: cannot open)")


def test_two_cupy_wheels_are_refused(machine, no_wheels):
    no_wheels["cupy-cuda12x"] = "14.2.0"

    assert_refused("cupy-cuda12x and cupy-cuda13x are both installed")
    assert "pip uninstall -y cupy-cuda12x cupy-cuda13x" in message_for("cuda")


def test_old_cupy_is_refused(machine):
    machine.cupy.__version__ = "13.6.0"

    assert_refused("CuPy 13.6.0 is older than 14")


def test_cupy_for_rocm_is_refused(machine):
    machine.cupy.cuda.runtime.is_hip = True

    assert_refused("built for ROCm")


def test_cuda_without_a_driver_is_refused(machine):
    machine.driver_version = 0

    assert_refused("no NVIDIA driver was found")


def test_cuda_with_an_old_driver_is_refused_with_both_versions(machine):
    machine.driver_version = 12040

    assert_refused("the driver supports CUDA 12.4, CuPy is built for CUDA 13.2")


def test_cuda_without_a_device_is_refused(machine):
    machine.device_count = 0

    assert_refused("shows no device (see CUDA_VISIBLE_DEVICES")


@pytest.mark.parametrize("library", cuda.LIBRARIES)
def test_cuda_without_its_libraries_is_refused(library, machine):
    machine.missing_libraries = (library,)

    assert_refused(f"the CUDA library {library} was not found")


def test_unforeseen_failure_is_a_reason_too(machine):
    del machine.cupy.__version__

    assert_refused("AttributeError")


def test_index_out_of_range_names_the_devices_there_are(machine):
    message = message_for("cuda:2")

    assert "'cuda:2' does not exist" in message
    assert "'cuda:0', 'cuda:1'" in message


def test_refusal_is_forgotten_when_its_reason_is(machine):
    machine.device_count = 0
    message_for("cuda")

    machine.device_count = 1

    assert backends.canonical_device("cuda") == "cuda:0"


def test_device_error_is_a_runtime_error():
    assert issubclass(DeviceError, RuntimeError)
    assert issubclass(DeviceError, GradxError)


@pytest.mark.parametrize("name", ["cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "cuda0:1"])
def test_malformed_cuda_device_is_named(name, machine):
    assert f"unknown device {name!r}" in message_for(name)


# Where it can: the CuPy backend on a fake


def test_cuda_devices_are_listed(machine):
    assert backends.devices() == ["cpu", "cuda:0", "cuda:1"]


def test_native_cuda_device_is_a_device(machine):
    native = machine.cupy.cuda.Device(1)

    assert backends.canonical_device(native) == "cuda:1"
    assert backends.backend_for_device(native)[1] is native


def test_array_goes_to_a_gpu_and_back(machine):
    values = np.arange(3.0)

    array = to_device(values, "cuda:1")

    assert type(array) is machine.cupy.ndarray
    assert backends.device_of(array) == "cuda:1"
    assert machine.current == 0
    assert type(to_device(array, "cpu")) is np.ndarray
    assert np.array_equal(to_device(array, "cpu"), values)


def test_array_moves_between_gpus(machine):
    array = to_device(np.arange(3.0), "cuda:0")

    moved = to_device(array, "cuda:1")

    assert backends.device_of(moved) == "cuda:1"
    assert to_device(moved, "cuda:1") is moved


@pytest.mark.parametrize(
    "create",
    [
        lambda xp, **where: xp.arange(3, **where),
        lambda xp, **where: xp.empty((2,), **where),
        lambda xp, **where: xp.eye(2, **where),
        lambda xp, **where: xp.full((2,), 1.0, **where),
        lambda xp, **where: xp.linspace(0.0, 1.0, 3, **where),
        lambda xp, **where: xp.ones((2,), **where),
        lambda xp, **where: xp.zeros((2,), **where),
        lambda xp, **where: xp.asarray([1.0, 2.0], **where),
    ],
)
def test_cupy_creates_on_the_device_that_is_named(create, machine):
    backend, device1 = backends.backend_for_device("cuda:1")

    assert backend.device_of(create(backend.xp, device=device1)) == "cuda:1"
    assert backend.device_of(create(backend.xp)) == "cuda:0"
    assert machine.current == 0


@pytest.mark.parametrize("name", ["empty_like", "ones_like", "zeros_like", "asarray"])
def test_cupy_creates_beside_its_argument(name, machine):
    backend, device0 = backends.backend_for_device("cuda:0")
    array = to_device(np.ones(3), "cuda:1")

    create = getattr(backend.xp, name)

    assert backend.device_of(create(array)) == "cuda:1"
    assert backend.device_of(create(array, device=device0)) == "cuda:0"
    assert backend.device_of(backend.xp.full_like(array, 2.0)) == "cuda:1"


def test_cupy_namespace_keeps_the_rest_of_the_library(machine):
    backend, _ = backends.backend_for_device("cuda")

    assert backend.xp.__name__ == "array_api_compat.cupy"
    assert backend.xp.linalg.__name__ == "array_api_compat.cupy.linalg"
    machine.cupy.late = machine  # as a module that CuPy loads on demand
    sys.modules["array_api_compat.cupy"].late = machine
    assert backend.xp.late is machine


def test_cupy_computes_where_the_default_device_says(machine):
    with backends.default_device("cuda:1"):
        assert machine.current == 1
        assert backends.device_of(asarray([1.0])) == "cuda:1"
    assert machine.current == 0


def test_cupy_waits_for_its_device(machine):
    backends.backend_for_device("cuda")[0].synchronize()

    assert machine.synchronized == 1


def test_cupy_owns_what_its_pool_owns(machine, monkeypatch):
    backend, _ = backends.backend_for_device("cuda")
    array = to_device(np.ones(3), "cuda")

    assert backend.owns_memory(array)
    assert not backend.owns_memory(array[1:])
    assert backend.shares_memory(array, array[1:])
    monkeypatch.setattr(machine.cupy.cuda.memory, "PooledMemory", int)  # lent by another library
    assert not backend.owns_memory(array)


def test_cupy_kernels_agree_with_numpy(machine):
    backend, _ = backends.backend_for_device("cuda")
    values = np.arange(6.0).reshape(2, 3)
    x = to_device(values, "cuda")

    total = backend.kernels["sum"](backend.xp, x, axis=1, keepdims=True)
    product = backend.kernels["matmul"](backend.xp, x, x.T)

    assert np.array_equal(total, values.sum(axis=1, keepdims=True))
    assert np.array_equal(product, values @ values.T)


LIMITS = {
    "both": ([-1.5, 0.5, np.nan, 2.5], -1.0, 1.0),
    "one": ([-1.5, 0.5, 2.5], None, 1),
    "none": ([-1.5, 0.5], None, None),
    "arrays that broadcast": ([-1.5, 0.5, 2.5], np.asarray([[0.0], [1.0]]), np.asarray([1.0])),
    "beyond whole numbers": (np.asarray([3, 200], np.uint8), -5, 1000),
    "of whole numbers": (np.asarray([3, 200], np.uint8), 5, 100),
    "in another dtype": (np.asarray([3, 9], np.float32), np.asarray([4.0, 4.0]), None),
}


@pytest.mark.parametrize("case", LIMITS)
def test_cupy_limits_as_numpy_does_and_waits_for_nothing(case, machine):
    x, low, high = (np.asarray(one) if type(one) is list else one for one in LIMITS[case])
    xp = backends.backend_for_device("cuda")[0].xp
    put = [to_device(one, "cuda") if isinstance(one, np.ndarray) else one for one in (low, high)]
    expected = array_api_compat.numpy.clip(x, low, high)
    given = to_device(x, "cuda")

    machine.recorded = []  # nothing can be read
    try:
        out = xp.clip(given, *put)
    finally:
        machine.recorded = None

    assert out.dtype == expected.dtype
    assert out is not given
    assert np.array_equal(out.get(), expected, equal_nan=out.dtype.kind == "f")


@pytest.mark.parametrize("number", [-0.0, 0.0, complex(0.0, -0.0), complex(-0.0, 0.0), 2.5])
def test_cupy_fills_with_the_sign_of_zero(number, machine):
    backend, _ = backends.backend_for_device("cuda")
    like = to_device(np.zeros(3, type(number)), "cuda")

    for out in (backend.xp.full(3, number), backend.xp.full_like(like, number)):
        assert backend.to_numpy(out).tobytes() == np.full(3, number).tobytes()


def test_negative_zero_is_written_with_its_sign(machine):
    x = to_device(np.ones(3), "cuda")

    for number in (-0.0, np.float32(-0.0), np.asarray(-0.0)):
        assert np.signbit(gx.asarray(number, device="cuda"))
        assert np.signbit(to_device(np.asarray(number), "cuda"))
    out = gx.setitem(x, -0.0, slice(1, None))

    assert np.array_equal(out, [1.0, 0.0, 0.0])
    assert np.array_equal(np.signbit(out), [False, True, True])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_cupy_leaves_the_remainder_that_numpy_does(dtype, machine):
    backend, _ = backends.backend_for_device("cuda")
    whole = dtype == "int32"
    numbers = [-7, -2, 1, 7] if whole else [-np.inf, -7.5, -2.0, -0.0, 0.0, 0.3, 7.0, 1e9, np.inf]
    values = np.asarray(numbers, dtype)
    x, y = to_device(values[:, None], "cuda"), to_device(values, "cuda")

    column = values[:, None]
    pairs = [((x, y), (column, values)), ((x, -3), (column, -3)), ((7, y), (7, values))]
    for given, beside in pairs:
        with np.errstate(all="ignore"):  # the played CuPy is NumPy
            found, expected = backend.xp.remainder(*given), np.remainder(*beside)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_cupy_is_given_a_copy_of_memory_on_its_gpu(machine, monkeypatch):
    backend, _ = backends.backend_for_device("cuda")
    monkeypatch.setattr(sys.modules["gradx.backends.cupy_gaps"], "ON_A_GPU", 1)  # where it plays
    array = to_device(np.ones(3), "cuda")

    assert not backend.shares_memory(backend.xp.from_dlpack(array, copy=True), array)
    assert backend.shares_memory(backend.xp.from_dlpack(array), array)


def test_arrays_that_numpy_cannot_read_are_put_together(machine, monkeypatch):
    one = to_device(np.asarray(1.5), "cuda")

    monkeypatch.setattr(np, "asarray", partial(reading, np.asarray, machine.cupy.ndarray))

    out = gx.asarray([[one, one], (one, one)])

    assert backends.device_of(out) == "cuda:0"
    assert out.tolist() == [[1.5, 1.5], [1.5, 1.5]]
    with pytest.raises(DTypeError, match="expected numbers or booleans, got list"):
        gx.asarray([[object()]])


def reading(asarray, refused, x, **settings):
    """Read what holds none of the arrays that are refused."""
    leaves = optree.tree_leaves(x)
    if isinstance(x, list | tuple) and any(isinstance(leaf, refused) for leaf in leaves):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")
    return asarray(x, **settings)


def test_cupy_multiplies_vectors_without_cublas(machine):
    backend, _ = backends.backend_for_device("cuda")
    x, y = np.arange(6.0).reshape(2, 3) * (1 + 2j), np.ones((4, 1, 3))
    put = [to_device(one, "cuda") for one in (x, y)]

    out = backend.kernels["vecdot"](backend.xp, *put)

    assert np.allclose(out.get(), np.vecdot(x, y))
    with pytest.raises(ShapeError, match=r"vecdot: \(2, 3\) and \(2, 2\) differ along axis -1"):
        backend.kernels["vecdot"](backend.xp, put[0], put[0][:, :2])


SYSTEMS = [((2, 3, 3), (3, 4)), ((3, 3), (2, 3, 4)), ((2, 1, 3, 3), (5, 3, 2)), ((2, 3, 3), (3,))]


@pytest.mark.parametrize(("matrices", "sides"), SYSTEMS)
def test_stacks_of_systems_broadcast_for_cupy_which_does_not(matrices, sides, machine, monkeypatch):
    backend, _ = backends.backend_for_device("cuda")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=matrices), rng.normal(size=sides)
    put = [to_device(one, "cuda") for one in (x, y)]

    def strict(x, y):
        assert y.ndim == 1 or x.shape[:-1] == y.shape[:-1]
        return np.linalg.solve(x, y)

    monkeypatch.setattr(backend.xp.linalg, "solve", strict)

    out = backend.kernels["solve"](backend.xp, *put)

    assert np.allclose(out.get(), np.linalg.solve(x, y))


@pytest.mark.parametrize("name", ["cholesky", "inv", "solve"])
def test_matrix_without_an_inverse_or_a_factor_raises_as_on_the_cpu(name, machine, monkeypatch):
    backend, _ = backends.backend_for_device("cuda")
    put = [to_device(np.zeros((2, 2)), "cuda")] * (1 + (name == "solve"))

    def silent(x, *others):
        if sys.modules["cupyx"].linalg == "raise":
            raise np.linalg.LinAlgError("Error reported by cuSOLVER")
        return x

    monkeypatch.setattr(backend.xp.linalg, name, silent)

    with pytest.raises(ValueError, match="Error reported by cuSOLVER"):
        backend.kernels[name](backend.xp, *put)
    assert sys.modules["cupyx"].linalg == "ignore"


def test_info_says_why_cuda_cannot_be_used(no_wheels, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)

    assert report.info()["cuda"] == "CuPy is not installed"
