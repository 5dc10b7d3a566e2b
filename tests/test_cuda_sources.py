"""Every CUDA source compiles with NVIDIA's own compiler, for an A100 and an H100.

It needs ``nvidia-cuda-nvrtc`` and no GPU: ``nox -s cuda_sources`` installs it. What the
kernels compute is tested in ``test_cuda_kernels.py``.
"""

import pkgutil
import re
from functools import reduce
from importlib import import_module
from importlib.util import find_spec

import pytest

from gradx.backends import cuda_kernels
from gradx.backends.cuda_kernels.launching import OPTIONS
from tests import nvrtc
from tests.cuda_emulation import SIGNATURE

ARCHITECTURES = ["sm_80", "sm_90"]

needs_nvrtc = pytest.mark.skipif(
    nvrtc.library() is None, reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc"
)


def sources():
    for found in pkgutil.iter_modules(cuda_kernels.__path__):
        module = import_module(f"gradx.backends.cuda_kernels.{found.name}")
        for index, kind in enumerate(getattr(module, "KINDS", ())):
            yield pytest.param(module.code(*kind), id=f"{found.name}-{index}")


every_source = pytest.mark.parametrize("source", list(sources()))


@needs_nvrtc
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@every_source
def test_source_compiles_for(source, architecture):
    machine_code = nvrtc.compiled(source, architecture, OPTIONS)

    assert machine_code[:4] == b"\x7fELF"
    for name, _ in SIGNATURE.findall(source):
        assert name.encode() in machine_code


@every_source
def test_numbers_that_kernels_take_are_those_that_launch_passes(source):
    declared = re.findall(r'extern "C" __global__ void \w+\(([^)]*)\)', source)

    kinds = {p.rpartition(" ")[0].strip() for one in declared for p in one.split(",")}

    assert {kind for kind in kinds if not kind.endswith("*")} <= {
        "int64",
        "double",
        "const __grid_constant__ Table",
    }


# What is called of CuPy beside arrays' usual functions: it can be looked up without a GPU.
CALLED = {
    "RawModule": ("get_function",),
    "cuda.Device": ("__enter__", "id", "synchronize"),
    "cuda.Event": ("record",),
    "cuda.Graph": ("launch", "upload"),
    "cuda.MemoryPool": ("malloc", "total_bytes"),
    "cuda.Stream": ("begin_capture", "end_capture", "is_capturing", "wait_event"),
    "cuda": ("get_current_stream", "using_allocator"),
    "cuda.runtime": ("streamCaptureModeThreadLocal",),
    "ndarray": ("copy", "data", "device", "flags", "get", "mT", "set"),
}


@pytest.mark.skipif(find_spec("cupy") is None, reason="CuPy is not installed")
@pytest.mark.parametrize("path", CALLED)
def test_cupy_has_what_is_called(path):
    found = reduce(getattr, path.split("."), import_module("cupy"))

    assert [name for name in CALLED[path] if not hasattr(found, name)] == []


@needs_nvrtc
def test_mistake_in_a_source_is_told_in_the_compilers_words():
    with pytest.raises(nvrtc.CompileError, match='identifier "y" is undefined'):
        nvrtc.compiled("__global__ void wrong(int* x) { *x = y; }", "sm_90")
