"""A stand-in for CuPy, made of NumPy, with its habits about devices.

Its arrays are computed on the device that was entered, not where their inputs
lie; creation functions know no ``device=``; a machine can have any driver and any
number of devices. With it the branches of the CUDA backend run without a GPU.
"""

import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from tests import cuda_emulation
from tests.fake_streams import FakeRuntimeError as FakeRuntimeError
from tests.fake_streams import add_streams


@dataclass
class Machine:
    """What the fake finds, and which device it computes on."""

    device_count: int = 2
    driver_version: int = 13000
    current: int = 0
    synchronized: int = 0
    pool_bytes: int = 0
    stream: Any = None  # the one that was entered
    recorded: list[Any] | None = None  # what is launched while a stream is captured
    capacity: int | None = None  # bytes that arrays may take, None for any number
    used: int = 0
    log: list[tuple[Any, ...]] = field(default_factory=list)  # what streams were asked to do
    events: int = 0
    launches: list[str] = field(default_factory=list)  # what the last capture recorded, by name

    @property
    def capturing(self) -> bool:
        return self.recorded is not None

    def record(self, command: Callable[[], Any], name: str) -> None:
        """Keep a command for the CUDA graph that is being captured, if one is."""
        if self.recorded is not None:
            self.recorded.append(command)
            self.launches.append(name)

    def free(self, size: int) -> None:
        """Take back the memory of an array that is gone."""
        self.used -= size

    missing_libraries: tuple[str, ...] = ()


KNOWN = (np.ndarray, np.generic)
# What CuPy computes by cuBLAS or cuSOLVER, which refuse to be captured.
OF_LIBRARIES = {
    *("cholesky", "det", "dot", "eig", "eigh", "eigvals", "eigvalsh", "einsum", "inner", "inv"),
    *("lstsq", "pinv", "qr", "slogdet", "solve", "svd", "tensordot", "vdot", "vecdot"),
}


class PooledMemory:
    """Memory that CuPy's pool owns."""


class OutOfMemoryError(MemoryError):
    """What CuPy raises, after it has tried again without what it held."""


def make_cupy(machine: Machine) -> dict[str, ModuleType]:
    """Return the modules to put into ``sys.modules``."""
    cupy = ModuleType("cupy")
    cupy.__dict__.update({name: value for name, value in vars(np).items() if name[0] != "_"})
    cupy.__version__ = "14.2.0"
    cupy.__path__ = []  # a package, whose modules are these
    cupy.cuda = make_cuda(machine)
    cupy.ndarray = make_array_type(cupy.cuda, machine)
    cupy.asnumpy = lambda array: array.get() if isinstance(array, cupy.ndarray) else array
    for name in ("arange", "array", "empty", "eye", "full", "linspace", "ones", "zeros"):
        setattr(cupy, name, on_current_device(getattr(np, name), cupy.ndarray))
    for name in ("concat", "concatenate"):
        join = on_current_device(getattr(np, name), cupy.ndarray)
        setattr(cupy, name, without_tables(join, machine))
    for name in ("empty_like", "full_like", "ones_like", "zeros_like"):
        setattr(cupy, name, on_current_device(getattr(np, name), cupy.ndarray))
    cupy.full = on_current_device(with_all_bytes_0(np.full), cupy.ndarray)
    cupy.full_like = on_current_device(with_all_bytes_0(np.full_like), cupy.ndarray)
    cupy.from_dlpack = from_dlpack_uncopied
    cupy.asarray = make_asarray(cupy.ndarray, machine)
    cupy.broadcast_to = partial(np.broadcast_to, subok=True)
    cupy.copyto = lambda to, x: launched(machine, lambda: np.copyto(bare(to), bare(x)), "copyto")
    cupy.RawModule = recording_module(machine)
    cupy.get_default_memory_pool = lambda: cupy.cuda.default_pool
    return {
        "cupy": cupy,
        "cupy.cuda": cupy.cuda,
        "cupy.cuda.device": cupy.cuda.device,
        "cupyx": make_cupyx(),
        "cupy.linalg": np.linalg,
        "cupy.fft": np.fft,
        "cuda.pathfinder": make_pathfinder(machine),
    }


def with_all_bytes_0(full: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``full`` of a number that is 0 forget its sign."""

    @wraps(full)
    def filled(of, value, *args, **settings):
        is_zero = not isinstance(value, np.ndarray) and value == 0
        return full(of, type(value)() if is_zero else value, *args, **settings)

    return filled


def from_dlpack_uncopied(array, *, copy=None):
    """Refuse to copy on a GPU, as CuPy does."""
    if copy:
        raise BufferError("copy=True only supported for copy to CPU.")
    return array


def make_cuda(machine: Machine) -> ModuleType:
    """Return the stand-in for ``cupy.cuda``."""

    class Device:
        def __init__(self, device=None):
            self.id = machine.current if device is None else getattr(device, "id", device)
            self.entered = []

        def __enter__(self):
            self.entered.append(machine.current)
            machine.current = self.id
            return self

        def __exit__(self, *error):
            machine.current = self.entered.pop()

        def __eq__(self, other):
            return isinstance(other, Device) and self.id == other.id

        __hash__ = None

        def synchronize(self):
            machine.synchronized += 1

    Device.__module__ = "cupy.cuda.device"

    def device_count():
        if machine.driver_version < 13000:
            raise FakeRuntimeError("cudaErrorInsufficientDriver: driver version is insufficient")
        return machine.device_count

    runtime = SimpleNamespace(
        memGetInfo=lambda: (6 << 30, 8 << 30),
        is_hip=False,
        driverGetVersion=lambda: machine.driver_version,
        runtimeGetVersion=lambda: 13020,
        getDeviceCount=device_count,
    )
    cuda = ModuleType("cupy.cuda")
    cuda.device = ModuleType("cupy.cuda.device")
    cuda.Device = cuda.device.Device = Device
    cuda.runtime = runtime
    add_streams(cuda, runtime, machine)
    cuda.memory = SimpleNamespace(PooledMemory=PooledMemory)
    return cuda


def launched(machine: Machine, command, name):
    """Run a command, and again in each replay of the graph that is being captured."""
    machine.record(command, name)
    return command()


def recording_module(machine: Machine) -> type:
    """Return the stand-in for ``cupy.RawModule``."""

    class RawModule(cuda_emulation.Module):
        def get_function(self, name):
            run = super().get_function(name)
            return lambda *launch: launched(machine, lambda: run(*launch), name)

    return RawModule


def as_keys(key):
    """Return what a key has for each axis."""
    return key if isinstance(key, tuple) else (key,)


def is_mask(key):
    """Tell whether a key chooses elements, so that somebody must count them."""
    return isinstance(key, np.ndarray) and key.dtype == bool


def bare(x):
    """Return a fake array as NumPy's, of the same memory; in a list too."""
    if type(x) in (list, tuple):
        return type(x)(map(bare, x))
    return x.view(np.ndarray) if isinstance(x, np.ndarray) else x


def make_array_type(cuda, machine: Machine) -> type:
    """Return the stand-in for ``cupy.ndarray``."""

    class ndarray(np.ndarray):
        def __array_finalize__(self, parent):
            is_view = isinstance(parent, ndarray) and np.may_share_memory(self, parent)
            self._index = parent._index if is_view else machine.current
            if machine.recorded is not None:
                # Its memory stays the graph's, as in a pool of its own: products know addresses.
                machine.recorded.append(lambda kept=self: None)

        def __array_ufunc__(self, ufunc, method, *inputs, out=None, **params):
            if any(hasattr(x, "__array_ufunc__") and not isinstance(x, KNOWN) for x in inputs):
                return NotImplemented
            if machine.capturing and ufunc in (np.matmul, np.vecdot):
                raise NotImplementedError("calling cuBLAS API during stream capture")
            plain = bare(inputs)
            if out is not None:
                compute = lambda: getattr(ufunc, method)(*plain, out=bare(out), **params)
                launched(machine, compute, ufunc.__name__)
                return out[0]
            return made(lambda: getattr(ufunc, method)(*plain, **params), ufunc.__name__)

        def __getitem__(self, key):
            if machine.capturing and any(is_mask(one) for one in as_keys(key)):
                raise FakeRuntimeError("the current stream is capturing: a mask is counted")
            return super().__getitem__(key)

        def __setitem__(self, key, value):
            if isinstance(value, np.ndarray) and any(map(is_mask, as_keys(key))):
                self[key]  # CuPy counts what is written too, unless it is one number
            # Of a number that is 0 all bytes are.
            is_zero = not isinstance(value, np.ndarray) and np.isscalar(value) and value == 0
            given = type(value)() if is_zero else bare(value)
            compute = lambda: bare(self).__setitem__(bare(key), given)
            launched(machine, compute, "setitem")

        def __array_function__(self, function, types, args, params):
            if machine.capturing and function.__name__ in OF_LIBRARIES:
                raise NotImplementedError("calling cuBLAS API during stream capture")
            plain, named = bare(args), {name: bare(value) for name, value in params.items()}
            if function is np.take:
                named["mode"] = "wrap"  # CuPy looks at no index
            found = function(*plain, **named)
            if not isinstance(found, (np.ndarray, np.generic, tuple, list)):
                return found
            if any(np.may_share_memory(found, x) for x in plain if isinstance(x, np.ndarray)):
                view = found.view(ndarray)
                view._index = self._index
                return view
            return made(lambda: function(*plain, **named), function.__name__)

        @property
        def device(self):
            return cuda.Device(self._index)

        @property
        def data(self):
            index = self._index
            return SimpleNamespace(mem=PooledMemory(), ptr=self.ctypes.data, device_id=index)

        def get(self):
            if machine.capturing:
                raise FakeRuntimeError("the current stream is capturing")
            return np.array(bare(self))

        def set(self, array, stream=None):
            if machine.capturing:
                raise FakeRuntimeError("the current stream is capturing")
            if not isinstance(array, np.ndarray) or (array.shape, array.dtype) != (
                self.shape,
                self.dtype,
            ):
                raise TypeError("only a numpy.ndarray of the same shape and dtype can be set")
            name = (stream or cuda.get_current_stream()).name
            machine.log.append((name, "copies", array.tolist()))
            np.copyto(bare(self), array)

        def copy(self):
            return made(lambda: np.array(bare(self), order="C"), "copy")

        def astype(self, dtype, copy=True):
            if not copy and dtype == self.dtype:
                return self
            return made(lambda: bare(self).astype(dtype), "astype")

        def __bool__(self):
            return bool(self.get())

    def made(compute, name):
        """Compute new arrays, and compute them again where they lie in a replay."""
        found = compute()
        if isinstance(found, tuple):
            return tuple([made(lambda i=i: compute()[i], name) for i in range(len(found))])
        array = own(np.asarray(found), ndarray, machine)
        if name not in ("empty", "empty_like"):  # nothing runs for these
            machine.record(lambda: np.copyto(bare(array), compute()), name)
        return array

    ndarray.__module__ = "cupy"
    ndarray.made = staticmethod(made)
    return ndarray


def on_current_device(create, array_type):
    """Make NumPy's ``create`` return fake arrays, with no ``device`` to choose."""

    def created(*args, **parameters):
        assert "device" not in parameters, "CuPy's creation functions know no device"
        plain = bare(args)
        return array_type.made(lambda: create(*plain, **parameters), create.__name__)

    return created


def without_tables(join, machine: Machine):
    """Refuse to join over eight arrays in a capture: CuPy copies their addresses to the GPU."""

    def joined(arrays, *args, **parameters):
        if machine.capturing and len(arrays) > 8:
            raise FakeRuntimeError("the current stream is capturing, so H2D is disallowed")
        return join(arrays, *args, **parameters)

    return joined


def own(array, array_type, machine: Machine):
    """Return a fake array that is no view, as one that CuPy has made."""
    if machine.capacity is not None and machine.used + array.nbytes > machine.capacity:
        raise OutOfMemoryError(f"Out of memory allocating {array.nbytes:,} bytes")
    made = np.ndarray.__new__(array_type, array.shape, array.dtype)
    machine.used += array.nbytes
    weakref.finalize(made, machine.free, array.nbytes)
    np.copyto(made, array)
    return made


def make_asarray(array_type, machine: Machine):
    """Return the stand-in for ``cupy.asarray``, which copies to the current device."""

    def asarray(x, dtype=None):
        is_here = isinstance(x, array_type) and x.device.id == machine.current
        if is_here and dtype in (None, x.dtype):
            return x
        array = np.asarray(x, dtype=dtype)
        # What has no axes is a number, and of one that is 0 all bytes are.
        return own(
            np.zeros_like(array) if array.ndim == 0 and not array else array, array_type, machine
        )

    return asarray


def make_cupyx() -> ModuleType:
    """Return the stand-in for CuPy's other package."""
    cupyx = ModuleType("cupyx")
    cupyx.empty_pinned = np.empty
    cupyx.linalg = "ignore"

    @contextmanager
    def errstate(*, linalg):
        before, cupyx.linalg = cupyx.linalg, linalg
        try:
            yield
        finally:
            cupyx.linalg = before

    cupyx.errstate = errstate
    return cupyx


def make_pathfinder(machine: Machine) -> ModuleType:
    """Return the stand-in for the package that finds CUDA's libraries."""
    pathfinder = ModuleType("cuda.pathfinder")

    def load(library):
        if library in machine.missing_libraries:
            raise FakeRuntimeError(f"Failure finding {library}")
        return SimpleNamespace(abs_path=str(cuda_emulation.fake_cublaslt()))

    pathfinder.load_nvidia_dynamic_lib = load
    return pathfinder


@contextmanager
def installed(machine: Machine) -> Iterator[ModuleType]:
    """Make ``import cupy`` find the fake in a ``with`` block, and all that wraps it."""
    before = {name: module for name, module in sys.modules.items() if wraps_cupy(name)}
    forget(before)
    fakes = make_cupy(machine)
    sys.modules.update(fakes)
    try:
        yield fakes["cupy"]
    finally:
        forget([name for name in sys.modules if wraps_cupy(name)])
        sys.modules.update(before)
        for name, module in before.items():
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, module)


def forget(names) -> None:
    """Let modules be imported anew: also by ``from package import module``."""
    for name in names:
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            vars(sys.modules[parent]).pop(child, None)
        del sys.modules[name]


def wraps_cupy(module: str) -> bool:
    wrapping = (
        "array_api_compat.cupy",
        "gradx.backends.cupy",
        "gradx.backends.cuda_",
        "gradx.backends.cublaslt",
        "gradx.graph.cuda",
    )
    return module.startswith(("cupy", "cuda", *wrapping))
